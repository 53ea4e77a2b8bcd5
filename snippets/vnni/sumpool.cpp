// 2-D sum pooling, NHWC, in plain loops for the compiler's vectoriser: the innermost one runs over the channels.
extern "C" void sumpool2d(const float *in, float *out, int batch, int height, int width, int channels, int kernel,
                          int stride) {
  const int out_h = (height - kernel) / stride + 1;
  const int out_w = (width - kernel) / stride + 1;
#pragma omp parallel for collapse(2)
  for (int n = 0; n < batch; ++n) {
    for (int oy = 0; oy < out_h; ++oy) {
      for (int ox = 0; ox < out_w; ++ox) {
        float *__restrict pixel = out + ((n * out_h + oy) * out_w + ox) * channels;
        for (int c = 0; c < channels; ++c) pixel[c] = 0.0f;
        for (int ky = 0; ky < kernel; ++ky) {
          for (int kx = 0; kx < kernel; ++kx) {
            const float *from = in + ((n * height + oy * stride + ky) * width + ox * stride + kx) * channels;
#pragma omp simd
            for (int c = 0; c < channels; ++c) pixel[c] += from[c];
          }
        }
      }
    }
  }
}
