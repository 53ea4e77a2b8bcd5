// HIP: library idioms, 2-D launches, waves.
#include <hip/hip_runtime.h>

// expect: clean | --block 64,4 --grid 2
__global__ void wave_a_row(const float* in, float* out, int cols) {
  int row = blockIdx.x * blockDim.y + threadIdx.y;
  float v = 0;
  for (int c = threadIdx.x; c < cols; c += 64) v += in[row * cols + c];
  for (int o = 32; o; o >>= 1) v += __shfl_xor(v, o, 64);
  if (threadIdx.x == 0) out[row] = v;
}

// expect: XP-RACE | --block 64,4 --grid 2
__global__ void wave_a_row_of_the_block(const float* in, float* out, int cols) {
  int row = threadIdx.y;
  float v = 0;
  for (int c = threadIdx.x; c < cols; c += 64) v += in[(blockIdx.x * 4 + row) * cols + c];
  for (int o = 32; o; o >>= 1) v += __shfl_xor(v, o, 64);
  if (threadIdx.x == 0) out[row] = v + blockIdx.x;
}

// expect: clean
__global__ void stencil3(const float* in, float* out, int n) {
  __shared__ float s[256 + 2];
  int i = blockIdx.x * 256 + threadIdx.x, t = threadIdx.x + 1;
  s[t] = i < n ? in[i] : 0;
  if (threadIdx.x == 0) s[0] = i > 0 ? in[i - 1] : 0;
  if (threadIdx.x == 255) s[257] = i + 1 < n ? in[i + 1] : 0;
  __syncthreads();
  if (i < n) out[i] = s[t - 1] + s[t] + s[t + 1];
}

// expect: XP-BOUNDS
__global__ void stencil3_halo_of_one(const float* in, float* out, int n) {
  __shared__ float s[256 + 1];
  int i = blockIdx.x * 256 + threadIdx.x, t = threadIdx.x + 1;
  s[t] = i < n ? in[i] : 0;
  if (threadIdx.x == 0) s[0] = i > 0 ? in[i - 1] : 0;
  if (threadIdx.x == 255) s[257] = i + 1 < n ? in[i + 1] : 0;
  __syncthreads();
  if (i < n) out[i] = s[t - 1] + s[t];
}

// expect: XP-UNINIT
__global__ void stencil3_no_halo(const float* in, float* out, int n) {
  __shared__ float s[256 + 2];
  int i = blockIdx.x * 256 + threadIdx.x, t = threadIdx.x + 1;
  s[t] = i < n ? in[i] : 0;
  __syncthreads();
  if (i < n) out[i] = s[t - 1] + s[t] + s[t + 1];
}

// expect: clean
__global__ void counts(const unsigned* in, unsigned* out, int n) {
  __shared__ unsigned bins[16];
  if (threadIdx.x < 16) bins[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&bins[in[i] & 15], 1u);
  __syncthreads();
  if (threadIdx.x < 16) atomicAdd(&out[threadIdx.x], bins[threadIdx.x]);
}

// expect: XP-RACE
__global__ void counts_stored(const unsigned* in, unsigned* out, int n) {
  __shared__ unsigned bins[16];
  if (threadIdx.x < 16) bins[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&bins[in[i] & 15], 1u);
  __syncthreads();
  if (threadIdx.x < 16) out[threadIdx.x] += bins[threadIdx.x];
}

// expect: XP-DIVERGENCE | --block 128 --grid 1
__global__ void barrier_by_data(const int* in, int* out) {
  __shared__ int s[128];
  s[threadIdx.x] = in[threadIdx.x];
  while (s[threadIdx.x] > 0) {
    s[threadIdx.x]--;
    __syncthreads();
  }
  out[threadIdx.x] = s[threadIdx.x];
}
