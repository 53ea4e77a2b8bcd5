// CUDA libraries by name: cuBLAS, cuRAND on the device, CUB, Thrust, complex numbers.
#include <cub/cub.cuh>
#include <cuComplex.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <curand_kernel.h>
#include <thrust/device_vector.h>
#include <thrust/reduce.h>
#include <thrust/system/cuda/execution_policy.h>

#define CUBLAS_CHECK(x) do { if ((x) != CUBLAS_STATUS_SUCCESS) return 1; } while (0)

__global__ void noise(curandState* states, float* out, int n, unsigned long long seed) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    curandState local = states[i];
    curand_init(seed, i, 0, &local);
    out[i] = curand_uniform(&local) + curand_normal(&local);
    states[i] = local;
}

__global__ void warp_sums(const float* in, float* out) {
    using Reduce = cub::WarpReduce<float>;
    __shared__ typename Reduce::TempStorage storage[4];
    typedef cub::BlockReduce<float, 128> BlockReduce;
    __shared__ BlockReduce::TempStorage block_storage;
    float sum = Reduce(storage[threadIdx.x / 32]).Sum(in[threadIdx.x]);
    sum += BlockReduce(block_storage).Reduce(in[threadIdx.x], cub::Max());
    if (threadIdx.x % 32 == 0) out[threadIdx.x / 32] = sum;
}

int multiply(cublasHandle_t handle, const float* A, const float* B, float* C, int m, int n, int k) {
    const float alpha = 1.0f, beta = 0.0f;
    CUBLAS_CHECK(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_T, m, n, k, &alpha, A, m, B, n, &beta, C, m));
    CUBLAS_CHECK(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &alpha, A, CUDA_R_16F, m, B, CUDA_R_16F, k, &beta,
                              C, CUDA_R_32F, m, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
    cuFloatComplex z = cuCmulf(make_cuFloatComplex(1, 2), make_cuFloatComplex(3, 4));
    return cuCrealf(z) > 0;
}

float total(const thrust::device_vector<float>& v, cudaStream_t stream) {
    void* scratch = nullptr;
    size_t bytes = 0;
    float* out = nullptr;
    cub::DeviceReduce::Sum(scratch, bytes, thrust::raw_pointer_cast(v.data()), out, (int)v.size(), stream);
    return thrust::reduce(thrust::cuda::par.on(stream), v.begin(), v.end());
}
