// Depthwise 2-D convolution, NHWC input, HWC weights, zero padding: four channels a thread where their number allows
// it, else one.
#include <hip/hip_runtime.h>

// T is float or float4; `channels` counts elements of it.
template <typename T>
__global__ void depthwise_kernel(const T *__restrict__ input, const T *__restrict__ weight, T *__restrict__ output,
                                 int height, int width, int channels, int kernel, int stride, int pad, int out_h,
                                 int out_w) {
  const int c = blockIdx.x * 64 + threadIdx.x;
  if (c >= channels) return;
  const int oy = blockIdx.y / out_w, ox = blockIdx.y % out_w;
  const T *image = input + (size_t)blockIdx.z * height * width * channels;
  T sum = T();
  for (int ky = 0; ky < kernel; ++ky) {
    for (int kx = 0; kx < kernel; ++kx) {
      const int y = oy * stride - pad + ky;
      const int x = ox * stride - pad + kx;
      if (y >= 0 && y < height && x >= 0 && x < width) {
        sum += image[(y * width + x) * channels + c] * weight[(ky * kernel + kx) * channels + c];
      }
    }
  }
  output[((size_t)(blockIdx.z * out_h + oy) * out_w + ox) * channels + c] = sum;
}

extern "C" void depthwise_conv(const float *input, const float *weight, float *output, int batch, int height,
                               int width, int channels, int kernel, int stride, int pad) {
  const int out_h = (height + 2 * pad - kernel) / stride + 1;
  const int out_w = (width + 2 * pad - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * height * width * channels;
  const size_t weight_bytes = sizeof(float) * channels * kernel * kernel;
  const size_t out_bytes = sizeof(float) * batch * out_h * out_w * channels;
  float *d_input, *d_weight, *d_output;
  hipMalloc(&d_input, in_bytes);
  hipMalloc(&d_weight, weight_bytes);
  hipMalloc(&d_output, out_bytes);
  hipMemcpy(d_input, input, in_bytes, hipMemcpyHostToDevice);
  hipMemcpy(d_weight, weight, weight_bytes, hipMemcpyHostToDevice);
  if (channels % 4 == 0) {
    dim3 grid((channels / 4 + 63) / 64, out_h * out_w, batch);
    depthwise_kernel<float4><<<grid, 64>>>((const float4 *)d_input, (const float4 *)d_weight, (float4 *)d_output,
                                           height, width, channels / 4, kernel, stride, pad, out_h, out_w);
  } else {
    dim3 grid((channels + 63) / 64, out_h * out_w, batch);
    depthwise_kernel<float><<<grid, 64>>>(d_input, d_weight, d_output, height, width, channels, kernel, stride, pad,
                                          out_h, out_w);
  }
  hipMemcpy(output, d_output, out_bytes, hipMemcpyDeviceToHost);
  hipFree(d_input);
  hipFree(d_weight);
  hipFree(d_output);
}
