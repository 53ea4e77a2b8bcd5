// HIP kernels: tiles, dynamic LDS, atomics, barriers.
#include <hip/hip_runtime.h>

#define BLK 16
// expect: clean
__global__ void tiled_product(const float* a, const float* b, float* c, int n) {
  __shared__ float as[BLK][BLK + 1], bs[BLK][BLK + 1];
  int tx = threadIdx.x, ty = threadIdx.y, row = blockIdx.y * BLK + ty, col = blockIdx.x * BLK + tx;
  float sum = 0;
  for (int k = 0; k < n; k += BLK) {
    as[ty][tx] = row < n && k + tx < n ? a[row * n + k + tx] : 0;
    bs[ty][tx] = col < n && k + ty < n ? b[(k + ty) * n + col] : 0;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < BLK; i++) sum += as[ty][i] * bs[i][tx];
    __syncthreads();
  }
  if (row < n && col < n) c[row * n + col] = sum;
}

// expect: XP-RACE
__global__ void tiled_product_barrier_at_the_end_only(const float* a, const float* b, float* c, int n) {
  __shared__ float as[BLK][BLK + 1], bs[BLK][BLK + 1];
  int tx = threadIdx.x, ty = threadIdx.y, row = blockIdx.y * BLK + ty, col = blockIdx.x * BLK + tx;
  float sum = 0;
  for (int k = 0; k < n; k += BLK) {
    as[ty][tx] = row < n && k + tx < n ? a[row * n + k + tx] : 0;
    bs[ty][tx] = col < n && k + ty < n ? b[(k + ty) * n + col] : 0;
#pragma unroll
    for (int i = 0; i < BLK; i++) sum += as[ty][i] * bs[i][tx];
    __syncthreads();
  }
  if (row < n && col < n) c[row * n + col] = sum;
}

// expect: XP-UNINIT | --block 16,16 --grid 2,2
__global__ void tiled_product_half_loaded(const float* a, const float* b, float* c, int n) {
  __shared__ float as[BLK][BLK], bs[BLK][BLK];
  int tx = threadIdx.x, ty = threadIdx.y, row = blockIdx.y * BLK + ty, col = blockIdx.x * BLK + tx;
  float sum = 0;
  if (ty < BLK / 2) as[ty][tx] = a[row * n + tx];
  bs[ty][tx] = b[ty * n + col];
  __syncthreads();
  for (int i = 0; i < BLK; i++) sum += as[ty][i] * bs[i][tx];
  c[row * n + col] = sum;
}

// expect: clean | --block 256 --grid 2
__global__ void dynamic_lds(const float* in, float* out) {
  HIP_DYNAMIC_SHARED(float, s)
  s[threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}

// expect: clean | --block 128 --grid 2
__global__ void votes(const int* in, unsigned long long* out) {
  int i = blockIdx.x * 128 + threadIdx.x;
  unsigned long long m = __ballot(in[i] > 2);
  if (threadIdx.x % 64 == 0) out[i / 64] = m;
}

// expect: XP-RACE | --block 128 --grid 2
__global__ void votes_of_half_waves(const int* in, unsigned long long* out) {
  int i = blockIdx.x * 128 + threadIdx.x;
  unsigned long long m = __ballot(in[i] > 2);
  if (threadIdx.x % 16 == 0) out[i / 64] = m + threadIdx.x;
}

// expect: XP-DIVERGENCE | --block 256 --grid 1
__global__ void barrier_in_a_wave(float* a) {
  __shared__ float s[256];
  s[threadIdx.x] = a[threadIdx.x];
  if (threadIdx.x / 64 == 2) __syncthreads();
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: XP-BOUNDS
__global__ void guard_lets_one_more(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > n) return;
  out[i] = in[i];
}

// expect: XP-CAPACITY | --block 256 --grid 1
__global__ void more_than_a_cu_has(float* a) {
  __shared__ double s[9000];
  s[threadIdx.x] = a[threadIdx.x];
  __syncthreads();
  a[threadIdx.x] = s[255 - threadIdx.x];
}

// expect: clean
__global__ void saxpy(int n, float a, const float* x, float* y) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) y[i] += a * x[i];
}
