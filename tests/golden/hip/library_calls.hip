// CUDA libraries by name: cuBLAS, cuRAND on the device, CUB, Thrust, complex numbers.
#include <hip/hip_runtime.h>
#include <hipcub/hipcub.hpp>
#include <hip/hip_complex.h>
#include <hipblas/hipblas.h>
#include <hiprand/hiprand_kernel.h>
#include <thrust/device_vector.h>
#include <thrust/reduce.h>
#include <thrust/system/hip/execution_policy.h>

#define CUBLAS_CHECK(x) do { if ((x) != HIPBLAS_STATUS_SUCCESS) return 1; } while (0)

__global__ void noise(hiprandState* states, float* out, int n, unsigned long long seed) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    hiprandState local = states[i];
    hiprand_init(seed, i, 0, &local);
    out[i] = hiprand_uniform(&local) + hiprand_normal(&local);
    states[i] = local;
}

__global__ void warp_sums(const float* in, float* out) {
    using Reduce = hipcub::WarpReduce<float, 32>;
    __shared__ typename Reduce::TempStorage storage[4];
    typedef hipcub::BlockReduce<float, 128> BlockReduce;
    __shared__ BlockReduce::TempStorage block_storage;
    float sum = Reduce(storage[threadIdx.x / 32]).Sum(in[threadIdx.x]);
    sum += BlockReduce(block_storage).Reduce(in[threadIdx.x], hipcub::Max());
    if (threadIdx.x % 32 == 0) out[threadIdx.x / 32] = sum;
}

int multiply(hipblasHandle_t handle, const float* A, const float* B, float* C, int m, int n, int k) {
    const float alpha = 1.0f, beta = 0.0f;
    CUBLAS_CHECK(hipblasSgemm(handle, HIPBLAS_OP_N, HIPBLAS_OP_T, m, n, k, &alpha, A, m, B, n, &beta, C, m));
    CUBLAS_CHECK(hipblasGemmEx_v2(handle, HIPBLAS_OP_N, HIPBLAS_OP_N, m, n, k, &alpha, A, HIP_R_16F, m, B, HIP_R_16F, k, &beta,
                              C, HIP_R_32F, m, HIPBLAS_COMPUTE_32F, HIPBLAS_GEMM_DEFAULT));
    hipFloatComplex z = hipCmulf(make_hipFloatComplex(1, 2), make_hipFloatComplex(3, 4));
    return hipCrealf(z) > 0;
}

float total(const thrust::device_vector<float>& v, hipStream_t stream) {
    void* scratch = nullptr;
    size_t bytes = 0;
    float* out = nullptr;
    hipcub::DeviceReduce::Sum(scratch, bytes, thrust::raw_pointer_cast(v.data()), out, (int)v.size(), stream);
    return thrust::reduce(thrust::hip::par.on(stream), v.begin(), v.end());
}
