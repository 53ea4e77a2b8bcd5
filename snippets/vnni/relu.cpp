// y = max(x, 0), sixteen elements a step; a mask takes the rest.
#include <immintrin.h>

extern "C" void relu(const float *x, float *y, int n) {
  const __m512 zero = _mm512_setzero_ps();
#pragma omp parallel for
  for (int i = 0; i < n / 16; ++i) {
    _mm512_storeu_ps(y + 16 * i, _mm512_max_ps(_mm512_loadu_ps(x + 16 * i), zero));
  }
  const int rest = n % 16;
  if (rest) {
    const __mmask16 mask = (__mmask16)((1u << rest) - 1);
    const int at = n - rest;
    _mm512_mask_storeu_ps(y + at, mask, _mm512_max_ps(_mm512_maskz_loadu_ps(mask, x + at), zero));
  }
}
