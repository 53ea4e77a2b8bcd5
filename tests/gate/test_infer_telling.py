"""Sizes at which all extents show: found by measuring, whatever a program calls its windows and strides."""

from __future__ import annotations

import pytest

from tests.gate.programs import inferred
from xpiler.frontend import parse
from xpiler.gate.contract import Case
from xpiler.gate.infer_telling import Started, divides_negative, others_alike, read
from xpiler.gate.setups import Setups
from xpiler.translate import Trusted

MAXIMA = """
__global__ void pool(const float *x, float *y, int H, int W, int C, int OH, int OW, int K, int S) {
  int ow = blockIdx.x, oh = blockIdx.y;
  for (int c = threadIdx.x; c < C; c += blockDim.x) {
    float m = -INFINITY;
    for (int i = 0; i < K; ++i)
      for (int j = 0; j < K; ++j) m = fmaxf(m, x[((oh * S + i) * W + ow * S + j) * C + c]);
    y[(oh * OW + ow) * C + c] = m;
  }
}
extern "C" void maxima(const float *x, float *y, int H, int W, int C, int K, int S) {
  int OH = (H - K) / S + 1, OW = (W - K) / S + 1;
  float *dx, *dy;
  cudaMalloc(&dx, sizeof(float) * H * W * C);
  cudaMalloc(&dy, sizeof(float) * OH * OW * C);
  cudaMemcpy(dx, x, sizeof(float) * H * W * C, cudaMemcpyHostToDevice);
  pool<<<dim3(OW, OH), 64>>>(dx, dy, H, W, C, OH, OW, K, S);
  cudaMemcpy(y, dy, sizeof(float) * OH * OW * C, cudaMemcpyDeviceToHost);
  cudaFree(dx); cudaFree(dy);
}
"""
SERIAL = """
extern "C" void maxima(const float *x, float *y, int H, int W, int C, int K, int S) {
  int OH = (H - K) / S + 1, OW = (W - K) / S + 1;
  for (int oh = 0; oh < OH; ++oh)
    for (int ow = 0; ow < OW; ++ow)
      for (int c = 0; c < C; ++c) {
        float m = -INFINITY;
        for (int i = 0; i < K; ++i)
          for (int j = 0; j < K; ++j) m = fmaxf(m, x[((oh * S + i) * W + ow * S + j) * C + c]);
        y[(oh * OW + ow) * C + c] = m;
      }
}
"""
BARE = """
__global__ void maxima(const float *x, float *y, int H, int W, int C, int K, int S) {
  int OH = (H - K) / S + 1, OW = (W - K) / S + 1;
  int at = blockIdx.x * 64 + threadIdx.x;
  if (at >= OH * OW * C) return;
  int c = at % C, ow = at / C % OW, oh = at / C / OW;
  float m = -INFINITY;
  for (int i = 0; i < K; ++i)
    for (int j = 0; j < K; ++j) m = fmaxf(m, x[((oh * S + i) * W + ow * S + j) * C + c]);
  y[at] = m;
}
"""


def outputs(case: Case) -> tuple[int, int]:
    h, w, k, s = (int(case.scalar(name)) for name in "HWKS")
    return (h - k) // s + 1, (w - k) // s + 1


@pytest.mark.parametrize(
    ("text", "file"), [(MAXIMA, "host.cu"), (BARE, "bare.cu"), ("#include <math.h>" + SERIAL, "serial.cpp")]
)
def test_windows_take_several_steps_in_both_directions(text: str, file: str) -> None:
    cases = inferred(text, file=file).contract.cases
    assert min(outputs(cases[0])) > 1
    assert outputs(cases[0])[0] != outputs(cases[0])[1]
    assert all(int(cases[0].scalar(name)) > 1 for name in "CKS")
    assert all(min(outputs(case)) > 0 for case in cases)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("oh * S + i", "oh + i"),
        ("ow * S + j", "ow + j"),
        ("(W - K) / S", "(H - K) / S"),
        ("(oh * OW + ow)", "(oh * OH + ow)"),
    ],
)
def test_a_stride_or_an_extent_that_is_lost_is_found(right: str, wrong: str) -> None:
    source = Trusted.of(MAXIMA, "host.cu")
    assert right in SERIAL
    faulty = source.verify("#include <math.h>" + SERIAL.replace(right, wrong), "serial.cpp")
    assert faulty.status != "verified"
    assert [rung.rung for rung in faulty.evidence if not rung.ok] == ["executed"]


