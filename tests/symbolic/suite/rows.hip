// Guards that one operand of several lacks.
#include <hip/hip_runtime.h>

// expect: clean | --block 16,16 --grid 2,2
__global__ void gemm_tn(const float* A, const float* B, float* C, int M, int N, int K) {
  __shared__ float a[16][17], b[16][17];
  const int m = blockIdx.y * 16 + threadIdx.y, n = blockIdx.x * 16 + threadIdx.x;
  float acc = 0;
  for (int k0 = 0; k0 < K; k0 += 16) {
    a[threadIdx.y][threadIdx.x] = (k0 + threadIdx.y < K && blockIdx.y * 16 + threadIdx.x < M) ? A[(k0 + threadIdx.y) * M + blockIdx.y * 16 + threadIdx.x] : 0;
    b[threadIdx.y][threadIdx.x] = (k0 + threadIdx.y < K && n < N) ? B[(k0 + threadIdx.y) * N + n] : 0;
    __syncthreads();
    for (int k = 0; k < 16; ++k) acc += a[k][threadIdx.y] * b[k][threadIdx.x];
    __syncthreads();
  }
  if (m < M && n < N) C[m * N + n] = acc;
}

// expect: XP-BOUNDS | --block 16,16 --grid 2,2
__global__ void gemm_tn_tail_k(const float* A, const float* B, float* C, int M, int N, int K) {
  __shared__ float a[16][17], b[16][17];
  const int m = blockIdx.y * 16 + threadIdx.y, n = blockIdx.x * 16 + threadIdx.x;
  float acc = 0;
  for (int k0 = 0; k0 < K; k0 += 16) {
    a[threadIdx.y][threadIdx.x] = (blockIdx.y * 16 + threadIdx.x < M) ? A[(k0 + threadIdx.y) * M + blockIdx.y * 16 + threadIdx.x] : 0;
    b[threadIdx.y][threadIdx.x] = (k0 + threadIdx.y < K && n < N) ? B[(k0 + threadIdx.y) * N + n] : 0;
    __syncthreads();
    for (int k = 0; k < 16; ++k) acc += a[k][threadIdx.y] * b[k][threadIdx.x];
    __syncthreads();
  }
  if (m < M && n < N) C[m * N + n] = acc;
}

// expect: clean | --block 256 --grid 4
__global__ void compact(const int* in, int* out, int* count, int n) {
  __shared__ int base, local;
  if (threadIdx.x == 0) local = 0;
  __syncthreads();
  int i = blockIdx.x * 256 + threadIdx.x;
  int at = -1;
  if (i < n && in[i] > 0) at = atomicAdd(&local, 1);
  __syncthreads();
  if (threadIdx.x == 0) base = atomicAdd(count, local);
  __syncthreads();
  if (at >= 0) out[base + at] = in[i];
}

// expect: XP-RACE | --block 256 --grid 4
__global__ void compact_no_base_sync(const int* in, int* out, int* count, int n) {
  __shared__ int base, local;
  if (threadIdx.x == 0) local = 0;
  __syncthreads();
  int i = blockIdx.x * 256 + threadIdx.x;
  int at = -1;
  if (i < n && in[i] > 0) at = atomicAdd(&local, 1);
  __syncthreads();
  if (threadIdx.x == 0) base = atomicAdd(count, local);
  if (at >= 0) out[base + at] = in[i];
}

// expect: XP-RACE | --block 256 --grid 4
__global__ void compact_init_race(const int* in, int* out, int* count, int n) {
  __shared__ int base, local;
  if (threadIdx.x == 0) local = 0;
  int i = blockIdx.x * 256 + threadIdx.x;
  int at = -1;
  if (i < n && in[i] > 0) at = atomicAdd(&local, 1);
  __syncthreads();
  if (threadIdx.x == 0) base = atomicAdd(count, local);
  __syncthreads();
  if (at >= 0) out[base + at] = in[i];
}

// expect: clean | --block 64 --grid 2
__global__ void lds_banks(const float* in, float* out, int n) {
  __shared__ float t[64 + 64 / 32];
  int i = blockIdx.x * 64 + threadIdx.x;
  int p = threadIdx.x + (threadIdx.x >> 5);
  t[p] = i < n ? in[i] : 0;
  __syncthreads();
  int q = 63 - threadIdx.x;
  if (i < n) out[i] = t[q + (q >> 5)];
}

// expect: XP-BOUNDS | --block 64 --grid 2
__global__ void lds_banks_16(const float* in, float* out, int n) {
  __shared__ float t[64 + 64 / 32];
  int i = blockIdx.x * 64 + threadIdx.x;
  int p = threadIdx.x + (threadIdx.x >> 4);
  t[p] = i < n ? in[i] : 0;
  __syncthreads();
  int q = 63 - threadIdx.x;
  if (i < n) out[i] = t[q + (q >> 4)];
}
