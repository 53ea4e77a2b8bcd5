"""Kernels that count all outputs by one number: rows become lanes, or at least loops without divisions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend.cpp import build
from xpiler.backend.c import CPrinter
from xpiler.backend.vnni import CppFunction, generate
from xpiler.frontend import parse
from xpiler.ir.nodes import Function
from xpiler.passes.canonical import canonicalise

PARAMETERS = """const float *__restrict__ x, const float *__restrict__ w, float *__restrict__ y, int channels,
    int height, int width, int out_h, int out_w, int stride, int pad"""
DIGITS = "int ow = i % out_w, oh = i / out_w % out_h, c = i / out_w / out_h;"

DEPTHWISE = """
__global__ void depthwise(PARAMETERS) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= channels * out_h * out_w) return;
  DIGITS
  float sum = 0;
  #pragma unroll
  for (int k = 0; k < 3; ++k)
    for (int l = 0; l < 3; ++l) {
      int row = oh * stride - pad + k, column = ow * stride - pad + l;
      if (row >= 0 && row < height && column >= 0 && column < width)
        sum += x[(c * height + row) * width + column] * w[c * 9 + k * 3 + l];
    }
  y[i] = sum;
}"""

GROUPED = """
__global__ void grouped(PARAMETERS) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= channels * out_h * out_w) return;
  DIGITS
  int group = c / (channels / pad);
  float sum = 0;
  for (int d = 0; d < stride; ++d)
    for (int k = 0; k < 3; ++k)
      for (int l = 0; l < 3; ++l)
        sum += x[((group * stride + d) * height + oh + k) * width + ow + l]
               * w[(c * stride + d) * 9 + k * 3 + l];
  y[i] = sum;
}"""

POOL = """
__global__ void pool(PARAMETERS) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= channels * out_h * out_w) return;
  DIGITS
  int top = oh * stride - pad, left = ow * stride - pad;
  int bottom = min(top + 3, height), right = min(left + 3, width);
  top = max(top, 0); left = max(left, 0);
  float sum = 0;
  for (int k = top; k < bottom; ++k)
    for (int l = left; l < right; ++l) sum += x[(c * height + k) * width + l];
  y[i] = sum / ((bottom - top) * (right - left));
}"""

TURNED = """
__global__ void turned(PARAMETERS) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= channels * width) return;
  int d = i % width, c = i / width;
  float a = x[2 * i], b = x[2 * i + 1];
  y[2 * i] = a * w[d] - b * w[c];
  y[2 * i + 1] = b * w[d] + a * w[c];
}"""

PEAKS = """
__global__ void peaks(PARAMETERS) {
  int ow = threadIdx.x, oh = blockIdx.x, c = 0;
  if (ow >= out_w || oh >= out_h) return;
  float peak = -3e38f;
  for (int k = 0; k < stride + 1; ++k) {
    int row = oh * stride - pad + k;
    if (row < 0 || row >= height) continue;
    for (int l = 0; l < stride + 1; ++l) {
      int column = ow * stride - pad + l;
      if (column < 0 || column >= width) continue;
      peak = fmaxf(peak, x[(c * height + row) * width + column]);
    }
  }
  y[(c * out_h + oh) * out_w + ow] = peak;
}"""

SOURCES = {"depthwise": DEPTHWISE, "grouped": GROUPED, "pool": POOL, "turned": TURNED, "peaks": PEAKS}


def canonical(source: str) -> Function:
    text = source.replace("PARAMETERS", PARAMETERS).replace("DIGITS", DIGITS)
    (kernel,) = parse(text, "kernel.cu", platform="cuda").program.kernels
    return canonicalise(kernel, (64, 1, 1), (None, 1, 1)).function


def written(source: str, plain: bool = False) -> CppFunction:
    function = canonical(source)
    launch = {"gridDim.x": 40, "gridDim.y": 1, "gridDim.z": 1, "blockDim.x": 64}
    name = f"{function.name}_plain" if plain else function.name
    return generate(function, name=name, extern_c=True, launch=launch, scalar=CPrinter if plain else None)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("name", SOURCES)
def test_outputs_are_computed_as_without_lanes(name: str, stride: int, tmp_path: Path) -> None:
    source = SOURCES[name]
    made = build([written(source), written(source, plain=True)], tmp_path, name)
    channels, height, width, pad = 4, 7, 41, 1
    if name == "grouped":
        out_h, out_w, pad = height - 2, width - 2, 2
    else:
        out_h, out_w = ((size + 2 * pad - 3) // stride + 1 for size in (height, width))
    numbers = np.random.default_rng(5).standard_normal
    x, w = (numbers(4 * 3 * height * width).astype(np.float32) for _ in range(2))
    results = [np.zeros(4 * height * width, np.float32) for _ in range(2)]
    sizes = [np.int32(size) for size in (channels, height, width, out_h, out_w, stride, pad)]
    for function, result in zip((name, f"{name}_plain"), results, strict=True):
        made.call(function, x, w, result, *sizes)
    assert results[1].any()
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("source", [DEPTHWISE, POOL])
def test_a_lane_is_an_output_and_all_take_the_steps_of_their_windows_together(source: str) -> None:
    text = written(source).text
    assert "for (int ow = 0; ow < ow_end; ow += 16) {" in text
    assert "load_step_ps(" in text and "reduce_add" not in text
    assert text.count("load_step_ps(") <= 2, "a sum whose lanes sit out steps is not copied into tiles"


def test_what_all_lanes_agree_about_is_asked_before_their_mask() -> None:
    assert "if (oh * stride - pad + k >= 0 && oh * stride - pad + k < height) {" in written(DEPTHWISE).text


def test_rows_of_a_grouped_convolution_share_the_factors() -> None:
    text = written(GROUPED).text
    assert "float w_0 = w[" in text and "reduce_add" not in text


def test_work_is_known_where_a_row_may_be_cut_off() -> None:
    assert "* (int64_t)out_w >= " in written(DEPTHWISE).text


def test_a_number_that_makes_no_lanes_is_taken_apart_all_the_same() -> None:
    text = written(TURNED).text
    body = text[text.index("for (int d = 0;") :]
    assert "%" not in body and "/" not in body


def test_a_row_among_loops_over_blocks_is_found() -> None:
    text = written(PEAKS).text
    assert "thread_x += 16) {" in text and "load_step_ps(" in text and "reduce_max" not in text
