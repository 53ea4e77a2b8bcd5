// C = A * B, row-major: 6x32 of C stay in twelve registers while a row of B and a column of A go by.
#include <immintrin.h>

constexpr int MR = 6;
constexpr int NR = 32;

// rows <= MR; masks say which of the 32 columns exist.
static void tile(const float *A, const float *B, float *C, int rows, int N, int K, __mmask16 low, __mmask16 high) {
  __m512 acc[MR][2];
  for (int i = 0; i < MR; ++i) acc[i][0] = acc[i][1] = _mm512_setzero_ps();
  for (int k = 0; k < K; ++k) {
    const __m512 b0 = _mm512_maskz_loadu_ps(low, B + (long)k * N);
    const __m512 b1 = _mm512_maskz_loadu_ps(high, B + (long)k * N + 16);
    for (int i = 0; i < rows; ++i) {
      const __m512 a = _mm512_set1_ps(A[(long)i * K + k]);
      acc[i][0] = _mm512_fmadd_ps(a, b0, acc[i][0]);
      acc[i][1] = _mm512_fmadd_ps(a, b1, acc[i][1]);
    }
  }
  for (int i = 0; i < rows; ++i) {
    _mm512_mask_storeu_ps(C + (long)i * N, low, acc[i][0]);
    _mm512_mask_storeu_ps(C + (long)i * N + 16, high, acc[i][1]);
  }
}

static __mmask16 first(int lanes) { return lanes >= 16 ? 0xffff : lanes <= 0 ? 0 : (1 << lanes) - 1; }

extern "C" void gemm(const float *A, const float *B, float *C, int M, int N, int K) {
#pragma omp parallel for
  for (int m = 0; m < M; m += MR) {
    const int rows = M - m < MR ? M - m : MR;
    for (int n = 0; n < N; n += NR) {
      tile(A + (long)m * K, B + n, C + (long)m * N + n, rows, N, K, first(N - n), first(N - n - 16));
    }
  }
}
