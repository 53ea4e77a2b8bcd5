// 2-D convolution, NHWC input, OHWI weights, zero padding, as an implicit GEMM: rows are output pixels, columns are
// output channels, and the sum runs over the window and the input channels.
#include <cuda_runtime.h>

#define TILE 16

__global__ void conv2d_nhwc_kernel(const float *__restrict__ input, const float *__restrict__ weight,
                                   float *__restrict__ output, int batch, int height, int width, int in_channels,
                                   int out_channels, int kernel, int stride, int pad, int out_h, int out_w) {
  __shared__ float pixels[TILE][TILE + 1];
  __shared__ float filters[TILE][TILE + 1];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int pixel = blockIdx.y * TILE + ty;
  const int channel = blockIdx.x * TILE + tx;
  const int depth = kernel * kernel * in_channels;

  const int ox = pixel % out_w;
  const int oy = pixel / out_w % out_h;
  const int n = pixel / (out_w * out_h);

  float sum = 0.0f;
  for (int base = 0; base < depth; base += TILE) {
    // The patch element that thread tx of this row stages: taken apart into window position and channel.
    const int d = base + tx;
    const int c = d % in_channels;
    const int x = ox * stride + d / in_channels % kernel - pad;
    const int y = oy * stride + d / (in_channels * kernel) - pad;
    const bool inside = n < batch && d < depth && x >= 0 && x < width && y >= 0 && y < height;
    pixels[ty][tx] = inside ? input[((n * height + y) * width + x) * in_channels + c] : 0.0f;
    const int o = blockIdx.x * TILE + ty;
    filters[ty][tx] = o < out_channels && d < depth ? weight[o * depth + d] : 0.0f;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < TILE; ++i) sum += pixels[ty][i] * filters[tx][i];
    __syncthreads();
  }
  if (n < batch && channel < out_channels) output[pixel * out_channels + channel] = sum;
}

extern "C" void conv2d_nhwc(const float *input, const float *weight, float *output, int batch, int height, int width,
                            int in_channels, int out_channels, int kernel, int stride, int pad) {
  const int out_h = (height + 2 * pad - kernel) / stride + 1;
  const int out_w = (width + 2 * pad - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * height * width * in_channels;
  const size_t weight_bytes = sizeof(float) * out_channels * kernel * kernel * in_channels;
  const size_t out_bytes = sizeof(float) * batch * out_h * out_w * out_channels;
  float *d_input, *d_weight, *d_output;
  cudaMalloc(&d_input, in_bytes);
  cudaMalloc(&d_weight, weight_bytes);
  cudaMalloc(&d_output, out_bytes);
  cudaMemcpy(d_input, input, in_bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(d_weight, weight, weight_bytes, cudaMemcpyHostToDevice);
  dim3 block(TILE, TILE);
  dim3 grid((out_channels + TILE - 1) / TILE, (batch * out_h * out_w + TILE - 1) / TILE);
  conv2d_nhwc_kernel<<<grid, block>>>(d_input, d_weight, d_output, batch, height, width, in_channels, out_channels,
                                      kernel, stride, pad, out_h, out_w);
  cudaMemcpy(output, d_output, out_bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_input);
  cudaFree(d_weight);
  cudaFree(d_output);
}
