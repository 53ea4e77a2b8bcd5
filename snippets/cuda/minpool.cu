// 2-D min pooling, NHWC: a grid-stride loop over all outputs.
#include <cuda_runtime.h>

__global__ void minpool(const float *__restrict__ in, float *__restrict__ out, int batch, int height, int width,
                        int channels, int kernel, int stride) {
  const int out_h = (height - kernel) / stride + 1;
  const int out_w = (width - kernel) / stride + 1;
  const int total = batch * out_h * out_w * channels;
  for (int id = blockIdx.x * blockDim.x + threadIdx.x; id < total; id += gridDim.x * blockDim.x) {
    const int c = id % channels;
    const int ox = id / channels % out_w;
    const int oy = id / (channels * out_w) % out_h;
    const int n = id / (channels * out_w * out_h);
    const float *window = in + ((n * height + oy * stride) * width + ox * stride) * channels + c;
    float least = *window;
    for (int ky = 0; ky < kernel; ++ky)
      for (int kx = 0; kx < kernel; ++kx) least = fminf(least, window[(ky * width + kx) * channels]);
    out[id] = least;
  }
}

extern "C" void minpool2d(const float *in, float *out, int batch, int height, int width, int channels, int kernel,
                          int stride) {
  const int out_h = (height - kernel) / stride + 1;
  const int out_w = (width - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * height * width * channels;
  const size_t out_bytes = sizeof(float) * batch * out_h * out_w * channels;
  float *d_in, *d_out;
  cudaMalloc(&d_in, in_bytes);
  cudaMalloc(&d_out, out_bytes);
  cudaMemcpy(d_in, in, in_bytes, cudaMemcpyHostToDevice);
  minpool<<<32, 128>>>(d_in, d_out, batch, height, width, channels, kernel, stride);
  cudaMemcpy(out, d_out, out_bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_in);
  cudaFree(d_out);
}
