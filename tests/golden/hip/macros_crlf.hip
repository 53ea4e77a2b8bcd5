// Windows line ends, macros that hide intrinsics, branches on the architecture.
#ifndef TILE
#define TILE 8
#endif
#include <hip/hip_runtime.h>

// The width of a CUDA warp. A wave of 64 lanes is two such warps side by side.
static constexpr int warp32_size = 32;

#if 800 < 600 && defined(__HIP_DEVICE_COMPILE__)
__device__ double atomicAdd(double* address, double val);
#endif

#define SHFL(v, d) __shfl_down(v, d, 32)
#define LANE (threadIdx.x & (warp32_size - 1))

__global__ void tile_sums(const double* x, double* sums) {
    double v = x[blockIdx.x * blockDim.x + threadIdx.x];
#if 12000 >= 9000
    for (int d = TILE / 2; d > 0; d /= 2) v += SHFL(v, d);
#else
    for (int d = TILE / 2; d > 0; d /= 2) v += __shfl_down(v, d);
#endif
    if (LANE % TILE == 0) atomicAdd(&sums[LANE / TILE], v);
}

extern "C" void run(const double* x, double* sums) { tile_sums<<<2, 64>>>(x, sums); }
