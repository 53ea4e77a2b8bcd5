// 1-D convolution, NCL input, OIK weights, no padding: a block has one output channel and keeps its weights in
// shared memory; neighbouring threads compute neighbouring positions.
#include <cuda_runtime.h>

__global__ void conv1d_kernel(const float *__restrict__ input, const float *__restrict__ weight,
                              float *__restrict__ output, int in_channels, int out_channels, int length, int kernel,
                              int stride, int out_length) {
  extern __shared__ float filter[];
  const int taps = in_channels * kernel;
  const int o = blockIdx.y;
  const int b = blockIdx.z;
  for (int i = threadIdx.x; i < taps; i += blockDim.x) filter[i] = weight[o * taps + i];
  __syncthreads();

  const int l = blockIdx.x * blockDim.x + threadIdx.x;
  if (l >= out_length) return;
  float sum = 0.0f;
  for (int c = 0; c < in_channels; ++c) {
    const float *line = input + ((size_t)b * in_channels + c) * length + l * stride;
    for (int k = 0; k < kernel; ++k) sum += line[k] * filter[c * kernel + k];
  }
  output[((size_t)b * out_channels + o) * out_length + l] = sum;
}

extern "C" void conv1d(const float *input, const float *weight, float *output, int batch, int in_channels,
                       int out_channels, int length, int kernel, int stride) {
  const int out_length = (length - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * in_channels * length;
  const size_t weight_bytes = sizeof(float) * out_channels * in_channels * kernel;
  const size_t out_bytes = sizeof(float) * batch * out_channels * out_length;
  float *d_input, *d_weight, *d_output;
  cudaMalloc(&d_input, in_bytes);
  cudaMalloc(&d_weight, weight_bytes);
  cudaMalloc(&d_output, out_bytes);
  cudaMemcpy(d_input, input, in_bytes, cudaMemcpyHostToDevice);
  cudaMemcpy(d_weight, weight, weight_bytes, cudaMemcpyHostToDevice);
  const int threads = 128;
  dim3 grid((out_length + threads - 1) / threads, out_channels, batch);
  conv1d_kernel<<<grid, threads, in_channels * kernel * sizeof(float)>>>(d_input, d_weight, d_output, in_channels,
                                                                         out_channels, length, kernel, stride,
                                                                         out_length);
  cudaMemcpy(output, d_output, out_bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_input);
  cudaFree(d_weight);
  cudaFree(d_output);
}
