// y = A * x, row-major: one warp a row; rows whose length allows it are read four elements at a time.
#include <cuda_runtime.h>

constexpr int WARPS = 4;

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
  for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_xor_sync(0xffffffffu, v, offset);
  return v;
}

__global__ void gemv_kernel(const float *__restrict__ A, const float *__restrict__ x, float *__restrict__ y, int rows,
                            int cols) {
  const int lane = threadIdx.x & 31;
  const int row = blockIdx.x * WARPS + (threadIdx.x >> 5);
  if (row >= rows) return;
  const float *a = A + (size_t)row * cols;

  float sum = 0.0f;
  if (cols % 4 == 0) {  // then every row starts at a multiple of 16 bytes
    for (int c = 4 * lane; c < cols; c += 128) {
      const float4 u = *reinterpret_cast<const float4 *>(a + c);
      const float4 v = *reinterpret_cast<const float4 *>(x + c);
      sum += u.x * v.x + u.y * v.y + u.z * v.z + u.w * v.w;
    }
  } else {
    for (int c = lane; c < cols; c += 32) sum += a[c] * x[c];
  }
  sum = warp_sum(sum);
  if (lane == 0) y[row] = sum;
}

extern "C" void gemv(const float *A, const float *x, float *y, int rows, int cols) {
  float *d_A, *d_x, *d_y;
  cudaMalloc(&d_A, sizeof(float) * rows * cols);
  cudaMalloc(&d_x, sizeof(float) * cols);
  cudaMalloc(&d_y, sizeof(float) * rows);
  cudaMemcpy(d_A, A, sizeof(float) * rows * cols, cudaMemcpyHostToDevice);
  cudaMemcpy(d_x, x, sizeof(float) * cols, cudaMemcpyHostToDevice);
  gemv_kernel<<<(rows + WARPS - 1) / WARPS, 32 * WARPS>>>(d_A, d_x, d_y, rows, cols);
  cudaMemcpy(y, d_y, sizeof(float) * rows, cudaMemcpyDeviceToHost);
  cudaFree(d_A);
  cudaFree(d_x);
  cudaFree(d_y);
}
