"""Lanes a few elements apart, and lanes whose own part of a position has 32 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend.cpp import NUMPY, build, function, lanes, pointer, scalar, serial
from xpiler.backend.vnni import generate
from xpiler.frontend import parse
from xpiler.ir.build import add, cast, const, div, load, mod, mul, var
from xpiler.ir.nodes import Assign, Load
from xpiler.ir.types import BOOL, F32, I8, I16, I32, I64, U8, U16, U64, DType
from xpiler.passes.canonical import canonicalise
from xpiler.passes.vectorize import is_piece_of_word

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


BLEND = """\
__global__ void over(const uchar4 *front, uchar4 *back, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uchar4 f = front[i], b = back[i];
  b.x = (f.x * f.w + b.x * (255 - f.w)) / 255;
  b.y = (f.y * f.w + b.y * (255 - f.w)) / 255;
  back[i] = b;
}
void call(const uchar4 *front, uchar4 *back, int n) { over<<<(n + 63) / 64, 64>>>(front, back, n); }
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


@pytest.mark.parametrize("dtype", [U8, I8, U16, I16])
@pytest.mark.parametrize("n", [5, 16, 37])
def test_channels_of_words(dtype: DType, n: int, tmp_path: Path) -> None:
    """One channel of pixels goes into another; the other channels stay, also those behind the last pixel."""
    channels = 32 // dtype.bits
    own = mul(T, const(channels))
    body = lanes("t", N, Assign(load("y", dtype, add(own, 1)), load("x", dtype, own)))
    kernel = function("channel", (pointer("x", dtype, True), pointer("y", dtype), scalar("n")), body)
    made = generate(kernel, name="channel", extern_c=True, launch={})
    assert "gather" not in made.text and "scatter" not in made.text, made.text
    low = 0 if dtype in (U8, U16) else -(1 << (dtype.bits - 1))
    x = (np.arange((n - 1) * channels + 1) * 37 % (1 << dtype.bits) + low).astype(NUMPY[dtype.name])
    y = np.full((n - 1) * channels + 2, 7, x.dtype)
    wanted = y.copy()
    wanted[1::channels] = x[::channels]
    build([made], tmp_path, "channel").call("channel", x, y, np.int32(n))
    np.testing.assert_array_equal(y, wanted)


def test_flags_are_masks_and_no_pieces_of_words() -> None:
    assert is_piece_of_word(U8, 4) and not is_piece_of_word(BOOL, 4)


def test_pixels_of_four_bytes_are_lanes() -> None:
    text = text_of(BLEND)
    assert "load_fourths_epu8(" in text and "store_fourths_epi8(" in text, text


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


@pytest.mark.parametrize("number", [3, 5, 7, 10, 25, 127, 255, 641, 1000, 99991, 2**30 + 1, 2**31 - 1])
def test_quotients_by_numbers_are_exact(number: int, tmp_path: Path) -> None:
    own = load("x", I32, T)
    body = lanes(
        "t",
        N,
        Assign(load("q", I32, T), div(own, const(number))),
        Assign(load("r", I32, T), mod(own, const(number))),
    )
    params = (pointer("x", I32, True), pointer("q", I32), pointer("r", I32), scalar("n"))
    made = generate(function("parts", params, body), name="parts", extern_c=True, launch={})
    assert "divide_by_epi32(" in made.text, made.text
    edges = [k * number + d for k in (0, 1, 2, 77, (2**31 - 1) // number) for d in (-1, 0, 1)]
    numbers = [s * e for e in edges for s in (1, -1)] + [-(2**31), 2**31 - 1, -(2**31) + 1]
    x = np.array([n for n in numbers if -(2**31) <= n < 2**31], np.int32)
    x = np.concatenate([x, np.random.default_rng(3).integers(-(2**31), 2**31, 4000).astype(np.int32)])
    q, r = np.zeros_like(x), np.zeros_like(x)
    build([made], tmp_path, "parts").call("parts", x, q, r, np.int32(len(x)))
    exact = np.sign(x.astype(np.int64)) * (np.abs(x.astype(np.int64)) // number)
    np.testing.assert_array_equal(q, exact)
    np.testing.assert_array_equal(r, x - exact * number)
