// Kernels in the manner of verifier suites: each with a twin that has the fault.
#include <immintrin.h>

// expect: clean
extern "C" void scale(const float* x, float* y, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i++) y[i] = x[i] * 2.0f;
}

// expect: XP-RACE
extern "C" void shift(float* y, int n) {
#pragma omp parallel for
  for (int i = 0; i < n - 1; i++) y[i] = y[i + 1] * 2.0f;
}

// expect: XP-RACE
extern "C" void total(const float* x, float* y, int n) {
  float sum = 0.0f;
#pragma omp parallel for
  for (int i = 0; i < n; i++) sum += x[i];
  y[0] = sum;
}

// expect: clean
extern "C" void total_reduced(const float* x, float* y, int n) {
  float sum = 0.0f;
#pragma omp parallel for reduction(+ : sum)
  for (int i = 0; i < n; i++) sum += x[i];
  y[0] = sum;
}

// expect: XP-RACE
extern "C" void one_buffer(const float* x, float* y, int rows, int cols) {
  float buf[512];
#pragma omp parallel for
  for (int r = 0; r < rows; r++) {
    for (int c = 0; c < cols && c < 512; c++) buf[c] = x[r * cols + c];
    for (int c = 0; c < cols && c < 512; c++) y[r * cols + c] = buf[c] * buf[0];
  }
}

// expect: clean
extern "C" void own_buffer(const float* x, float* y, int rows, int cols) {
#pragma omp parallel for
  for (int r = 0; r < rows; r++) {
    float buf[512];
    for (int c = 0; c < cols && c < 512; c++) buf[c] = x[r * cols + c];
    for (int c = 0; c < cols && c < 512; c++) y[r * cols + c] = buf[c] * buf[0];
  }
}

// expect: XP-UNINIT
extern "C" void accumulator(const float* x, float* y) {
  float acc[16];
  for (int i = 0; i < 64; i += 16)
    _mm512_storeu_ps(acc, _mm512_add_ps(_mm512_loadu_ps(acc), _mm512_loadu_ps(x + i)));
  for (int i = 0; i < 16; i++) y[i] = acc[i];
}

// expect: XP-BOUNDS
extern "C" void tail(float* y) {
  float buf[24];
  for (int i = 0; i < 24; i += 16) _mm512_storeu_ps(buf + i, _mm512_set1_ps(1.0f));
  for (int i = 0; i < 24; i++) y[i] = buf[i];
}

// expect: clean
extern "C" void tail_masked(float* y) {
  float buf[24];
  for (int i = 0; i < 24; i += 16) {
    __mmask16 m = 24 - i < 16 ? (__mmask16)((1u << (24 - i)) - 1) : 0xffff;
    _mm512_mask_storeu_ps(buf + i, m, _mm512_set1_ps(1.0f));
  }
  for (int i = 0; i < 24; i++) y[i] = buf[i];
}
