"""What a function does elsewhere with values like one that is wrong."""

from __future__ import annotations

from tests.repair.test_returned import changes_of

SOURCE = """extern "C" void f(const float *x, float *y, int rows, int d) {
  for (int r = 0; r < rows; ++r) {
    float m = 0.f, v = 0.f;
    for (int j = 0; j < d; ++j) m += x[r * d + j];
    for (int j = 0; j < d; ++j) v += x[r * d + j] * x[r * d + j];
    y[r] = v / m;
  }
}
"""
TARGET = """__device__ float wsum(float v) {
  for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
  return v;
}
__global__ void f(const float *x, float *y, int rows, int d) {
  __shared__ float all[32];
  const float *row = x + blockIdx.x * d;
  float m = 0.f, v = 0.f;
  for (int j = threadIdx.x; j < d; j += 32) m += row[j];
  m = wsum(m);
  for (int j = threadIdx.x; j < d; j += 32) v += row[j] * row[j];
  v = wsum(v);
  all[threadIdx.x] = v;
  __syncthreads();
  if (all[0] > 0.f) y[blockIdx.x] = all[0] / m;
}
"""


def test_a_sum_of_all_lanes_is_missing_as_another_variable_has_one() -> None:
    found = changes_of(SOURCE, TARGET.replace("  v = wsum(v);\n", ""), "f")
    assert found[TARGET] < 1.6


def test_an_index_that_the_array_has_elsewhere_is_likely() -> None:
    found = changes_of(SOURCE, TARGET.replace("= all[0] /", "= all[threadIdx.x] /"), "f")
    assert found[TARGET] <= 1.4
