// RMSNorm over the last dimension, as in LLaMA: one block a row, partial sums by shuffles and shared memory.
#include <cuda_runtime.h>

constexpr int kThreads = 128;

__global__ void rmsnorm_kernel(const float *__restrict__ x, const float *__restrict__ weight, float *__restrict__ y,
                               int width, float eps) {
  __shared__ float partial[kThreads / 32];
  __shared__ float scale;
  const float *in = x + (size_t)blockIdx.x * width;
  float *out = y + (size_t)blockIdx.x * width;

  float sum = 0.0f;
  for (int i = threadIdx.x; i < width; i += kThreads) sum += in[i] * in[i];
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    float total = 0.0f;
    for (int w = 0; w < kThreads / 32; ++w) total += partial[w];
    scale = rsqrtf(total / width + eps);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < width; i += kThreads) out[i] = in[i] * scale * weight[i];
}

extern "C" void rmsnorm(const float *x, const float *weight, float *y, int rows, int width) {
  const size_t bytes = sizeof(float) * rows * width;
  float *d_x, *d_weight, *d_y;
  cudaMalloc(&d_x, bytes);
  cudaMalloc(&d_weight, sizeof(float) * width);
  cudaMalloc(&d_y, bytes);
  cudaMemcpy(d_x, x, bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(d_weight, weight, sizeof(float) * width, cudaMemcpyHostToDevice);
  rmsnorm_kernel<<<rows, kThreads>>>(d_x, d_weight, d_y, width, 1e-5f);
  cudaMemcpy(y, d_y, bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_x);
  cudaFree(d_weight);
  cudaFree(d_y);
}
