// 2-D sum pooling, NHWC: a block adds the rows under an output row in LDS, then the columns under each pixel.
#include <hip/hip_runtime.h>

constexpr int CHANNELS = 32;  // a slice of channels a block

__global__ void sumpool_kernel(const float *__restrict__ in, float *__restrict__ out, int height, int width,
                               int channels, int kernel, int stride, int out_h, int out_w) {
  extern __shared__ float column[];  // width x CHANNELS
  const int lane = threadIdx.x;
  const int c = blockIdx.x * CHANNELS + lane;
  const float *rows = in + (size_t)(blockIdx.z * height + blockIdx.y * stride) * width * channels;
  for (int x = threadIdx.y; x < width; x += blockDim.y) {
    float sum = 0.0f;
    if (c < channels) {
      for (int ky = 0; ky < kernel; ++ky) sum += rows[(ky * width + x) * channels + c];
    }
    column[x * CHANNELS + lane] = sum;
  }
  __syncthreads();
  if (c >= channels) return;
  for (int ox = threadIdx.y; ox < out_w; ox += blockDim.y) {
    float sum = 0.0f;
    for (int kx = 0; kx < kernel; ++kx) sum += column[(ox * stride + kx) * CHANNELS + lane];
    out[((size_t)(blockIdx.z * out_h + blockIdx.y) * out_w + ox) * channels + c] = sum;
  }
}

extern "C" void sumpool2d(const float *in, float *out, int batch, int height, int width, int channels, int kernel,
                          int stride) {
  const int out_h = (height - kernel) / stride + 1;
  const int out_w = (width - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * height * width * channels;
  const size_t out_bytes = sizeof(float) * batch * out_h * out_w * channels;
  float *d_in, *d_out;
  hipMalloc(&d_in, in_bytes);
  hipMalloc(&d_out, out_bytes);
  hipMemcpy(d_in, in, in_bytes, hipMemcpyHostToDevice);
  dim3 grid((channels + CHANNELS - 1) / CHANNELS, out_h, batch);
  const size_t lds = sizeof(float) * width * CHANNELS;
  sumpool_kernel<<<grid, dim3(CHANNELS, 8), lds>>>(d_in, d_out, height, width, channels, kernel, stride, out_h,
                                                   out_w);
  hipMemcpy(out, d_out, out_bytes, hipMemcpyDeviceToHost);
  hipFree(d_in);
  hipFree(d_out);
}
