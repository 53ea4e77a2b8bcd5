// O = softmax(Q K^T / sqrt(dim)) V, head by head: a thread has a query and keeps its scores in a buffer of its own.
#include <immintrin.h>
#include <math.h>

constexpr int MAX_SEQ = 4096;

// exp(x) in single precision: x = n ln 2 + r, and e^r by a polynomial; about 2 units in the last place.
static inline __m512 exp512(__m512 x) {
  x = _mm512_min_ps(_mm512_max_ps(x, _mm512_set1_ps(-87.0f)), _mm512_set1_ps(88.0f));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693145752f), x);  // ln 2 in two parts
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.42860677e-6f), r);
  __m512 p = _mm512_set1_ps(1.0f / 720);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, n);
}

static inline __mmask16 lanes(int left) { return left >= 16 ? 0xffff : (1 << left) - 1; }

static float dot(const float *a, const float *b, int n) {
  __m512 sum = _mm512_setzero_ps();
  for (int i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(n - i);
    sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, a + i), _mm512_maskz_loadu_ps(m, b + i), sum);
  }
  return _mm512_reduce_add_ps(sum);
}

// exp(row - peak) in place; the sum is returned.
static float exponentials(float *row, float peak, int n) {
  __m512 sum = _mm512_setzero_ps();
  for (int i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(n - i);
    const __m512 e = exp512(_mm512_sub_ps(_mm512_maskz_loadu_ps(m, row + i), _mm512_set1_ps(peak)));
    _mm512_mask_storeu_ps(row + i, m, e);
    sum = _mm512_mask_add_ps(sum, m, sum, e);
  }
  return _mm512_reduce_add_ps(sum);
}

extern "C" void self_attention(const float *Q, const float *K, const float *V, float *O, int heads, int seq, int dim) {
  const float scale = 1.0f / sqrtf((float)dim);
#pragma omp parallel for collapse(2)
  for (int h = 0; h < heads; ++h) {
    for (int q = 0; q < seq; ++q) {
      const long head = (long)h * seq * dim;
      alignas(64) float scores[MAX_SEQ];
      float peak = -INFINITY;
      for (int k = 0; k < seq; ++k) {
        scores[k] = scale * dot(Q + head + q * dim, K + head + k * dim, dim);
        peak = fmaxf(peak, scores[k]);
      }
      const float sum = exponentials(scores, peak, seq);
      for (int d = 0; d < dim; d += 16) {
        const __mmask16 m = lanes(dim - d);
        __m512 out = _mm512_setzero_ps();
        for (int k = 0; k < seq; ++k) {
          out = _mm512_fmadd_ps(_mm512_set1_ps(scores[k]), _mm512_maskz_loadu_ps(m, V + head + k * dim + d), out);
        }
        _mm512_mask_storeu_ps(O + head + q * dim + d, m, _mm512_div_ps(out, _mm512_set1_ps(sum)));
      }
    }
  }
}
