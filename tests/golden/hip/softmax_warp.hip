// Softmax, a warp a row: shuffle reductions in every spelling that is in use.
#include <cfloat>
#include <hip/hip_runtime.h>

// The width of a CUDA warp. A wave of 64 lanes is two such warps side by side.
static constexpr int warp32_size = 32;

#define FULL_MASK 0xffffffff
#define WARP_SIZE 32

__inline__ __device__ float warp_max(float v) {
    for (int offset = 16; offset > 0; offset /= 2) v = fmaxf(v, __shfl_xor(v, offset, 32));
    return v;
}

template <typename T>
__device__ __forceinline__ T warp_sum(T v) {
#pragma unroll
    for (int offset = warp32_size / 2; offset > 0; offset >>= 1) v += __shfl_down(v, offset, 32);
    return __shfl(v, 0, 32);
}

__global__ void softmax_warp(const float* __restrict__ in, float* __restrict__ out, int rows, int cols) {
    const int warp = (blockIdx.x * blockDim.x + threadIdx.x) / warp32_size;
    const int lane = threadIdx.x % warp32_size;
    if (warp >= rows) return;
    const float* x = in + warp * cols;
    float* y = out + warp * cols;
    float m = -FLT_MAX;
    for (int i = lane; i < cols; i += warp32_size) m = fmaxf(m, x[i]);
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
