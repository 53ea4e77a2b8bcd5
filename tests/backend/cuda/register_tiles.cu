// Products whose threads keep several sums in registers, in the styles that tutorials have.
#include <cuda_runtime.h>

// A thread has 4 x 2 sums; tiles are filled by all threads in strides, their places taken apart.
template <int BM, int BN, int BK>
__global__ void strided_fill(const float *A, const float *B, float *C, int M, int N, int K) {
  __shared__ float As[BK][BM + 1], Bs[BK][BN];
  const int tid = threadIdx.x, tx = tid % (BN / 2), ty = tid / (BN / 2);
  float acc[4][2] = {};
  for (int k0 = 0; k0 < K; k0 += BK) {
    for (int i = tid; i < BM * BK; i += blockDim.x) {
      int m = blockIdx.y * BM + i / BK, k = k0 + i % BK;
      As[i % BK][i / BK] = m < M && k < K ? A[m * K + k] : 0.0f;
    }
    for (int i = tid; i < BK * BN; i += blockDim.x) {
      int k = k0 + i / BN, n = blockIdx.x * BN + i % BN;
      Bs[i / BN][i % BN] = k < K && n < N ? B[k * N + n] : 0.0f;
    }
    __syncthreads();
    for (int k = 0; k < BK; ++k)
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 2; ++j) acc[i][j] += As[k][ty * 4 + i] * Bs[k][tx * 2 + j];
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) {
    int row = blockIdx.y * BM + ty * 4 + i;
    if (row >= M) continue;
    for (int j = 0; j < 2; ++j) {
      int col = blockIdx.x * BN + tx * 2 + j;
      if (col < N) C[row * N + col] = 2.0f * acc[i][j];
    }
  }
}

// Blocks of 8 x 8 threads, 2 x 2 sums each, values staged in registers.
__global__ void two_by_two(const float *A, const float *B, float *C, int M, int N, int K) {
  __shared__ float As[16][8], Bs[8][16];
  const int tx = threadIdx.x, ty = threadIdx.y, tid = ty * 8 + tx;
  float sums[2][2] = {{0.0f, 0.0f}, {0.0f, 0.0f}};
  for (int k0 = 0; k0 < K; k0 += 8) {
    for (int i = 0; i < 16; i += 8) {
      int row = blockIdx.y * 16 + tid / 8 + i, k = k0 + tid % 8;
      As[tid / 8 + i][tid % 8] = row < M && k < K ? A[row * K + k] : 0.0f;
    }
    for (int i = 0; i < 8; i += 4) {
      int k = k0 + tid / 16 + i, col = blockIdx.x * 16 + tid % 16;
      Bs[tid / 16 + i][tid % 16] = k < K && col < N ? B[k * N + col] : 0.0f;
    }
    __syncthreads();
    for (int k = 0; k < 8; ++k) {
      float a[2], b[2];
      for (int i = 0; i < 2; ++i) a[i] = As[ty * 2 + i][k];
      for (int j = 0; j < 2; ++j) b[j] = Bs[k][tx + 8 * j];
      for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 2; ++j) sums[i][j] = fmaf(a[i], b[j], sums[i][j]);
    }
    __syncthreads();
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) {
      int row = blockIdx.y * 16 + ty * 2 + i, col = blockIdx.x * 16 + tx + 8 * j;
      if (row < M && col < N) C[row * N + col] = sums[i][j];
    }
}

// A column of sums a thread: 4 rows of one column, sizes that divide.
__global__ void column(const float *A, const float *B, float *__restrict__ C, int N, int K) {
  __shared__ float As[16 * 4], Bs[4 * 16];
  const int col = threadIdx.x % 16, row = threadIdx.x / 16;
  const int inner_row = threadIdx.x / 4, inner_col = threadIdx.x % 4;
  float sums[4] = {0.0f};
  for (int k0 = 0; k0 < K; k0 += 4) {
    As[inner_row * 4 + inner_col] = A[(blockIdx.y * 16 + inner_row) * K + k0 + inner_col];
    Bs[row * 16 + col] = B[(k0 + row) * N + blockIdx.x * 16 + col];
    __syncthreads();
    for (int k = 0; k < 4; ++k) {
      float b = Bs[k * 16 + col];
      for (int i = 0; i < 4; ++i) sums[i] += As[(row * 4 + i) * 4 + k] * b;
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) C[(blockIdx.y * 16 + row * 4 + i) * N + blockIdx.x * 16 + col] = sums[i];
}

extern "C" void products(const float *A, const float *B, float *C, int M, int N, int K) {
  strided_fill<32, 16, 8><<<dim3((N + 15) / 16, (M + 31) / 32), 64>>>(A, B, C, M, N, K);
  two_by_two<<<dim3((N + 15) / 16, (M + 15) / 16), dim3(8, 8)>>>(A, B, C, M, N, K);
  column<<<dim3(N / 16, M / 16), 64>>>(A, B, C, N, K);
}
