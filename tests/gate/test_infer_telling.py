"""Sizes at which all extents show: found by measuring, whatever a program calls its windows and strides."""

from __future__ import annotations

import pytest

from tests.gate.test_infer import inferred
from xpiler.gate.contract import Case
from xpiler.gate.infer_telling import Started, others_alike, read
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
