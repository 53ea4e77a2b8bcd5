"""Waves of 64 lanes: the meaning of HIP's shuffles, and what remains of a reduction over a wave."""

from __future__ import annotations

import pytest

from xpiler.frontend import parse
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.narrow_warps import lanes_together

ROW_SUM = """
__global__ void row_sum(const float* x, float* y, int n) {
  float v = 0.f;
  for (int i = threadIdx.x; i < n; i += warpSize) v += x[blockIdx.x * n + i];
  for (int d = warpSize / 2; d > 0; d >>= 1) v += %s;
  if (threadIdx.x == 0) y[blockIdx.x] = v;
}
void run(const float* x, float* y, int rows, int n) { row_sum<<<rows, %d>>>(x, y, n); }
"""


def canonical(text: str, platform: str) -> str:
    (kernel,) = parse(text, f"k.{platform}", platform=platform).program.kernels
    return show(canonicalise(kernel, kernel.block_size, kernel.grid_size).function)


@pytest.mark.parametrize(
    ("platform", "shuffle", "lanes"),
    [("hip", "__shfl_down(v, d)", 64), ("cuda", "__shfl_down_sync(0xffffffff, v, d)", 32)],
)
def test_a_reduction_over_a_wave_is_a_sum(platform: str, shuffle: str, lanes: int) -> None:
    shown = canonical(ROW_SUM % (shuffle, lanes), platform)
    assert "for i32 i in 0 .. n {" in shown
    assert "shuffled" not in shown


def test_a_wave_has_a_ballot_of_64_bits() -> None:
    text = """
    __global__ void k(const int* a, unsigned long long* b) {
      b[threadIdx.x] = __ballot(a[threadIdx.x] > 0);
    }
    void run(const int* a, unsigned long long* b) { k<<<1, 64>>>(a, b); }
    """
    (kernel,) = parse(text, "k.hip", platform="hip").program.kernels
    assert kernel.warp_size == 64
    assert "u64 t;" in show(kernel)


def test_each_of_several_waves_reduces_its_own_row() -> None:
    """Between the waves lies a tile that all of them read, so that they do not become one loop each."""
    text = """
    __global__ void rows(const float* A, const float* x, float* y, int rows, int n) {
      __shared__ float tile[256];
      int row = blockIdx.x * 4 + threadIdx.y;
      float v = 0.f;
      for (int base = 0; base < n; base += 256) {
        int count = min(256, n - base);
        __syncthreads();
        for (int i = threadIdx.y * 64 + threadIdx.x; i < count; i += 256) tile[i] = x[base + i];
        __syncthreads();
        if (row < rows) for (int i = threadIdx.x; i < count; i += 64) v += A[row * n + base + i] * tile[i];
      }
      for (int d = 32; d > 0; d >>= 1) v += __shfl_down(v, d);
      if (threadIdx.x == 0 && row < rows) y[row] = v;
    }
    void run(const float* A, const float* x, float* y, int m, int n) {
      rows<<<(m + 3) / 4, dim3(64, 4)>>>(A, x, y, m, n);
    }
    """
    shown = canonical(text, "hip")
    assert "shuffled" not in shown and "while" not in shown, shown
    assert "for i32 part in 0 .. 64 {" in shown, shown


HALVES = """
__global__ void rows(const float* x, float* y, int rows, int n) {
  int half = threadIdx.x / 32, lane = threadIdx.x & 31;
  for (int row = half; row < rows; row += 8) {
    float v = 0.f;
    for (int i = lane; i < n; i += 32) v += x[row * n + i];
    %s
    if (lane == 0) y[row] = v;
  }
}
void run(const float* x, float* y, int rows, int n) { rows<<<1, 256>>>(x, y, rows, n); }
"""


def test_halves_of_a_wave_that_reduce_a_row_each_are_warps() -> None:
    shown = canonical(
        HALVES % "for (int mask = 16; mask > 0; mask /= 2) v += __shfl_xor(v, mask, 32);", "hip"
    )
    assert "while" not in shown and "shuffled" not in shown
    assert "for i32 row in 0 .. rows {" in shown and "for i32 i in 0 .. n {" in shown


@pytest.mark.parametrize(
    "together",
    [
        "for (int mask = 32; mask > 0; mask /= 2) v += __shfl_xor(v, mask, 64);",
        "for (int mask = n; mask > 0; mask /= 2) v += __shfl_xor(v, mask, 32);",
        "for (int mask = 16; mask > 0; mask /= 2) v += __shfl_xor(v, mask, 32); if (__any(v > 0)) v = 1;",
    ],
)
def test_a_wave_whose_halves_meet_is_one(together: str) -> None:
    (kernel,) = parse(HALVES % together, "k.hip", platform="hip").program.kernels
    assert lanes_together(kernel) == 64


def test_lanes_that_walk_over_rows_of_their_warp_are_rows_and_elements() -> None:
    text = """
    __global__ void k(float* y, const float* x, const float* w, int rows, int n, int taps) {
      int warp = threadIdx.x / 32, lane = threadIdx.x & 31;
      for (int row = warp; row < rows; row += 8)
        for (int t = 0; t < taps; ++t) {
          float tap = w[row * taps + t];
          if (t > 1) {
            for (int i = lane; i < n; i += 32) y[row * n + i] += x[i + t] * tap;
          } else {
            for (int i = lane; i < n; i += 32) y[row * n + i] -= x[i] * tap;
          }
        }
    }
    void run(float* y, const float* x, const float* w, int rows, int n, int taps) {
      k<<<1, 256>>>(y, x, w, rows, n, taps);
    }
    """
    shown = canonical(text.replace("float* ", "float* __restrict__ "), "cuda")
    assert "thread" not in shown.split("block(")[1], shown
    assert shown.count("in 0 .. n {") == 2
