// 2-D average pooling, NHWC: a block is one output pixel, its threads go through the channels.
#include <cuda_runtime.h>

__global__ void avgpool(const float *__restrict__ in, float *__restrict__ out, int height, int width, int channels,
                        int kernel, int stride) {
  const int ox = blockIdx.x, oy = blockIdx.y, n = blockIdx.z;
  const float *window = in + ((size_t)(n * height + oy * stride) * width + ox * stride) * channels;
  float *pixel = out + ((size_t)(n * gridDim.y + oy) * gridDim.x + ox) * channels;
  const float scale = 1.0f / (kernel * kernel);
  for (int c = threadIdx.x; c < channels; c += blockDim.x) {
    float sum = 0.0f;
    for (int ky = 0; ky < kernel; ++ky)
      for (int kx = 0; kx < kernel; ++kx) sum += window[(ky * width + kx) * channels + c];
    pixel[c] = sum * scale;
  }
}

extern "C" void avgpool2d(const float *in, float *out, int batch, int height, int width, int channels, int kernel,
                          int stride) {
  const int out_h = (height - kernel) / stride + 1;
  const int out_w = (width - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * height * width * channels;
  const size_t out_bytes = sizeof(float) * batch * out_h * out_w * channels;
  float *d_in, *d_out;
  cudaMalloc(&d_in, in_bytes);
  cudaMalloc(&d_out, out_bytes);
  cudaMemcpy(d_in, in, in_bytes, cudaMemcpyHostToDevice);
  avgpool<<<dim3(out_w, out_h, batch), 64>>>(d_in, d_out, height, width, channels, kernel, stride);
  cudaMemcpy(out, d_out, out_bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_in);
  cudaFree(d_out);
}
