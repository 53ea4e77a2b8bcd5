// Members of half2 read and written, next to those of float2, half arithmetic with operators and conversions.
#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

// x and y of a half2 as halves (ROCm 5.2 declares them as integers); of anything else as they are.
#define HALF2_PART(part)                                                                            \
    template <typename T>                                                                           \
    static __host__ __device__ inline auto half2_##part(T&& v) -> decltype((v.part)) {              \
        return v.part;                                                                              \
    }                                                                                               \
    static __host__ __device__ inline __half& half2_##part(__half2& v) {                            \
        return reinterpret_cast<__half&>(v.part);                                                   \
    }                                                                                               \
    static __host__ __device__ inline __half half2_##part(const __half2& v) {                       \
        return reinterpret_cast<const __half&>(v.part);                                             \
    }                                                                                               \
    static __host__ __device__ inline __half half2_##part(__half2&& v) {                            \
        return reinterpret_cast<const __half&>(v.part);                                             \
    }
HALF2_PART(x)
HALF2_PART(y)
#undef HALF2_PART

struct Pair {
    half2 value;
    float2 scale;
};

__device__ half2 rotate(half2 v, float2 cs) {
    half2 r;
    half2_x(r) = __float2half(__half2float(half2_x(v)) * cs.x - __half2float(half2_y(v)) * cs.y);
    half2_y(r) = __float2half(__half2float(half2_x(v)) * cs.y + __half2float(half2_y(v)) * cs.x);
    return r;
}

template <typename T>
__device__ T total(const T* x, int n) {
    T sum = T(0.0f);
    for (int i = 0; i < n; ++i) sum = sum + x[i];
    return sum;
}

__global__ void rope(half2* __restrict__ x, const float2* __restrict__ table, Pair* pairs, half* sums, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    x[i] = rotate(x[i], table[i]);
    half2* p = x + i;
    half2_y(*p) = half2_y(*p) + static_cast<half>(1.0f);
    half2_x(pairs[i].value) = __hmul(half2_y(rotate(x[i], pairs[i].scale)), (half)half2_x(pairs[i].scale));
    half h = half2_x(x[i]);
    float f = h;
    h += __float2half(f);
    h = -h;
    if (h > __float2half(0.5f) && half2_y(x[i]) < h) h = h * half(0.25f);
    sums[i] = h;
    if (i == 0) sums[n] = total(sums, 4);
    float4 packed = reinterpret_cast<const float4*>(table)[0];
    sums[i] = __hadd(sums[i], __float2half(packed.x + packed.y));
}

extern "C" void run(half2* x, const float2* table, Pair* pairs, half* sums, int n) {
    rope<<<(n + 127) / 128, 128>>>(x, table, pairs, sums, n);
}
