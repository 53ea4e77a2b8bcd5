// y = -1, 0 or 1 after the sign of x, without a branch: four consecutive blocks' worth of elements a block.
#include <cuda_runtime.h>

constexpr int THREADS = 128;
constexpr int PER_THREAD = 4;

__global__ void sign_kernel(const float *__restrict__ x, float *__restrict__ y, int n) {
  const int base = blockIdx.x * THREADS * PER_THREAD + threadIdx.x;
#pragma unroll
  for (int j = 0; j < PER_THREAD; ++j) {
    const int i = base + j * THREADS;
    if (i < n) y[i] = (float)((x[i] > 0.0f) - (x[i] < 0.0f));
  }
}

extern "C" void sign(const float *x, float *y, int n) {
  float *d_x, *d_y;
  cudaMalloc(&d_x, n * sizeof(float));
  cudaMalloc(&d_y, n * sizeof(float));
  cudaMemcpy(d_x, x, n * sizeof(float), cudaMemcpyHostToDevice);
  const int tile = THREADS * PER_THREAD;
  sign_kernel<<<(n + tile - 1) / tile, THREADS>>>(d_x, d_y, n);
  cudaMemcpy(y, d_y, n * sizeof(float), cudaMemcpyDeviceToHost);
  cudaFree(d_x);
  cudaFree(d_y);
}
