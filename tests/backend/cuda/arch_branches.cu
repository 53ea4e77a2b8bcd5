// Two ways for one thing, chosen by the architecture: PTX for the newest, CUDA C for the others.
#include <cuda_runtime.h>

__device__ __forceinline__ void copy16(float4* shared, const float4* global) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(address), "l"(global));
#else
    *shared = *global;
#endif
}

#if __CUDA_ARCH__ < 600
__device__ double atomic_add_double(double* address, double value) {
    unsigned long long old = *(unsigned long long*)address, assumed;
    do {
        assumed = old;
        old = atomicCAS((unsigned long long*)address, assumed,
                        __double_as_longlong(value + __longlong_as_double(assumed)));
    } while (assumed != old);
    return __longlong_as_double(old);
}
#else
__device__ double atomic_add_double(double* address, double value) { return atomicAdd(address, value); }
#endif

__global__ void sum_rows(const float4* x, double* sums) {
    __shared__ float4 tile[64];
    copy16(&tile[threadIdx.x], x + blockIdx.x * 64 + threadIdx.x);
    __syncthreads();
    float4 v = tile[63 - threadIdx.x];
    atomic_add_double(&sums[blockIdx.x], v.x + v.y + v.z + v.w);
}

extern "C" void run(const float4* x, double* sums, int rows) { sum_rows<<<rows, 64>>>(x, sums); }
