"""Loops that threads count through rows of a length that no number says."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise

ROWS = """\
__global__ void rows(const float *x, float *y, int count, int n, int stride) {
  for (int c = 0; c < n; c += 32) {
    const int width = min(n - c, 32);
    for (int i = threadIdx.x; i < count * width LESS; i += 256) {
      const int j = i / width, k = i % width;
      y[j * stride + c + k] = x[j * stride + c + k];
    }
    __syncthreads();
  }
}
void launch(const float *x, float *y, int count, int n, int stride) {
  rows<<<1, 256>>>(x, y, count, n, stride);
}
"""


@pytest.mark.parametrize(("less", "rows"), [("", True), ("- 1", False)])
def test_rows_of_an_unknown_length_are_loops_of_their_own(less: str, rows: bool) -> None:
    (kernel,) = parse(ROWS.replace("LESS", less), "rows.cu", platform="cuda").program.kernels
    shown = show(canonicalise(kernel, (256, 1, 1), (1, 1, 1)).function)
    assert ("for i32 k in 0 .. " in shown) == rows
    assert ("parallel for i32 k" in shown) == rows
