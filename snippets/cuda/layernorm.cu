// LayerNorm over the last dimension: one block a row, a tree reduction in shared memory.
#include <cuda_runtime.h>

constexpr int kThreads = 256;

__device__ __forceinline__ float block_sum(float v, float *buffer) {
  const int tid = threadIdx.x;
  buffer[tid] = v;
  __syncthreads();
  for (int stride = kThreads / 2; stride > 0; stride /= 2) {
    if (tid < stride) buffer[tid] += buffer[tid + stride];
    __syncthreads();
  }
  const float total = buffer[0];
  __syncthreads();  // the buffer is used again
  return total;
}

__global__ __launch_bounds__(kThreads) void layernorm_kernel(const float *x, const float *gamma, const float *beta,
                                                             float *y, int width, float eps) {
  __shared__ float buffer[kThreads];
  const float *row = x + blockIdx.x * width;

  float sum = 0.0f;
  for (int i = threadIdx.x; i < width; i += kThreads) sum += row[i];
  const float mean = block_sum(sum, buffer) / width;

  float square = 0.0f;
  for (int i = threadIdx.x; i < width; i += kThreads) {
    const float d = row[i] - mean;
    square += d * d;
  }
  const float inverse = rsqrtf(block_sum(square, buffer) / width + eps);

  for (int i = threadIdx.x; i < width; i += kThreads) {
    y[blockIdx.x * width + i] = (row[i] - mean) * inverse * gamma[i] + beta[i];
  }
}

extern "C" void layernorm(const float *x, const float *gamma, const float *beta, float *y, int rows, int width) {
  const size_t bytes = sizeof(float) * rows * width;
  float *d_x, *d_gamma, *d_beta, *d_y;
  cudaMalloc(&d_x, bytes);
  cudaMalloc(&d_gamma, sizeof(float) * width);
  cudaMalloc(&d_beta, sizeof(float) * width);
  cudaMalloc(&d_y, bytes);
  cudaMemcpy(d_x, x, bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(d_gamma, gamma, sizeof(float) * width, cudaMemcpyHostToDevice);
  cudaMemcpy(d_beta, beta, sizeof(float) * width, cudaMemcpyHostToDevice);
  layernorm_kernel<<<rows, kThreads>>>(d_x, d_gamma, d_beta, d_y, width, 1e-5f);
  cudaMemcpy(y, d_y, bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_x);
  cudaFree(d_gamma);
  cudaFree(d_beta);
  cudaFree(d_y);
}
