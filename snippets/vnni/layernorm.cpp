// LayerNorm over the last dimension: two passes for mean and variance, one to write.
#include <immintrin.h>
#include <math.h>

// The first `left` of sixteen lanes, all of them if there are that many.
static inline __mmask16 lanes(int left) { return left >= 16 ? (__mmask16)0xffff : (__mmask16)((1 << left) - 1); }

extern "C" void layernorm(const float *x, const float *gamma, const float *beta, float *y, int rows, int width) {
#pragma omp parallel for
  for (int r = 0; r < rows; ++r) {
    const float *in = x + (long)r * width;
    float *out = y + (long)r * width;

    __m512 sum = _mm512_setzero_ps();
    for (int i = 0; i < width; i += 16) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(lanes(width - i), in + i));
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / width);

    __m512 square = _mm512_setzero_ps();
    for (int i = 0; i < width; i += 16) {
      const __mmask16 m = lanes(width - i);
      const __m512 d = _mm512_maskz_sub_ps(m, _mm512_maskz_loadu_ps(m, in + i), mean);
      square = _mm512_fmadd_ps(d, d, square);
    }
    const float variance = _mm512_reduce_add_ps(square) / width;
    const __m512 inverse = _mm512_set1_ps(1.0f / sqrtf(variance + 1e-5f));

    for (int i = 0; i < width; i += 16) {
      const __mmask16 m = lanes(width - i);
      const __m512 d = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(m, in + i), mean), inverse);
      const __m512 g = _mm512_maskz_loadu_ps(m, gamma + i);
      _mm512_mask_storeu_ps(out + i, m, _mm512_fmadd_ps(d, g, _mm512_maskz_loadu_ps(m, beta + i)));
    }
  }
}
