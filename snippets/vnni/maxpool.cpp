// 2-D max pooling, NHWC: sixteen channels a register, masked at the last ones.
#include <float.h>
#include <immintrin.h>

extern "C" void maxpool2d(const float *in, float *out, int batch, int height, int width, int channels, int kernel,
                          int stride) {
  const int out_h = (height - kernel) / stride + 1;
  const int out_w = (width - kernel) / stride + 1;
#pragma omp parallel for collapse(2)
  for (int n = 0; n < batch; ++n) {
    for (int oy = 0; oy < out_h; ++oy) {
      for (int ox = 0; ox < out_w; ++ox) {
        const float *window = in + ((long)(n * height + oy * stride) * width + ox * stride) * channels;
        float *pixel = out + ((long)(n * out_h + oy) * out_w + ox) * channels;
        for (int c = 0; c < channels; c += 16) {
          const __mmask16 lanes = channels - c >= 16 ? 0xffff : (1 << (channels - c)) - 1;
          __m512 acc = _mm512_set1_ps(-FLT_MAX);
          for (int ky = 0; ky < kernel; ++ky) {
            for (int kx = 0; kx < kernel; ++kx) {
              const __m512 v = _mm512_maskz_loadu_ps(lanes, window + (ky * width + kx) * channels + c);
              acc = _mm512_max_ps(acc, v);
            }
          }
          _mm512_mask_storeu_ps(pixel + c, lanes, acc);
        }
      }
    }
  }
}
