// y = -1, 0 or 1 after the sign of x: one takes the sign of x, zeros and NaN stay what they are.
#include <hip/hip_runtime.h>

__global__ void sign_kernel(const float *__restrict__ x, float *__restrict__ y, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    const float v = x[i];
    y[i] = v > 0.0f || v < 0.0f ? copysignf(1.0f, v) : v;
  }
}

extern "C" void sign(const float *x, float *y, int n) {
  float *d_x, *d_y;
  hipMalloc(&d_x, n * sizeof(float));
  hipMalloc(&d_y, n * sizeof(float));
  hipMemcpy(d_x, x, n * sizeof(float), hipMemcpyHostToDevice);
  hipLaunchKernelGGL(sign_kernel, dim3(48), dim3(128), 0, 0, d_x, d_y, n);
  hipMemcpy(y, d_y, n * sizeof(float), hipMemcpyDeviceToHost);
  hipFree(d_x);
  hipFree(d_y);
}
