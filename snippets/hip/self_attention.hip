// O = softmax(Q K^T / sqrt(dim)) V, head by head: one wavefront a query, with its scores in LDS. Lanes take keys while
// scores are made, and components of the result while values are summed.
#include <hip/hip_runtime.h>

__device__ __forceinline__ float wave_max(float v) {
  for (int mask = 32; mask > 0; mask >>= 1) v = fmaxf(v, __shfl_xor(v, mask));
  return v;
}

__device__ __forceinline__ float wave_sum(float v) {
  for (int mask = 32; mask > 0; mask >>= 1) v += __shfl_xor(v, mask);
  return v;
}

__global__ __launch_bounds__(64) void attention_kernel(const float *__restrict__ Q, const float *__restrict__ K,
                                                       const float *__restrict__ V, float *__restrict__ O, int seq,
                                                       int dim, float scale) {
  extern __shared__ float scores[];
  const int lane = threadIdx.x;
  const size_t head = (size_t)blockIdx.y * seq * dim;
  const float *q = Q + head + (size_t)blockIdx.x * dim;

  float peak = -INFINITY;
  for (int k = lane; k < seq; k += 64) {
    float dot = 0.0f;
    for (int d = 0; d < dim; ++d) dot += q[d] * K[head + (size_t)k * dim + d];
    scores[k] = dot * scale;
    peak = fmaxf(peak, scores[k]);
  }
  peak = wave_max(peak);
  float sum = 0.0f;
  for (int k = lane; k < seq; k += 64) {
    scores[k] = expf(scores[k] - peak);
    sum += scores[k];
  }
  const float inverse = 1.0f / wave_sum(sum);
  __syncthreads();

  for (int d = lane; d < dim; d += 64) {
    float out = 0.0f;
    for (int k = 0; k < seq; ++k) out += scores[k] * V[head + (size_t)k * dim + d];
    O[head + (size_t)blockIdx.x * dim + d] = out * inverse;
  }
}

extern "C" void self_attention(const float *Q, const float *K, const float *V, float *O, int heads, int seq,
                               int dim) {
  const size_t bytes = sizeof(float) * heads * seq * dim;
  float *d_Q, *d_K, *d_V, *d_O;
  hipMalloc(&d_Q, bytes);
  hipMalloc(&d_K, bytes);
  hipMalloc(&d_V, bytes);
  hipMalloc(&d_O, bytes);
  hipMemcpy(d_Q, Q, bytes, hipMemcpyHostToDevice);
  hipMemcpy(d_K, K, bytes, hipMemcpyHostToDevice);
  hipMemcpy(d_V, V, bytes, hipMemcpyHostToDevice);
  attention_kernel<<<dim3(seq, heads), 64, seq * sizeof(float)>>>(d_Q, d_K, d_V, d_O, seq, dim,
                                                                  1.0f / sqrtf((float)dim));
  hipMemcpy(O, d_O, bytes, hipMemcpyDeviceToHost);
  hipFree(d_Q);
  hipFree(d_K);
  hipFree(d_V);
  hipFree(d_O);
}
