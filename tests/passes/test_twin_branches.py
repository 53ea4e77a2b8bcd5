"""A statement that stands in both branches of a condition."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.nodes import If
from xpiler.ir.rewrite import walk
from xpiler.passes.twin_branches import merge_twins

TWINS = """\
void scale(const float *x, float *y, int n) {
  if (n >= 4096) {
#pragma omp parallel for
    for (int i = 0; i < n; ++i) y[i] = 2 * x[i];
  } else {
    for (int j = 0; j < n; ++j) y[j] = FACTOR * x[j];
  }
}
"""


@pytest.mark.parametrize(("factor", "branches"), [("2", 0), ("3", 1)])
def test_a_loop_with_threads_and_its_copy_without_are_one(factor: str, branches: int) -> None:
    (kernel,) = parse(TWINS.replace("FACTOR", factor), "scale.cpp", platform="vnni").program.kernels
    assert sum(isinstance(node, If) for node in walk(merge_twins(kernel).body)) == branches
