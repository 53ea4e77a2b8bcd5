// What a kernel takes for granted: by assertions, by early exits, by its launch bounds, by nobody.
#include <cassert>

// expect: clean | --block 64 --grid 2
__global__ void asserted_block(const float* in, float* out) {
  assert(blockDim.x == 64);
  __shared__ float s[64];
  s[threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}

// expect: clean
__global__ void asserted_size(float* a, int n) {
  assert(n % 2 == 0);
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (2 * i < n) {
    float v = a[2 * i];
    a[2 * i] = a[2 * i + 1];
    a[2 * i + 1] = v;
  }
}

// expect: clean
__global__ void assumed_stride(float* a, int n, int stride) {
  __builtin_assume(stride >= 32);
  int i = blockIdx.x * 32 + threadIdx.x % 32;
  if (threadIdx.x < 32 && threadIdx.x < n) a[blockIdx.x * stride + threadIdx.x] = i;
}

// expect: XP-RACE | --block 32 --grid 4
__global__ void stride_too_short(float* a, int n) {
  const int stride = 31;
  a[blockIdx.x * stride + threadIdx.x] = threadIdx.x;
}

// expect: clean
__global__ void leaves_unless_one_block(float* a, int n) {
  if (gridDim.x != 1) return;
  for (int i = threadIdx.x; i < n; i += blockDim.x) a[i] += 1;
}

// expect: XP-RACE | --block 64 --grid 4
__global__ void every_block_does_all(float* a, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) a[i] += 1;
}

// expect: clean
__global__ void __launch_bounds__(128) bounded_block(const float* in, float* out, int n) {
  __shared__ float s[128];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  s[threadIdx.x] = i < n ? in[i] : 0;
  __syncthreads();
  int other = blockDim.x - 1 - threadIdx.x;
  if (i < n) out[i] = s[other];
}

// expect: XP-BOUNDS
__global__ void __launch_bounds__(256) bounded_block_larger_than_its_array(const float* in, float* out, int n) {
  __shared__ float s[128];
  int i = blockIdx.x * 256 + threadIdx.x;
  s[threadIdx.x] = i < n ? in[i] : 0;
  __syncthreads();
  if (i < n) out[i] = s[255 - threadIdx.x];
}

// expect: clean
__global__ void only_one_thread(int* a, int n) {
  if (threadIdx.x + blockIdx.x * blockDim.x == 0)
    for (int i = 1; i < n; i++) a[i] += a[i - 1];
}

// expect: XP-RACE | --block 64 --grid 4
__global__ void one_thread_of_each_block(int* a, int n) {
  if (threadIdx.x == 0)
    for (int i = 1; i < n; i++) a[i] += a[i - 1];
}

// expect: XP-UNGUARDED
__global__ void size_never_used(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = in[i];
}

// expect: clean
__global__ void window(const float* in, float* out, int n, int radius) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < radius || i + radius >= n) return;
  float sum = 0;
  for (int k = -radius; k <= radius; k++) sum += in[i + k];
  out[i] = sum;
}

// expect: XP-BOUNDS
__global__ void window_at_the_edges(const float* in, float* out, int n, int radius) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float sum = 0;
  for (int k = -radius; k <= radius; k++) sum += in[i + k];
  out[i] = sum;
}

// expect: clean
__global__ void clamped(const float* in, float* out, int n, int shift) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[min(max(i - shift, 0), n - 1)];
}

// expect: clean
__global__ void wrapped_around(const float* in, float* out, int n, int shift) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[((i + shift) % n + n) % n] = in[i];
}

// expect: XP-RACE
__global__ void wrapped_too_early(const float* in, float* out, int n, int shift) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[(i + shift) % (n - 1)] = in[i];
}

// expect: clean
__global__ void pitched(char* base, size_t pitch, int w, int h) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < w && y < h) {
    float* row = (float*)(base + y * pitch);
    row[x] = x * y;
  }
}
