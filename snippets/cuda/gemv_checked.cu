// y = A * x, row-major: one warp a row, partial sums combined by shuffles.
#include <cuda_runtime.h>

#define CUDA_CHECK(call)                      \
  do {                                        \
    cudaError_t status = (call);              \
    if (status != cudaSuccess) return status; \
  } while (0)

template <int kWarps>
__global__ void __launch_bounds__(kWarps * 32) gemv_kernel(const float *__restrict__ A, const float *__restrict__ x,
                                                           float *__restrict__ y, int rows, int cols) {
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int row = blockIdx.x * kWarps + warp;
  if (row >= rows) return;

  float sum = 0.0f;
  for (int col = lane; col < cols; col += 32) {
    sum += A[(size_t)row * cols + col] * x[col];
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    sum += __shfl_down_sync(0xffffffff, sum, offset);
  }
  if (lane == 0) y[row] = sum;
}

extern "C" cudaError_t gemv(const float *A, const float *x, float *y, int rows, int cols) {
  float *d_A = nullptr, *d_x = nullptr, *d_y = nullptr;
  CUDA_CHECK(cudaMalloc(&d_A, (size_t)rows * cols * sizeof(float)));
  CUDA_CHECK(cudaMalloc(&d_x, cols * sizeof(float)));
  CUDA_CHECK(cudaMalloc(&d_y, rows * sizeof(float)));
  CUDA_CHECK(cudaMemcpy(d_A, A, (size_t)rows * cols * sizeof(float), cudaMemcpyHostToDevice));
  CUDA_CHECK(cudaMemcpy(d_x, x, cols * sizeof(float), cudaMemcpyHostToDevice));

  constexpr int kWarps = 4;
  gemv_kernel<kWarps><<<(rows + kWarps - 1) / kWarps, kWarps * 32>>>(d_A, d_x, d_y, rows, cols);
  CUDA_CHECK(cudaGetLastError());

  CUDA_CHECK(cudaMemcpy(y, d_y, rows * sizeof(float), cudaMemcpyDeviceToHost));
  cudaFree(d_A);
  cudaFree(d_x);
  cudaFree(d_y);
  return cudaSuccess;
}
