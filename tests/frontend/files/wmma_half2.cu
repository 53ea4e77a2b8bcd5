// Tensor cores, packed halves, inline assembly (kept, so that it can be refused by name).
#include <cuda_fp16.h>
#include <mma.h>
using namespace nvcuda;

__global__ void wmma_gemm(const half *a, const half *b, float *c, int M, int N, int K) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> a_frag;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::col_major> b_frag;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> acc[2];
  wmma::fill_fragment(acc[0], 0.0f);
  for (int k = 0; k < K; k += 16) {
    wmma::load_matrix_sync(a_frag, a + k, K);
    wmma::load_matrix_sync(b_frag, b + k, K);
    wmma::mma_sync(acc[0], a_frag, b_frag, acc[0]);
  }
  wmma::store_matrix_sync(c, acc[0], N, wmma::mem_row_major);
}

__global__ void half2_axpy(int n, half2 alpha, const half2 *__restrict__ x, half2 *__restrict__ y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = __hfma2(alpha, x[i], y[i]);
  float4 v = reinterpret_cast<const float4 *>(x)[i];
  *reinterpret_cast<float4 *>(&y[i]) = make_float4(v.x, v.y, (half)-v.z, v.w);
}

__device__ __forceinline__ unsigned laneid() {
  unsigned ret;
  asm volatile("mov.u32 %0, %laneid;" : "=r"(ret));
  return ret;
}
