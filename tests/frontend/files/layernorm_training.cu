/*
Layernorm forward of a training program: several versions, cooperative groups, a float type chosen by macros.
*/
#include <assert.h>
#include <float.h>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include "layernorm_common.h"

#if defined(ENABLE_BF16)
typedef __nv_bfloat16 floatX;
#define PRECISION_MODE PRECISION_BF16
#elif defined(ENABLE_FP16)
typedef half floatX;
#else
typedef float floatX;
#endif

namespace cg = cooperative_groups;

struct __align__(8) SumMax {
  float maxval;
  float sum;
};

__device__ __forceinline__ SumMax reduce_sum_max_op(SumMax a, SumMax b) {
  bool a_bigger = (a.maxval > b.maxval);
  SumMax bigger_m = a_bigger ? a : b;
  SumMax smaller_m = a_bigger ? b : a;
  SumMax res;
  res.maxval = bigger_m.maxval;
  res.sum = bigger_m.sum + smaller_m.sum * expf(smaller_m.maxval - bigger_m.maxval);
  return res;
}

__global__ void layernorm_forward_kernel3(floatX* __restrict__ out, float* __restrict__ mean, float* __restrict__ rstd,
                                          const floatX* __restrict__ inp, const floatX* __restrict__ weight,
                                          const floatX* __restrict__ bias, int N, int C) {
    cg::thread_block block = cg::this_thread_block();
    cg::thread_block_tile<WARP_SIZE> warp = cg::tiled_partition<WARP_SIZE>(block);
    int idx = blockIdx.x * warp.meta_group_size() + warp.meta_group_rank();
    if(idx >= N) { return; } // guard

    const floatX* x = inp + idx * C;
    float sum = 0.0f;
    for (int i = warp.thread_rank(); i < C; i += warp.size()) {
        sum += (float)x[i];
    }
    sum = cg::reduce(warp, sum, cg::plus<float>{});
    float m = sum / C;
    if(warp.thread_rank() == 0 && mean != nullptr) {
        __stcs(mean + idx, m);
    }
    float maxval = -FLT_MAX;
    SumMax sm = reduce_sum_max_op({maxval, 0.0f}, {m, 1.0f});
    floatX* o = out + idx * C;
    for (int c = warp.thread_rank(); c < C; c += warp.size()) {
        float n = sm.sum * ((float)__ldcs(x+c) - m);
        __stcs(o+c, (floatX)(n * (float)weight[c] + (float)bias[c]));
    }
}

__global__ void matmul_backward_bias_kernel1(float* dbias, const float* dout, int B, int T, int OC) {
    extern __shared__ float shared[];
    int o = blockIdx.x;
    int tid = threadIdx.x;
    double sum = 0.0;
    for (int i = tid; i < (B) * (T); i += blockDim.x) {
        sum += dout[(size_t)(i) * (OC) + (o)];
    }
    shared[tid] = (float) sum;
    __syncthreads();
    for (int stride = blockDim.x / 2; stride > 0; stride /= 2) {
        __syncthreads();
        if (tid < stride) { shared[tid] += shared[tid + stride]; }
    }
    if (tid == 0) { dbias[o] += shared[0]; }
}

void layernorm_forward3(floatX* out, float* mean, float* rstd, const floatX* inp, const floatX* weight,
                        const floatX* bias, int B, int T, int C, const int block_size) {
    assert(block_size % WARP_SIZE == 0);
    const int N = B * T;
    const int grid_size = ceil_div(N * WARP_SIZE, block_size);
    layernorm_forward_kernel3<<<grid_size, block_size>>>(out, mean, rstd, inp, weight, bias, N, C);
    cudaCheck(cudaGetLastError());
}
