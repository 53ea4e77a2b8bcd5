// Deformable attention on one feature map: every query and head samples the values at `points` places that the
// network chose, bilinearly, and weighs them. Locations are (x, y) in units of the map; outside of it there are zeros.
#include <cuda_runtime.h>

// value [batch][height][width][heads][dim]: `base` points at the component of pixel (0, 0).
__device__ float bilinear(const float *base, int height, int width, int pixel, float y, float x) {
  const int y0 = (int)floorf(y);
  const int x0 = (int)floorf(x);
  const float fy = y - y0, fx = x - x0;
  float v00 = 0.0f, v01 = 0.0f, v10 = 0.0f, v11 = 0.0f;
  if (y0 >= 0 && x0 >= 0) v00 = base[(y0 * width + x0) * pixel];
  if (y0 >= 0 && x0 + 1 < width) v01 = base[(y0 * width + x0 + 1) * pixel];
  if (y0 + 1 < height && x0 >= 0) v10 = base[((y0 + 1) * width + x0) * pixel];
  if (y0 + 1 < height && x0 + 1 < width) v11 = base[((y0 + 1) * width + x0 + 1) * pixel];
  return (1 - fy) * ((1 - fx) * v00 + fx * v01) + fy * ((1 - fx) * v10 + fx * v11);
}

__global__ void deformable_attention_kernel(const float *__restrict__ value, const float *__restrict__ locations,
                                            const float *__restrict__ weights, float *__restrict__ output, int batch,
                                            int height, int width, int heads, int dim, int queries, int points) {
  const int id = blockIdx.x * blockDim.x + threadIdx.x;
  if (id >= batch * queries * heads * dim) return;
  const int d = id % dim;
  const int h = id / dim % heads;
  const int sampler = id / dim;  // (image, query, head): who chose the places
  const int n = sampler / heads / queries;
  const float *base = value + ((size_t)n * height * width * heads + h) * dim + d;

  float sum = 0.0f;
  for (int p = 0; p < points; ++p) {
    const float x = locations[(sampler * points + p) * 2] * width - 0.5f;
    const float y = locations[(sampler * points + p) * 2 + 1] * height - 0.5f;
    if (y > -1 && x > -1 && y < height && x < width) {
      sum += weights[sampler * points + p] * bilinear(base, height, width, heads * dim, y, x);
    }
  }
  output[id] = sum;
}

extern "C" void deformable_attention(const float *value, const float *locations, const float *weights, float *output,
                                     int batch, int height, int width, int heads, int dim, int queries, int points) {
  const size_t value_bytes = sizeof(float) * batch * height * width * heads * dim;
  const size_t location_bytes = sizeof(float) * batch * queries * heads * points * 2;
  const size_t output_bytes = sizeof(float) * batch * queries * heads * dim;
  float *d_value, *d_locations, *d_weights, *d_output;
  cudaMalloc(&d_value, value_bytes);
  cudaMalloc(&d_locations, location_bytes);
  cudaMalloc(&d_weights, location_bytes / 2);
  cudaMalloc(&d_output, output_bytes);
  cudaMemcpy(d_value, value, value_bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(d_locations, locations, location_bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(d_weights, weights, location_bytes / 2, cudaMemcpyHostToDevice);
  const int total = batch * queries * heads * dim;
  deformable_attention_kernel<<<(total + 127) / 128, 128>>>(d_value, d_locations, d_weights, d_output, batch, height,
                                                            width, heads, dim, queries, points);
  cudaMemcpy(output, d_output, output_bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_value);
  cudaFree(d_locations);
  cudaFree(d_weights);
  cudaFree(d_output);
}
