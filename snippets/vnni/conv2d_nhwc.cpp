// 2-D convolution, NHWC input, OHWI weights, zero padding: both operands are contiguous in the input channels, so an
// output is a chain of dot products; four output channels share the loads of the input.
#include <immintrin.h>

extern "C" void conv2d_nhwc(const float *input, const float *weight, float *output, int batch, int height, int width,
                            int in_channels, int out_channels, int kernel, int stride, int pad) {
  const int out_h = (height + 2 * pad - kernel) / stride + 1;
  const int out_w = (width + 2 * pad - kernel) / stride + 1;
  const long filter = (long)kernel * kernel * in_channels;
#pragma omp parallel for collapse(2)
  for (int n = 0; n < batch; ++n) {
    for (int oy = 0; oy < out_h; ++oy) {
      for (int ox = 0; ox < out_w; ++ox) {
        float *pixel = output + ((long)(n * out_h + oy) * out_w + ox) * out_channels;
        for (int o = 0; o < out_channels; o += 4) {
          const int count = out_channels - o < 4 ? out_channels - o : 4;
          __m512 sum[4];
          for (int j = 0; j < 4; ++j) sum[j] = _mm512_setzero_ps();
          for (int ky = 0; ky < kernel; ++ky) {
            const int y = oy * stride + ky - pad;
            if (y < 0 || y >= height) continue;
            for (int kx = 0; kx < kernel; ++kx) {
              const int x = ox * stride + kx - pad;
              if (x < 0 || x >= width) continue;
              const float *in = input + ((long)(n * height + y) * width + x) * in_channels;
              const float *taps = weight + o * filter + (long)(ky * kernel + kx) * in_channels;
              for (int c = 0; c < in_channels; c += 16) {
                const __mmask16 mask = in_channels - c >= 16 ? 0xffff : (1 << (in_channels - c)) - 1;
                const __m512 v = _mm512_maskz_loadu_ps(mask, in + c);
                for (int j = 0; j < count; ++j) {
                  sum[j] = _mm512_fmadd_ps(v, _mm512_maskz_loadu_ps(mask, taps + j * filter + c), sum[j]);
                }
              }
            }
          }
          for (int j = 0; j < count; ++j) pixel[o + j] = _mm512_reduce_add_ps(sum[j]);
        }
      }
    }
  }
}
