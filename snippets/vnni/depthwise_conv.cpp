// Depthwise 2-D convolution, NHWC input, HWC weights, zero padding: sixteen channels a register.
#include <immintrin.h>
#include <algorithm>

extern "C" void depthwise_conv(const float *input, const float *weight, float *output, int batch, int height,
                               int width, int channels, int kernel, int stride, int pad) {
  const int out_h = (height + 2 * pad - kernel) / stride + 1;
  const int out_w = (width + 2 * pad - kernel) / stride + 1;
#pragma omp parallel for collapse(2)
  for (int n = 0; n < batch; ++n) {
    for (int oy = 0; oy < out_h; ++oy) {
      const int top = oy * stride - pad;
      const int ky_begin = std::max(0, -top), ky_end = std::min(kernel, height - top);
      for (int ox = 0; ox < out_w; ++ox) {
        const int left = ox * stride - pad;
        const int kx_begin = std::max(0, -left), kx_end = std::min(kernel, width - left);
        for (int c = 0; c < channels; c += 16) {
          const __mmask16 mask = channels - c >= 16 ? 0xffff : (1 << (channels - c)) - 1;
          __m512 sum = _mm512_setzero_ps();
          for (int ky = ky_begin; ky < ky_end; ++ky) {
            for (int kx = kx_begin; kx < kx_end; ++kx) {
              const long at = ((long)(n * height + top + ky) * width + left + kx) * channels + c;
              const __m512 w = _mm512_maskz_loadu_ps(mask, weight + (ky * kernel + kx) * channels + c);
              sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, input + at), w, sum);
            }
          }
          _mm512_mask_storeu_ps(output + ((long)(n * out_h + oy) * out_w + ox) * channels + c, mask, sum);
        }
      }
    }
  }
}
