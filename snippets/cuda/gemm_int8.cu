// C = A * B^T for int8, sums in int32, by dp4a: both operands are contiguous along K, four bytes a word.
#include <cuda_runtime.h>
#include <stdint.h>

constexpr int TILE = 16;   // rows and columns of C a block
constexpr int WORDS = 16;  // words of K a step

__global__ void gemm_int8_kernel(const int *__restrict__ A, const int *__restrict__ B, int *__restrict__ C, int M,
                                 int N, int words) {
  __shared__ int As[TILE][WORDS + 1];
  __shared__ int Bs[TILE][WORDS + 1];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * TILE + ty;
  const int col = blockIdx.x * TILE + tx;
  int acc = 0;
  for (int w = 0; w < words; w += WORDS) {
    As[ty][tx] = row < M && w + tx < words ? A[row * words + w + tx] : 0;
    const int n = blockIdx.x * TILE + ty;
    Bs[ty][tx] = n < N && w + tx < words ? B[n * words + w + tx] : 0;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < WORDS; ++i) acc = __dp4a(As[ty][i], Bs[tx][i], acc);
    __syncthreads();
  }
  if (row < M && col < N) C[row * N + col] = acc;
}

// K is a multiple of 4.
extern "C" void gemm_int8(const int8_t *A, const int8_t *B, int *C, int M, int N, int K) {
  int8_t *d_A, *d_B;
  int *d_C;
  cudaMalloc(&d_A, M * K);
  cudaMalloc(&d_B, N * K);
  cudaMalloc(&d_C, sizeof(int) * M * N);
  cudaMemcpy(d_A, A, M * K, cudaMemcpyHostToDevice);
  cudaMemcpy(d_B, B, N * K, cudaMemcpyHostToDevice);
  dim3 grid((N + TILE - 1) / TILE, (M + TILE - 1) / TILE);
  gemm_int8_kernel<<<grid, dim3(TILE, TILE)>>>((const int *)d_A, (const int *)d_B, d_C, M, N, K / 4);
  cudaMemcpy(C, d_C, sizeof(int) * M * N, cudaMemcpyDeviceToHost);
  cudaFree(d_A);
  cudaFree(d_B);
  cudaFree(d_C);
}
