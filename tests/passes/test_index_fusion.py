"""Loops over rows and columns as one over elements."""

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise


@pytest.mark.parametrize(
    ("index", "loops"),
    [
        ("r * n + c", ["parallel for i32 c in 0 .. m * n {"]),
        # 50,000 rows of 50,000 elements: the counter of the rows does not count them all.
        ("(size_t)r * n + c", ["parallel for i32 r in 0 .. m {", "parallel for i32 c in 0 .. n {"]),
        ("(long long)r * n + c", ["parallel for i32 r in 0 .. m {", "parallel for i32 c in 0 .. n {"]),
    ],
)
def test_elements_are_counted_by_what_their_addresses_are_computed_in(index: str, loops: list[str]) -> None:
    text = f"""
#include <cstddef>
void f(float *y, int m, int n) {{
    for (int r = 0; r < m; ++r) for (int c = 0; c < n; ++c) y[{index}] = 0.0f;
}}
"""
    (kernel,) = parse(text, "f.cpp", platform="vnni").program.kernels
    shown = show(canonicalise(kernel).function)
    assert [line.strip() for line in shown.splitlines() if " for " in line] == loops
