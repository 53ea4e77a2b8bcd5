"""Loops that threads count through rows of a length that no number says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import canonical, expanded, laid_out
from xpiler.frontend import parse
from xpiler.ir.interpret import run
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


@pytest.mark.parametrize(("less", "length"), [("", "min(n - c, 32) "), ("- 1", "min(min(n - c, 32), ")])
def test_rows_of_an_unknown_length_are_loops_of_their_own(less: str, length: str) -> None:
    (kernel,) = parse(ROWS.replace("LESS", less), "rows.cu", platform="cuda").program.kernels
    shown = show(canonicalise(kernel, (256, 1, 1), (1, 1, 1)).function)
    assert f"parallel for i32 k in 0 .. {length}" in shown


COLUMNS = """\
__global__ void columns(int n, const float *__restrict__ x, int height, int width, int size, int hc, int wc,
                        float *__restrict__ y) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) {
    int w = i % wc, h = i / wc % hc, c = i / wc / hc;
    float *at = y + (c * size * hc + h) * wc + w;
    for (int k = 0; k < size; ++k) {
      *at = x[(c * height + h + k) * width + w];
      at += hc * wc;
    }
  }
}
void launch(int n, const float *x, int height, int width, int size, int hc, int wc, float *y) {
  columns<<<(n + 255) / 256, 256>>>(n, x, height, width, size, hc, wc, y);
}
"""


def test_digits_of_a_number_that_is_no_product_of_theirs_are_loops_all_the_same() -> None:
    (kernel,) = parse(COLUMNS, "columns.cu", platform="cuda").program.kernels
    shown = show(canonicalise(kernel, (256, 1, 1), (None, 1, 1)).function)
    assert "if (0 < n)" in shown, "an empty loop divides by nothing"
    for digit in ("c", "h", "w"):
        assert f"parallel for i32 {digit} in 0 .. " in shown


def test_no_task_divides_by_a_radix_before_there_is_a_number_to_take_apart() -> None:
    source = """__global__ void shift(const float *x, float *y, int n, int w, int stride) {
      int i = blockIdx.x * blockDim.x + threadIdx.x;
      if (i < n) y[(i / w) * stride + i % w] = x[i];
    }"""
    laid = laid_out(canonical(source, x=3))
    assert "i_high" in show(laid)
    x, y = np.ones(4, np.float32), np.zeros(4, np.float32)
    assert not run(expanded(laid), {"x": x, "y": y, "n": 0, "w": 0, "stride": 0}).errors
    assert not run(expanded(laid), {"x": x, "y": y, "n": 4, "w": 2, "stride": 2}).errors
    np.testing.assert_array_equal(y, x)
