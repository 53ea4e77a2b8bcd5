"""Sizes of arrays in loops, as the start of the function knows them."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import Decl
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk_stmts
from xpiler.passes.sizes_at_start import with_sizes_at_start

LOOP = """\
void rows(const float *x, float *y, const int *starts, int n, int m) {{
  const int twice = 2 * m;
  for (int i = 0; i < n; ++i) {{
    const int end = i + 8 < n ? i + 8 : n;
    for (int k = i; k < end; k += 4) {{
      {lets}
      float t[{size}];
      t[0] = x[k];
      y[k] = t[0];
    }}
  }}
}}
"""


def size(text: str, lets: str = "") -> str:
    (kernel,) = parse(LOOP.format(size=text, lets=lets), "rows.cpp", platform="vnni").program.kernels
    function = with_sizes_at_start(kernel)
    (decl,) = (s for s in walk_stmts(function.body) if isinstance(s, Decl) and s.shape)
    return show(decl.shape[0])


def test_names_of_the_loop_are_spelled_out() -> None:
    assert size("width + 1", "const int half = m * 3; const int width = half + twice;") == "m * 3 + twice + 1"


@pytest.mark.parametrize(
    ("written", "largest"),
    [
        ("i + 1", "n"),
        ("n - i", "n"),
        ("end - i", "n"),
        ("-i + n", "n"),
        ("((-i + n < 32 ? -i + n : 32) + 15) / 16 * m", "max((min(n, 32) + 15) / 16 * m, m)"),
        ("k * 2 + 1", "n * 2 - 1"),
        ("i * m", "max((n - 1) * m, 0)"),
        ("(n - i) / 2", "n / 2"),
    ],
)
def test_a_size_that_differs_is_the_largest_of_them(written: str, largest: str) -> None:
    assert size(written) == largest


@pytest.mark.parametrize("written", ["starts[k]", "i * k", "width"])
def test_what_data_decide_or_no_end_is_known_of_stays(written: str) -> None:
    assert size(written, "int width = m; if (x[k] > 0) width = n;") == written
