// C = A * B, row-major, with 32x32 tiles staged through shared memory.
#include <cuda_runtime.h>

#define TILE 32

__global__ void gemm_tiled(const float *__restrict__ A, const float *__restrict__ B, float *__restrict__ C, int M,
                           int N, int K) {
  __shared__ float As[TILE][TILE];
  __shared__ float Bs[TILE][TILE + 1];  // one column of padding keeps the banks apart

  const int tx = threadIdx.x;
  const int ty = threadIdx.y;
  const int row = blockIdx.y * TILE + ty;
  const int col = blockIdx.x * TILE + tx;

  float acc = 0.0f;
  for (int k0 = 0; k0 < K; k0 += TILE) {
    // Each thread stages one element of either tile; outside the matrices there are zeros.
    As[ty][tx] = (row < M && k0 + tx < K) ? A[row * K + k0 + tx] : 0.0f;
    Bs[ty][tx] = (k0 + ty < K && col < N) ? B[(k0 + ty) * N + col] : 0.0f;
    __syncthreads();

#pragma unroll
    for (int k = 0; k < TILE; ++k) {
      acc += As[ty][k] * Bs[k][tx];
    }
    __syncthreads();
  }

  if (row < M && col < N) {
    C[row * N + col] = acc;
  }
}

extern "C" void gemm(const float *A, const float *B, float *C, int M, int N, int K) {
  float *d_A, *d_B, *d_C;
  cudaMalloc(&d_A, sizeof(float) * M * K);
  cudaMalloc(&d_B, sizeof(float) * K * N);
  cudaMalloc(&d_C, sizeof(float) * M * N);
  cudaMemcpy(d_A, A, sizeof(float) * M * K, cudaMemcpyHostToDevice);
  cudaMemcpy(d_B, B, sizeof(float) * K * N, cudaMemcpyHostToDevice);

  dim3 block(TILE, TILE);
  dim3 grid((N + TILE - 1) / TILE, (M + TILE - 1) / TILE);
  gemm_tiled<<<grid, block>>>(d_A, d_B, d_C, M, N, K);

  cudaMemcpy(C, d_C, sizeof(float) * M * N, cudaMemcpyDeviceToHost);
  cudaFree(d_A);
  cudaFree(d_B);
  cudaFree(d_C);
}
