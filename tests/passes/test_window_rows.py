"""Sums over windows of rows become vectors of outputs, other sums of products vectors of what is added."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.mlu import assert_same, canonical, instructions, laid_out, normal

# A thread an output, counted through tiles of 2 x 8 outputs that blocks take from the rows of tiles.
TILED = """
__global__ void conv(const float *x, const float *w, float *y, int channels, int height, int width,
                     int kernel, int stride, int pad, int out_h, int out_w) {
  const int tiles = (out_w + 7) / 8;
  const int oy = blockIdx.x / tiles * 2 + threadIdx.y;
  const int ox = blockIdx.x % tiles * 8 + threadIdx.x;
  float sum = 0.0f;
  for (int c = 0; c < channels; ++c)
    for (int i = 0; i < kernel; ++i)
      for (int j = 0; j < kernel; ++j) {
        const int row = oy * stride - pad + i, column = ox * stride - pad + j;
        const bool inside = row >= 0 && row < height && column >= 0 && column < width;
        sum += (inside ? x[(c * height + row) * width + column] : 0.0f) * w[(c * kernel + i) * kernel + j];
      }
  if (oy < out_h && ox < out_w) y[oy * out_w + ox] = sum;
}"""


@pytest.mark.parametrize(("kernel", "stride", "pad"), [(3, 1, 1), (3, 2, 2), (1, 3, 0)])
def test_the_outputs_of_a_row_are_lanes(kernel: int, stride: int, pad: int) -> None:
    channels, height, width = 2, 5, 9
    out_h, out_w = ((size + 2 * pad - kernel) // stride + 1 for size in (height, width))
    function = canonical(TILED, (8, 2, 1), x=-(-out_h // 2) * -(-out_w // 8))
    used = instructions(laid_out(function))
    assert "__bang_mul_scalar" in used and "__bang_sumpool" not in used
    assert_same(
        function,
        x=normal(channels * height * width),
        w=normal(channels * kernel * kernel),
        y=np.zeros(out_h * out_w, np.float32),
        channels=channels,
        height=height,
        width=width,
        kernel=kernel,
        stride=stride,
        pad=pad,
        out_h=out_h,
        out_w=out_w,
    )


SUMS = {
    "a filter of one row": ("x[i + k] * w[k]", True),
    "every second window": ("x[i * 2 + k] * w[k]", True),
    "rows of a matrix": ("x[i * n + k] * w[k]", False),
    "rows with space between": ("x[i * step + k] * w[k]", False),
    "rows far apart": ("x[i * 64 + k] * w[k]", False),
}


@pytest.mark.parametrize("name", SUMS)
def test_windows_share_elements_and_rows_of_a_matrix_do_not(name: str) -> None:
    value, of_windows = SUMS[name]
    source = f"""__global__ void sums(const float *x, const float *w, float *y, int n, int step) {{
        int i = threadIdx.x;
        float s = 0;
        for (int k = 0; k < n; ++k) s += {value};
        y[i] = s;
    }}"""
    function = canonical(source, (24, 1, 1))
    assert ("__bang_sumpool" not in instructions(laid_out(function))) == of_windows
    n, step = 6, 9
    assert_same(function, x=normal(24 * 64), w=normal(n), y=np.zeros(24, np.float32), n=n, step=step)
