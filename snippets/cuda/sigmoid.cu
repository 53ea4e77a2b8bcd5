// y = 1 / (1 + exp(-x)), one element a thread; the fast exponential is exact enough in float.
#include <cuda_runtime.h>

__global__ void sigmoid_kernel(const float *__restrict__ x, float *__restrict__ y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  y[i] = 1.0f / (1.0f + __expf(-x[i]));
}

extern "C" void sigmoid(const float *x, float *y, int n) {
  float *d_x, *d_y;
  cudaMalloc(&d_x, n * sizeof(float));
  cudaMalloc(&d_y, n * sizeof(float));
  cudaMemcpy(d_x, x, n * sizeof(float), cudaMemcpyHostToDevice);
  sigmoid_kernel<<<(n + 127) / 128, 128>>>(d_x, d_y, n);
  cudaMemcpy(y, d_y, n * sizeof(float), cudaMemcpyDeviceToHost);
  cudaFree(d_x);
  cudaFree(d_y);
}
