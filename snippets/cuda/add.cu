// out = a + b: float4 where four elements are left, single elements at the end.
#include <cuda_runtime.h>

__global__ void add_kernel(const float *__restrict__ a, const float *__restrict__ b, float *__restrict__ out, int n) {
  const int i = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (i + 3 < n) {
    const float4 x = *reinterpret_cast<const float4 *>(a + i);
    const float4 y = *reinterpret_cast<const float4 *>(b + i);
    *reinterpret_cast<float4 *>(out + i) = make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w);
  } else {
    for (int j = i; j < n; ++j) out[j] = a[j] + b[j];
  }
}

extern "C" void add(const float *a, const float *b, float *out, int n) {
  const size_t bytes = n * sizeof(float);
  float *d_a, *d_b, *d_out;
  cudaMalloc(&d_a, bytes);
  cudaMalloc(&d_b, bytes);
  cudaMalloc(&d_out, bytes);
  cudaMemcpy(d_a, a, bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(d_b, b, bytes, cudaMemcpyHostToDevice);
  add_kernel<<<(n + 1023) / 1024, 256>>>(d_a, d_b, d_out, n);
  cudaMemcpy(out, d_out, bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_a);
  cudaFree(d_b);
  cudaFree(d_out);
}
