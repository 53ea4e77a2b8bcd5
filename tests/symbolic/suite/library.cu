// Blocks that wait for one another, and what the C++ library of CUDA has: atomic references, barriers, groups.
#include <cuda_runtime.h>
#include <cuda/atomic>
#include <cuda/barrier>
#include <cooperative_groups.h>
namespace cg = cooperative_groups;

// ---- decoupled look-back
enum : unsigned { EMPTY = 0u, PARTIAL = 1u, PREFIX = 2u };

// expect: undecided | --block 128 --grid 8
__global__ void lookback(const int* in, int* out, volatile unsigned* flag, volatile int* part, volatile int* pref, int n) {
  __shared__ int s[128];
  __shared__ int base;
  const int t = threadIdx.x;
  const int i = blockIdx.x * 128 + t;
  s[t] = i < n ? in[i] : 0;
  __syncthreads();
  for (int d = 1; d < 128; d *= 2) {
    int v = t >= d ? s[t - d] : 0;
    __syncthreads();
    s[t] += v;
    __syncthreads();
  }
  if (t == 0) {
    int sum = s[127];
    int excl = 0;
    if (blockIdx.x == 0) {
      pref[0] = sum;
      __threadfence();
      flag[0] = PREFIX;
    } else {
      part[blockIdx.x] = sum;
      __threadfence();
      flag[blockIdx.x] = PARTIAL;
      int b = blockIdx.x - 1;
      while (true) {
        unsigned f = flag[b];
        while (f == EMPTY) f = flag[b];
        __threadfence();
        if (f == PREFIX) { excl += pref[b]; break; }
        excl += part[b];
        --b;
      }
      pref[blockIdx.x] = excl + sum;
      __threadfence();
      flag[blockIdx.x] = PREFIX;
    }
    base = excl;
  }
  __syncthreads();
  if (i < n) out[i] = s[t] + base;
}

// expect: XP-RACE | --block 128 --grid 8
__global__ void lookback_without_barrier(const int* in, int* out, volatile unsigned* flag, volatile int* pref, int n) {
  __shared__ int s[128];
  __shared__ int base;
  const int t = threadIdx.x;
  const int i = blockIdx.x * 128 + t;
  s[t] = i < n ? in[i] : 0;
  __syncthreads();
  for (int d = 1; d < 128; d *= 2) {
    int v = t >= d ? s[t - d] : 0;
    __syncthreads();
    s[t] += v;
    __syncthreads();
  }
  if (t == 0) {
    int excl = 0;
    if (blockIdx.x > 0) {
      while (flag[blockIdx.x - 1] == 0) { }
      __threadfence();
      excl = pref[blockIdx.x - 1];
    }
    pref[blockIdx.x] = excl + s[127];
    __threadfence();
    flag[blockIdx.x] = 1;
    base = excl;
  }
  if (i < n) out[i] = s[t] + base;
}

// expect: undecided | --block 64 --grid 4
__global__ void chained(const float* in, float* out, int* ready, int n) {
  __shared__ float carry;
  const int b = blockIdx.x;
  if (threadIdx.x == 0) {
    if (b > 0) {
      while (atomicAdd(&ready[b - 1], 0) == 0) __nanosleep(20);
      __threadfence();
      carry = out[b - 1];
    } else {
      carry = 0.0f;
    }
    float total = carry;
    for (int k = b * 64; k < min(n, b * 64 + 64); ++k) total += in[k];
    out[b] = total;
    __threadfence();
    atomicExch(&ready[b], 1);
  }
}

// expect: XP-RACE | --block 64 --grid 4
__global__ void chained_not_waited(const float* in, float* out, int n) {
  const int b = blockIdx.x;
  if (threadIdx.x == 0) {
    float total = b > 0 ? out[b - 1] : 0.0f;
    for (int k = b * 64; k < min(n, b * 64 + 64); ++k) total += in[k];
    out[b] = total;
  }
}

// ---- cuda::atomic_ref

// expect: clean | --block 128 --grid 4
__global__ void count_ref(const int* v, int* bins, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    cuda::atomic_ref<int, cuda::thread_scope_device> bin(bins[v[i] & 15]);
    bin.fetch_add(1, cuda::memory_order_relaxed);
  }
}

// expect: XP-RACE | --block 128 --grid 4
__global__ void count_no_ref(const int* v, int* bins, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    int& bin = bins[v[i] & 15];
    bin = bin + 1;
  }
}

// expect: clean | --block 128 --grid 4
__global__ void maximum_ref(const float* v, int* best, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  cuda::atomic_ref<int, cuda::thread_scope_device> top{*best};
  top.fetch_max(__float_as_int(fabsf(v[i])));
}

// ---- cuda::barrier

// expect: clean | --block 128 --grid 2
__global__ void staged_by_barrier(const float* in, float* out) {
  __shared__ float tile[128];
  __shared__ cuda::barrier<cuda::thread_scope_block> bar;
  if (threadIdx.x == 0) init(&bar, blockDim.x);
  __syncthreads();
  tile[threadIdx.x] = in[blockIdx.x * 128 + threadIdx.x];
  bar.arrive_and_wait();
  out[blockIdx.x * 128 + threadIdx.x] = tile[127 - threadIdx.x];
}

// ---- coalesced groups

// expect: clean | --block 128 --grid 4
__global__ void filter_coalesced(const int* in, int* out, int* count, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] > 0) {
    cg::coalesced_group active = cg::coalesced_threads();
    int at = 0;
    if (active.thread_rank() == 0) at = atomicAdd(count, (int)active.size());
    at = active.shfl(at, 0);
    out[at + active.thread_rank()] = in[i];
  }
}

// expect: XP-RACE | --block 128 --grid 4
__global__ void filter_no_rank(const int* in, int* out, int* count, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] > 0) {
    auto active = cg::coalesced_threads();
    int at = 0;
    if (active.thread_rank() == 0) at = atomicAdd(count, (int)active.size());
    at = active.shfl(at, 0);
    out[at] = in[i];
  }
}
