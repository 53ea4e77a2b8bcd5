// y = -1, 0 or 1 after the sign of x: comparisons give masks, masks pick constants.
#include <immintrin.h>

extern "C" void sign(const float *x, float *y, int n) {
  const __m512 zero = _mm512_setzero_ps();
  const __m512 one = _mm512_set1_ps(1.0f);
#pragma omp parallel for
  for (int i = 0; i < n; i += 16) {
    const int left = n - i;
    const __mmask16 lanes = left >= 16 ? (__mmask16)0xffff : (__mmask16)((1 << left) - 1);
    const __m512 v = _mm512_maskz_loadu_ps(lanes, x + i);
    const __mmask16 positive = _mm512_cmp_ps_mask(v, zero, _CMP_GT_OQ);
    const __mmask16 negative = _mm512_cmp_ps_mask(v, zero, _CMP_LT_OQ);
    const __m512 result = _mm512_mask_sub_ps(_mm512_maskz_mov_ps(positive, one), negative, zero, one);
    _mm512_mask_storeu_ps(y + i, lanes, result);
  }
}
