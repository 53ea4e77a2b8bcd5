// RMSNorm over the last dimension, as in LLaMA: four accumulators keep the multipliers busy.
#include <immintrin.h>
#include <cmath>

extern "C" void rmsnorm(const float *x, const float *weight, float *y, int rows, int width) {
#pragma omp parallel for
  for (int r = 0; r < rows; ++r) {
    const float *in = x + (long)r * width;
    float *out = y + (long)r * width;

    __m512 acc[4];
    for (int j = 0; j < 4; ++j) acc[j] = _mm512_setzero_ps();
    int i = 0;
    for (; i + 64 <= width; i += 64) {
      for (int j = 0; j < 4; ++j) {
        const __m512 v = _mm512_loadu_ps(in + i + 16 * j);
        acc[j] = _mm512_fmadd_ps(v, v, acc[j]);
      }
    }
    float sum = _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(acc[0], acc[1]), _mm512_add_ps(acc[2], acc[3])));
    for (; i < width; ++i) sum += in[i] * in[i];

    const float scale = 1.0f / std::sqrt(sum / width + 1e-5f);
    const __m512 scales = _mm512_set1_ps(scale);
    for (i = 0; i + 16 <= width; i += 16) {
      const __m512 v = _mm512_mul_ps(_mm512_loadu_ps(in + i), scales);
      _mm512_storeu_ps(out + i, _mm512_mul_ps(v, _mm512_loadu_ps(weight + i)));
    }
    for (; i < width; ++i) out[i] = in[i] * scale * weight[i];
  }
}
