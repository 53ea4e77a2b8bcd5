// 2-D convolution, NHWC input, OHWI weights, zero padding, as an implicit GEMM on the matrix cores: a wavefront
// computes 16 pixels by 16 output channels; the depth of the product runs over window and input channels.
#include <hip/hip_runtime.h>

typedef float floatx4 __attribute__((ext_vector_type(4)));

__global__ void conv2d_kernel(const float *__restrict__ input, const float *__restrict__ weight,
                              float *__restrict__ output, int batch, int height, int width, int in_channels,
                              int out_channels, int kernel, int stride, int pad, int out_h, int out_w) {
  const int lane = threadIdx.x;
  const int pixels = batch * out_h * out_w;
  const int depth = kernel * kernel * in_channels;
  const int pixel = blockIdx.x * 16 + lane % 16;    // the row of A that this lane loads
  const int channel = blockIdx.y * 16 + lane % 16;  // the column of B that it loads
  const int n = pixel / (out_h * out_w);
  const int top = pixel / out_w % out_h * stride - pad;
  const int left = pixel % out_w * stride - pad;

  floatx4 acc = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int d0 = 0; d0 < depth; d0 += 4) {
    const int d = d0 + lane / 16;
    const int c = d % in_channels;
    const int x = left + d / in_channels % kernel;
    const int y = top + d / (in_channels * kernel);
    const bool inside = pixel < pixels && d < depth && y >= 0 && y < height && x >= 0 && x < width;
    const float a = inside ? input[((n * height + y) * width + x) * in_channels + c] : 0.0f;
    const float b = channel < out_channels && d < depth ? weight[channel * depth + d] : 0.0f;
    acc = __builtin_amdgcn_mfma_f32_16x16x4f32(a, b, acc, 0, 0, 0);
  }
  for (int r = 0; r < 4; ++r) {
    const int row = blockIdx.x * 16 + 4 * (lane / 16) + r;
    if (row < pixels && channel < out_channels) output[row * out_channels + channel] = acc[r];
  }
}

extern "C" void conv2d_nhwc(const float *input, const float *weight, float *output, int batch, int height, int width,
                            int in_channels, int out_channels, int kernel, int stride, int pad) {
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
  dim3 grid((batch * out_h * out_w + 15) / 16, (out_channels + 15) / 16);
  conv2d_kernel<<<grid, 64>>>(d_input, d_weight, d_output, batch, height, width, in_channels, out_channels, kernel,
                              stride, pad, out_h, out_w);
  hipMemcpy(output, d_output, out_bytes, hipMemcpyDeviceToHost);
  hipFree(d_input);
  hipFree(d_weight);
  hipFree(d_output);
}
