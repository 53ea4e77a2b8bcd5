// O = softmax(Q K^T / sqrt(dim)) V, head by head, without storing the scores: a warp owns one query and walks the
// keys in tiles of 32, rescaling what it has summed whenever the peak rises.
#include <cuda_runtime.h>
#include <math.h>

constexpr int WARPS = 4;
constexpr int KEYS = 32;      // keys a tile, one a lane
constexpr int MAX_DIM = 128;  // a lane keeps every 32nd component of the result

__global__ void self_attention_kernel(const float *__restrict__ Q, const float *__restrict__ K,
                                      const float *__restrict__ V, float *__restrict__ O, int seq, int dim,
                                      float scale) {
  __shared__ float keys[KEYS][MAX_DIM + 1];  // one column of padding: lanes read down a column
  __shared__ float values[KEYS][MAX_DIM];
  __shared__ float query[WARPS][MAX_DIM];
  const int lane = threadIdx.x;
  const int warp = threadIdx.y;
  const int row = blockIdx.x * WARPS + warp;
  const size_t head = (size_t)blockIdx.y * seq * dim;

  for (int d = lane; d < dim; d += 32) query[warp][d] = row < seq ? Q[head + row * dim + d] * scale : 0.0f;
  float peak = -INFINITY, sum = 0.0f;
  float acc[MAX_DIM / 32] = {0.0f};

  for (int base = 0; base < seq; base += KEYS) {
    __syncthreads();
    for (int i = warp * 32 + lane; i < KEYS * dim; i += WARPS * 32) {
      const int k = i / dim, d = i % dim;
      keys[k][d] = base + k < seq ? K[head + (base + k) * dim + d] : 0.0f;
      values[k][d] = base + k < seq ? V[head + (base + k) * dim + d] : 0.0f;
    }
    __syncthreads();

    float score = -INFINITY;
    if (base + lane < seq) {
      score = 0.0f;
      for (int d = 0; d < dim; ++d) score += query[warp][d] * keys[lane][d];
    }
    float top = score;
    for (int mask = 16; mask > 0; mask >>= 1) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, mask));
    top = fmaxf(top, peak);
    const float p = expf(score - top);
    float total = p;
    for (int mask = 16; mask > 0; mask >>= 1) total += __shfl_xor_sync(0xffffffffu, total, mask);
    const float shrink = expf(peak - top);
    sum = sum * shrink + total;
    peak = top;
#pragma unroll
    for (int j = 0; j < MAX_DIM / 32; ++j) acc[j] *= shrink;
    for (int k = 0; k < KEYS; ++k) {
      const float weight = __shfl_sync(0xffffffffu, p, k);
#pragma unroll
      for (int j = 0; j < MAX_DIM / 32; ++j)
        if (lane + 32 * j < dim) acc[j] += weight * values[k][lane + 32 * j];
    }
  }
  if (row >= seq) return;
#pragma unroll
  for (int j = 0; j < MAX_DIM / 32; ++j)
    if (lane + 32 * j < dim) O[head + row * dim + lane + 32 * j] = acc[j] / sum;
}

// dim is at most 128.
extern "C" void self_attention(const float *Q, const float *K, const float *V, float *O, int heads, int seq, int dim) {
  const size_t bytes = sizeof(float) * heads * seq * dim;
  float *d_Q, *d_K, *d_V, *d_O;
  cudaMalloc(&d_Q, bytes);
  cudaMalloc(&d_K, bytes);
  cudaMalloc(&d_V, bytes);
  cudaMalloc(&d_O, bytes);
  cudaMemcpy(d_Q, Q, bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(d_K, K, bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(d_V, V, bytes, cudaMemcpyHostToDevice);
  dim3 grid((seq + WARPS - 1) / WARPS, heads);
  self_attention_kernel<<<grid, dim3(32, WARPS)>>>(d_Q, d_K, d_V, d_O, seq, dim, 1.0f / sqrtf((float)dim));
  cudaMemcpy(O, d_O, bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_Q);
  cudaFree(d_K);
  cudaFree(d_V);
  cudaFree(d_O);
}
