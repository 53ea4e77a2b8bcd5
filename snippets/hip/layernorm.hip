// LayerNorm over the last dimension: a block of four wavefronts has a row; mean and variance in one pass, by sums of
// the elements less the first one, which keeps the difference of squares harmless.
#include <hip/hip_runtime.h>

#define THREADS 256
#define WAVES (THREADS / 64)

__device__ float2 wave_sum(float2 v) {
  for (int offset = 32; offset > 0; offset /= 2) {
    v.x += __shfl_down(v.x, offset);
    v.y += __shfl_down(v.y, offset);
  }
  return v;
}

__global__ void layernorm_kernel(const float *x, const float *gamma, const float *beta, float *y, int width,
                                 float eps) {
  __shared__ float2 partial[WAVES];
  const float *in = x + (size_t)blockIdx.x * width;
  float *out = y + (size_t)blockIdx.x * width;
  const float shift = in[0];

  float2 sums = make_float2(0.0f, 0.0f);
  for (int i = threadIdx.x; i < width; i += THREADS) {
    const float d = in[i] - shift;
    sums.x += d;
    sums.y += d * d;
  }
  sums = wave_sum(sums);
  if (threadIdx.x % 64 == 0) partial[threadIdx.x / 64] = sums;
  __syncthreads();
  float total = 0.0f, square = 0.0f;
  for (int w = 0; w < WAVES; ++w) {
    total += partial[w].x;
    square += partial[w].y;
  }
  const float offset = total / width;
  const float inverse = rsqrtf(square / width - offset * offset + eps);
  for (int i = threadIdx.x; i < width; i += THREADS) {
    out[i] = (in[i] - shift - offset) * inverse * gamma[i] + beta[i];
  }
}

extern "C" void layernorm(const float *x, const float *gamma, const float *beta, float *y, int rows, int width) {
  float *d_x, *d_gamma, *d_beta, *d_y;
  hipMalloc(&d_x, sizeof(float) * rows * width);
  hipMalloc(&d_gamma, sizeof(float) * width);
  hipMalloc(&d_beta, sizeof(float) * width);
  hipMalloc(&d_y, sizeof(float) * rows * width);
  hipMemcpy(d_x, x, sizeof(float) * rows * width, hipMemcpyHostToDevice);
  hipMemcpy(d_gamma, gamma, sizeof(float) * width, hipMemcpyHostToDevice);
  hipMemcpy(d_beta, beta, sizeof(float) * width, hipMemcpyHostToDevice);
  hipLaunchKernelGGL(layernorm_kernel, dim3(rows), dim3(THREADS), 0, 0, d_x, d_gamma, d_beta, d_y, width, 1e-5f);
  hipMemcpy(y, d_y, sizeof(float) * rows * width, hipMemcpyDeviceToHost);
  hipFree(d_x);
  hipFree(d_gamma);
  hipFree(d_beta);
  hipFree(d_y);
}
