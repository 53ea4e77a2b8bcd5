// C++: loops shared among OpenMP's threads, vectors, arrays.
#include <immintrin.h>

// expect: clean
extern "C" void plane(const float* x, float* y, int rows, int cols) {
#pragma omp parallel for collapse(2)
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < cols; c++) y[r * cols + c] = x[r * cols + c] + 1.0f;
}

// expect: XP-RACE
extern "C" void plane_in_a_row(const float* x, float* y, int rows, int cols) {
#pragma omp parallel for collapse(2)
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < cols; c++) y[c] += x[r * cols + c];
}

// expect: XP-RACE
extern "C" void shared_temporary(const float* x, float* y, int n) {
  float t;
#pragma omp parallel for
  for (int i = 0; i < n; i++) {
    t = x[i] * 2.0f;
    y[i] = t * t;
  }
}

// expect: clean
extern "C" void private_temporary(const float* x, float* y, int n) {
  float t;
#pragma omp parallel for private(t)
  for (int i = 0; i < n; i++) {
    t = x[i] * 2.0f;
    y[i] = t * t;
  }
}

// expect: XP-RACE
extern "C" void bins(const int* x, int* h, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i++) h[x[i] & 15]++;
}

// expect: clean
extern "C" void bins_atomic(const int* x, int* h, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i++) {
#pragma omp atomic
    h[x[i] & 15]++;
  }
}

// expect: XP-RACE
extern "C" void running_sum(float* x, int n) {
#pragma omp parallel for
  for (int i = 1; i < n; i++) x[i] += x[i - 1];
}

// expect: clean
extern "C" void running_sum_serial(float* x, int n) {
  for (int i = 1; i < n; i++) x[i] += x[i - 1];
}

// expect: clean
extern "C" void odd_from_even(float* x, int n) {
#pragma omp parallel for
  for (int i = 0; i < n / 2; i++) x[2 * i + 1] = x[2 * i];
}

// expect: XP-RACE
extern "C" void odd_from_next(float* x, int n) {
#pragma omp parallel for
  for (int i = 0; i < n / 2; i++) x[i] = x[2 * i];
}

// expect: clean
extern "C" void upper_half(float* x, int n) {
#pragma omp parallel for
  for (int i = 0; i < n / 2; i++) x[i] = x[i + n / 2];
}

// expect: clean
extern "C" void vectors_of_sixteen(const float* x, float* y, int n) {
#pragma omp parallel for
  for (int i = 0; i <= n - 16; i += 16) _mm512_storeu_ps(y + i, _mm512_loadu_ps(x + i));
}

// expect: XP-RACE
extern "C" void vectors_overlap(const float* x, float* y, int n) {
#pragma omp parallel for
  for (int i = 0; i <= n - 16; i += 8) _mm512_storeu_ps(y + i, _mm512_loadu_ps(x + 2 * i));
}

// expect: XP-BOUNDS
extern "C" void own_rows(const float* x, float* y, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i++) {
    float row[16];
    for (int j = 0; j <= 16; j++) row[j] = x[i * 17 + j];
    y[i] = row[0];
  }
}

// expect: XP-UNINIT
extern "C" void sums_unset(const float* x, float* y) {
  float sum[8];
  for (int i = 0; i < 64; i++) sum[i % 8] += x[i];
  for (int i = 0; i < 8; i++) y[i] = sum[i];
}

// expect: XP-RACE
extern "C" void transposed_in_place(float* m, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      float v = m[i * n + j];
      m[i * n + j] = m[j * n + i];
      m[j * n + i] = v;
    }
}

// expect: clean
extern "C" void largest(const float* x, float* y, int n) {
  float best = x[0];
#pragma omp parallel for reduction(max : best)
  for (int i = 0; i < n; i++) best = x[i] > best ? x[i] : best;
  y[0] = best;
}
