"""HIP programs, whole, in the other three languages: waves of 64, matrix instructions, two ways to CUDA."""

from __future__ import annotations

import pytest

from xpiler.translate import translate_text

HOST = """
extern "C" void run(const {t}* a, const {t}* b, float* d, int m, int n, int k) {{
  {t} *da, *db; float* dd;
  hipMalloc(&da, m * k * sizeof({t})); hipMalloc(&db, k * n * sizeof({t})); hipMalloc(&dd, m * n * 4);
  hipMemcpy(da, a, m * k * sizeof({t}), hipMemcpyHostToDevice);
  hipMemcpy(db, b, k * n * sizeof({t}), hipMemcpyHostToDevice);
  hipLaunchKernelGGL(gemm, dim3(n / 16, m / 16), dim3(64), 0, 0, da, db, dd, m, n, k);
  hipMemcpy(d, dd, m * n * 4, hipMemcpyDeviceToHost);
  hipFree(da); hipFree(db); hipFree(dd);
}}
"""
GEMM = """
#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>
typedef _Float16 half4 __attribute__((ext_vector_type(4)));
typedef float float4v __attribute__((ext_vector_type(4)));
// One 16x16 tile a wave.
__global__ void gemm(const _Float16* A, const _Float16* B, float* D, int M, int N, int K) {
  const int i = threadIdx.x % 16, q = threadIdx.x / 16;
  float4v acc = {0};
  for (int k = 0; k < K; k += 16) {
    half4 a = *(const half4*)(A + (blockIdx.y * 16 + i) * K + k + 4 * q), b;
    for (int e = 0; e < 4; ++e) b[e] = B[(k + 4 * q + e) * N + blockIdx.x * 16 + i];
    acc = __builtin_amdgcn_mfma_f32_16x16x16f16(a, b, acc, 0, 0, 0);
  }
  for (int r = 0; r < 4; ++r) D[(blockIdx.y * 16 + 4 * q + r) * N + blockIdx.x * 16 + i] = acc[r];
}
""" + HOST.format(t="_Float16")

SUMS = """
#include <hip/hip_runtime.h>
// Each row by a wave of 64 lanes, spelled out.
__global__ void sums(const float* x, float* y, int n) {
  float v = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) v += x[blockIdx.x * n + i];
  for (int d = %s; d > 0; d >>= 1) v += __shfl_down(v, d);
  if (threadIdx.x == 0) y[blockIdx.x] = v;
}
void launch(const float* x, float* y, int rows, int n) { sums<<<rows, 64>>>(x, y, n); }
"""


@pytest.mark.parametrize(
    ("to", "part"), [("vnni", "_mm512_fmadd_ps"), ("bang", "__bang_"), ("cuda", "__half2float")]
)
def test_a_gemm_of_matrix_instructions(to: str, part: str) -> None:
    result = translate_text(GEMM, "gemm.hip", to)
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert part in result.text
    assert "mfma" not in result.text
    assert "// One 16x16 tile a wave." in result.text


@pytest.mark.parametrize("first", ["32", "warpSize / 2"])
def test_a_block_of_one_wave_keeps_its_64_lanes_in_cuda(first: str) -> None:
    """The sum of a warp would miss half of the block, however the text spells the wave's size."""
    result = translate_text(SUMS % first, "sums.hip", "cuda")
    assert result.status == "verified", result.evidence
    assert result.text is not None
    assert "wave_shfl_down(v, d)" in result.text
