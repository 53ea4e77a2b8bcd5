"""Conditions on a counter become its range where all lanes agree about it."""

from __future__ import annotations

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.guard_bounds import bound_loops
from xpiler.passes.vectorize import vectorize

WINDOW = """\
__global__ void window(const float *__restrict__ x, const float *__restrict__ w, float *__restrict__ y,
                       int length, int channels, int width, int pad) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x, at = blockIdx.y;
  if (c >= channels) return;
  float sum = 0;
  for (int k = 0; k < width; ++k) {
    if (CONDITION) sum += x[(at + k - pad) * channels + c] * w[k * channels + c];
  }
  y[at * channels + c] = sum;
}
"""


def bounded(condition: str) -> str:
    text = WINDOW.replace("CONDITION", condition)
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    return show(bound_loops(vectorize(canonicalise(kernel, (128, 1, 1), (None, None, 1)).function).function))


def test_a_window_is_summed_where_it_is_inside() -> None:
    text = bounded("at + k - pad >= 0 && at + k - pad < length")
    assert "for i32 k in max(0, -block_y + pad) .. min(width, -block_y + length + pad) {" in text
    assert "if (" not in text


def test_what_else_is_asked_stays() -> None:
    text = bounded("at + k >= pad && w[k] > 0.0f")
    assert "for i32 k in max(0, -block_y + pad) .. width {" in text
    assert "if (w[k] > 0.0f)" in text


def test_a_range_that_lanes_differ_in_stays_a_condition() -> None:
    assert "for i32 k in 0 .. width {" in bounded("k >= c")
