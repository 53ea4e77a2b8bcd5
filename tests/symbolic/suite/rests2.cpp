// Whole vectors, and what is left of a size.
#include <immintrin.h>
#include <cstdint>

// expect: clean
extern "C" void scale(const float* x, float* y, int n) {
#pragma omp parallel for
  for (int i = 0; i < n / 16 * 16; i += 16) _mm512_storeu_ps(y + i, _mm512_mul_ps(_mm512_loadu_ps(x + i), _mm512_set1_ps(2.f)));
  for (int i = n / 16 * 16; i < n; ++i) y[i] = x[i] * 2.f;
}

// expect: XP-BOUNDS
extern "C" void scale_tail(const float* x, float* y, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i += 16) _mm512_storeu_ps(y + i, _mm512_mul_ps(_mm512_loadu_ps(x + i), _mm512_set1_ps(2.f)));
  if (n % 16) y[n - 1] = x[n - 1] * 2.f;
}

// expect: clean
extern "C" void scale_masked(const float* x, float* y, int n) {
  for (int i = 0; i < n; i += 16) {
    __mmask16 m = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
    _mm512_mask_storeu_ps(y + i, m, _mm512_mul_ps(_mm512_maskz_loadu_ps(m, x + i), _mm512_set1_ps(2.f)));
  }
}

// expect: XP-BOUNDS
extern "C" void scale_store_unmasked(const float* x, float* y, int n) {
  for (int i = 0; i < n; i += 16) {
    __mmask16 m = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
    _mm512_storeu_ps(y + i, _mm512_mul_ps(_mm512_maskz_loadu_ps(m, x + i), _mm512_set1_ps(2.f)));
  }
}

// expect: clean
extern "C" void dot_u8s8(const uint8_t* a, const int8_t* b, int32_t* c, int n) {
  __m512i acc = _mm512_setzero_si512();
  int i = 0;
  for (; i + 64 <= n; i += 64) acc = _mm512_dpbusd_epi32(acc, _mm512_loadu_si512(a + i), _mm512_loadu_si512(b + i));
  int s = _mm512_reduce_add_epi32(acc);
  for (; i < n; ++i) s += a[i] * b[i];
  *c = s;
}

// expect: XP-BOUNDS
extern "C" void dot_u8s8_lt(const uint8_t* a, const int8_t* b, int32_t* c, int n) {
  __m512i acc = _mm512_setzero_si512();
  int i = 0;
  for (; i + 32 < n; i += 64) acc = _mm512_dpbusd_epi32(acc, _mm512_loadu_si512(a + i), _mm512_loadu_si512(b + i));
  int s = _mm512_reduce_add_epi32(acc);
  for (; i < n; ++i) s += a[i] * b[i];
  *c = s;
}

// expect: XP-BOUNDS
extern "C" void mask_of_one_more(const float *x, float *y, int n) {
  const __m512 z = _mm512_setzero_ps();
  for (int i = 0; i < n; i += 16) {
    int left = n - i;
    __mmask16 m = left >= 16 ? 0xFFFF : (__mmask16)((1u << (left + 1)) - 1);
    _mm512_mask_storeu_ps(y + i, m, _mm512_max_ps(_mm512_maskz_loadu_ps(m, x + i), z));
  }
}

// expect: clean
extern "C" void mask_of_what_is_left(const float *x, float *y, int n) {
  int i = 0;
  for (; i < n; i += 16) {
    int left = n - i;
    __mmask16 m = left >= 16 ? 0xFFFF : (__mmask16)((1u << left) - 1);
    _mm512_mask_storeu_ps(y + i, m, _mm512_maskz_loadu_ps(m, x + i));
  }
}

// expect: XP-BOUNDS
extern "C" void four_vectors_where_one_is_asked_for(float a, const float *x, float *y, int n) {
  __m512 va = _mm512_set1_ps(a);
  int i = 0;
  for (; i + 16 <= n; i += 64) {
    for (int u = 0; u < 64; u += 16)
      _mm512_storeu_ps(y + i + u, _mm512_fmadd_ps(va, _mm512_loadu_ps(x + i + u), _mm512_loadu_ps(y + i + u)));
  }
  for (; i < n; ++i) y[i] += a * x[i];
}

// expect: clean
extern "C" void fills_a_panel_up(const signed char* w, signed char* out, int n, int k) {
  int k4 = (k + 3) / 4;
  for (int j = 0; j < n; j += 16)
    for (int q = 0; q < k4; ++q)
      for (int jj = 0; jj < 16; ++jj)
        for (int e = 0; e < 4; ++e)
          out[((j / 16) * k4 + q) * 64 + jj * 4 + e] =
              j + jj < n && q * 4 + e < k ? w[(j + jj) * k + q * 4 + e] : 0;
}

// expect: XP-BOUNDS
extern "C" void reads_beyond_rows_for_a_panel(const signed char* w, signed char* out, int n, int k) {
  int k4 = (k + 3) / 4;
  for (int j = 0; j < n; j += 16)
    for (int q = 0; q < k4; ++q)
      for (int jj = 0; jj < 16; ++jj)
        for (int e = 0; e < 4; ++e)
          out[((j / 16) * k4 + q) * 64 + jj * 4 + e] = j + jj < n ? w[(j + jj) * k + q * 4 + e] : 0;
}
