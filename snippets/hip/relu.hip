// y = max(x, 0) by a grid-stride loop over float4; the last elements one a thread.
#include <hip/hip_runtime.h>

__global__ __launch_bounds__(256) void relu_kernel(const float *__restrict__ x, float *__restrict__ y, int n) {
  const int id = blockIdx.x * blockDim.x + threadIdx.x;
  const int stride = gridDim.x * blockDim.x;
  for (int i = id; i < n / 4; i += stride) {
    float4 v = reinterpret_cast<const float4 *>(x)[i];
    v.x = fmaxf(v.x, 0.0f);
    v.y = fmaxf(v.y, 0.0f);
    v.z = fmaxf(v.z, 0.0f);
    v.w = fmaxf(v.w, 0.0f);
    reinterpret_cast<float4 *>(y)[i] = v;
  }
  const int rest = n - n % 4 + id;
  if (rest < n) y[rest] = fmaxf(x[rest], 0.0f);
}

extern "C" void relu(const float *x, float *y, int n) {
  float *d_x, *d_y;
  hipMalloc(&d_x, n * sizeof(float));
  hipMalloc(&d_y, n * sizeof(float));
  hipMemcpy(d_x, x, n * sizeof(float), hipMemcpyHostToDevice);
  hipLaunchKernelGGL(relu_kernel, dim3(n / 2048 + 1), dim3(256), 0, 0, d_x, d_y, n);
  hipMemcpy(y, d_y, n * sizeof(float), hipMemcpyDeviceToHost);
  hipFree(d_x);
  hipFree(d_y);
}
