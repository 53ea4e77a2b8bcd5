// Deformable attention on one feature map: places are computed once a sample; its four corners are added as vectors of
// values, each with its share. Corners outside of the map count as zero.
#include <immintrin.h>
#include <cmath>

static void add_scaled(float *sum, const float *values, float share, int dim) {
  const __m512 s = _mm512_set1_ps(share);
  for (int d = 0; d < dim; d += 16) {
    const __mmask16 mask = dim - d >= 16 ? 0xffff : (1 << (dim - d)) - 1;
    const __m512 v = _mm512_maskz_loadu_ps(mask, values + d);
    _mm512_mask_storeu_ps(sum + d, mask, _mm512_fmadd_ps(s, v, _mm512_maskz_loadu_ps(mask, sum + d)));
  }
}

extern "C" void deformable_attention(const float *value, const float *locations, const float *weights, float *output,
                                     int batch, int height, int width, int heads, int dim, int queries, int points) {
#pragma omp parallel for collapse(3)
  for (int n = 0; n < batch; ++n) {
    for (int q = 0; q < queries; ++q) {
      for (int h = 0; h < heads; ++h) {
        const long sampler = ((long)n * queries + q) * heads + h;
        const float *map = value + ((long)n * height * width * heads + h) * dim;
        float *sum = output + sampler * dim;
        for (int d = 0; d < dim; ++d) sum[d] = 0.0f;
        for (int p = 0; p < points; ++p) {
          const float x = locations[(sampler * points + p) * 2] * width - 0.5f;
          const float y = locations[(sampler * points + p) * 2 + 1] * height - 0.5f;
          if (!(y > -1 && x > -1 && y < height && x < width)) continue;
          const float weight = weights[sampler * points + p];
          const int x0 = (int)std::floor(x);
          const int y0 = (int)std::floor(y);
          for (int cy = y0; cy <= y0 + 1; ++cy) {
            for (int cx = x0; cx <= x0 + 1; ++cx) {
              if (cy < 0 || cy >= height || cx < 0 || cx >= width) continue;
              const float share = (1 - std::fabs(y - cy)) * (1 - std::fabs(x - cx)) * weight;
              add_scaled(sum, map + ((long)cy * width + cx) * heads * dim, share, dim);
            }
          }
        }
      }
    }
  }
}
