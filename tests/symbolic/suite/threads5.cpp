// OpenMP: loops that are shared out together.
#include <omp.h>

// expect: clean
extern "C" void o5(const float* x, float* out, int n) {
  float m = x[0];
#pragma omp parallel for
  for (int i = 1; i < n; ++i) {
#pragma omp critical
    { if (x[i] > m) m = x[i]; }
  }
  *out = m;
}

// expect: XP-RACE
extern "C" void o6(float* a, int n, int m) {
#pragma omp parallel for
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < m; ++j) a[j] += i;
}

// expect: clean
extern "C" void o7(float* a, int n, int m) {
  for (int i = 1; i < n; ++i)
#pragma omp parallel for
    for (int j = 0; j < m; ++j) a[i * m + j] += a[(i - 1) * m + j];
}

// expect: XP-RACE
extern "C" void o8(float* a, int n, int m) {
#pragma omp parallel for
  for (int i = 1; i < n; ++i)
    for (int j = 0; j < m; ++j) a[i * m + j] += a[(i - 1) * m + j];
}

// expect: XP-RACE
extern "C" void o9(const float* x, float* y, int n) {
  int j;
#pragma omp parallel for
  for (int i = 0; i < n; ++i) {
    float s = 0;
    for (j = 0; j < 4; ++j) s += x[i * 4 + j];
    y[i] = s;
  }
}

// expect: clean
extern "C" void o10(const float* x, float* y, int n) {
  int j;
#pragma omp parallel for private(j)
  for (int i = 0; i < n; ++i) {
    float s = 0;
    for (j = 0; j < 4; ++j) s += x[i * 4 + j];
    y[i] = s;
  }
}

// expect: clean
extern "C" void o11(const float* A, const float* B, float* C, int M, int N, int K) {
#pragma omp parallel for collapse(2)
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j) {
      float s = 0;
      for (int k = 0; k < K; ++k) s += A[i * K + k] * B[k * N + j];
      C[i * N + j] = s;
    }
}

// expect: XP-RACE
extern "C" void o12(const float* A, const float* B, float* C, int M, int N, int K) {
#pragma omp parallel for collapse(3)
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j)
      for (int k = 0; k < K; ++k) C[i * N + j] += A[i * K + k] * B[k * N + j];
}

// expect: clean
extern "C" void hist_of_own_copies(const unsigned char *x, unsigned *h, int n) {
  for (int b = 0; b < 256; ++b) h[b] = 0;
#pragma omp parallel
  {
    unsigned own[256] = {0};
#pragma omp for nowait
    for (int i = 0; i < n; ++i) own[x[i]]++;
#pragma omp critical
    for (int b = 0; b < 256; ++b) h[b] += own[b];
  }
}

// expect: XP-RACE
extern "C" void hist_of_one_copy(const unsigned char *x, unsigned *h, int n) {
  unsigned own[256] = {0};
#pragma omp parallel
  {
#pragma omp for nowait
    for (int i = 0; i < n; ++i) own[x[i]]++;
#pragma omp critical
    for (int b = 0; b < 256; ++b) h[b] += own[b];
  }
}

// expect: XP-BOUNDS
extern "C" void next_of_a_ring(const float *t, float *y, int n) {
  float table[16];
  for (int i = 0; i < 16; ++i) table[i] = t[i];
  for (int i = 0; i < n; ++i) {
    int k = i & 15;
    y[i] = 0.5f * (table[k] + table[k + 1]);
  }
}
