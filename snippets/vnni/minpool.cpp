// 2-D min pooling, NHWC: rows of channels are compared whole, sixteen at a time; the last channels one by one.
#include <immintrin.h>
#include <algorithm>

extern "C" void minpool2d(const float *in, float *out, int batch, int height, int width, int channels, int kernel,
                          int stride) {
  const int out_h = (height - kernel) / stride + 1;
  const int out_w = (width - kernel) / stride + 1;
  const int whole = channels / 16 * 16;
#pragma omp parallel for
  for (int id = 0; id < batch * out_h * out_w; ++id) {
    const int ox = id % out_w;
    const int oy = id / out_w % out_h;
    const int n = id / (out_w * out_h);
    const float *window = in + ((long)(n * height + oy * stride) * width + ox * stride) * channels;
    float *pixel = out + (long)id * channels;
    for (int c = 0; c < whole; c += 16) {
      __m512 least = _mm512_loadu_ps(window + c);
      for (int ky = 0; ky < kernel; ++ky)
        for (int kx = 0; kx < kernel; ++kx)
          least = _mm512_min_ps(least, _mm512_loadu_ps(window + (ky * width + kx) * channels + c));
      _mm512_storeu_ps(pixel + c, least);
    }
    for (int c = whole; c < channels; ++c) {
      float least = window[c];
      for (int ky = 0; ky < kernel; ++ky)
        for (int kx = 0; kx < kernel; ++kx) least = std::min(least, window[(ky * width + kx) * channels + c]);
      pixel[c] = least;
    }
  }
}
