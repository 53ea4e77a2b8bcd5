// GELU in the tanh form of GPT-2. The tanh comes from one exponential, which the hardware does in base 2.
#include <hip/hip_runtime.h>

__device__ __forceinline__ float gelu_value(float x) {
  const float t = 0.7978845608f * x * (1.0f + 0.044715f * x * x);
  return x - x / (1.0f + exp2f(2.0f * 1.442695041f * t));  // x (1 + tanh t) / 2
}

__global__ void gelu_kernel(const float *x, float *y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = gelu_value(x[i]);
}

extern "C" void gelu(const float *x, float *y, int n) {
  float *d_x, *d_y;
  hipMalloc(&d_x, n * sizeof(float));
  hipMalloc(&d_y, n * sizeof(float));
  hipMemcpy(d_x, x, n * sizeof(float), hipMemcpyHostToDevice);
  gelu_kernel<<<(n + 255) / 256, 256>>>(d_x, d_y, n);
  hipMemcpy(y, d_y, n * sizeof(float), hipMemcpyDeviceToHost);
  hipFree(d_x);
  hipFree(d_y);
}
