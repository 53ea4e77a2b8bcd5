// LayerNorm, a block a row: two-level reduction through shared memory, one slot a warp.
#include <cuda_runtime.h>

__device__ float block_sum(float v, float* shared) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffff, v, o, 32);
    __syncthreads();
    if (lane == 0) shared[warp] = v;
    __syncthreads();
    int warps = (blockDim.x + 31) / 32;
    v = lane < warps ? shared[lane] : 0.0f;
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffff, v, o, 32);
    return v;
}

__global__ void layernorm_kernel(const float* x, const float* gamma, const float* beta, float* y, int n, float eps) {
    __shared__ float shared[32];
    const float* row = x + (size_t)blockIdx.x * n;
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += row[i];
    const float mean = block_sum(sum, shared) / n;
    float sq = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sq += (row[i] - mean) * (row[i] - mean);
    const float inv = rsqrtf(block_sum(sq, shared) / n + eps);
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        y[(size_t)blockIdx.x * n + i] = (row[i] - mean) * inv * gamma[i] + beta[i];
}

extern "C" void layernorm(const float* x, const float* gamma, const float* beta, float* y, int rows, int n) {
    layernorm_kernel<<<rows, 96>>>(x, gamma, beta, y, n, 1e-5f);
}
