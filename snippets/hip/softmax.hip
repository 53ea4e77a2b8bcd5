// Softmax over the rows of a matrix: a wavefront of 64 lanes has a row, and reduces without shared memory.
#include <hip/hip_runtime.h>

constexpr int WAVE = 64;
constexpr int WAVES = 4;

__device__ float wave_max(float v) {
#pragma unroll
  for (int mask = WAVE / 2; mask > 0; mask >>= 1) v = fmaxf(v, __shfl_xor(v, mask));
  return v;
}

__device__ float wave_sum(float v) {
#pragma unroll
  for (int mask = WAVE / 2; mask > 0; mask >>= 1) v += __shfl_xor(v, mask);
  return v;
}

__global__ __launch_bounds__(WAVE *WAVES) void softmax_kernel(const float *__restrict__ x, float *__restrict__ y,
                                                              int rows, int cols) {
  const int lane = threadIdx.x % WAVE;
  const int row = blockIdx.x * WAVES + threadIdx.x / WAVE;
  if (row >= rows) return;  // the whole wavefront leaves
  x += (size_t)row * cols;
  y += (size_t)row * cols;

  float peak = -INFINITY;
  for (int c = lane; c < cols; c += WAVE) peak = fmaxf(peak, x[c]);
  peak = wave_max(peak);
  float sum = 0.0f;
  for (int c = lane; c < cols; c += WAVE) {
    const float e = __expf(x[c] - peak);
    y[c] = e;
    sum += e;
  }
  const float scale = 1.0f / wave_sum(sum);
  for (int c = lane; c < cols; c += WAVE) y[c] *= scale;
}

extern "C" void softmax(const float *x, float *y, int rows, int cols) {
  float *d_x, *d_y;
  hipMalloc(&d_x, sizeof(float) * rows * cols);
  hipMalloc(&d_y, sizeof(float) * rows * cols);
  hipMemcpy(d_x, x, sizeof(float) * rows * cols, hipMemcpyHostToDevice);
  softmax_kernel<<<(rows + WAVES - 1) / WAVES, WAVE * WAVES>>>(d_x, d_y, rows, cols);
  hipMemcpy(y, d_y, sizeof(float) * rows * cols, hipMemcpyDeviceToHost);
  hipFree(d_x);
  hipFree(d_y);
}
