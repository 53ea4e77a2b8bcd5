// 1-D convolution, NCL input, OIK weights, no padding: a wavefront has 64 positions of one output channel; the part of
// the line under them is staged in LDS, channel by channel.
#include <hip/hip_runtime.h>

constexpr int POSITIONS = 64;

__global__ void conv1d_kernel(const float *__restrict__ input, const float *__restrict__ weight,
                              float *__restrict__ output, int in_channels, int out_channels, int length, int kernel,
                              int stride, int out_length) {
  HIP_DYNAMIC_SHARED(float, line);
  const int first = blockIdx.x * POSITIONS;
  const int o = blockIdx.y, b = blockIdx.z;
  const int span = (POSITIONS - 1) * stride + kernel;
  float sum = 0.0f;
  for (int c = 0; c < in_channels; ++c) {
    const float *from = input + ((size_t)b * in_channels + c) * length;
    for (int i = threadIdx.x; i < span; i += POSITIONS) {
      const int at = first * stride + i;
      line[i] = at < length ? from[at] : 0.0f;
    }
    __syncthreads();
    const float *taps = weight + ((size_t)o * in_channels + c) * kernel;
    for (int k = 0; k < kernel; ++k) sum = fmaf(line[threadIdx.x * stride + k], taps[k], sum);
    __syncthreads();
  }
  const int l = first + threadIdx.x;
  if (l < out_length) output[((size_t)b * out_channels + o) * out_length + l] = sum;
}

extern "C" void conv1d(const float *input, const float *weight, float *output, int batch, int in_channels,
                       int out_channels, int length, int kernel, int stride) {
  const int out_length = (length - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * in_channels * length;
  const size_t weight_bytes = sizeof(float) * out_channels * in_channels * kernel;
  const size_t out_bytes = sizeof(float) * batch * out_channels * out_length;
  float *d_input, *d_weight, *d_output;
  hipMalloc(&d_input, in_bytes);
  hipMalloc(&d_weight, weight_bytes);
  hipMalloc(&d_output, out_bytes);
  hipMemcpy(d_input, input, in_bytes, hipMemcpyHostToDevice);
  hipMemcpy(d_weight, weight, weight_bytes, hipMemcpyHostToDevice);
  dim3 grid((out_length + POSITIONS - 1) / POSITIONS, out_channels, batch);
  const size_t lds = sizeof(float) * ((POSITIONS - 1) * stride + kernel);
  hipLaunchKernelGGL(conv1d_kernel, grid, dim3(POSITIONS), lds, 0, d_input, d_weight, d_output, in_channels,
                     out_channels, length, kernel, stride, out_length);
  hipMemcpy(output, d_output, out_bytes, hipMemcpyDeviceToHost);
  hipFree(d_input);
  hipFree(d_weight);
  hipFree(d_output);
}
