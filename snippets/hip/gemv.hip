// y = A * x, row-major: a block of four wavefronts has four rows and stages x in LDS for all of them.
#include <hip/hip_runtime.h>

#define WAVES 4
#define CHUNK 1024

__global__ void gemv_kernel(const float *__restrict__ A, const float *__restrict__ x, float *__restrict__ y, int rows,
                            int cols) {
  __shared__ float x_lds[CHUNK];
  const int lane = threadIdx.x;
  const int row = blockIdx.x * WAVES + threadIdx.y;
  float sum = 0.0f;
  for (int base = 0; base < cols; base += CHUNK) {
    const int count = min(CHUNK, cols - base);
    __syncthreads();
    for (int i = threadIdx.y * 64 + lane; i < count; i += WAVES * 64) x_lds[i] = x[base + i];
    __syncthreads();
    if (row < rows) {
      const float *a = A + (size_t)row * cols + base;
      for (int i = lane; i < count; i += 64) sum = fmaf(a[i], x_lds[i], sum);
    }
  }
  for (int offset = 32; offset > 0; offset >>= 1) sum += __shfl_down(sum, offset);
  if (lane == 0 && row < rows) y[row] = sum;
}

extern "C" void gemv(const float *A, const float *x, float *y, int rows, int cols) {
  float *d_A, *d_x, *d_y;
  hipMalloc(&d_A, sizeof(float) * rows * cols);
  hipMalloc(&d_x, sizeof(float) * cols);
  hipMalloc(&d_y, sizeof(float) * rows);
  hipMemcpy(d_A, A, sizeof(float) * rows * cols, hipMemcpyHostToDevice);
  hipMemcpy(d_x, x, sizeof(float) * cols, hipMemcpyHostToDevice);
  gemv_kernel<<<(rows + WAVES - 1) / WAVES, dim3(64, WAVES)>>>(d_A, d_x, d_y, rows, cols);
  hipMemcpy(y, d_y, sizeof(float) * rows, hipMemcpyDeviceToHost);
  hipFree(d_A);
  hipFree(d_x);
  hipFree(d_y);
}
