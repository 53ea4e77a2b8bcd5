#ifndef REDUCE_CUH
#define REDUCE_CUH
// A header with an include guard, a typedef between its includes, and an include in the middle of the file.
#include <cuda_bf16.h>
typedef __nv_bfloat16 element;
#include <cuda_runtime.h>

__device__ inline float sum(float v) {
    for (int o = 16; o > 0; o /= 2) v += __shfl_xor_sync(0xffffffffu, v, o);
    return __any_sync(0xffffffffu, v > 0) ? v : 0.0f;
}

#include <math.h>

__device__ inline element reduced(const element* x, int n) {
    float v = 0;
    for (int i = threadIdx.x % 32; i < n; i += 32) v += __bfloat162float(x[i]);
    return __float2bfloat16(sqrtf(sum(v)));
}
#endif
