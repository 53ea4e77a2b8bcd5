// Loops that OpenMP shares out among threads.
#include <omp.h>
#include <math.h>

// expect: clean
extern "C" void scale_all(double* a, const double* b, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; ++i) a[i] = 2.0 * b[i];
}

// expect: XP-RACE
extern "C" void anti_dependence(double* a, int n) {
#pragma omp parallel for
  for (int i = 0; i < n - 1; i++) a[i] = a[i + 1] + 1.0;
}

// expect: XP-RACE
extern "C" void true_dependence(double* a, int n) {
#pragma omp parallel for
  for (int i = 2; i < n; i++) a[i] = a[i - 2] * 0.5;
}

// expect: clean
extern "C" void distance_beyond(double* a, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i++) a[i] = a[i + n] + 1;
}

// expect: XP-RACE
extern "C" void max_no_reduction(const double* a, double* out, int n) {
  double m = a[0];
#pragma omp parallel for
  for (int i = 1; i < n; i++)
    if (a[i] > m) m = a[i];
  *out = m;
}

// expect: clean
extern "C" void max_reduction(const double* a, double* out, int n) {
  double m = a[0];
#pragma omp parallel for reduction(max : m)
  for (int i = 1; i < n; i++)
    if (a[i] > m) m = a[i];
  *out = m;
}

// expect: XP-RACE
extern "C" void inner_counter_shared(double* a, int n) {
  int i, j;
#pragma omp parallel for
  for (i = 0; i < n; i++)
    for (j = 0; j < n; j++) a[i * n + j] += 1.0;
}

// expect: clean
extern "C" void inner_counter_private(double* a, int n) {
  int i, j;
#pragma omp parallel for private(j)
  for (i = 0; i < n; i++)
    for (j = 0; j < n; j++) a[i * n + j] += 1.0;
}

// expect: XP-RACE
extern "C" void inner_loop_parallel(double* a, int n) {
  for (int i = 0; i < n; i++) {
#pragma omp parallel for
    for (int j = 1; j < n; j++) a[i * n + j] = a[i * n + j - 1] + 1.0;
  }
}

// expect: clean
extern "C" void inner_loop_columns(double* a, int n) {
  for (int i = 1; i < n; i++) {
#pragma omp parallel for
    for (int j = 0; j < n; j++) a[i * n + j] = a[(i - 1) * n + j] + 1.0;
  }
}

// expect: XP-RACE
extern "C" void last_wins(const double* a, double* out, int n) {
  double x = 0;
#pragma omp parallel for
  for (int i = 0; i < n; i++) x = a[i];
  out[0] = x;
}

// expect: clean
extern "C" void last_private(const double* a, double* out, int n) {
  double x = 0;
#pragma omp parallel for lastprivate(x)
  for (int i = 0; i < n; i++) x = a[i];
  out[0] = x;
}

// expect: XP-RACE
extern "C" void product_as_sum(const double* a, double* out, int n) {
  double p = 1, q = 0;
#pragma omp parallel for reduction(+ : q)
  for (int i = 0; i < n; i++) {
    q += a[i];
    p *= a[i];
  }
  out[0] = p + q;
}

// expect: clean
extern "C" void two_reductions(const double* a, double* out, int n) {
  double p = 1, q = 0;
#pragma omp parallel for reduction(+ : q) reduction(* : p)
  for (int i = 0; i < n; i++) {
    q += a[i];
    p *= a[i];
  }
  out[0] = p + q;
}

// expect: XP-RACE
extern "C" void indirect(double* a, const int* index, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i++) a[index[i]] += 1.0;
}

// expect: clean
extern "C" void gather_only(double* a, const double* b, const int* index, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i++) a[i] = b[index[i]];
}

// expect: XP-RACE
extern "C" void shared_row_buffer(const double* a, double* b, int n, int m) {
  double row[256];
#pragma omp parallel for
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < 256; j++) row[j] = a[i * 256 + j];
    double s = 0;
    for (int j = 0; j < 256; j++) s += row[j];
    b[i] = s;
  }
}

// expect: clean
extern "C" void own_row_buffer(const double* a, double* b, int n, int m) {
#pragma omp parallel for
  for (int i = 0; i < n; i++) {
    double row[256];
    for (int j = 0; j < 256; j++) row[j] = a[i * 256 + j];
    double s = 0;
    for (int j = 0; j < 256; j++) s += row[j];
    b[i] = s;
  }
}

// expect: XP-RACE
extern "C" void overlapping_strides(double* a, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i++)
    for (int j = 0; j < 3; j++) a[2 * i + j] += 1.0;
}

// expect: clean
extern "C" void apart_strides(double* a, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i++)
    for (int j = 0; j < 3; j++) a[3 * i + j] += 1.0;
}

// expect: XP-RACE
extern "C" void counter(const int* a, int* out, int n) {
  int count = 0;
#pragma omp parallel for
  for (int i = 0; i < n; i++)
    if (a[i] > 0) out[count++] = a[i];
}

// expect: clean
extern "C" void counter_atomic(const int* a, int* out, int n) {
  int count = 0;
#pragma omp parallel for
  for (int i = 0; i < n; i++)
    if (a[i] > 0) {
      int at;
#pragma omp atomic capture
      at = count++;
      out[at] = a[i];
    }
}

// expect: XP-RACE
extern "C" void triangular(double* a, int n) {
#pragma omp parallel for
  for (int i = 0; i < n; i++)
    for (int j = i; j < n; j++) a[j] += i;
}

// expect: clean
extern "C" void triangular_rows(double* a, int n) {
#pragma omp parallel for schedule(dynamic)
  for (int i = 0; i < n; i++)
    for (int j = 0; j <= i; j++) a[i * (i + 1) / 2 + j] = i - j;
}

// expect: XP-RACE
extern "C" void simd_dependence(float* a, int n) {
#pragma omp parallel for simd
  for (int i = 1; i < n; i++) a[i] = a[i - 1] + 1;
}

// expect: clean
extern "C" void two_loops_one_region(const double* a, double* b, double* c, int n) {
#pragma omp parallel
  {
#pragma omp for
    for (int i = 0; i < n; i++) b[i] = a[i] * 2;
#pragma omp for
    for (int i = 0; i < n; i++) c[i] = b[n - 1 - i];
  }
}

// expect: XP-RACE
extern "C" void two_loops_nowait(const double* a, double* b, double* c, int n) {
#pragma omp parallel
  {
#pragma omp for nowait
    for (int i = 0; i < n; i++) b[i] = a[i] * 2;
#pragma omp for
    for (int i = 0; i < n; i++) c[i] = b[n - 1 - i];
  }
}

// expect: XP-RACE
extern "C" void region_temporary(const double* a, double* b, int n) {
  double t;
#pragma omp parallel
  {
#pragma omp for
    for (int i = 0; i < n; i++) {
      t = a[i];
      b[i] = t + 1;
    }
  }
}

// expect: clean
extern "C" void region_own_temporary(const double* a, double* b, int n) {
#pragma omp parallel
  {
    double t;
#pragma omp for
    for (int i = 0; i < n; i++) {
      t = a[i];
      b[i] = t + 1;
    }
  }
}

// expect: XP-BOUNDS
extern "C" void one_too_many(double* a, const double* b, int n) {
#pragma omp parallel for
  for (int i = 0; i <= n; i++) a[i] = b[i];
}

// expect: undecided
extern "C" void sections(double* a, double* b) {
  double t = 0;
#pragma omp parallel sections
  {
#pragma omp section
    { t = a[0] + 1; b[0] = t; }
#pragma omp section
    { t = a[1] + 2; b[1] = t; }
  }
}
