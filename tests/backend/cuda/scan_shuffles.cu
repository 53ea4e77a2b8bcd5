// Inclusive scan: shuffles up with delta in a loop, segments narrower than a warp, a block-wide scan of warp sums.
#include <cuda_runtime.h>

template <int WIDTH>
__device__ int segment_scan(int v, int lane) {
#pragma unroll
    for (int d = 1; d < WIDTH; d *= 2) {
        int other = __shfl_up_sync(0xffffffff, v, d, WIDTH);
        if (lane % WIDTH >= d) v += other;
    }
    return v;
}

__global__ void scan_block(const int* in, int* out, int* segments, int* rotated, int n) {
    __shared__ int sums[32];
    const int tid = threadIdx.x, lane = tid & 31, warp = tid >> 5, i = blockIdx.x * blockDim.x + tid;
    int v = i < n ? in[i] : 0;
    segments[i] = segment_scan<8>(v, lane);
    rotated[i] = __shfl_sync(0xffffffff, v, lane + 5) - __shfl_sync(0xffffffff, v, lane - 3, 16);
    v = segment_scan<32>(v, lane);
    if (lane == 31) sums[warp] = v;
    __syncthreads();
    if (warp == 0) {
        int s = lane < blockDim.x / 32 ? sums[lane] : 0;
        sums[lane] = segment_scan<32>(s, lane);
    }
    __syncthreads();
    if (warp > 0) v += sums[warp - 1];
    if (i < n) out[i] = v;
}

extern "C" void run(const int* in, int* out, int* segments, int* rotated, int n) {
    scan_block<<<(n + 159) / 160, 160>>>(in, out, segments, rotated, n);
}
