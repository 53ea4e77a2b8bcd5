// y = 1 / (1 + exp(-x)), two elements a thread half a block apart.
#include <hip/hip_runtime.h>
#include <cstdio>
#include <cstdlib>

#define HIP_CHECK(call)                                                         \
  do {                                                                          \
    hipError_t status = (call);                                                 \
    if (status != hipSuccess) {                                                 \
      fprintf(stderr, "%s: %s\n", #call, hipGetErrorString(status));            \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)

__global__ void sigmoid_kernel(const float *__restrict__ x, float *__restrict__ y, int n) {
  int i = blockIdx.x * 2 * blockDim.x + threadIdx.x;
  for (int j = 0; j < 2; ++j, i += blockDim.x) {
    if (i < n) y[i] = 1.0f / (1.0f + expf(-x[i]));
  }
}

extern "C" void sigmoid(const float *x, float *y, int n) {
  float *d_x, *d_y;
  HIP_CHECK(hipMalloc(&d_x, n * sizeof(float)));
  HIP_CHECK(hipMalloc(&d_y, n * sizeof(float)));
  HIP_CHECK(hipMemcpy(d_x, x, n * sizeof(float), hipMemcpyHostToDevice));
  sigmoid_kernel<<<dim3((n + 511) / 512), dim3(256)>>>(d_x, d_y, n);
  HIP_CHECK(hipGetLastError());
  HIP_CHECK(hipMemcpy(y, d_y, n * sizeof(float), hipMemcpyDeviceToHost));
  HIP_CHECK(hipFree(d_x));
  HIP_CHECK(hipFree(d_y));
}
