// What newer texts use: groups, lambdas, functors, references, constexpr.
#include <cuda/atomic>
#include <cuda/barrier>
#include <cuda/pipeline>
#include <cuda_fp16.h>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/memcpy_async.h>
#include <cassert>
#include <cstdio>
namespace cg = cooperative_groups;

// expect: clean | --grid 2 --block 128
__global__ void cg_reduce_tile(const float* in, float* out) {
  auto block = cg::this_thread_block();
  auto tile = cg::tiled_partition<32>(block);
  float v = in[blockIdx.x * blockDim.x + threadIdx.x];
  v = cg::reduce(tile, v, cg::plus<float>());
  if (tile.thread_rank() == 0) atomicAdd(out, v);
}

// expect: clean | --grid 2 --block 128
__global__ void async_group_copy(const float* in, float* out) {
  __shared__ float s[128];
  auto block = cg::this_thread_block();
  cg::memcpy_async(block, s, in + blockIdx.x * 128, sizeof(float) * 128);
  cg::wait(block);
  out[blockIdx.x * 128 + threadIdx.x] = s[127 - threadIdx.x];
}

// expect: XP-RACE | --grid 2 --block 128
__global__ void async_group_copy_early(const float* in, float* out) {
  __shared__ float s[128];
  auto block = cg::this_thread_block();
  cg::memcpy_async(block, s, in + blockIdx.x * 128, sizeof(float) * 128);
  out[blockIdx.x * 128 + threadIdx.x] = s[127 - threadIdx.x];
  cg::wait(block);
}

// expect: clean | --grid 2 --block 64
__global__ void asserted(const int* in, int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  assert(n > 0);
  if (i < n) out[i] = in[i];
  if (i == 0) printf("done %d\n", n);
}

// expect: clean | --grid 2 --block 64
__global__ void matched(const int* in, int* out) {
  unsigned same = __match_any_sync(0xffffffff, in[threadIdx.x] & 3);
  int leader = __ffs(same) - 1;
  if ((threadIdx.x & 31) == leader) atomicAdd(&out[in[threadIdx.x] & 3], __popc(same));
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void matched_plain(const int* in, int* out) {
  unsigned same = __match_any_sync(0xffffffff, in[threadIdx.x] & 3);
  int leader = __ffs(same) - 1;
  if ((threadIdx.x & 31) == leader) out[in[threadIdx.x] & 3] += __popc(same);
}

template <typename F>
__device__ void for_each(int n, F f) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) f(i);
}

// expect: clean | --grid 2 --block 64
__global__ void lambda_body(const float* in, float* out, int n) {
  for_each(n, [=] __device__(int i) { out[i] = in[i] * 2; });
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void lambda_body_neighbour(float* out, int n) {
  for_each(n - 1, [=] __device__(int i) { out[i] = out[i + 1] * 2; });
}

struct Square {
  __device__ float operator()(float x) const { return x * x; }
};
struct Writer {
  float* to;
  __device__ void put(int i, float v) { to[i] = v; }
};

// expect: clean | --grid 2 --block 64
template <typename F>
__global__ void functor(const float* in, float* out, int n, F f) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = f(in[i]);
}
void launch_functor(const float* in, float* out, int n) { functor<<<(n + 63) / 64, 64>>>(in, out, n, Square()); }

// expect: XP-RACE | --grid 2 --block 64
__global__ void method(float* out) {
  Writer w{out + threadIdx.x / 2};
  w.put(0, threadIdx.x);
}

// expect: clean | --grid 2 --block 64
__global__ void method_own(float* out) {
  Writer w{out + blockIdx.x * 64};
  w.put(threadIdx.x, threadIdx.x);
}

// expect: clean | --grid 4 --block 8,8
__global__ void row_pointers(float (*a)[64], const float (*b)[64]) {
  int x = blockIdx.x * 8 + threadIdx.x, y = threadIdx.y;
  a[y][x] = b[y][x];
}

// expect: XP-RACE | --grid 4 --block 8,8
__global__ void row_pointers_wrapped(float (*a)[24], const float (*b)[24]) {
  int x = blockIdx.x * 8 + threadIdx.x, y = threadIdx.y;
  a[y][x] = b[y][x] + y;
}

template <int W>
__device__ inline float& cell(float* s, int y, int x) { return s[y * W + x]; }

// expect: clean | --grid 1 --block 16,16
__global__ void references(const float* in, float* out) {
  __shared__ float s[16 * 17];
  cell<17>(s, threadIdx.y, threadIdx.x) = in[threadIdx.y * 16 + threadIdx.x];
  __syncthreads();
  out[threadIdx.y * 16 + threadIdx.x] = cell<17>(s, threadIdx.x, threadIdx.y);
}

// expect: XP-RACE | --grid 1 --block 16,16
__global__ void references_narrow(const float* in, float* out) {
  __shared__ float s[16 * 17];
  cell<15>(s, threadIdx.y, threadIdx.x) = in[threadIdx.y * 16 + threadIdx.x];
  __syncthreads();
  out[threadIdx.y * 16 + threadIdx.x] = cell<15>(s, threadIdx.y, threadIdx.x);
}

