// 2-D sum pooling, NHWC: channels along x, output columns along y, rows and images along z.
#include <cuda_runtime.h>

__global__ void sumpool(const float *in, float *out, int height, int width, int channels, int kernel, int stride,
                        int out_h, int out_w) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  const int ox = blockIdx.y * blockDim.y + threadIdx.y;
  const int oy = blockIdx.z % out_h;
  const int n = blockIdx.z / out_h;
  if (c >= channels || ox >= out_w) return;
  float sum = 0.0f;
  for (int y = oy * stride; y < oy * stride + kernel; ++y) {
    for (int x = ox * stride; x < ox * stride + kernel; ++x) {
      sum += in[((n * height + y) * width + x) * channels + c];
    }
  }
  out[((n * out_h + oy) * out_w + ox) * channels + c] = sum;
}

extern "C" void sumpool2d(const float *in, float *out, int batch, int height, int width, int channels, int kernel,
                          int stride) {
  const int out_h = (height - kernel) / stride + 1;
  const int out_w = (width - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * height * width * channels;
  const size_t out_bytes = sizeof(float) * batch * out_h * out_w * channels;
  float *d_in, *d_out;
  cudaMalloc(&d_in, in_bytes);
  cudaMalloc(&d_out, out_bytes);
  cudaMemcpy(d_in, in, in_bytes, cudaMemcpyHostToDevice);
  dim3 block(32, 4);
  dim3 grid((channels + block.x - 1) / block.x, (out_w + block.y - 1) / block.y, batch * out_h);
  sumpool<<<grid, block>>>(d_in, d_out, height, width, channels, kernel, stride, out_h, out_w);
  cudaMemcpy(out, d_out, out_bytes, cudaMemcpyDeviceToHost);
  cudaFree(d_in);
  cudaFree(d_out);
}
