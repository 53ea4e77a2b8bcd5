// C = A * B with half inputs and float accumulation on tensor cores: one warp a 16x16 tile of C.
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <mma.h>

using namespace nvcuda;

constexpr int WARP = 32;
constexpr int WMMA = 16;
constexpr int WARPS_X = 4;  // warps a block, along the rows of C
constexpr int WARPS_Y = 2;  // and along its columns

__global__ void gemm_wmma(const half *A, const half *B, float *C, int M, int N, int K) {
  const int warp_m = (blockIdx.x * blockDim.x + threadIdx.x) / WARP;
  const int warp_n = blockIdx.y * blockDim.y + threadIdx.y;
  const int row = warp_m * WMMA;
  const int col = warp_n * WMMA;
  if (row >= M || col >= N) return;

  wmma::fragment<wmma::matrix_a, WMMA, WMMA, WMMA, half, wmma::row_major> a;
  wmma::fragment<wmma::matrix_b, WMMA, WMMA, WMMA, half, wmma::row_major> b;
  wmma::fragment<wmma::accumulator, WMMA, WMMA, WMMA, float> acc;
  wmma::fill_fragment(acc, 0.0f);

  for (int k = 0; k < K; k += WMMA) {
    wmma::load_matrix_sync(a, A + row * K + k, K);
    wmma::load_matrix_sync(b, B + k * N + col, N);
    wmma::mma_sync(acc, a, b, acc);
  }
  wmma::store_matrix_sync(C + row * N + col, acc, N, wmma::mem_row_major);
}

// M, N and K are multiples of 16; the pointers are device pointers.
void launch_gemm_wmma(const half *A, const half *B, float *C, int M, int N, int K) {
  dim3 block(WARPS_X * WARP, WARPS_Y);
  dim3 grid((M / WMMA + WARPS_X - 1) / WARPS_X, (N / WMMA + WARPS_Y - 1) / WARPS_Y);
  gemm_wmma<<<grid, block>>>(A, B, C, M, N, K);
}