// expect: clean | --grid 1 --block 128
template <int B>
__global__ void if_constexpr(const float* in, float* out) {
  __shared__ float s[B];
  s[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  if constexpr (B >= 128) {
    if (threadIdx.x < 64) s[threadIdx.x] += s[threadIdx.x + 64];
    __syncthreads();
  }
  if (threadIdx.x < 32) out[threadIdx.x] = s[threadIdx.x] + s[threadIdx.x + 32];
}
template __global__ void if_constexpr<128>(const float*, float*);

enum Mode { LEFT, RIGHT };

// expect: XP-BOUNDS | --grid 1 --block 64
__global__ void enum_modes(const float* in, float* out, Mode m) {
  __shared__ float s[64];
  s[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  switch (m) {
    case LEFT: out[threadIdx.x] = s[threadIdx.x - 1]; break;
    case RIGHT: out[threadIdx.x] = s[(threadIdx.x + 1) % 64]; break;
  }
}

// expect: clean | --grid 4 --block 64
__global__ void bool_flags(bool* seen, const int* in, int n) {
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i < n) seen[i] = in[i] > 0;
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void bits_of_words(unsigned* bits, const int* in) {
  if (in[threadIdx.x] > 0) bits[threadIdx.x / 32] |= 1u << (threadIdx.x % 32);
}

// expect: clean | --grid 1 --block 64
__global__ void bits_of_words_atomic(unsigned* bits, const int* in) {
  if (in[threadIdx.x] > 0) atomicOr(&bits[threadIdx.x / 32], 1u << (threadIdx.x % 32));
}

// expect: XP-DIVERGENCE | --grid 1 --block 64
__global__ void asm_barrier(float* a) {
  if (threadIdx.x < 16) __syncthreads_count(a[threadIdx.x] > 0);
  a[threadIdx.x] = 0;
}

// expect: XP-UNINIT | --grid 1 --block 64
__global__ void sum_not_set(const float* in, float* out) {
  float s;
  for (int i = 0; i < 4; i++) s += in[i * 64 + threadIdx.x];
  out[threadIdx.x] = s;
}

// expect: XP-UNINIT | --grid 1 --block 64
__global__ void shared_sum_not_set(const int* in, int* out) {
  __shared__ int s;
  atomicAdd(&s, in[threadIdx.x]);
  __syncthreads();
  if (threadIdx.x == 0) *out = s;
}

// expect: XP-ZERO | --grid 1 --block 64
__global__ void divided_by_thread(const int* in, int* out) { out[threadIdx.x] = in[threadIdx.x] / threadIdx.x; }

// expect: clean | --grid 2 --block 64
__global__ void half_sums(const half* in, half* out, int n) {
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i < n) out[i] = __hadd(in[i], __float2half(1.0f));
}

// expect: XP-ALIGN | --grid 2 --block 64
__global__ void float2_of_shared_odd(const float* in, float* out) {
  __shared__ float s[130];
  s[threadIdx.x] = in[threadIdx.x];
  if (threadIdx.x < 2) s[64 + threadIdx.x] = 0;
  __syncthreads();
  float2 v = *reinterpret_cast<float2*>(&s[threadIdx.x]);
  out[blockIdx.x * 64 + threadIdx.x] = v.x + v.y;
}

// expect: XP-BOUNDS | --grid 2 --block 64
__global__ void float4_past_end(const float* in, float* out) {
  __shared__ float s[250];
  for (int i = threadIdx.x; i < 250; i += 64) s[i] = in[i];
  __syncthreads();
  float4 v = *reinterpret_cast<float4*>(&s[4 * threadIdx.x]);
  out[blockIdx.x * 64 + threadIdx.x] = v.x + v.y + v.z + v.w;
}

// expect: clean | --grid 2 --block 256
__global__ void register_tile(const float* a, float* b) {
  float r[4];
#pragma unroll
  for (int i = 0; i < 4; i++) r[i] = a[(blockIdx.x * 4 + i) * 256 + threadIdx.x];
#pragma unroll
  for (int i = 0; i < 4; i++) b[(blockIdx.x * 4 + i) * 256 + threadIdx.x] = r[3 - i];
}

// expect: XP-BOUNDS | --grid 2 --block 256
__global__ void register_tile_reversed(const float* a, float* b) {
  float r[4];
#pragma unroll
  for (int i = 0; i < 4; i++) r[i] = a[(blockIdx.x * 4 + i) * 256 + threadIdx.x];
#pragma unroll
  for (int i = 0; i < 4; i++) b[(blockIdx.x * 4 + i) * 256 + threadIdx.x] = r[4 - i];
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void swizzle_lost(const float* in, float* out) {
  __shared__ float s[64];
  int t = threadIdx.x;
  s[t ^ ((t & 8) >> 1) & 63] = in[t];
  __syncthreads();
  out[blockIdx.x * 64 + t] = s[t];
  s[t & 31] = out[blockIdx.x * 64 + t];
}

// expect: clean | --grid 2 --block 64
__global__ void swizzle_row(const float* in, float* out) {
  __shared__ float s[8][8];
  int r = threadIdx.x / 8, c = threadIdx.x % 8;
  s[r][c ^ r] = in[threadIdx.x];
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = s[c][r ^ c];
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void swizzle_or(const float* in, float* out) {
  __shared__ float s[8][8];
  int r = threadIdx.x / 8, c = threadIdx.x % 8;
  s[r][c | (r & 1)] = in[threadIdx.x];
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = s[c][r];
}
