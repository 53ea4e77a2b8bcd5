"""Lanes a few elements apart, and lanes whose own part of a position has 32 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend.cpp import build, function, lanes, pointer, scalar, serial
from xpiler.backend.vnni import generate
from xpiler.frontend import parse
from xpiler.ir.build import add, cast, const, load, mul, var
from xpiler.ir.nodes import Assign, Load
from xpiler.ir.types import F32, I32, I64, U64
from xpiler.passes.canonical import canonicalise

T, N = var("t"), var("n")

POOL = """\
__global__ void pool(const float *in, float *out, int h, int w, int oh, int ow) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= oh * ow) return;
  const float *p = in + (size_t)blockIdx.y * h * w;
  float m = 1e30f;
  for (int a = 0; a < 3; a++)
    for (int b = 0; b < 3; b++) m = fminf(m, p[(i / ow * 2 + a) * w + i % ow * STEP + b]);
  out[(size_t)blockIdx.y * oh * ow + i] = m;
}
void call(const float *in, float *out, int planes, int h, int w, int oh, int ow) {
  pool<<<dim3((oh * ow + 127) / 128, planes), 128>>>(in, out, h, w, oh, ow);
}
"""

INSERTION = """\
__global__ void nearest(const float *q, const float *p, float *d, int n, int m) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float best[8];
  for (int k = 0; k < 8; ++k) best[k] = 1e30f;
  for (int j = 0; j < m; ++j) {
    float e = fabsf(p[j] - q[i]);
    int k = 8;
    while (k > 0 && best[k - 1] > e) { if (k < 8) best[k] = best[k - 1]; --k; }
    if (k < 8) best[k] = e;
  }
  for (int k = 0; k < 8; ++k) d[i * 8 + k] = best[k];
}
void call(const float *q, const float *p, float *d, int n, int m) {
  nearest<<<(n + 63) / 64, 64>>>(q, p, d, n, m);
}
"""


def text_of(source: str) -> str:
    (kernel,) = parse(source, "lanes.cu").program.kernels
    return generate(canonicalise(kernel, kernel.block_size, kernel.grid_size).function).text


@pytest.mark.parametrize("step", [2, 3, 4])
@pytest.mark.parametrize("n", [5, 16, 37])
def test_elements_a_few_apart(step: int, n: int, tmp_path: Path) -> None:
    body = lanes("t", N, Assign(load("y", F32, T), load("x", F32, mul(T, const(step)))))
    kernel = function("apart", (pointer("x", F32, True), pointer("y", F32), scalar("n")), body)
    made = generate(kernel, name="apart", extern_c=True, launch={})
    assert "load_step_ps(" in made.text
    x = np.arange((n - 1) * step + 1, dtype=np.float32)
    y = np.zeros(n, np.float32)
    build([made], tmp_path, "apart").call("apart", x, y, np.int32(n))
    np.testing.assert_array_equal(y, x[::step])


@pytest.mark.parametrize(("step", "stepped"), [("2", True), ("STRIDE", False)])
def test_windows_of_planes_are_not_divided_for_each_element(step: str, stepped: bool) -> None:
    """Rows become loops, whether their elements make lanes or lie too far apart for that."""
    source = POOL.replace("STEP", step).replace("STRIDE", "9")
    text = text_of(source)
    assert "i / ow" not in text and "% ow" not in text, text
    assert ("load_step_ps(" in text) == stepped, text


def test_lists_that_each_thread_sorts_for_itself_are_no_lanes() -> None:
    text = text_of(INSERTION)
    assert "gather" not in text and "scatter" not in text, text


def test_what_lanes_have_alike_of_a_position_goes_into_the_pointer(tmp_path: Path) -> None:
    """`x[(u64)r * n + (u64)(i64)at[t]]`: sixteen lanes, negative numbers among what they add."""
    row = mul(cast(var("r"), U64), cast(N, U64))
    at = Load(F32, "x", (add(row, cast(cast(load("at", I32, T), I64), U64)),))
    body = serial("r", 1, 3, lanes("t", N, Assign(load("y", F32, add(mul(var("r"), N), T)), at)))
    params = (pointer("x", F32, True), pointer("at", I32, True), pointer("y", F32), scalar("n"))
    made = generate(function("picked", params, body), name="picked", extern_c=True, launch={})
    assert "_mm512_mask_i32gather_ps(" in made.text and "__m256" not in made.text, made.text
    n = 37
    x = np.arange(3 * n, dtype=np.float32)
    picked = ((np.arange(n) * 11) % (2 * n) - n).astype(np.int32)
    picked[picked + 2 * n >= 3 * n] = 0
    y = np.zeros(3 * n, np.float32)
    build([made], tmp_path, "picked").call("picked", x, picked, y, np.int32(n))
    for r in (1, 2):
        np.testing.assert_array_equal(y[r * n : r * n + n], x[r * n + picked])
