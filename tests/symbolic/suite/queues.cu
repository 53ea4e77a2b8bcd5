// Indices that threads count themselves, whatever data decide who does.
#include <cuda_runtime.h>

// expect: clean | --block 32 --grid 2
__global__ void local_array_sort(const int* in, int* out) {
  int v[8];
  int base = (blockIdx.x * 32 + threadIdx.x) * 8;
#pragma unroll
  for (int k = 0; k < 8; ++k) v[k] = in[base + k];
  for (int i = 1; i < 8; ++i) {
    int x = v[i], j = i - 1;
    while (j >= 0 && v[j] > x) { v[j + 1] = v[j]; --j; }
    v[j + 1] = x;
  }
  for (int k = 0; k < 8; ++k) out[base + k] = v[k];
}

// expect: XP-BOUNDS | --block 32 --grid 2
__global__ void local_array_sort_wrong(const int* in, int* out) {
  int v[8];
  int base = (blockIdx.x * 32 + threadIdx.x) * 8;
#pragma unroll
  for (int k = 0; k < 8; ++k) v[k] = in[base + k];
  for (int i = 1; i < 8; ++i) {
    int x = v[i], j = i - 1;
    while (v[j] > x) { v[j + 1] = v[j]; --j; }
    v[j + 1] = x;
  }
  for (int k = 0; k < 8; ++k) out[base + k] = v[k];
}

// expect: clean | --block 64 --grid 1
__global__ void odd_even_sort(int* data) {
  __shared__ int s[128];
  int t = threadIdx.x;
  s[2 * t] = data[2 * t];
  s[2 * t + 1] = data[2 * t + 1];
  __syncthreads();
  for (int p = 0; p < 128; ++p) {
    int i = 2 * t + (p & 1);
    if (i + 1 < 128 && s[i] > s[i + 1]) { int x = s[i]; s[i] = s[i + 1]; s[i + 1] = x; }
    __syncthreads();
  }
  data[2 * t] = s[2 * t];
  data[2 * t + 1] = s[2 * t + 1];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void odd_even_sort_all(int* data) {
  __shared__ int s[65];
  int t = threadIdx.x;
  s[t] = data[t];
  if (t == 0) s[64] = 1 << 30;
  __syncthreads();
  for (int p = 0; p < 64; ++p) {
    if (s[t] > s[t + 1]) { int x = s[t]; s[t] = s[t + 1]; s[t + 1] = x; }
    __syncthreads();
  }
  data[t] = s[t];
}

// expect: clean | --block 64 --grid 2
__global__ void queue_in_shared(const int* in, int* out, int n) {
  __shared__ int q[64];
  __shared__ int tail;
  if (threadIdx.x == 0) tail = 0;
  __syncthreads();
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i < n && in[i] > 2) q[atomicAdd(&tail, 1)] = i;
  __syncthreads();
  for (int k = threadIdx.x; k < tail; k += 64) out[q[k]] = 1;
}

// expect: XP-BOUNDS | --block 128 --grid 2
__global__ void queue_too_short(const int* in, int* out, int n) {
  __shared__ int q[64];
  __shared__ int tail;
  if (threadIdx.x == 0) tail = 0;
  __syncthreads();
  int i = blockIdx.x * 128 + threadIdx.x;
  if (i < n && in[i] >= 0) q[atomicAdd(&tail, 1)] = i;
  __syncthreads();
  for (int k = threadIdx.x; k < tail; k += 128) out[q[k]] = 1;
}

// expect: clean | --block 64 --grid 4
__global__ void k59(const int* x, int* y, int n) {
  __shared__ int cnt[2];
  int i = blockIdx.x * 64 + threadIdx.x;
  if (threadIdx.x < 2) cnt[threadIdx.x] = 0;
  __syncthreads();
  int side = i < n ? x[i] & 1 : 0;
  int at = i < n ? atomicAdd(&cnt[side], 1) : 0;
  __syncthreads();
  if (i < n) y[blockIdx.x * 64 + (side ? cnt[0] + at : at)] = x[i];
}

// expect: XP-RACE | --block 64 --grid 4
__global__ void k60(const int* x, int* y, int n) {
  __shared__ int cnt[2];
  int i = blockIdx.x * 64 + threadIdx.x;
  if (threadIdx.x < 2) cnt[threadIdx.x] = 0;
  __syncthreads();
  int side = i < n ? x[i] & 1 : 0;
  int at = i < n ? atomicAdd(&cnt[side], 1) : 0;
  if (i < n) y[blockIdx.x * 64 + (side ? cnt[0] + at : at)] = x[i];
}

// expect: clean | --block 16,16 --grid 2,2
__global__ void k64(const float* in, float* out, int W, int H) {
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  if (x < W && y < H) { float a = 0; for (int j = -1; j <= 1; ++j) for (int i = -1; i <= 1; ++i) { int u = x + i, v = y + j; if (u >= 0 && u < W && v >= 0 && v < H) a += in[v * W + u]; } out[y * W + x] = a / 9; }
}

// expect: XP-BOUNDS | --block 16,16 --grid 2,2
__global__ void k65(const float* in, float* out, int W, int H) {
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  if (x < W && y < H) { float a = 0; for (int j = -1; j <= 1; ++j) for (int i = -1; i <= 1; ++i) { int u = x + i, v = y + j; if (u >= 0 && u < W && v >= 0 && v <= H) a += in[v * W + u]; } out[y * W + x] = a / 9; }
}

// expect: clean | --block 64 --grid 3
__global__ void permute4(const float* in, float* out, int B, int H, int W, int C) {
  int total = B * H * W * C;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < total; i += gridDim.x * blockDim.x) {
    int c = i % C, w = i / C % W, h = i / (C * W) % H, b = i / (C * W * H);
    out[((b * C + c) * H + h) * W + w] = in[i];
  }
}

// expect: XP-RACE | --block 64 --grid 3
__global__ void permute4_wrong(const float* in, float* out, int B, int H, int W, int C) {
  int total = B * H * W * C;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < total; i += gridDim.x * blockDim.x) {
    int c = i % C, w = i / C % W, h = i / (C * W) % H, b = i / (C * W * H);
    out[((b * C + c) * W + h) * W + w] = in[i];
  }
}
