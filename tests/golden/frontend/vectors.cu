#include <cuda_fp16.h>
// Vector loads of scalars, of narrower scalars, and in shared memory.
__global__ void vectors(const float *a, const half *h, float4 *out, half *copy, int n) {
    __shared__ half tile[32][64 + 8];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float4 v = reinterpret_cast<const float4 *>(a)[i];
    v.x += 1.0f;
    v = make_float4(v.y, v.x, v.w, v.z);
    out[i] = v;
    *(float4 *)&tile[threadIdx.x][8] = *(const float4 *)&h[i * 8];
    __syncthreads();
    half2 p = *reinterpret_cast<half2 *>(&tile[threadIdx.x][2 * (i % 4)]);
    float2 f = __half22float2(__hadd2(p, p));
    *reinterpret_cast<half2 *>(copy + 2 * i) = __floats2half2_rn(f.x, f.y * 0.5f);
}
