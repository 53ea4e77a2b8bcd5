// Vector loops and what is left over.
#include <immintrin.h>

// expect: XP-BOUNDS
extern "C" void no_rest(const float *x, float *y, int n) {
  for (int i = 0; i < n; i += 16) _mm512_storeu_ps(y + i, _mm512_loadu_ps(x + i));
}

// expect: XP-BOUNDS
extern "C" void no_rest_of_rows(float *x, const float *bias, long rows, long cols) {
  for (long r = 0; r < rows; ++r)
    for (long c = 0; c < cols; c += 16) {
      float *p = x + r * cols + c;
      _mm512_storeu_ps(p, _mm512_add_ps(_mm512_loadu_ps(p), _mm512_loadu_ps(bias + c)));
    }
}

// expect: clean
extern "C" void masked(const float *x, float *y, int n) {
  int i = 0;
  for (; i + 16 <= n; i += 16) _mm512_storeu_ps(y + i, _mm512_loadu_ps(x + i));
  if (i < n) {
    __mmask16 m = (__mmask16)((1u << (n - i)) - 1);
    _mm512_mask_storeu_ps(y + i, m, _mm512_maskz_loadu_ps(m, x + i));
  }
}

// expect: XP-BOUNDS
extern "C" void masked_one_too_many(const float *x, float *y, int n) {
  int i = 0;
  for (; i + 16 <= n; i += 16) _mm512_storeu_ps(y + i, _mm512_loadu_ps(x + i));
  if (i < n) {
    __mmask16 m = (__mmask16)((2u << (n - i)) - 1);
    _mm512_mask_storeu_ps(y + i, m, _mm512_maskz_loadu_ps(m, x + i));
  }
}

// expect: XP-BOUNDS
extern "C" void stored_without_mask(const float *x, float *y, size_t n) {
  size_t i = 0, full = n & ~(size_t)15;
  for (; i < full; i += 16) _mm512_storeu_ps(y + i, _mm512_loadu_ps(x + i));
  if (n - full) {
    const __mmask16 m = _cvtu32_mask16((1u << (n - full)) - 1u);
    _mm512_storeu_ps(y + i, _mm512_maskz_loadu_ps(m, x + i));
  }
}

// expect: XP-SAME-VALUE
extern "C" void stores_that_overlap(const float *a, float *o, int n) {
#pragma omp parallel for
  for (int i = 0; i < n - 16; i += 8) _mm512_storeu_ps(o + i, _mm512_loadu_ps(a + i));
}

// expect: XP-BOUNDS
extern "C" void mask_of_one_lane_too_many(const float *x, float *y, int rows, int cols, int ld) {
  const int whole = cols & ~15;
  const __mmask16 rest = (__mmask16)((1u << ((cols & 15) + 1)) - 1);
  for (int r = 0; r < rows; ++r) {
    int c = 0;
    for (; c < whole; c += 16) _mm512_storeu_ps(y + r * ld + c, _mm512_loadu_ps(x + r * cols + c));
    if (c < cols) _mm512_mask_storeu_ps(y + r * ld + c, rest, _mm512_maskz_loadu_ps(rest, x + r * cols + c));
  }
}

// expect: clean
extern "C" void mask_of_the_rest(const float *x, float *y, int rows, int cols, int ld) {
  const int whole = cols & ~15;
  const __mmask16 rest = (__mmask16)((1u << (cols & 15)) - 1);
  for (int r = 0; r < rows; ++r) {
    int c = 0;
    for (; c < whole; c += 16) _mm512_storeu_ps(y + r * ld + c, _mm512_loadu_ps(x + r * cols + c));
    if (c < cols) _mm512_mask_storeu_ps(y + r * ld + c, rest, _mm512_maskz_loadu_ps(rest, x + r * cols + c));
  }
}

// expect: XP-BOUNDS
extern "C" void masked_neighbours(const float *x, float *y, int n) {
  for (int i = 1; i < n; i += 16) {
    const __mmask16 m = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
    const __m512 left = _mm512_maskz_loadu_ps(m, x + i - 1), right = _mm512_maskz_loadu_ps(m, x + i + 1);
    _mm512_mask_storeu_ps(y + i, m, _mm512_add_ps(_mm512_maskz_loadu_ps(m, x + i), _mm512_add_ps(left, right)));
  }
}

// expect: clean
extern "C" void masked_inner_neighbours(const float *x, float *y, int n) {
  for (int i = 1; i < n - 1; i += 16) {
    const __mmask16 m = n - 1 - i >= 16 ? 0xffff : (__mmask16)((1u << (n - 1 - i)) - 1);
    const __m512 left = _mm512_maskz_loadu_ps(m, x + i - 1), right = _mm512_maskz_loadu_ps(m, x + i + 1);
    _mm512_mask_storeu_ps(y + i, m, _mm512_add_ps(_mm512_maskz_loadu_ps(m, x + i), _mm512_add_ps(left, right)));
  }
}
