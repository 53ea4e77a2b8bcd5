// C++: regions, schedules, sections of arrays, vectors with masks.
#include <immintrin.h>

// expect: clean
extern "C" void region(const float* x, float* y, int n) {
#pragma omp parallel
  {
#pragma omp for schedule(static)
    for (int i = 0; i < n; i++) y[i] = x[i] * x[i];
  }
}

// expect: XP-RACE
extern "C" void neighbours(float* x, int n) {
#pragma omp parallel for schedule(dynamic, 4)
  for (int i = 1; i < n - 1; i++) x[i] = (x[i - 1] + x[i + 1]) / 2;
}

// expect: XP-RACE
extern "C" void maximum(const float* x, float* y, int n) {
  float best = x[0];
#pragma omp parallel for
  for (int i = 0; i < n; i++)
    if (x[i] > best) best = x[i];
  y[0] = best;
}

// expect: clean
extern "C" void maximum_critical(const float* x, float* y, int n) {
  float best = x[0];
#pragma omp parallel for
  for (int i = 0; i < n; i++) {
#pragma omp critical
    if (x[i] > best) best = x[i];
  }
  y[0] = best;
}

// expect: clean
extern "C" void product(const float* a, const float* b, float* c, int m, int n, int k) {
#pragma omp parallel for
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      float sum = 0;
      for (int p = 0; p < k; p++) sum += a[i * k + p] * b[p * n + j];
      c[i * n + j] = sum;
    }
}

// expect: XP-RACE
extern "C" void product_outer(const float* a, const float* b, float* c, int m, int n, int k) {
#pragma omp parallel for
  for (int p = 0; p < k; p++)
    for (int i = 0; i < m; i++)
      for (int j = 0; j < n; j++) c[i * n + j] += a[i * k + p] * b[p * n + j];
}

// expect: XP-RACE
extern "C" void wrong_leading_dimension(const float* x, float* y, int rows, int cols) {
#pragma omp parallel for
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < cols; c++) y[r * (cols - 1) + c] = x[r * cols + c];
}

// expect: clean
extern "C" void masked_tail(const float* x, float* y, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i += 16) {
    __mmask16 m = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
    _mm512_mask_storeu_ps(y + i, m, _mm512_maskz_loadu_ps(m, x + i));
  }
}

// expect: XP-BOUNDS
extern "C" void vector_beyond_the_row(const float* x, float* y) {
  float row[20];
  for (int i = 0; i < 20; i++) row[i] = x[i];
  for (int i = 0; i < 20; i += 16) _mm512_storeu_ps(y + i, _mm512_loadu_ps(row + i));
}

// expect: XP-ALIGN
extern "C" void aligned_store_at_odd_places(const float* x, float* y, int n) {
  for (int i = 0; i + 16 < n; i += 16) _mm512_store_ps(y + i + 1, _mm512_loadu_ps(x + i));
}

// expect: clean
extern "C" void sums_of_columns(const float* x, float* y, int rows, int cols) {
#pragma omp parallel for
  for (int c = 0; c < cols; c++) {
    float sum = 0;
    for (int r = 0; r < rows; r++) sum += x[r * cols + c];
    y[c] = sum;
  }
}

// expect: XP-RACE
extern "C" void sums_of_columns_by_rows(const float* x, float* y, int rows, int cols) {
#pragma omp parallel for
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < cols; c++) y[c] += x[r * cols + c];
}
