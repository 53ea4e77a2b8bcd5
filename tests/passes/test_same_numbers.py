"""Numbers that are computed in the same way."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.same_numbers import name_once


@pytest.mark.parametrize(
    ("second", "named"),
    [
        ("int b = i < n / 4 ? 4 : n % 4;", True),
        ("int b = i < n / 4 ? 4 : n % 5;", False),
        ("int b = i < n / 4 ? 4 : n % 4; b += 1;", False),
    ],
)
def test_a_number_has_one_name(second: str, named: bool) -> None:
    text = f"""
    void f(float *x, int n) {{
      for (int i = 0; i < n; ++i) {{
        int a = i < n / 4 ? 4 : n % 4;
        x[a] = 1;
        {second}
        x[b + 9] = 2;
      }}
    }}"""
    (function,) = parse(text, "f.cpp", platform="vnni").program.kernels
    assert ("x[a + 9]" in show(name_once(function))) == named
