// out = max(x, 0) over any element type, by a grid-stride loop.
#include <cuda_runtime.h>

template <typename T>
__global__ void relu_kernel(const T *x, T *out, size_t n) {
  for (size_t i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x) {
    out[i] = x[i] > T(0) ? x[i] : T(0);
  }
}

extern "C" void relu_f32(const float *x, float *out, size_t n) { relu_kernel<float><<<64, 256>>>(x, out, n); }
extern "C" void relu_i32(const int *x, int *out, size_t n) { relu_kernel<int><<<64, 256>>>(x, out, n); }
