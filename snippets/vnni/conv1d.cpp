// 1-D convolution, NCL input, OIK weights, no padding: sixteen neighbouring positions a register. A stride other than
// one gathers them.
#include <immintrin.h>

extern "C" void conv1d(const float *input, const float *weight, float *output, int batch, int in_channels,
                       int out_channels, int length, int kernel, int stride) {
  const int out_length = (length - kernel) / stride + 1;
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i places = _mm512_mullo_epi32(lane, _mm512_set1_epi32(stride));
#pragma omp parallel for collapse(2)
  for (int b = 0; b < batch; ++b) {
    for (int o = 0; o < out_channels; ++o) {
      for (int l = 0; l < out_length; l += 16) {
        const __mmask16 mask = out_length - l >= 16 ? 0xffff : (1 << (out_length - l)) - 1;
        __m512 sum = _mm512_setzero_ps();
        for (int c = 0; c < in_channels; ++c) {
          const float *line = input + ((long)b * in_channels + c) * length + l * stride;
          const float *taps = weight + ((long)o * in_channels + c) * kernel;
          for (int k = 0; k < kernel; ++k) {
            const __m512 x = stride == 1 ? _mm512_maskz_loadu_ps(mask, line + k)
                                         : _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, places, line + k, 4);
            sum = _mm512_fmadd_ps(x, _mm512_set1_ps(taps[k]), sum);
          }
        }
        _mm512_mask_storeu_ps(output + ((long)b * out_channels + o) * out_length + l, mask, sum);
      }
    }
  }
}
