// Softmax over the rows of a matrix: a thread has a row; peak and sum are kept lane by lane and reduced once.
#include <immintrin.h>
#include <math.h>

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

extern "C" void softmax(const float *x, float *y, int rows, int cols) {
  const int tail = cols % 16;
  const int whole = cols - tail;
  const __mmask16 mask = (__mmask16)((1u << tail) - 1);
#pragma omp parallel for
  for (int r = 0; r < rows; ++r) {
    const float *in = x + (long)r * cols;
    float *out = y + (long)r * cols;

    __m512 peaks = _mm512_set1_ps(-INFINITY);
    for (int c = 0; c < whole; c += 16) peaks = _mm512_max_ps(peaks, _mm512_loadu_ps(in + c));
    if (tail) peaks = _mm512_mask_max_ps(peaks, mask, peaks, _mm512_maskz_loadu_ps(mask, in + whole));
    const __m512 peak = _mm512_set1_ps(_mm512_reduce_max_ps(peaks));

    __m512 sums = _mm512_setzero_ps();
    for (int c = 0; c < whole; c += 16) {
      const __m512 e = exp512(_mm512_sub_ps(_mm512_loadu_ps(in + c), peak));
      _mm512_storeu_ps(out + c, e);
      sums = _mm512_add_ps(sums, e);
    }
    if (tail) {
      const __m512 e = exp512(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, in + whole), peak));
      _mm512_mask_storeu_ps(out + whole, mask, e);
      sums = _mm512_mask_add_ps(sums, mask, sums, e);
    }
    const __m512 scale = _mm512_set1_ps(1.0f / _mm512_reduce_add_ps(sums));
    for (int c = 0; c < whole; c += 16) _mm512_storeu_ps(out + c, _mm512_mul_ps(_mm512_loadu_ps(out + c), scale));
    for (int c = whole; c < cols; ++c) out[c] *= _mm512_cvtss_f32(scale);
  }
}
