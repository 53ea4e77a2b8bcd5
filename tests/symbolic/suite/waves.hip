// HIP: waves of 64 lanes.
#include <hip/hip_runtime.h>

// expect: clean | --block 256 --grid 3
__global__ void wave_maximum(const float* in, float* out) {
  float v = in[blockIdx.x * blockDim.x + threadIdx.x];
  for (int o = 32; o > 0; o >>= 1) v = fmaxf(v, __shfl_xor(v, o));
  if (threadIdx.x % 64 == 0) out[(blockIdx.x * blockDim.x + threadIdx.x) / 64] = v;
}

// expect: XP-RACE | --block 256 --grid 3
__global__ void wave_maximum_in_one(const float* in, float* out) {
  float v = in[blockIdx.x * blockDim.x + threadIdx.x];
  for (int o = 32; o > 0; o >>= 1) v = fmaxf(v, __shfl_xor(v, o));
  if (threadIdx.x % 64 == 0) out[blockIdx.x] = v;
}

// expect: XP-WARP-SIZE | --block 256 --grid 1
__global__ void lanes_of_another_house(const float* in, float* out) {
  float v = in[threadIdx.x];
  for (int o = 16; o > 0; o >>= 1) v += __shfl_down(v, o);
  if (threadIdx.x % 32 == 0) out[threadIdx.x / 32] = v;
}

// expect: XP-SYNCWARP | --block 256 --grid 1
__global__ void last_wave_in_lockstep(const float* in, float* out) {
  __shared__ float s[256];
  int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  if (t < 128) s[t] += s[t + 128];
  __syncthreads();
  if (t < 64) {
    s[t] += s[t + 64];
    s[t] += s[t + 32];
  }
  __syncthreads();
  if (t == 0) out[0] = s[0];
}

// expect: clean | --block 16,16 --grid 2,2
__global__ void lds_transpose(const float* in, float* out, int n) {
  __shared__ float tile[16][17];
  int x = hipBlockIdx_x * 16 + hipThreadIdx_x, y = hipBlockIdx_y * 16 + hipThreadIdx_y;
  tile[hipThreadIdx_y][hipThreadIdx_x] = in[y * n + x];
  __syncthreads();
  x = hipBlockIdx_y * 16 + hipThreadIdx_x;
  y = hipBlockIdx_x * 16 + hipThreadIdx_y;
  out[y * n + x] = tile[hipThreadIdx_x][hipThreadIdx_y];
}

// expect: XP-RACE | --block 16,16 --grid 2,2
__global__ void lds_transpose_no_barrier(const float* in, float* out, int n) {
  __shared__ float tile[16][17];
  int x = hipBlockIdx_x * 16 + hipThreadIdx_x, y = hipBlockIdx_y * 16 + hipThreadIdx_y;
  tile[hipThreadIdx_y][hipThreadIdx_x] = in[y * n + x];
  x = hipBlockIdx_y * 16 + hipThreadIdx_x;
  y = hipBlockIdx_x * 16 + hipThreadIdx_y;
  out[y * n + x] = tile[hipThreadIdx_x][hipThreadIdx_y];
}

// expect: XP-BOUNDS | --block 256 --grid 1
__global__ void neighbour_of_the_last(const float* in, float* out) {
  __shared__ float s[256];
  s[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x + 1] - s[threadIdx.x];
}

// expect: XP-DIVERGENCE
__global__ void returns_before_a_barrier(const float* in, float* out, int n) {
  __shared__ float s[128];
  int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= n) return;
  s[threadIdx.x] = in[i];
  __syncthreads();
  out[i] = s[threadIdx.x];
}

// expect: clean
__global__ void dot(const float* a, const float* b, float* out, int n) {
  __shared__ float s[256];
  float sum = 0;
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += 256 * gridDim.x) sum += a[i] * b[i];
  s[threadIdx.x] = sum;
  for (int d = 128; d > 0; d >>= 1) {
    __syncthreads();
    if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
  }
  if (threadIdx.x == 0) atomicAdd(out, s[0]);
}

// expect: XP-RACE
__global__ void dot_plain_sum(const float* a, const float* b, float* out, int n) {
  __shared__ float s[256];
  float sum = 0;
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += 256 * gridDim.x) sum += a[i] * b[i];
  s[threadIdx.x] = sum;
  for (int d = 128; d > 0; d >>= 1) {
    __syncthreads();
    if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
  }
  if (threadIdx.x == 0) *out += s[0];
}
