// C = A * B^T for int8, sums in int32: the dot product of quantised inference, four columns at a time. The
// instruction multiplies unsigned by signed bytes, so A is shifted by 128 and 128 * sum(B) taken off again.
#include <immintrin.h>
#include <stdint.h>

extern "C" void gemm_int8(const int8_t *A, const int8_t *B, int *C, int M, int N, int K) {
  const __m512i shift = _mm512_set1_epi8((char)0x80);
  const __m512i ones = _mm512_set1_epi8(1);
#pragma omp parallel for
  for (int m = 0; m < M; ++m) {
    for (int n = 0; n < N; n += 4) {
      const int count = N - n < 4 ? N - n : 4;
      __m512i dot[4], sum[4];
      for (int j = 0; j < 4; ++j) dot[j] = sum[j] = _mm512_setzero_si512();
      for (int k = 0; k < K; k += 64) {
        const __mmask64 mask = K - k >= 64 ? ~0ull : (1ull << (K - k)) - 1;
        const __m512i a = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, A + (long)m * K + k), shift);
        for (int j = 0; j < count; ++j) {
          const __m512i b = _mm512_maskz_loadu_epi8(mask, B + (long)(n + j) * K + k);
          dot[j] = _mm512_dpbusd_epi32(dot[j], a, b);
          sum[j] = _mm512_dpbusd_epi32(sum[j], ones, b);
        }
      }
      for (int j = 0; j < count; ++j) {
        C[(long)m * N + n + j] = _mm512_reduce_add_epi32(dot[j]) - 128 * _mm512_reduce_add_epi32(sum[j]);
      }
    }
  }
}
