// Leading dimensions that host code hands on: nobody means rows that overlap.
#include <cuda_runtime.h>

// expect: clean
__global__ void scaled_rows(float *x, int ld, const float *s, int rows, int cols) {
  int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y;
  if (c < cols) x[(size_t)r * ld + c] *= s[r];
}

void scaled(float *hx, int ld, const float *hs, int rows, int cols) {
  float *x, *s;
  cudaMalloc(&x, sizeof(float) * rows * ld);
  cudaMalloc(&s, sizeof(float) * rows);
  cudaMemcpy(x, hx, sizeof(float) * rows * ld, cudaMemcpyHostToDevice);
  cudaMemcpy(s, hs, sizeof(float) * rows, cudaMemcpyHostToDevice);
  scaled_rows<<<dim3((cols + 127) / 128, rows), 128>>>(x, ld, s, rows, cols);
  cudaMemcpy(hx, x, sizeof(float) * rows * ld, cudaMemcpyDeviceToHost);
}

// expect: XP-RACE
__global__ void one_column_too_many(float *x, int ld, int rows, int cols) {
  int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y;
  if (c <= cols) x[(size_t)r * ld + c] *= 2.0f;
}

void one_too_many(float *x, int ld, int rows, int cols) {
  float *d;
  cudaMalloc(&d, sizeof(float) * (rows * ld + 1));
  one_column_too_many<<<dim3((cols + 128) / 128, rows), 128>>>(d, ld, rows, cols);
  cudaMemcpy(x, d, sizeof(float) * rows * ld, cudaMemcpyDeviceToHost);
}

// expect: XP-BOUNDS
__global__ void rows_for_columns(float *x, int rows, int cols) {
  int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y;
  if (c < cols && r < rows) x[(size_t)r * rows + c] *= 2.0f;
}

void mistaken(float *x, int rows, int cols) {
  float *d;
  cudaMalloc(&d, sizeof(float) * rows * cols);
  rows_for_columns<<<dim3((cols + 127) / 128, rows), 128>>>(d, rows, cols);
  cudaMemcpy(x, d, sizeof(float) * rows * cols, cudaMemcpyDeviceToHost);
}

// expect: clean
__global__ void product(const float *A, int lda, const float *B, int ldb, float *C, int ldc, int m, int n, int k) {
  int j = blockIdx.x * 16 + threadIdx.x, i = blockIdx.y * 16 + threadIdx.y;
  if (i >= m || j >= n) return;
  float s = 0.0f;
  for (int l = 0; l < k; ++l) s += A[i * lda + l] * B[l * ldb + j];
  C[i * ldc + j] = s;
}

void multiply(const float *a, int lda, const float *b, int ldb, float *c, int ldc, int m, int n, int k) {
  float *A, *B, *C;
  cudaMalloc(&A, sizeof(float) * m * lda);
  cudaMalloc(&B, sizeof(float) * k * ldb);
  cudaMalloc(&C, sizeof(float) * m * ldc);
  cudaMemcpy(A, a, sizeof(float) * m * lda, cudaMemcpyHostToDevice);
  cudaMemcpy(B, b, sizeof(float) * k * ldb, cudaMemcpyHostToDevice);
  product<<<dim3((n + 15) / 16, (m + 15) / 16), dim3(16, 16)>>>(A, lda, B, ldb, C, ldc, m, n, k);
  cudaMemcpy(c, C, sizeof(float) * m * ldc, cudaMemcpyDeviceToHost);
}
