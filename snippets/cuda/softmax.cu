// Softmax over the rows of a matrix: one warp a row; peak and sum are kept together while the row is read once.
#include <cuda_runtime.h>
#include <math.h>

constexpr int WARPS = 4;

__global__ void softmax_kernel(const float *__restrict__ x, float *__restrict__ y, int rows, int cols) {
  const int lane = threadIdx.x;
  const int row = blockIdx.x * WARPS + threadIdx.y;
  if (row >= rows) return;
  const float *in = x + (size_t)row * cols;
  float *out = y + (size_t)row * cols;

  float peak = -INFINITY, sum = 0.0f;
  for (int c = lane; c < cols; c += 32) {
    const float higher = fmaxf(peak, in[c]);
    sum = sum * expf(peak - higher) + expf(in[c] - higher);
    peak = higher;
  }
  // Lanes without an element have peak -inf and sum 0: the row's peak is finite, so they add nothing.
  float top = peak;
  for (int mask = 16; mask > 0; mask /= 2) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, mask));
  sum *= expf(peak - top);
  for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, mask);

  const float scale = 1.0f / sum;
  for (int c = lane; c < cols; c += 32) out[c] = expf(in[c] - top) * scale;
}

extern "C" void softmax(const float *x, float *y, int rows, int cols) {
  const size_t bytes = sizeof(float) * rows * cols;
  float *d_x, *d_y;
  cudaMalloc(&d_x, bytes);
  cudaMalloc(&d_y, bytes);
  cudaMemcpy(d_x, x, bytes, cudaMemcpyHostToDevice);
  softmax_kernel<<<(rows + WARPS - 1) / WARPS, dim3(32, WARPS)>>>(d_x, d_y, rows, cols);
  cudaMemcpy(y, d_y, bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_x);
  cudaFree(d_y);
}
