// Members of half2 read and written, next to those of float2, half arithmetic with operators and conversions.
#include <cuda_fp16.h>
#include <cuda_runtime.h>

struct Pair {
    half2 value;
    float2 scale;
};

__device__ half2 rotate(half2 v, float2 cs) {
    half2 r;
    r.x = __float2half(__half2float(v.x) * cs.x - __half2float(v.y) * cs.y);
    r.y = __float2half(__half2float(v.x) * cs.y + __half2float(v.y) * cs.x);
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
    p->y = p->y + static_cast<half>(1.0f);
    pairs[i].value.x = __hmul(rotate(x[i], pairs[i].scale).y, (half)pairs[i].scale.x);
    half h = x[i].x;
    float f = h;
    h += __float2half(f);
    h = -h;
    if (h > __float2half(0.5f) && x[i].y < h) h = h * half(0.25f);
    sums[i] = h;
    if (i == 0) sums[n] = total(sums, 4);
    float4 packed = reinterpret_cast<const float4*>(table)[0];
    sums[i] = __hadd(sums[i], __float2half(packed.x + packed.y));
}

extern "C" void run(half2* x, const float2* table, Pair* pairs, half* sums, int n) {
    rope<<<(n + 127) / 128, 128>>>(x, table, pairs, sums, n);
}
