// Atomics that are told their scope, and data that is an index: all values of a byte.
#include <hip/hip_runtime.h>

// expect: clean | --block 128 --grid 4
__global__ void scoped_sum(const int* x, int* sum, int n) {
  int s = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) s += x[i];
  __hip_atomic_fetch_add(sum, s, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
}

// expect: XP-RACE | --block 128 --grid 4
__global__ void scoped_sum_of_a_block(const int* x, int* sum, int n) {
  int s = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) s += x[i];
  __hip_atomic_fetch_add(sum, s, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP);
}

// expect: XP-BOUNDS | --block 256 --grid 4
__global__ void bytes_in_half_a_histogram(const unsigned char* p, unsigned* hist, int n) {
  __shared__ unsigned h[128];
  if (threadIdx.x < 128) h[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&h[p[i]], 1u);
  __syncthreads();
  if (threadIdx.x < 128) atomicAdd(&hist[threadIdx.x], h[threadIdx.x]);
}

// expect: clean | --block 256 --grid 4
__global__ void half_bytes_in_half_a_histogram(const unsigned char* p, unsigned* hist, int n) {
  __shared__ unsigned h[128];
  if (threadIdx.x < 128) h[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    atomicAdd(&h[p[i] >> 1], 1u);
  __syncthreads();
  if (threadIdx.x < 128) atomicAdd(&hist[threadIdx.x], h[threadIdx.x]);
}
