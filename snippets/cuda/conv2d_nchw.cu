// 2-D convolution, NCHW input, OIHW weights, zero padding: a block computes an 8x16 patch of one output channel and
// stages the input under it, channel by channel, in shared memory.
#include <cuda_runtime.h>

constexpr int TILE_H = 8;
constexpr int TILE_W = 16;

__global__ void conv2d_nchw_kernel(const float *__restrict__ input, const float *__restrict__ weight,
                                   float *__restrict__ output, int in_channels, int height, int width,
                                   int out_channels, int kernel, int stride, int pad, int out_h, int out_w) {
  extern __shared__ float patch[];
  const int patch_h = (TILE_H - 1) * stride + kernel;
  const int patch_w = (TILE_W - 1) * stride + kernel;
  const int tiles_w = (out_w + TILE_W - 1) / TILE_W;
  const int oy = blockIdx.x / tiles_w * TILE_H + threadIdx.y;
  const int ox = blockIdx.x % tiles_w * TILE_W + threadIdx.x;
  const int top = blockIdx.x / tiles_w * TILE_H * stride - pad;
  const int left = blockIdx.x % tiles_w * TILE_W * stride - pad;
  const int o = blockIdx.y;
  const int n = blockIdx.z;

  float sum = 0.0f;
  for (int c = 0; c < in_channels; ++c) {
    const float *plane = input + (size_t)(n * in_channels + c) * height * width;
    for (int i = threadIdx.y * TILE_W + threadIdx.x; i < patch_h * patch_w; i += TILE_H * TILE_W) {
      const int y = top + i / patch_w;
      const int x = left + i % patch_w;
      patch[i] = (y >= 0 && y < height && x >= 0 && x < width) ? plane[y * width + x] : 0.0f;
    }
    __syncthreads();
    const float *filter = weight + (o * in_channels + c) * kernel * kernel;
    for (int ky = 0; ky < kernel; ++ky) {
      for (int kx = 0; kx < kernel; ++kx) {
        const int at = (threadIdx.y * stride + ky) * patch_w + threadIdx.x * stride + kx;
        sum += patch[at] * filter[ky * kernel + kx];
      }
    }
    __syncthreads();
  }
  if (oy < out_h && ox < out_w) output[((n * out_channels + o) * out_h + oy) * out_w + ox] = sum;
}

extern "C" void conv2d_nchw(const float *input, const float *weight, float *output, int batch, int in_channels,
                            int height, int width, int out_channels, int kernel, int stride, int pad) {
  const int out_h = (height + 2 * pad - kernel) / stride + 1;
  const int out_w = (width + 2 * pad - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * in_channels * height * width;
  const size_t weight_bytes = sizeof(float) * out_channels * in_channels * kernel * kernel;
  const size_t out_bytes = sizeof(float) * batch * out_channels * out_h * out_w;
  float *d_input, *d_weight, *d_output;
  cudaMalloc(&d_input, in_bytes);
  cudaMalloc(&d_weight, weight_bytes);
  cudaMalloc(&d_output, out_bytes);
  cudaMemcpy(d_input, input, in_bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(d_weight, weight, weight_bytes, cudaMemcpyHostToDevice);

  const int tiles = (out_h + TILE_H - 1) / TILE_H * ((out_w + TILE_W - 1) / TILE_W);
  const size_t shared = sizeof(float) * ((TILE_H - 1) * stride + kernel) * ((TILE_W - 1) * stride + kernel);
  conv2d_nchw_kernel<<<dim3(tiles, out_channels, batch), dim3(TILE_W, TILE_H), shared>>>(
      d_input, d_weight, d_output, in_channels, height, width, out_channels, kernel, stride, pad, out_h, out_w);

  cudaMemcpy(output, d_output, out_bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_input);
  cudaFree(d_weight);
  cudaFree(d_output);
}
