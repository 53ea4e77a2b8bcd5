// Depthwise 2-D convolution, NHWC input, HWC weights, zero padding: channels lie along threadIdx.x, so that all
// accesses of a warp are next to each other.
#include <cuda_runtime.h>

__global__ void depthwise_conv_kernel(const float *__restrict__ input, const float *__restrict__ weight,
                                      float *__restrict__ output, int height, int width, int channels, int kernel,
                                      int stride, int pad, int out_h, int out_w) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  const int pixel = blockIdx.y * blockDim.y + threadIdx.y;
  if (c >= channels || pixel >= out_h * out_w) return;
  const int oy = pixel / out_w;
  const int ox = pixel % out_w;
  const float *image = input + (size_t)blockIdx.z * height * width * channels;

  float sum = 0.0f;
  for (int ky = 0; ky < kernel; ++ky) {
    const int y = oy * stride + ky - pad;
    if (y < 0 || y >= height) continue;
    for (int kx = 0; kx < kernel; ++kx) {
      const int x = ox * stride + kx - pad;
      if (x < 0 || x >= width) continue;
      sum += __ldg(&image[(y * width + x) * channels + c]) * __ldg(&weight[(ky * kernel + kx) * channels + c]);
    }
  }
  output[((size_t)blockIdx.z * out_h * out_w + pixel) * channels + c] = sum;
}

extern "C" void depthwise_conv(const float *input, const float *weight, float *output, int batch, int height,
                               int width, int channels, int kernel, int stride, int pad) {
  const int out_h = (height + 2 * pad - kernel) / stride + 1;
  const int out_w = (width + 2 * pad - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * height * width * channels;
  const size_t weight_bytes = sizeof(float) * kernel * kernel * channels;
  const size_t out_bytes = sizeof(float) * batch * out_h * out_w * channels;
  float *d_input, *d_weight, *d_output;
  cudaMalloc(&d_input, in_bytes);
  cudaMalloc(&d_weight, weight_bytes);
  cudaMalloc(&d_output, out_bytes);
  cudaMemcpy(d_input, input, in_bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(d_weight, weight, weight_bytes, cudaMemcpyHostToDevice);
  dim3 block(32, 4);
  dim3 grid((channels + 31) / 32, (out_h * out_w + 3) / 4, batch);
  depthwise_conv_kernel<<<grid, block>>>(d_input, d_weight, d_output, height, width, channels, kernel, stride, pad,
                                         out_h, out_w);
  cudaMemcpy(output, d_output, out_bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_input);
  cudaFree(d_weight);
  cudaFree(d_output);
}
