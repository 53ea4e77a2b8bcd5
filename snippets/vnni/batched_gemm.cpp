// C[b] = A[b] * B[b] for many small matrices: a thread has a row of one result and adds scaled rows of B to it.
#include <immintrin.h>

extern "C" void batched_gemm(const float *A, const float *B, float *C, int batch, int M, int N, int K) {
#pragma omp parallel for collapse(2)
  for (int b = 0; b < batch; ++b) {
    for (int m = 0; m < M; ++m) {
      const float *a = A + ((long)b * M + m) * K;
      const float *panel = B + (long)b * K * N;
      float *c = C + ((long)b * M + m) * N;
      int n = 0;
      for (; n + 16 <= N; n += 16) {
        __m512 sum = _mm512_setzero_ps();
        for (int k = 0; k < K; ++k) {
          sum = _mm512_fmadd_ps(_mm512_set1_ps(a[k]), _mm512_loadu_ps(panel + (long)k * N + n), sum);
        }
        _mm512_storeu_ps(c + n, sum);
      }
      if (n < N) {
        const __mmask16 mask = (__mmask16)((1 << (N - n)) - 1);
        __m512 sum = _mm512_setzero_ps();
        for (int k = 0; k < K; ++k) {
          sum = _mm512_fmadd_ps(_mm512_set1_ps(a[k]), _mm512_maskz_loadu_ps(mask, panel + (long)k * N + n), sum);
        }
        _mm512_mask_storeu_ps(c + n, mask, sum);
      }
    }
  }
}
