// Tiled matrix multiplication with a host program around it.
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>

#define TILE 16
#define IDX(i, j, ld) ((i) * (ld) + (j))
#define CEIL_DIV(a, b) (((a) + (b) - 1) / (b))
#define CUDA_CHECK(call)                                                             \
  do {                                                                               \
    cudaError_t err__ = (call);                                                      \
    if (err__ != cudaSuccess) {                                                      \
      fprintf(stderr, "%s:%d: %s failed: %s\n", __FILE__, __LINE__, #call,           \
              cudaGetErrorString(err__));                                            \
      exit(EXIT_FAILURE);                                                            \
    }                                                                                \
  } while (0)

/* C = A * B; all row-major. */
__global__ void __launch_bounds__(TILE *TILE) gemm_tiled(const float *__restrict__ A, const float *__restrict__ B,
                                                         float *__restrict__ C, int M, int N, int K) {
  __shared__ float As[TILE][TILE];
  __shared__ float Bs[TILE][TILE + 1];  // padded
  const int row = blockIdx.y * TILE + threadIdx.y;
  const int col = blockIdx.x * TILE + threadIdx.x;
  float acc = 0.0f;
  for (int t = 0; t < CEIL_DIV(K, TILE); ++t) {
    const int k = t * TILE;
    As[threadIdx.y][threadIdx.x] = (row < M && (k + threadIdx.x) < K) ? A[IDX(row, k + threadIdx.x, K)] : 0.0f;
    Bs[threadIdx.y][threadIdx.x] = (col < N && (k + threadIdx.y) < K) ? B[IDX(k + threadIdx.y, col, N)] : 0.0f;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < TILE; ++i) acc += As[threadIdx.y][i] * Bs[i][threadIdx.x];
    __syncthreads();
  }
  if (row < M && col < N) C[IDX(row, col, N)] = acc;
}

int main(int argc, char **argv) {
  const int M = 128, N = 256, K = 64;
  float *dA, *dB, *dC;
  CUDA_CHECK(cudaMalloc((void **)&dA, sizeof(float) * M * K));
  CUDA_CHECK(cudaMalloc((void **)&dB, sizeof(float) * K * N));
  CUDA_CHECK(cudaMalloc((void **)&dC, sizeof(float) * M * N));
  dim3 block(TILE, TILE);
  dim3 grid(CEIL_DIV(N, TILE), CEIL_DIV(M, TILE));
  gemm_tiled<<<grid, block>>>(dA, dB, dC, M, N, K);
  CUDA_CHECK(cudaGetLastError());
  CUDA_CHECK(cudaDeviceSynchronize());
  CUDA_CHECK(cudaFree(dA));
  return 0;
}
