// Softmax, a warp a row: shuffle reductions in every spelling that is in use.
#include <cfloat>
#include <cuda_runtime.h>

#define FULL_MASK 0xffffffff
#define WARP_SIZE 32

__inline__ __device__ float warp_max(float v) {
    for (int offset = 16; offset > 0; offset /= 2) v = fmaxf(v, __shfl_xor_sync(FULL_MASK, v, offset));
    return v;
}

template <typename T>
__device__ __forceinline__ T warp_sum(T v) {
#pragma unroll
    for (int offset = warpSize / 2; offset > 0; offset >>= 1) v += __shfl_down_sync(0xffffffffu, v, offset);
    return __shfl_sync(0xffffffffu, v, 0);
}

__global__ void softmax_warp(const float* __restrict__ in, float* __restrict__ out, int rows, int cols) {
    const int warp = (blockIdx.x * blockDim.x + threadIdx.x) / warpSize;
    const int lane = threadIdx.x % warpSize;
    if (warp >= rows) return;
    const float* x = in + warp * cols;
    float* y = out + warp * cols;
    float m = -FLT_MAX;
    for (int i = lane; i < cols; i += warpSize) m = fmaxf(m, x[i]);
    m = warp_max(m);
    float s = 0.f;
    for (int i = lane; i < cols; i += WARP_SIZE) s += __expf(x[i] - m);
    s = warp_sum(s);
    for (int i = lane; i < cols; i += 32) y[i] = __expf(x[i] - m) / s;
}

extern "C" void softmax(const float* in, float* out, int rows, int cols) {
    const int block = 128;
    softmax_warp<<<(rows * 32 + block - 1) / block, block>>>(in, out, rows, cols);
}
