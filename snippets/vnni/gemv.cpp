// y = A * x, row-major: four rows share the loads of x.
#include <immintrin.h>

static inline float dot(const float *a, const float *x, int n) {
  __m512 sum = _mm512_setzero_ps();
  int i = 0;
  for (; i + 16 <= n; i += 16) sum = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(x + i), sum);
  if (i < n) {
    const __mmask16 mask = (__mmask16)((1u << (n - i)) - 1);
    sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, x + i), sum);
  }
  return _mm512_reduce_add_ps(sum);
}

extern "C" void gemv(const float *A, const float *x, float *y, int rows, int cols) {
  const int groups = rows / 4;
#pragma omp parallel for
  for (int g = 0; g < groups; ++g) {
    const float *a = A + (long)4 * g * cols;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    for (int c = 0; c < cols; c += 16) {
      const __mmask16 mask = cols - c >= 16 ? 0xffff : (1 << (cols - c)) - 1;
      const __m512 v = _mm512_maskz_loadu_ps(mask, x + c);
      s0 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + c), v, s0);
      s1 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + cols + c), v, s1);
      s2 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + 2 * cols + c), v, s2);
      s3 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + 3 * cols + c), v, s3);
    }
    y[4 * g] = _mm512_reduce_add_ps(s0);
    y[4 * g + 1] = _mm512_reduce_add_ps(s1);
    y[4 * g + 2] = _mm512_reduce_add_ps(s2);
    y[4 * g + 3] = _mm512_reduce_add_ps(s3);
  }
  for (int r = 4 * groups; r < rows; ++r) y[r] = dot(A + (long)r * cols, x, cols);
}
