// 2-D max pooling, NHWC: a wavefront has 64 channels of one output pixel.
#include <hip/hip_runtime.h>

__global__ void maxpool_kernel(const float *__restrict__ in, float *__restrict__ out, int height, int width,
                               int channels, int kernel, int stride, int out_h, int out_w) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  const int ox = blockIdx.y % out_w;
  const int oy = blockIdx.y / out_w;
  const float *window = in + ((size_t)(blockIdx.z * height + oy * stride) * width + ox * stride) * channels + c;
  float best = -INFINITY;
  for (int ky = 0; ky < kernel; ++ky) {
    for (int kx = 0; kx < kernel; ++kx) best = fmaxf(best, window[(ky * width + kx) * channels]);
  }
  out[((size_t)(blockIdx.z * out_h + oy) * out_w + ox) * channels + c] = best;
}

extern "C" void maxpool2d(const float *in, float *out, int batch, int height, int width, int channels, int kernel,
                          int stride) {
  const int out_h = (height - kernel) / stride + 1;
  const int out_w = (width - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * height * width * channels;
  const size_t out_bytes = sizeof(float) * batch * out_h * out_w * channels;
  float *d_in, *d_out;
  hipMalloc(&d_in, in_bytes);
  hipMalloc(&d_out, out_bytes);
  hipMemcpy(d_in, in, in_bytes, hipMemcpyHostToDevice);
  dim3 grid((channels + 63) / 64, out_h * out_w, batch);
  hipLaunchKernelGGL(maxpool_kernel, grid, dim3(64), 0, 0, d_in, d_out, height, width, channels, kernel, stride,
                     out_h, out_w);
  hipMemcpy(out, d_out, out_bytes, hipMemcpyDeviceToHost);
  hipFree(d_in);
  hipFree(d_out);
}
