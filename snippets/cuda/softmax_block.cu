// Softmax over the rows of a matrix: one block a row; warps reduce by shuffles, the block through shared memory.
#include <cuda_runtime.h>
#include <math.h>

__device__ float warp_max(float v) {
  for (int offset = 16; offset > 0; offset >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, offset));
  return v;
}

__device__ float warp_sum(float v) {
  for (int offset = 16; offset > 0; offset >>= 1) v += __shfl_xor_sync(0xffffffffu, v, offset);
  return v;
}

__global__ void softmax_block(const float *__restrict__ x, float *__restrict__ y, int cols) {
  extern __shared__ float partial[];  // one value a warp
  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int warps = blockDim.x / 32;
  x += (size_t)blockIdx.x * cols;
  y += (size_t)blockIdx.x * cols;

  // The largest element of the row, so that no exponential overflows.
  float peak = -INFINITY;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) peak = fmaxf(peak, x[c]);
  peak = warp_max(peak);
  if (lane == 0) partial[warp] = peak;
  __syncthreads();
  peak = partial[0];
  for (int w = 1; w < warps; ++w) peak = fmaxf(peak, partial[w]);
  __syncthreads();

  float sum = 0.0f;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) {
    const float e = expf(x[c] - peak);
    y[c] = e;
    sum += e;
  }
  sum = warp_sum(sum);
  if (lane == 0) partial[warp] = sum;
  __syncthreads();
  sum = partial[0];
  for (int w = 1; w < warps; ++w) sum += partial[w];

  const float scale = 1.0f / sum;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) y[c] *= scale;
}

extern "C" void softmax(const float *x, float *y, int rows, int cols) {
  const size_t bytes = sizeof(float) * rows * cols;
  float *d_x, *d_y;
  cudaMalloc((void **)&d_x, bytes);
  cudaMalloc((void **)&d_y, bytes);
  cudaMemcpy(d_x, x, bytes, cudaMemcpyHostToDevice);
  const int threads = 128;
  softmax_block<<<rows, threads, threads / 32 * sizeof(float)>>>(d_x, d_y, cols);
  cudaMemcpy(y, d_y, bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_x);
  cudaFree(d_y);
}
