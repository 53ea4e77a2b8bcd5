// Attention with an online softmax: many macros for indices, dynamic shared memory, nested loops.
#include <math.h>
#define Q(b, h, i, d) q[(((b) * H + (h)) * S + (i)) * D + (d)]
#define KV(p, b, h, j, d) p[(((b) * H + (h)) * S + (j)) * D + (d)]
#define MAXF(a, b) ((a) > (b) ? (a) : (b))

template <int D, int BLOCK_KV = 32, bool CAUSAL = (D > 32)>
__global__ void attention(const float *q, const float *k, const float *v, float *out, int B, int H, int S, float scale) {
  extern __shared__ float smem[];
  float *ks = smem, *vs = smem + BLOCK_KV * D;
  const int b = blockIdx.z, h = blockIdx.y, i = blockIdx.x * blockDim.x + threadIdx.x;
  float m = -INFINITY, l = 0.f, acc[D] = {0.f};
  for (int start = 0; start < S; start += BLOCK_KV) {
    for (int t = threadIdx.x; t < BLOCK_KV * D; t += blockDim.x) {
      const int j = start + t / D, d = t % D;
      ks[t] = j < S ? KV(k, b, h, j, d) : 0.f;
      vs[t] = j < S ? KV(v, b, h, j, d) : 0.f;
    }
    __syncthreads();
    for (int j = 0; j < BLOCK_KV && start + j < S; ++j) {
      if constexpr (CAUSAL) {
        if (start + j > i) break;
      }
      float s = 0.f;
#pragma unroll 8
      for (int d = 0; d < D; ++d) s += Q(b, h, i, d) * ks[j * D + d];
      s *= scale;
      const float m_new = MAXF(m, s), correction = __expf(m - m_new), p = __expf(s - m_new);
      l = l * correction + p;
      for (int d = 0; d < D; ++d) acc[d] = acc[d] * correction + p * vs[j * D + d];
      m = m_new;
    }
    __syncthreads();
  }
  if (i < S)
    for (int d = 0; d < D; ++d) KV(out, b, h, i, d) = acc[d] / l;
}

extern "C" void attention_forward(const float *q, const float *k, const float *v, float *out, int B, int H, int S) {
  const dim3 block(64), grid((S + 63) / 64, H, B);
  attention<64><<<grid, block, 2 * 32 * 64 * sizeof(float)>>>(q, k, v, out, B, H, S, 1.f / sqrtf(64.f));
  attention<32, 16, false><<<grid, block, 2 * 16 * 32 * sizeof(float), 0>>>(q, k, v, out, B, H, S, 0.5f);
}
