// 2-D min pooling, NHWC: one output a thread, all of them in one line.
#include <hip/hip_runtime.h>
#include <cfloat>

__global__ void minpool_kernel(const float *in, float *out, int height, int width, int channels, int kernel, int stride,
                               int out_h, int out_w, int total) {
  const int id = hipBlockIdx_x * hipBlockDim_x + hipThreadIdx_x;
  if (id >= total) return;
  const int c = id % channels;
  const int ox = id / channels % out_w;
  const int oy = id / channels / out_w % out_h;
  const int n = id / channels / out_w / out_h;
  float least = FLT_MAX;
  for (int y = oy * stride; y < oy * stride + kernel; ++y)
    for (int x = ox * stride; x < ox * stride + kernel; ++x)
      least = min(least, in[((n * height + y) * width + x) * channels + c]);
  out[id] = least;
}

extern "C" void minpool2d(const float *in, float *out, int batch, int height, int width, int channels, int kernel,
                          int stride) {
  const int out_h = (height - kernel) / stride + 1;
  const int out_w = (width - kernel) / stride + 1;
  const size_t in_bytes = sizeof(float) * batch * height * width * channels;
  const size_t out_bytes = sizeof(float) * batch * out_h * out_w * channels;
  float *d_in, *d_out;
  hipMalloc(&d_in, in_bytes);
  hipMalloc(&d_out, out_bytes);
  hipMemcpy(d_in, in, in_bytes, hipMemcpyHostToDevice);
  const int total = batch * out_h * out_w * channels;
  minpool_kernel<<<dim3((total + 255) / 256), dim3(256), 0, 0>>>(d_in, d_out, height, width, channels, kernel,
                                                                 stride, out_h, out_w, total);
  hipMemcpy(out, d_out, out_bytes, hipMemcpyDeviceToHost);
  hipFree(d_in);
  hipFree(d_out);
}
