// 2-D convolution, NCHW input, OIHW weights, zero padding: a block has one output channel of one image and keeps the
// whole filter in LDS; its threads go through the pixels.
#include <hip/hip_runtime.h>

__global__ __launch_bounds__(256) void conv2d_kernel(const float *__restrict__ input, const float *__restrict__ weight,
                                                     float *__restrict__ output, int in_channels, int height, int width,
                                                     int out_channels, int kernel, int stride, int pad, int out_h,
                                                     int out_w) {
  extern __shared__ float filter[];
  const int taps = kernel * kernel;
  const int o = blockIdx.y;
  const int n = blockIdx.z;
  for (int i = threadIdx.x; i < in_channels * taps; i += blockDim.x) filter[i] = weight[o * in_channels * taps + i];
  __syncthreads();

  const float *image = input + (size_t)n * in_channels * height * width;
  float *plane = output + (size_t)(n * out_channels + o) * out_h * out_w;
  for (int id = blockIdx.x * blockDim.x + threadIdx.x; id < out_h * out_w; id += gridDim.x * blockDim.x) {
    const int top = id / out_w * stride - pad;
    const int left = id % out_w * stride - pad;
    const int ky_begin = max(0, -top), ky_end = min(kernel, height - top);
    const int kx_begin = max(0, -left), kx_end = min(kernel, width - left);
    float sum = 0.0f;
    for (int c = 0; c < in_channels; ++c) {
      for (int ky = ky_begin; ky < ky_end; ++ky) {
        for (int kx = kx_begin; kx < kx_end; ++kx) {
          sum += image[(c * height + top + ky) * width + left + kx] * filter[c * taps + ky * kernel + kx];
        }
      }
    }
    plane[id] = sum;
  }
}

extern "C" void conv2d_nchw(const float *input, const float *weight, float *output, int batch, int in_channels,
                            int height, int width, int out_channels, int kernel, int stride, int pad) {
  const int out_h = (height + 2 * pad - kernel) / stride + 1;
  const int out_w = (width + 2 * pad - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * height * width * in_channels;
  const size_t weight_bytes = sizeof(float) * out_channels * kernel * kernel * in_channels;
  const size_t out_bytes = sizeof(float) * batch * out_h * out_w * out_channels;
  float *d_input, *d_weight, *d_output;
  hipMalloc(&d_input, in_bytes);
  hipMalloc(&d_weight, weight_bytes);
  hipMalloc(&d_output, out_bytes);
  hipMemcpy(d_input, input, in_bytes, hipMemcpyHostToDevice);
  hipMemcpy(d_weight, weight, weight_bytes, hipMemcpyHostToDevice);
  dim3 grid((out_h * out_w + 255) / 256, out_channels, batch);
  const size_t lds = sizeof(float) * in_channels * kernel * kernel;
  conv2d_kernel<<<grid, 256, lds>>>(d_input, d_weight, d_output, in_channels, height, width, out_channels, kernel,
                                    stride, pad, out_h, out_w);
  hipMemcpy(output, d_output, out_bytes, hipMemcpyDeviceToHost);
  hipFree(d_input);
  hipFree(d_weight);
  hipFree(d_output);
}
