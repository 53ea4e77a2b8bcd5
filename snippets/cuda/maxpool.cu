// 2-D max pooling, NHWC: a fused index over all outputs, taken apart by division.
#include <cuda_runtime.h>
#include <float.h>

__global__ void maxpool(const float *in, float *out, int batch, int height, int width, int channels, int kernel,
                        int stride) {
  const int out_h = (height - kernel) / stride + 1;
  const int out_w = (width - kernel) / stride + 1;
  const int id = blockIdx.x * blockDim.x + threadIdx.x;
  if (id >= batch * out_h * out_w * channels) return;

  const int c = id % channels;
  const int ox = id / channels % out_w;
  const int oy = id / channels / out_w % out_h;
  const int n = id / channels / out_w / out_h;

  float best = -FLT_MAX;
  for (int ky = 0; ky < kernel; ++ky) {
    for (int kx = 0; kx < kernel; ++kx) {
      const int y = oy * stride + ky;
      const int x = ox * stride + kx;
      best = max(best, in[((n * height + y) * width + x) * channels + c]);
    }
  }
  out[id] = best;
}

extern "C" void maxpool2d(const float *in, float *out, int batch, int height, int width, int channels, int kernel,
                          int stride) {
  int out_h = (height - kernel) / stride + 1;
  int out_w = (width - kernel) / stride + 1;
  size_t in_bytes = sizeof(float) * batch * height * width * channels;
  size_t out_bytes = sizeof(float) * batch * out_h * out_w * channels;
  float *d_in, *d_out;
  cudaMalloc(&d_in, in_bytes);
  cudaMalloc(&d_out, out_bytes);
  cudaMemcpy(d_in, in, in_bytes, cudaMemcpyHostToDevice);
  int total = batch * out_h * out_w * channels;
  maxpool<<<(total + 127) / 128, 128>>>(d_in, d_out, batch, height, width, channels, kernel, stride);
  cudaMemcpy(out, d_out, out_bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_in);
  cudaFree(d_out);
}
