// dp4a, byte vectors, cache hints, nanosleep, constants, bit tricks, vector types with operators of the file's own.
#include <cstdint>
#include <cuda_runtime.h>
#include <math_constants.h>

inline __device__ float4 operator+(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }
inline __device__ void operator+=(float4& a, float4 b) { a = a + b; }

__global__ void int8_gemv(const int8_t* __restrict__ w, const int8_t* __restrict__ x, int32_t* y, int k) {
    const int* w4 = reinterpret_cast<const int*>(w + (size_t)blockIdx.x * k);
    const int* x4 = reinterpret_cast<const int*>(x);
    int acc = 0;
    for (int i = threadIdx.x; i < k / 4; i += blockDim.x) acc = __dp4a(__ldg(w4 + i), __ldg(&x4[i]), acc);
    for (int o = 16; o > 0; o >>= 1) acc += __shfl_down_sync(~0u, acc, o);
    if ((threadIdx.x & 31) == 0) atomicAdd_block(&y[blockIdx.x], acc);
}

__global__ void stream_max(const float4* __restrict__ in, float4* __restrict__ out, float* best, int n) {
    float m = -CUDART_INF_F;
    float4 total = make_float4(0.f, 0.f, 0.f, 0.f);
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        float4 v = __ldcs(in + i);
        total += v;
        m = fmaxf(m, __ldcg(&in[i]).x + fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w)));
        __stcs(&out[i], v + total);
    }
    __nanosleep(100);
    int bits = __float_as_int(m);
    bits = bits >= 0 ? bits : bits ^ 0x7fffffff;
    atomicMax((int*)best, bits);
    if (__popc(bits) + __clz(bits) + __brev(bits) + __byte_perm(bits, 0, 0x3210) == 12345) __trap();
}

extern "C" void run(const int8_t* w, const int8_t* x, int32_t* y, int rows, int k, const float4* in, float4* out,
                    float* best, int n) {
    int8_gemv<<<rows, 64>>>(w, x, y, k);
    stream_max<<<4, 128>>>(in, out, best, n);
}
