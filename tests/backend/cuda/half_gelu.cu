// Half and half2 arithmetic, shuffles of half, comparisons that HIP 5.2 lacks.
#include <cuda_fp16.h>
#include <cuda_runtime.h>

__global__ void gelu_half2(const half2* __restrict__ x, half2* __restrict__ y, int n2) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n2) return;
    half2 v = x[i];
    float2 f = __half22float2(v);
    f.x = 0.5f * f.x * (1.0f + tanhf(0.7978845608f * (f.x + 0.044715f * f.x * f.x * f.x)));
    f.y = 0.5f * f.y * (1.0f + tanhf(0.7978845608f * (f.y + 0.044715f * f.y * f.y * f.y)));
    y[i] = __hmul2(__float22half2_rn(f), __float2half2_rn(1.0f));
}

__global__ void row_max_half(const __half* x, __half* out, int cols) {
    __half m = __float2half(-65504.0f);
    for (int i = threadIdx.x; i < cols; i += 32) m = __hmax(m, x[blockIdx.x * cols + i]);
    for (int o = 16; o > 0; o >>= 1) m = __hmax(m, __shfl_xor_sync(0xffffffff, m, o));
    if (threadIdx.x == 0) out[blockIdx.x] = m;
}

__global__ void accumulate_half(const __half* x, __half* total, __half2* pair, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(total, x[i]);
    if (i < n) atomicAdd(pair, __halves2half2(x[i], __hmin(x[i], __float2half(0.f))));
}

extern "C" void run(const half2* x, half2* y, const __half* rows, __half* out, __half* total, __half2* pair, int n) {
    gelu_half2<<<(n + 255) / 256, 256>>>(x, y, n);
    row_max_half<<<4, 32>>>(rows, out, n);
    accumulate_half<<<(n + 255) / 256, 256>>>(rows, total, pair, n);
}
