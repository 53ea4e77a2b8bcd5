"""Local arrays of which each iteration uses one element."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.private_elements import scalars_of_elements

ROWS = """\
void rows(const float *x, float *y, int n) {
  for (int r = 0; r < n; ++r) {
    float t[32];
    for (int i = 0; i < 32; ++i) { t[i] = x[i]; y[i] = t[i]; }
    AFTER
  }
}
"""


@pytest.mark.parametrize(("after", "stays"), [("", False), ("float z = t[r % 32]; y[r] = z;", True)])
def test_an_array_that_a_declaration_reads_elsewhere_stays(after: str, stays: bool) -> None:
    (kernel,) = parse(ROWS.replace("AFTER", after), "rows.cpp", platform="vnni").program.kernels
    assert ("f32 t[32];" in show(scalars_of_elements(kernel))) == stays
