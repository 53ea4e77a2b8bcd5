// Softmax in the manner of a framework extension: functors, dispatch macros, lambdas, unknown headers.
#include <ATen/ATen.h>
#include <torch/extension.h>
#include <limits>
#include "not_there.h"

#define CHECK_CUDA(x) TORCH_CHECK(x.is_cuda(), #x " must be a CUDA tensor")
#define CHECK_CONTIGUOUS(x) TORCH_CHECK(x.is_contiguous(), #x " must be contiguous")
#define CHECK_INPUT(x) \
  CHECK_CUDA(x);       \
  CHECK_CONTIGUOUS(x)

namespace ext {
namespace {

template <typename T>
struct Max {
  __device__ __forceinline__ T operator()(T a, T b) const { return a > b ? a : b; }
};
template <typename T>
struct Add {
  __device__ __forceinline__ T operator()(T a, T b) const { return a + b; }
};

template <template <typename> class Reduction, typename T, int BLOCK>
__device__ __forceinline__ T block_reduce(T val, T *smem, const Reduction<T> &r, T init) {
  static_assert(BLOCK >= 32 && (BLOCK & (BLOCK - 1)) == 0, "a power of two");
  smem[threadIdx.x] = val;
  __syncthreads();
  #pragma unroll
  for (int s = BLOCK / 2; s > 0; s >>= 1) {
    if (threadIdx.x < s) smem[threadIdx.x] = r(smem[threadIdx.x], smem[threadIdx.x + s]);
    __syncthreads();
  }
  T result = smem[0];
  __syncthreads();
  return result;
}

template <typename scalar_t, typename accscalar_t, int BLOCK>
C10_LAUNCH_BOUNDS_1(BLOCK)
__global__ void softmax_forward(scalar_t *__restrict__ output, const scalar_t *__restrict__ input, int64_t classes) {
  extern __shared__ unsigned char smem[];
  auto sdata = reinterpret_cast<accscalar_t *>(smem);
  input += static_cast<int64_t>(blockIdx.x) * classes;
  output += static_cast<int64_t>(blockIdx.x) * classes;
  accscalar_t thread_max = -std::numeric_limits<accscalar_t>::infinity();
  for (int64_t i = threadIdx.x; i < classes; i += BLOCK) thread_max = max(thread_max, (accscalar_t)input[i]);
  accscalar_t max_k = block_reduce<Max, accscalar_t, BLOCK>(thread_max, sdata, Max<accscalar_t>(), thread_max);
  accscalar_t thread_sum = 0;
  for (int64_t i = threadIdx.x; i < classes; i += BLOCK) thread_sum += std::exp(input[i] - max_k);
  accscalar_t sum_k = block_reduce<Add, accscalar_t, BLOCK>(thread_sum, sdata, Add<accscalar_t>(), (accscalar_t)0);
  for (int64_t i = threadIdx.x; i < classes; i += BLOCK)
    output[i] = static_cast<scalar_t>(std::exp(input[i] - max_k) / sum_k);
}

}  // namespace

at::Tensor softmax(const at::Tensor &input) {
  CHECK_INPUT(input);
  auto output = at::empty_like(input);
  const int64_t classes = input.size(1);
  constexpr int kBlock = 256;
  AT_DISPATCH_FLOATING_TYPES_AND_HALF(input.scalar_type(), "softmax", [&] {
    using accscalar_t = at::acc_type<scalar_t, true>;
    softmax_forward<scalar_t, accscalar_t, kBlock>
        <<<input.size(0), kBlock, kBlock * sizeof(accscalar_t), at::cuda::getCurrentCUDAStream()>>>(
            output.data_ptr<scalar_t>(), input.data_ptr<scalar_t>(), classes);
  });
  return output;
}

}  // namespace ext

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("softmax", &ext::softmax); }