def test_the_right_target_is_verified_at_those_sizes() -> None:
    result = Trusted.of(MAXIMA, "host.cu").verify("#include <math.h>" + SERIAL, "serial.cpp")
    assert result.status == "verified"


def test_what_is_read_of_a_launch() -> None:
    sizes = {"H": 7, "W": 3}
    reading = read(sizes, ["H", "W"], [Started("k", None, {}, (1, 4, 1)), Started("k", None, {}, (2, 3, 1))])
    assert reading.extents == {
        ("H", "size", 0): 7,
        ("W", "size", 0): 3,
        ("k", "x", 0): 2,
        ("k", "y", 0): 4,
        ("k", "z", 0): 1,
    }
    assert reading.hidden and reading.shown == 4


def test_other_sizes_in_the_same_relations() -> None:
    assert others_alike({"H": 7, "K": 6, "S": 2, "N": 1}, {"H": 1, "K": 2, "S": 1}) == {
        "H": 9,
        "K": 4,
        "S": 3,
        "N": 1,
    }


ROW_SUMS = """
__global__ void sums(const float *x, const int *length, float *y, int pitch) {
  __shared__ float part[32];
  float s = 0;
  for (int i = threadIdx.x; i < length[blockIdx.x]; i += 32) s += x[blockIdx.x * pitch + i];
  part[threadIdx.x] = s;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 1; i < 32; ++i) s += part[i];
    y[blockIdx.x] = s;
  }
}
extern "C" void row_sums(const float *x, const int *length, float *y, int rows, int pitch) {
  sums<<<rows, 32>>>(x, length, y, pitch);
}
"""


def test_lengths_that_data_tell_are_longer_than_a_strip_of_threads() -> None:
    source = Trusted.of(ROW_SUMS, "sums.cu")
    strip = "for (int i = threadIdx.x; i < length[blockIdx.x]; i += 32) s +="
    first_only = ROW_SUMS.replace(strip, "if (int i = threadIdx.x; i < length[blockIdx.x]) s +=")
    first_only = first_only.replace("x[blockIdx.x * pitch + i]", "x[blockIdx.x * pitch + threadIdx.x]")
    assert first_only.count("if (int") == 1
    assert source.verify(ROW_SUMS, "sums.cu").status == "verified"
    assert source.verify(first_only, "sums.cu").status != "verified"


TWO_TILES = """
__global__ void mix(const float *x, float *y, int n) {
  __shared__ float tile[64];
  int row = blockIdx.x * 64 + threadIdx.x;
  const float *from = x + blockIdx.y * n;
  float m = -INFINITY, s = 0;
  for (int j = 0; j <= blockIdx.x; ++j) {
    int at = j * 64 + threadIdx.x;
    tile[threadIdx.x] = at < n ? from[at] : -INFINITY;
    __syncthreads();
    for (int i = 0; i < 64; ++i)
      if (j * 64 + i <= row) {
        float next = fmaxf(m, tile[i]);
        s = s * expf(m - next) + expf(tile[i] - next);
        m = next;
      }
    __syncthreads();
  }
  if (row < n) y[blockIdx.y * n + row] = m + logf(s);
}
extern "C" void causal(const float *x, float *y, int B, int H, int N) {
  mix<<<dim3((N + 63) / 64, B * H), 64>>>(x, y, N);
}
"""


def test_a_grid_of_tiles_has_several_of_them() -> None:
    """The batch and the heads together are many blocks: N is small where they are not, and large alone."""
    cases = inferred(TWO_TILES, file="causal.cu").contract.cases
    assert int(cases[0].scalar("N")) > 64


def test_a_window_that_is_wider_than_the_row_has_no_places() -> None:
    text = """__global__ void k(float *y, int P) { if (threadIdx.x < P) y[threadIdx.x] = 1.0f; }
    extern "C" void windows(float *y, int H, int pad, int dil, int R, int stride) {
        int P = (H + 2 * pad -
                 dil * (R - 1) - 1) / stride + 1;
        k<<<1, 64>>>(y, P);
    }"""
    functions = Setups(parse(text, "k.cu")).reached_by_name("windows")
    wide = {"H": 4, "pad": 4, "dil": 20, "R": 4, "stride": 16}
    assert divides_negative(functions, wide)
    assert not divides_negative(functions, {**wide, "dil": 3})
