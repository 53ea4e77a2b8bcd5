"""Sums that threads share: of columns, and several at once."""
# ruff: noqa: E501 - one kernel statement a line reads best

from __future__ import annotations

import numpy as np
import pytest

from xpiler.frontend import parse
from xpiler.ir.interpret import run
from xpiler.ir.nodes import Function
from xpiler.ir.printer import show
from xpiler.passes.canonical import canonicalise
from xpiler.passes.team_steps import shape_steps

COLUMNS = """\
__global__ void columns(const float *a, const float *x, float *__restrict__ y, int m, int n) {
  __shared__ float part[8][32];
  int col = blockIdx.x * 32 + threadIdx.x;
  float acc = 0.f;
  if (col < n)
    for (int r = threadIdx.y; r < m; r += 8) acc += a[r * n + col] * x[r];
  part[threadIdx.y][threadIdx.x] = acc;
  __syncthreads();
  for (int s = 4; s > 0; s >>= 1) {
    if (threadIdx.y < s) part[threadIdx.y][threadIdx.x] += part[threadIdx.y + s][threadIdx.x];
    __syncthreads();
  }
  if (threadIdx.y == 0 && col < n) y[col] = part[0][threadIdx.x] LATER;
}
void call(const float *a, const float *x, float *y, int m, int n) { columns<<<(n + 31) / 32, dim3(32, 8)>>>(a, x, y, m, n); }
"""

TWO_SUMS = """\
__device__ float warp_sum(float v) {
  for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffff, v, o);
  return v;
}
__global__ void moments(const float *x, float *y, int n) {
  __shared__ float s1[32], s2[32];
  float a = 0.f, b = 0.f;
  for (int r = 0; r < 2; ++r)
    for (int i = threadIdx.x; i < n; i += blockDim.x) { a += x[r * n + i]; b += x[r * n + i] * x[r * n + i]; }
  a = warp_sum(a);
  b = warp_sum(b);
  const int lane = threadIdx.x & 31, w = threadIdx.x >> 5;
  if (lane == 0) { s1[w] = a; s2[w] = b; }
  __syncthreads();
  if (w == 0) {
    a = warp_sum(lane < blockDim.x / 32 ? s1[lane] : 0.f);
    b = warp_sum(lane < blockDim.x / 32 ? s2[lane] : 0.f);
    if (lane == 0) { y[0] = a; y[1] = b; }
  }
}
void call(const float *x, float *y, int n) { moments<<<1, 256>>>(x, y, n); }
"""


def canonical(text: str) -> Function:
    (kernel,) = parse(text, "sums.cu").program.kernels
    return canonicalise(kernel, kernel.block_size, kernel.grid_size).function


@pytest.mark.parametrize("later", ["", "+ part[1][threadIdx.x] * 0.f"])
def test_sums_of_columns_are_one_loop_for_each_where_nothing_else_is_read(later: str) -> None:
    function = canonical(COLUMNS.replace("LATER", later))
    assert ("for i32 r in 0 .. m" in show(function)) == (not later), show(function)
    m, n, y = 21, 45, np.zeros(45, np.float32)
    a = np.linspace(-1, 1, m * n, dtype=np.float32)
    x = np.linspace(0, 2, m, dtype=np.float32)
    run(function, {"a": a, "x": x, "y": y, "m": m, "n": n, "gridDim.x": 2})
    np.testing.assert_allclose(y, a.reshape(m, n).T @ x, rtol=1e-5, atol=1e-5)


def test_what_only_one_thread_reads_again_is_a_variable() -> None:
    text = show(shape_steps(canonical(COLUMNS.replace("LATER", ""))))
    assert "part" not in text and "in 0 .. min(n, gridDim.x * 32)" in text, text


def test_two_sums_of_the_same_threads_are_two_variables() -> None:
    function = canonical(TWO_SUMS)
    assert "[" not in "".join(s for s in show(function).splitlines() if "f32 b" in s), show(function)
    assert "for i32 i in 0 .. 2 * n" in show(function), show(function)
    x, y = np.linspace(-1, 2, 74, dtype=np.float32), np.zeros(2, np.float32)
    run(function, {"x": x, "y": y, "n": 37})
    np.testing.assert_allclose(y, [x.sum(), (x * x).sum()], rtol=1e-5)
