// RMSNorm over the last dimension: one wavefront a row; the sum of all lanes reaches them by a butterfly.
#include <hip/hip_runtime.h>

__global__ void rmsnorm_kernel(const float *__restrict__ x, const float *__restrict__ weight, float *__restrict__ y,
                               int width, float eps) {
  const size_t row = (size_t)blockIdx.x * width;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < width; i += warpSize) sum = fmaf(x[row + i], x[row + i], sum);
  for (int mask = warpSize / 2; mask > 0; mask >>= 1) sum += __shfl_xor(sum, mask, 64);
  const float scale = rsqrtf(sum / width + eps);
  for (int i = threadIdx.x; i < width; i += warpSize) y[row + i] = x[row + i] * scale * weight[i];
}

extern "C" void rmsnorm(const float *x, const float *weight, float *y, int rows, int width) {
  float *d_x, *d_weight, *d_y;
  hipMalloc(&d_x, sizeof(float) * rows * width);
  hipMalloc(&d_weight, sizeof(float) * width);
  hipMalloc(&d_y, sizeof(float) * rows * width);
  hipMemcpy(d_x, x, sizeof(float) * rows * width, hipMemcpyHostToDevice);
  hipMemcpy(d_weight, weight, sizeof(float) * width, hipMemcpyHostToDevice);
  rmsnorm_kernel<<<rows, 64>>>(d_x, d_weight, d_y, width, 1e-5f);
  hipMemcpy(y, d_y, sizeof(float) * rows * width, hipMemcpyDeviceToHost);
  hipFree(d_x);
  hipFree(d_weight);
  hipFree(d_y);
}
