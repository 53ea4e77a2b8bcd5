// C[b] = A[b] * B[b]: one grid layer a matrix, 32x32 tiles, every thread four rows of a column.
#include <cuda_runtime.h>

constexpr int TILE = 32;
constexpr int ROWS = 8;  // rows of threads in a block

__global__ void batched_gemm_kernel(const float *__restrict__ A, const float *__restrict__ B, float *__restrict__ C,
                                    int M, int N, int K) {
  __shared__ float As[TILE][TILE];
  __shared__ float Bs[TILE][TILE];
  A += (size_t)blockIdx.z * M * K;
  B += (size_t)blockIdx.z * K * N;
  C += (size_t)blockIdx.z * M * N;

  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row0 = blockIdx.y * TILE;
  const int col = blockIdx.x * TILE + tx;
  float acc[TILE / ROWS] = {0.0f};

  for (int k0 = 0; k0 < K; k0 += TILE) {
    for (int r = ty; r < TILE; r += ROWS) {
      As[r][tx] = (row0 + r < M && k0 + tx < K) ? A[(row0 + r) * K + k0 + tx] : 0.0f;
      Bs[r][tx] = (k0 + r < K && col < N) ? B[(k0 + r) * N + col] : 0.0f;
    }
    __syncthreads();
    for (int k = 0; k < TILE; ++k) {
      const float b = Bs[k][tx];
#pragma unroll
      for (int i = 0; i < TILE / ROWS; ++i) acc[i] += As[ty + i * ROWS][k] * b;
    }
    __syncthreads();
  }

#pragma unroll
  for (int i = 0; i < TILE / ROWS; ++i) {
    const int row = row0 + ty + i * ROWS;
    if (row < M && col < N) C[row * N + col] = acc[i];
  }
}

extern "C" void batched_gemm(const float *A, const float *B, float *C, int batch, int M, int N, int K) {
  const size_t a_bytes = sizeof(float) * batch * M * K;
  const size_t b_bytes = sizeof(float) * batch * K * N;
  const size_t c_bytes = sizeof(float) * batch * M * N;
  float *d_A, *d_B, *d_C;
  cudaMalloc(&d_A, a_bytes);
  cudaMalloc(&d_B, b_bytes);
  cudaMalloc(&d_C, c_bytes);
  cudaMemcpy(d_A, A, a_bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(d_B, B, b_bytes, cudaMemcpyHostToDevice);
  dim3 block(TILE, ROWS);
  dim3 grid((N + TILE - 1) / TILE, (M + TILE - 1) / TILE, batch);
  batched_gemm_kernel<<<grid, block>>>(d_A, d_B, d_C, M, N, K);
  cudaMemcpy(C, d_C, c_bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_A);
  cudaFree(d_B);
  cudaFree(d_C);
}
