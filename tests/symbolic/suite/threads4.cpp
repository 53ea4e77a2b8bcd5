// Threads that share the work out by their numbers: what they do is not followed.
#include <omp.h>

// expect: undecided
extern "C" void doubled_by_thread(const float* x, float* y, int n) {
#pragma omp parallel
  {
    const int t = omp_get_thread_num(), nt = omp_get_num_threads();
    const int per = (n + nt - 1) / nt;
    const int a = t * per, b = a + per < n ? a + per : n;
    for (int i = a; i < b; ++i) y[i] = x[i] * 2.0f;
  }
}
