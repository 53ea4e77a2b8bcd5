// GELU in the tanh form of GPT-2, with tanh(t) = 1 - 2 / (1 + exp(2 t)).
#include <immintrin.h>

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

static inline __m512 gelu512(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.0f);
  const __m512 cubic = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(0.044715f), one);
  const __m512 twice = _mm512_mul_ps(_mm512_mul_ps(x, cubic), _mm512_set1_ps(2 * 0.7978845608f));
  // x (1 + tanh t) / 2 = x (1 - 1 / (1 + exp(2 t)))
  return _mm512_fnmadd_ps(x, _mm512_div_ps(one, _mm512_add_ps(one, exp512(twice))), x);
}

extern "C" void gelu(const float *x, float *y, int n) {
  const int whole = n / 16 * 16;
#pragma omp parallel for schedule(static)
  for (int i = 0; i < whole; i += 16) {
    _mm512_storeu_ps(y + i, gelu512(_mm512_loadu_ps(x + i)));
  }
  if (whole < n) {
    const __mmask16 mask = (__mmask16)((1u << (n - whole)) - 1);
    _mm512_mask_storeu_ps(y + whole, mask, gelu512(_mm512_maskz_loadu_ps(mask, x + whole)));
  }
}
