// Branches that only some data take, and indices that are kept below the wrong number.
#include <cuda_runtime.h>

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void barrier_break(const int* in, int* out) {
  __shared__ int s[64];
  for (int i = 0; i < 8; ++i) {
    s[threadIdx.x] = in[i * 64 + threadIdx.x];
    if (s[threadIdx.x] < 0) break;
    __syncthreads();
    out[i * 64 + threadIdx.x] = s[63 - threadIdx.x];
    __syncthreads();
  }
}

// expect: clean | --block 64 --grid 1
__global__ void uniform_break(const int* in, int* out, int limit) {
  __shared__ int s[64];
  for (int i = 0; i < 8; ++i) {
    if (i * 64 >= limit) break;
    s[threadIdx.x] = in[i * 64 + threadIdx.x];
    __syncthreads();
    out[i * 64 + threadIdx.x] = s[63 - threadIdx.x];
    __syncthreads();
  }
}

// expect: clean | --block 64 --grid 1
__global__ void break_by_vote(const int* in, int* out) {
  __shared__ int s[64];
  for (int i = 0; i < 8; ++i) {
    int v = in[i * 64 + threadIdx.x];
    if (__syncthreads_or(v < 0)) break;
    s[threadIdx.x] = v;
    __syncthreads();
    out[i * 64 + threadIdx.x] = s[63 - threadIdx.x];
    __syncthreads();
  }
}

// expect: XP-BOUNDS | --block 64 --grid 2
__global__ void hist_int_into_256(const int* a, unsigned* h, int n) {
  __shared__ unsigned bins[256];
  for (int i = threadIdx.x; i < 256; i += 64) bins[i] = 0;
  __syncthreads();
  for (int i = blockIdx.x * 64 + threadIdx.x; i < n; i += gridDim.x * 64) atomicAdd(&bins[(a[i] & 511)], 1u);
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += 64) atomicAdd(&h[i], bins[i]);
}

// expect: clean | --block 64 --grid 2
__global__ void hist_clamped(const int* a, unsigned* h, int n) {
  __shared__ unsigned bins[32];
  if (threadIdx.x < 32) bins[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * 64 + threadIdx.x; i < n; i += gridDim.x * 64) {
    int b = a[i] / 8;
    b = b < 0 ? 0 : b > 31 ? 31 : b;
    atomicAdd(&bins[b], 1u);
  }
  __syncthreads();
  if (threadIdx.x < 32) atomicAdd(&h[threadIdx.x], bins[threadIdx.x]);
}

// expect: clean | --block 64 --grid 2
__global__ void gather_checked(const float* x, const int* idx, float* y, int n, int m) {
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i < n) {
    int j = idx[i];
    y[i] = (j >= 0 && j < m) ? x[j] : 0.f;
  }
}

// expect: XP-BOUNDS | --block 64 --grid 2
__global__ void gather_half_checked(const float* x, const int* idx, float* y, int n) {
  __shared__ float s[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  s[threadIdx.x] = x[i];
  __syncthreads();
  int j = idx[i];
  if (j <= 64 && j >= 0) y[i] = s[j];
}

// expect: XP-BOUNDS | --block 64 --grid 2
__global__ void enum_table(const int* op, const float* x, float* y, int n) {
  const float tab[4] = {1.f, 2.f, 4.f, 8.f};
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * tab[op[i] & 7];
}

// expect: clean | --block 64 --grid 2
__global__ void enum_table_ok(const int* op, const float* x, float* y, int n) {
  const float tab[8] = {1.f, 2.f, 4.f, 8.f, 16.f, 32.f, 64.f, 128.f};
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * tab[op[i] & 7];
}

// expect: XP-BOUNDS
__global__ void last_that_is_not_negative(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    int j = i;
    while (x[j] < 0.0f) --j;
    y[i] = x[j];
  }
}

// expect: clean
__global__ void last_that_is_not_negative_or_the_first(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    int j = i;
    while (j > 0 && x[j] < 0.0f) --j;
    y[i] = x[j];
  }
}
