"""Sums that lanes with arrays of their own keep are added up in parts."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.parted_sums import part_sums
from xpiler.passes.vectorize import vectorize

ROWS = """\
__global__ void rows(const float *__restrict__ q, const float *__restrict__ k, float *__restrict__ y, int n) {
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= n) return;
  float own[TERMS], total = 0.0f;
  for (int d = 0; d < TERMS; ++d) own[d] = q[row * TERMS + d] * 0.125f;
  for (int j = 0; j < n; ++j) {
    float s = 0.0f;
    for (int d = 0; d < TERMS; ++d) s += own[d] * k[j * TERMS + d];
    total = total * expf(-s) + s;
  }
  y[row] = total;
}
"""


def parted(terms: int) -> tuple[str, list[str]]:
    (kernel,) = parse(ROWS.replace("TERMS", str(terms)), "kernel.cu", platform="cuda").program.kernels
    notes: list[str] = []
    chosen = vectorize(canonicalise(kernel, (32, 1, 1), (None, 1, 1)).function)
    return show(part_sums(chosen.function, notes)), notes


def test_rows_that_compute_functions_in_turn_are_lanes_with_sums_in_four_parts() -> None:
    text, notes = parted(64)
    assert "vector for i32 row in" in text, text
    assert "step 4 {" in text and "s = s + s_part + (s_part_1 + s_part_2);" in text, text
    assert any("another order" in note for note in notes)


@pytest.mark.parametrize("terms", [6, 18])
def test_short_sums_and_those_with_a_rest_stay(terms: int) -> None:
    text, notes = parted(terms)
    assert "s_part" not in text and not notes
