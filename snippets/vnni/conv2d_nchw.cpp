// 2-D convolution, NCHW input, OIHW weights, zero padding: a register holds sixteen outputs of a row. Taps that fall
// into the padding are masked off, so that no padded copy of the image is needed.
#include <immintrin.h>

extern "C" void conv2d_nchw(const float *input, const float *weight, float *output, int batch, int in_channels,
                            int height, int width, int out_channels, int kernel, int stride, int pad) {
  const int out_h = (height + 2 * pad - kernel) / stride + 1;
  const int out_w = (width + 2 * pad - kernel) / stride + 1;
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i zero = _mm512_setzero_si512();
#pragma omp parallel for collapse(3)
  for (int n = 0; n < batch; ++n) {
    for (int o = 0; o < out_channels; ++o) {
      for (int oy = 0; oy < out_h; ++oy) {
        float *row = output + ((long)(n * out_channels + o) * out_h + oy) * out_w;
        for (int ox = 0; ox < out_w; ox += 16) {
          const __mmask16 wanted = out_w - ox >= 16 ? 0xffff : (1 << (out_w - ox)) - 1;
          // The input column of tap 0 for every lane.
          const __m512i column = _mm512_sub_epi32(
              _mm512_mullo_epi32(_mm512_add_epi32(lane, _mm512_set1_epi32(ox)), _mm512_set1_epi32(stride)),
              _mm512_set1_epi32(pad));
          __m512 sum = _mm512_setzero_ps();
          for (int c = 0; c < in_channels; ++c) {
            const float *plane = input + (long)(n * in_channels + c) * height * width;
            const float *taps = weight + (long)(o * in_channels + c) * kernel * kernel;
            for (int ky = 0; ky < kernel; ++ky) {
              const int y = oy * stride + ky - pad;
              if (y < 0 || y >= height) continue;
              for (int kx = 0; kx < kernel; ++kx) {
                const __m512i x = _mm512_add_epi32(column, _mm512_set1_epi32(kx));
                const __mmask16 inside = wanted & _mm512_cmpge_epi32_mask(x, zero) &
                                         _mm512_cmplt_epi32_mask(x, _mm512_set1_epi32(width));
                const __m512 v = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), inside, x, plane + y * width, 4);
                sum = _mm512_fmadd_ps(v, _mm512_set1_ps(taps[ky * kernel + kx]), sum);
              }
            }
          }
          _mm512_mask_storeu_ps(row + ox, wanted, sum);
        }
      }
    }
  }
}
