// Kernels in the manner of verifier suites: each with a twin that has the fault.
#include <hip/hip_runtime.h>

// expect: clean | --block 256 --grid 1
__global__ void wave_sums(const float* in, float* out) {
  __shared__ float s[4];
  float v = in[threadIdx.x];
  for (int o = 32; o > 0; o >>= 1) v += __shfl_down(v, o);
  if (threadIdx.x % 64 == 0) s[threadIdx.x / 64] = v;
  __syncthreads();
  if (threadIdx.x == 0) out[0] = s[0] + s[1] + s[2] + s[3];
}

// expect: XP-UNINIT | --block 256 --grid 1
__global__ void wave_sums_of_eight(const float* in, float* out) {
  __shared__ float s[8];
  float v = in[threadIdx.x];
  for (int o = 32; o > 0; o >>= 1) v += __shfl_down(v, o);
  if (threadIdx.x % 64 == 0) s[threadIdx.x / 64] = v;
  __syncthreads();
  if (threadIdx.x < 8) out[threadIdx.x] = s[threadIdx.x];
}

// expect: XP-RACE | --block 256 --grid 1
__global__ void wave_sums_no_barrier(const float* in, float* out) {
  __shared__ float s[4];
  float v = in[threadIdx.x];
  for (int o = 32; o > 0; o >>= 1) v += __shfl_down(v, o);
  if (threadIdx.x % 64 == 0) s[threadIdx.x / 64] = v;
  if (threadIdx.x == 0) out[0] = s[0] + s[1] + s[2] + s[3];
}

// expect: XP-DIVERGENCE | --block 256 --grid 1
__global__ void barrier_of_a_wave(float* a) {
  __shared__ float s[64];
  if (threadIdx.x < 64) {
    s[threadIdx.x] = a[threadIdx.x];
    __syncthreads();
    a[threadIdx.x] = s[63 - threadIdx.x];
  }
}

// expect: XP-BOUNDS | --block 64 --grid 2
__global__ void bins_of_seven(const int* in, int* out) {
  __shared__ int bins[7];
  if (threadIdx.x < 8) bins[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&bins[in[threadIdx.x] & 3], 1);
  __syncthreads();
  if (threadIdx.x < 7) atomicAdd(&out[threadIdx.x], bins[threadIdx.x]);
}

// expect: clean | --block 64 --grid 2
__global__ void bins_of_eight(const int* in, int* out) {
  __shared__ int bins[8];
  if (threadIdx.x < 8) bins[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&bins[in[blockIdx.x * 64 + threadIdx.x] & 7], 1);
  __syncthreads();
  if (threadIdx.x < 8) atomicAdd(&out[threadIdx.x], bins[threadIdx.x]);
}

// expect: XP-RACE | --block 64 --grid 2
__global__ void bins_without_atomics(const int* in, int* out) {
  __shared__ int bins[8];
  if (threadIdx.x < 8) bins[threadIdx.x] = 0;
  __syncthreads();
  bins[in[blockIdx.x * 64 + threadIdx.x] & 7] += 1;
  __syncthreads();
  if (threadIdx.x < 8) atomicAdd(&out[threadIdx.x], bins[threadIdx.x]);
}

// expect: XP-CAPACITY | --block 64 --grid 1
__global__ void too_much_lds(float* a) {
  __shared__ float s[20000];
  s[threadIdx.x] = a[threadIdx.x];
  __syncthreads();
  a[threadIdx.x] = s[63 - threadIdx.x];
}
