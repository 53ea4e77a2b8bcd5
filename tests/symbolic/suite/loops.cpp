// C++: what threads of OpenMP share, and vectors of bytes.
#include <immintrin.h>

// expect: clean
extern "C" void layernorm(const float* x, float* y, int rows, int cols) {
#pragma omp parallel for
  for (int r = 0; r < rows; r++) {
    float mean = 0, var = 0;
    for (int c = 0; c < cols; c++) mean += x[r * cols + c];
    mean /= cols;
    for (int c = 0; c < cols; c++) var += (x[r * cols + c] - mean) * (x[r * cols + c] - mean);
    for (int c = 0; c < cols; c++) y[r * cols + c] = (x[r * cols + c] - mean) / (var / cols + 1e-5f);
  }
}

// expect: XP-RACE
extern "C" void layernorm_shared_mean(const float* x, float* y, int rows, int cols) {
  float mean, var;
#pragma omp parallel for
  for (int r = 0; r < rows; r++) {
    mean = 0;
    for (int c = 0; c < cols; c++) mean += x[r * cols + c];
    mean /= cols;
    for (int c = 0; c < cols; c++) y[r * cols + c] = x[r * cols + c] - mean;
  }
}

// expect: clean
extern "C" void dot_bytes(const unsigned char* a, const signed char* b, int* y, int rows, int k) {
#pragma omp parallel for
  for (int r = 0; r < rows; r++) {
    __m512i acc = _mm512_setzero_si512();
    for (int i = 0; i + 64 <= k; i += 64)
      acc = _mm512_dpbusd_epi32(acc, _mm512_loadu_si512(a + r * k + i), _mm512_loadu_si512(b + i));
    y[r] = _mm512_reduce_add_epi32(acc);
  }
}

// expect: XP-RACE
extern "C" void dot_bytes_one_result(const unsigned char* a, const signed char* b, int* y, int rows, int k) {
#pragma omp parallel for
  for (int r = 0; r < rows; r++) {
    __m512i acc = _mm512_setzero_si512();
    for (int i = 0; i + 64 <= k; i += 64)
      acc = _mm512_dpbusd_epi32(acc, _mm512_loadu_si512(a + r * k + i), _mm512_loadu_si512(b + i));
    y[0] += _mm512_reduce_add_epi32(acc);
  }
}

// expect: XP-BOUNDS
extern "C" void columns_of_a_tile(const float* x, float* y) {
  float tile[8][8];
  for (int i = 0; i < 8; i++)
    for (int j = 0; j < 8; j++) tile[i][j] = x[i * 8 + j];
  for (int i = 0; i < 8; i++)
    for (int j = 0; j < 8; j++) y[i * 8 + j] = tile[j][i] + tile[j][i + 1 + 56 * (i == 7 && j == 7)];
}

// expect: clean
extern "C" void two_loops(const float* x, float* t, float* y, int n) {
#pragma omp parallel
  {
#pragma omp for
    for (int i = 0; i < n; i++) t[i] = x[i] * 2;
#pragma omp for
    for (int i = 0; i < n; i++) y[i] = t[n - 1 - i];
  }
}

// expect: XP-RACE
extern "C" void wavefront(float* m, int rows, int cols) {
#pragma omp parallel for
  for (int r = 1; r < rows; r++)
    for (int c = 1; c < cols; c++) m[r * cols + c] += m[(r - 1) * cols + c - 1];
}

// expect: clean
extern "C" void wavefront_by_columns(float* m, int rows, int cols) {
  for (int r = 1; r < rows; r++) {
#pragma omp parallel for
    for (int c = 1; c < cols; c++) m[r * cols + c] += m[(r - 1) * cols + c - 1];
  }
}

// expect: XP-UNINIT
extern "C" void histogram_unset(const unsigned char* x, int* y, int n) {
  int bins[256];
  for (int i = 0; i < n; i++) bins[x[i]]++;
  for (int b = 0; b < 256; b++) y[b] = bins[b];
}

// expect: clean
extern "C" void histogram(const unsigned char* x, int* y, int n) {
  int bins[256] = {0};
  for (int i = 0; i < n; i++) bins[x[i]]++;
  for (int b = 0; b < 256; b++) y[b] = bins[b];
}

// expect: XP-RACE
extern "C" void histogram_shared_bins(const unsigned char* x, int* y, int n) {
  int bins[256] = {0};
#pragma omp parallel for
  for (int i = 0; i < n; i++) bins[x[i]]++;
  for (int b = 0; b < 256; b++) y[b] = bins[b];
}
