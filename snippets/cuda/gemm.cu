// C = A * B, row-major: a block computes 64x64 of C, a thread 4x4 of that, so that every value read from shared
// memory is used four times.
#include <cuda_runtime.h>

constexpr int BM = 64, BN = 64, BK = 16;
constexpr int TM = 4, TN = 4;
constexpr int THREADS = (BM / TM) * (BN / TN);

__global__ void __launch_bounds__(THREADS) gemm_kernel(const float *__restrict__ A, const float *__restrict__ B,
                                                       float *__restrict__ C, int M, int N, int K) {
  __shared__ float As[BK][BM + 1];  // A is stored transposed; the padding keeps its columns in different banks
  __shared__ float Bs[BK][BN];

  const int tid = threadIdx.x;
  const int tx = tid % (BN / TN);
  const int ty = tid / (BN / TN);
  const int row0 = blockIdx.y * BM;
  const int col0 = blockIdx.x * BN;
  float acc[TM][TN] = {};

  for (int k0 = 0; k0 < K; k0 += BK) {
    for (int i = tid; i < BM * BK; i += THREADS) {
      const int m = i / BK, k = i % BK;
      As[k][m] = row0 + m < M && k0 + k < K ? A[(row0 + m) * K + k0 + k] : 0.0f;
    }
    for (int i = tid; i < BK * BN; i += THREADS) {
      const int k = i / BN, n = i % BN;
      Bs[k][n] = k0 + k < K && col0 + n < N ? B[(k0 + k) * N + col0 + n] : 0.0f;
    }
    __syncthreads();

    for (int k = 0; k < BK; ++k) {
      float a[TM], b[TN];
#pragma unroll
      for (int i = 0; i < TM; ++i) a[i] = As[k][ty * TM + i];
#pragma unroll
      for (int j = 0; j < TN; ++j) b[j] = Bs[k][tx + j * (BN / TN)];  // neighbours read neighbouring banks
#pragma unroll
      for (int i = 0; i < TM; ++i)
#pragma unroll
        for (int j = 0; j < TN; ++j) acc[i][j] = fmaf(a[i], b[j], acc[i][j]);
    }
    __syncthreads();
  }

  for (int i = 0; i < TM; ++i) {
    for (int j = 0; j < TN; ++j) {
      const int row = row0 + ty * TM + i;
      const int col = col0 + tx + j * (BN / TN);
      if (row < M && col < N) C[row * N + col] = acc[i][j];
    }
  }
}

extern "C" void gemm(const float *A, const float *B, float *C, int M, int N, int K) {
  float *d_A, *d_B, *d_C;
  cudaMalloc(&d_A, sizeof(float) * M * K);
  cudaMalloc(&d_B, sizeof(float) * K * N);
  cudaMalloc(&d_C, sizeof(float) * M * N);
  cudaMemcpy(d_A, A, sizeof(float) * M * K, cudaMemcpyHostToDevice);
  cudaMemcpy(d_B, B, sizeof(float) * K * N, cudaMemcpyHostToDevice);
  gemm_kernel<<<dim3((N + BN - 1) / BN, (M + BM - 1) / BM), THREADS>>>(d_A, d_B, d_C, M, N, K);
  cudaMemcpy(C, d_C, sizeof(float) * M * N, cudaMemcpyDeviceToHost);
  cudaFree(d_A);
  cudaFree(d_B);
  cudaFree(d_C);
}
