// HIP: waves of 64, LDS, appended results.
#include <hip/hip_runtime.h>

// expect: clean | --grid 2 --block 256
__global__ void wave_sum(const float* in, float* out) {
  float v = in[blockIdx.x * 256 + threadIdx.x];
  for (int o = 32; o > 0; o >>= 1) v += __shfl_down(v, o);
  __shared__ float part[4];
  if ((threadIdx.x & 63) == 0) part[threadIdx.x >> 6] = v;
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = part[0] + part[1] + part[2] + part[3];
}

// expect: XP-UNINIT | --grid 2 --block 256
__global__ void wave_sum_of_32(const float* in, float* out) {
  float v = in[blockIdx.x * 256 + threadIdx.x];
  for (int o = warpSize / 2; o > 0; o >>= 1) v += __shfl_down(v, o);
  __shared__ float part[8];
  if (threadIdx.x % warpSize == 0) part[threadIdx.x / warpSize] = v;
  __syncthreads();
  float s = 0;
  if (threadIdx.x == 0) {
    for (int i = 0; i < 8; i++) s += part[i];
    out[blockIdx.x] = s;
  }
}

// expect: XP-RACE | --grid 2 --block 256
__global__ void wave_sum_no_barrier(const float* in, float* out) {
  float v = in[blockIdx.x * 256 + threadIdx.x];
  for (int o = 32; o > 0; o >>= 1) v += __shfl_down(v, o);
  __shared__ float part[4];
  if ((threadIdx.x & 63) == 0) part[threadIdx.x >> 6] = v;
  if (threadIdx.x == 0) out[blockIdx.x] = part[0] + part[1] + part[2] + part[3];
}

// expect: clean | --grid 4 --block 256
__global__ void lds_transpose(const float* in, float* out, int n) {
  __shared__ float t[16][17];
  int x = threadIdx.x % 16, y = threadIdx.x / 16;
  int bx = blockIdx.x % (n / 16), by = blockIdx.x / (n / 16);
  t[y][x] = in[(by * 16 + y) * n + bx * 16 + x];
  __syncthreads();
  out[(bx * 16 + y) * n + by * 16 + x] = t[x][y];
}

// expect: XP-BOUNDS | --grid 4 --block 256
__global__ void lds_too_small(const float* in, float* out) {
  __shared__ float t[15][17];
  int x = threadIdx.x % 16, y = threadIdx.x / 16;
  t[y][x] = in[blockIdx.x * 256 + threadIdx.x];
  __syncthreads();
  out[blockIdx.x * 256 + threadIdx.x] = t[y][x];
}

// expect: clean | --grid 4 --block 64
__global__ void append(const int* in, int* out, int* count, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  bool keep = i < n && in[i] > 0;
  unsigned long long ballot = __ballot(keep);
  int lane = threadIdx.x & 63;
  int base = 0;
  if (lane == 0) base = atomicAdd(count, __popcll(ballot));
  base = __shfl(base, 0);
  if (keep) out[base + __popcll(ballot & ((1ull << lane) - 1))] = in[i];
}

// expect: XP-RACE | --grid 4 --block 64
__global__ void append_plain(const int* in, int* out, int* count, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  bool keep = i < n && in[i] > 0;
  unsigned long long ballot = __ballot(keep);
  int lane = threadIdx.x & 63;
  int base = 0;
  if (lane == 0) { base = *count; *count = base + __popcll(ballot); }
  base = __shfl(base, 0);
  if (keep) out[base + __popcll(ballot & ((1ull << lane) - 1))] = in[i];
}

// expect: clean
__global__ void strided(float* a, const float* b, size_t n) {
  for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (size_t)gridDim.x * blockDim.x) a[i] = b[i];
}

// expect: XP-RACE
__global__ void strided_by_block(float* a, const float* b, size_t n) {
  for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x) a[i] += b[i];
}

// expect: XP-DIVERGENCE | --grid 2 --block 128
__global__ void barrier_by_wave(float* a) {
  __shared__ float s[128];
  s[threadIdx.x] = a[threadIdx.x];
  if (threadIdx.x / 64 == 0) __syncthreads();
  a[blockIdx.x * 128 + threadIdx.x] = s[threadIdx.x ^ 1];
}
