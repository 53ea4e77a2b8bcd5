// Pipelines, locks, grids, atomics of different scopes, shuffles.
#include <cuda_pipeline.h>
#include <cooperative_groups.h>
namespace cg = cooperative_groups;

// expect: clean | --grid 2 --block 64
__global__ void staged(const float* in, float* out, int tiles) {
  __shared__ float s[2][64];
  int t = threadIdx.x;
  __pipeline_memcpy_async(&s[0][t], &in[t], 4);
  __pipeline_commit();
  for (int i = 0; i < tiles; i++) {
    if (i + 1 < tiles) __pipeline_memcpy_async(&s[(i + 1) % 2][t], &in[(i + 1) * 64 + t], 4);
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    out[(blockIdx.x * tiles + i) * 64 + t] = s[i % 2][63 - t];
    __syncthreads();
  }
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void staged_no_barrier(const float* in, float* out, int tiles) {
  __shared__ float s[2][64];
  int t = threadIdx.x;
  __pipeline_memcpy_async(&s[0][t], &in[t], 4);
  __pipeline_commit();
  for (int i = 0; i < tiles; i++) {
    if (i + 1 < tiles) __pipeline_memcpy_async(&s[(i + 1) % 2][t], &in[(i + 1) * 64 + t], 4);
    __pipeline_commit();
    __pipeline_wait_prior(1);
    out[(blockIdx.x * tiles + i) * 64 + t] = s[i % 2][63 - t];
    __syncthreads();
  }
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void staged_wait_too_few(const float* in, float* out, int tiles) {
  __shared__ float s[2][64];
  int t = threadIdx.x;
  __pipeline_memcpy_async(&s[0][t], &in[t], 4);
  __pipeline_commit();
  for (int i = 0; i < tiles; i++) {
    if (i + 1 < tiles) __pipeline_memcpy_async(&s[(i + 1) % 2][t], &in[(i + 1) * 64 + t], 4);
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    out[(blockIdx.x * tiles + i) * 64 + t] = s[i % 2][63 - t];
  }
}

// expect: clean | --grid 8 --block 32
__global__ void locked(int* lock, float* sum, const float* in) {
  if (threadIdx.x == 0) {
    while (atomicCAS(lock, 0, 1) != 0) {}
    __threadfence();
    *sum += in[blockIdx.x];
    __threadfence();
    atomicExch(lock, 0);
  }
}

// expect: XP-RACE | --grid 8 --block 32
__global__ void locked_by_two(int* lock, float* sum, const float* in) {
  if (threadIdx.x == 0) {
    while (atomicCAS(&lock[blockIdx.x & 1], 0, 1) != 0) {}
    __threadfence();
    *sum += in[blockIdx.x];
    __threadfence();
    atomicExch(&lock[blockIdx.x & 1], 0);
  }
}

// expect: XP-RACE | --grid 8 --block 32
__global__ void read_without_lock(int* lock, float* sum, const float* in, float* seen) {
  if (threadIdx.x == 0) {
    while (atomicCAS(lock, 0, 1) != 0) {}
    __threadfence();
    *sum += in[blockIdx.x];
    __threadfence();
    atomicExch(lock, 0);
    seen[blockIdx.x] = *sum;
  }
}

// expect: clean | --grid 8 --block 64
__global__ void last_block(const float* in, float* part, float* out, unsigned* done) {
  __shared__ bool is_last;
  if (threadIdx.x == 0) {
    part[blockIdx.x] = in[blockIdx.x * 64];
    __threadfence();
    is_last = atomicInc(done, gridDim.x) == gridDim.x - 1;
  }
  __syncthreads();
  if (is_last && threadIdx.x == 0) {
    float s = 0;
    for (int i = 0; i < gridDim.x; i++) s += part[i];
    *out = s;
  }
}

// expect: XP-RACE | --grid 8 --block 64
__global__ void last_block_not_told(const float* in, float* part, float* out, unsigned* done) {
  __shared__ bool is_last;
  if (threadIdx.x == 0) {
    part[blockIdx.x] = in[blockIdx.x * 64];
    __threadfence();
    is_last = atomicInc(done, gridDim.x) == gridDim.x - 1;
  }
  if (is_last && threadIdx.x == 0) {
    float s = 0;
    for (int i = 0; i < gridDim.x; i++) s += part[i];
    *out = s;
  }
}

// expect: clean | --grid 4 --block 128
__global__ void grid_wide(float* a, float* b, int n) {
  cg::grid_group g = cg::this_grid();
  for (int i = g.thread_rank(); i < n; i += g.size()) b[i] = a[i] * 2;
  g.sync();
  for (int i = g.thread_rank(); i < n; i += g.size()) a[i] = b[n - 1 - i];
}

// expect: XP-RACE | --grid 4 --block 128
__global__ void grid_wide_block_sync(float* a, float* b, int n) {
  cg::grid_group g = cg::this_grid();
  for (int i = g.thread_rank(); i < n; i += g.size()) b[i] = a[i] * 2;
  cg::this_thread_block().sync();
  for (int i = g.thread_rank(); i < n; i += g.size()) a[i] = b[n - 1 - i];
}

// expect: XP-OVERFLOW | --grid 65536 --block 256
__global__ void wide_product(const float* in, float* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i * 256] = in[i];
}

// expect: clean | --grid 65536 --block 256
__global__ void wide_product_long(const float* in, float* out) {
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  out[i * 256] = in[i];
}

// expect: XP-MASK | --grid 2 --block 64
__global__ void shuffle_half(const float* in, float* out) {
  int t = threadIdx.x;
  float v = in[t];
  if (t % 32 < 16) v += __shfl_down_sync(0xffffffff, v, 8);
  out[blockIdx.x * 64 + t] = v;
}

// expect: XP-MASK | --grid 2 --block 64
__global__ void shuffle_half_masked(const float* in, float* out) {
  int t = threadIdx.x;
  float v = in[t];
  if (t % 32 < 16) v += __shfl_down_sync(0x0000ffff, v, 8);
  out[blockIdx.x * 64 + t] = v;
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void mixed_atomic(int* bins, const int* in) {
  __shared__ int s[16];
  if (threadIdx.x < 16) s[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&s[in[threadIdx.x] & 15], 1);
  if (threadIdx.x < 16) s[threadIdx.x]++;
  __syncthreads();
  if (threadIdx.x < 16) atomicAdd(&bins[threadIdx.x], s[threadIdx.x]);
}

// expect: clean | --grid 2 --block 64
__global__ void atomic_then_plain(int* bins, const int* in) {
  __shared__ int s[16];
  if (threadIdx.x < 16) s[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&s[in[threadIdx.x] & 15], 1);
  __syncthreads();
  if (threadIdx.x < 16) s[threadIdx.x]++;
  if (threadIdx.x < 16) atomicAdd(&bins[threadIdx.x], s[threadIdx.x]);
}

// expect: XP-SAME-VALUE | --grid 2 --block 64
__global__ void flag_same(const float* in, int* found) {
  if (in[threadIdx.x] > 0.5f) *found = 1;
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void flag_different(const float* in, int* found) {
  if (in[threadIdx.x] > 0.5f) *found = threadIdx.x;
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void block_atomics_across(int* a) {
  atomicAdd_block(&a[threadIdx.x & 7], 1);
}

// expect: clean | --grid 2 --block 64
__global__ void block_atomics_within(int* a) {
  atomicAdd_block(&a[blockIdx.x * 8 + (threadIdx.x & 7)], 1);
}

// expect: XP-UNINIT | --grid 2 --block 64
__global__ void shared_not_set(const float* in, float* out) {
  __shared__ float s[64];
  if (threadIdx.x < 63) s[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = s[63 - threadIdx.x];
}

// expect: XP-ALIGN | --grid 2 --block 64
__global__ void vector_odd(const float* in, float4* out) {
  int i = blockIdx.x * 64 + threadIdx.x;
  out[i] = *(const float4*)(in + i);
}

// expect: clean | --grid 2 --block 64
__global__ void vector_even(const float* in, float4* out) {
  int i = blockIdx.x * 64 + threadIdx.x;
  out[i] = *(const float4*)(in + 4 * i);
}

// expect: clean | --grid 2 --block 256
__global__ void sum_by_eight_lanes(const float* in, float* out) {
  __shared__ float s[8];
  float v = in[blockIdx.x * 256 + threadIdx.x];
  for (int o = 16; o; o >>= 1) v += __shfl_down_sync(0xffffffff, v, o);
  if (threadIdx.x % 32 == 0) s[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x < 8) {
    v = s[threadIdx.x];
    for (int o = 4; o; o >>= 1) v += __shfl_down_sync(0xff, v, o);
    if (threadIdx.x == 0) out[blockIdx.x] = v;
  }
}

// expect: XP-MASK | --grid 2 --block 256
__global__ void sum_by_eight_of_more_lanes(const float* in, float* out) {
  __shared__ float s[8];
  float v = in[blockIdx.x * 256 + threadIdx.x];
  for (int o = 16; o; o >>= 1) v += __shfl_down_sync(0xffffffff, v, o);
  if (threadIdx.x % 32 == 0) s[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x < 8) {
    v = s[threadIdx.x];
    for (int o = 8; o; o >>= 1) v += __shfl_down_sync(0xff, v, o);
    if (threadIdx.x == 0) out[blockIdx.x] = v;
  }
}
