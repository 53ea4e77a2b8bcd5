// Softmax of 50 rows of 96 elements: a wavefront a row; no host code.
#include <hip/hip_runtime.h>

__global__ void __launch_bounds__(64) softmax(const float *__restrict__ x, float *__restrict__ y) {
  const int lane = threadIdx.x;
  const float *in = x + blockIdx.x * 96;
  const bool second = lane < 32;
  const float a = in[lane];
  const float b = second ? in[64 + lane] : a;
  float peak = fmaxf(a, b);
  for (int mask = 32; mask > 0; mask >>= 1) peak = fmaxf(peak, __shfl_xor(peak, mask));
  const float ea = expf(a - peak);
  const float eb = second ? expf(b - peak) : 0.0f;
  float sum = ea + eb;
  for (int mask = 32; mask > 0; mask >>= 1) sum += __shfl_xor(sum, mask);
  y[blockIdx.x * 96 + lane] = ea / sum;
  if (second) y[blockIdx.x * 96 + 64 + lane] = eb / sum;
}
