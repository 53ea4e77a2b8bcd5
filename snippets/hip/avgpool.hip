// 2-D average pooling, NHWC: a block has one output row; pixels along y, channels along x.
#include <hip/hip_runtime.h>

__global__ void avgpool_kernel(const float *__restrict__ in, float *__restrict__ out, int height, int width,
                               int channels, int kernel, int stride, int out_h, int out_w) {
  const float *rows = in + (size_t)(blockIdx.y * height + blockIdx.x * stride) * width * channels;
  float *to = out + (size_t)(blockIdx.y * out_h + blockIdx.x) * out_w * channels;
  for (int ox = threadIdx.y; ox < out_w; ox += blockDim.y) {
    for (int c = threadIdx.x; c < channels; c += blockDim.x) {
      float sum = 0.0f;
      for (int ky = 0; ky < kernel; ++ky)
        for (int kx = 0; kx < kernel; ++kx) sum += rows[(ky * width + ox * stride + kx) * channels + c];
      to[ox * channels + c] = sum / (kernel * kernel);
    }
  }
}

extern "C" void avgpool2d(const float *in, float *out, int batch, int height, int width, int channels, int kernel,
                          int stride) {
  const int out_h = (height - kernel) / stride + 1;
  const int out_w = (width - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * height * width * channels;
  const size_t out_bytes = sizeof(float) * batch * out_h * out_w * channels;
  float *d_in, *d_out;
  hipMalloc(&d_in, in_bytes);
  hipMalloc(&d_out, out_bytes);
  hipMemcpy(d_in, in, in_bytes, hipMemcpyHostToDevice);
  avgpool_kernel<<<dim3(out_h, batch), dim3(64, 4)>>>(d_in, d_out, height, width, channels, kernel, stride, out_h,
                                                      out_w);
  hipMemcpy(out, d_out, out_bytes, hipMemcpyDeviceToHost);
  hipFree(d_in);
  hipFree(d_out);
}
