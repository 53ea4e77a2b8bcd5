// Deformable attention on one feature map: one wavefront a query and head. The places are the same for all lanes, so
// the tests do not diverge; lanes take the components of the values. Outside of the map there are zeros.
#include <hip/hip_runtime.h>

__global__ void deformable_kernel(const float *__restrict__ value, const float *__restrict__ locations,
                                  const float *__restrict__ weights, float *__restrict__ output, int height, int width,
                                  int heads, int dim, int queries, int points) {
  const int h = blockIdx.x, q = blockIdx.y, n = blockIdx.z;
  const size_t sampler = ((size_t)n * queries + q) * heads + h;
  const int row = width * heads * dim;
  const int column = heads * dim;
  const float *map = value + (size_t)n * height * row + h * dim;

  for (int d = threadIdx.x; d < dim; d += blockDim.x) {
    float sum = 0.0f;
    for (int p = 0; p < points; ++p) {
      const float2 place = reinterpret_cast<const float2 *>(locations)[sampler * points + p];
      const float x = place.x * width - 0.5f;
      const float y = place.y * height - 0.5f;
      if (y <= -1.0f || x <= -1.0f || y >= height || x >= width) continue;
      const int x0 = (int)floorf(x), y0 = (int)floorf(y);
      const float fx = x - x0, fy = y - y0;
      float top = 0.0f, bottom = 0.0f;
      if (y0 >= 0) {
        if (x0 >= 0) top += (1.0f - fx) * map[y0 * row + x0 * column + d];
        if (x0 + 1 < width) top += fx * map[y0 * row + (x0 + 1) * column + d];
      }
      if (y0 + 1 < height) {
        if (x0 >= 0) bottom += (1.0f - fx) * map[(y0 + 1) * row + x0 * column + d];
        if (x0 + 1 < width) bottom += fx * map[(y0 + 1) * row + (x0 + 1) * column + d];
      }
      sum += weights[sampler * points + p] * ((1.0f - fy) * top + fy * bottom);
    }
    output[sampler * dim + d] = sum;
  }
}

extern "C" void deformable_attention(const float *value, const float *locations, const float *weights, float *output,
                                     int batch, int height, int width, int heads, int dim, int queries, int points) {
  const size_t value_bytes = sizeof(float) * batch * height * width * heads * dim;
  const size_t weight_bytes = sizeof(float) * batch * queries * heads * points;
  const size_t output_bytes = sizeof(float) * batch * queries * heads * dim;
  float *d_value, *d_locations, *d_weights, *d_output;
  hipMalloc(&d_value, value_bytes);
  hipMalloc(&d_locations, 2 * weight_bytes);
  hipMalloc(&d_weights, weight_bytes);
  hipMalloc(&d_output, output_bytes);
  hipMemcpy(d_value, value, value_bytes, hipMemcpyHostToDevice);
  hipMemcpy(d_locations, locations, 2 * weight_bytes, hipMemcpyHostToDevice);
  hipMemcpy(d_weights, weights, weight_bytes, hipMemcpyHostToDevice);
  dim3 grid(heads, queries, batch);
  hipLaunchKernelGGL(deformable_kernel, grid, dim3(64), 0, 0, d_value, d_locations, d_weights, d_output, height,
                     width, heads, dim, queries, points);
  hipMemcpy(output, d_output, output_bytes, hipMemcpyDeviceToHost);
  hipFree(d_value);
  hipFree(d_locations);
  hipFree(d_weights);
  hipFree(d_output);
}
