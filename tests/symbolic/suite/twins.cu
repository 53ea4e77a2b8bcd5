// Kernels in the manner of verifier suites: each with a twin that has the fault.

// expect: clean | --block 128 --grid 1
__global__ void rotate_pairs(float* a) {
  __shared__ float s[128];
  int t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  float v = s[t ^ 1];
  __syncthreads();
  s[t] = v * 2.0f;
  a[t] = s[t];
}

// expect: XP-RACE | --block 128 --grid 1
__global__ void rotate_pairs_one_barrier(float* a) {
  __shared__ float s[128];
  int t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  float v = s[(t + 64) % 128];
  s[t] = v * 2.0f;
  a[t] = s[t];
}

// expect: clean | --block 256 --grid 1
__global__ void double_buffer(const float* in, float* out, int steps) {
  __shared__ float s[2][256];
  int t = threadIdx.x, p = 0;
  s[0][t] = in[t];
  __syncthreads();
  for (int k = 0; k < steps; k++) {
    s[1 - p][t] = s[p][(t + 1) % 256] + s[p][t];
    p = 1 - p;
    __syncthreads();
  }
  out[t] = s[p][t];
}

// expect: XP-RACE | --block 256 --grid 1
__global__ void double_buffer_no_flip(const float* in, float* out, int steps) {
  __shared__ float s[2][256];
  int t = threadIdx.x, p = 0;
  s[0][t] = in[t];
  s[1][t] = 0.0f;
  __syncthreads();
  for (int k = 0; k < steps; k++) {
    s[p][t] = s[p][(t + 1) % 256] + s[1 - p][t] + k;
    __syncthreads();
  }
  out[t] = s[p][t];
}

// expect: XP-DIVERGENCE | --block 96 --grid 1
__global__ void loop_trips_differ(int* a) {
  for (int i = threadIdx.x / 32; i < 3; i++) {
    a[threadIdx.x] += i;
    __syncthreads();
  }
}

// expect: clean | --block 96 --grid 2
__global__ void loop_trips_of_block(int* a) {
  for (int i = blockIdx.x; i < 3; i++) {
    a[blockIdx.x * 96 + threadIdx.x] += i;
    __syncthreads();
  }
}

// expect: XP-DIVERGENCE | --block 64 --grid 4
__global__ void early_out(float* a, int n) {
  __shared__ float s[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i >= n) return;
  s[threadIdx.x] = a[i];
  __syncthreads();
  a[i] = s[threadIdx.x] + 1.0f;
}

// expect: clean | --block 64 --grid 4
__global__ void whole_blocks_out(float* a, int n) {
  __shared__ float s[64];
  if (blockIdx.x * 64 + 63 >= n) return;
  int i = blockIdx.x * 64 + threadIdx.x;
  s[63 - threadIdx.x] = a[i];
  __syncthreads();
  a[i] = s[threadIdx.x] + 1.0f;
}

// expect: XP-BOUNDS | --block 64 --grid 1
__global__ void stencil_edge(const float* in, float* out) {
  __shared__ float s[64];
  int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  out[t] = s[t] + s[t + 1];
}

// expect: clean | --block 64 --grid 1
__global__ void stencil_halo(const float* in, float* out) {
  __shared__ float s[66];
  int t = threadIdx.x;
  s[t + 1] = in[t];
  if (t == 0) { s[0] = 0.0f; s[65] = 0.0f; }
  __syncthreads();
  out[t] = s[t] + s[t + 1] + s[t + 2];
}

// expect: XP-UNINIT | --block 64 --grid 1
__global__ void stencil_halo_unset(const float* in, float* out) {
  __shared__ float s[66];
  int t = threadIdx.x;
  s[t + 1] = in[t];
  if (t == 0) s[0] = 0.0f;
  __syncthreads();
  out[t] = s[t] + s[t + 1] + s[t + 2];
}

// expect: clean | --block 128 --grid 1
__global__ void ballot_compact(const int* in, int* out) {
  __shared__ int base[4];
  int t = threadIdx.x, lane = t & 31, warp = t >> 5;
  unsigned m = __ballot_sync(0xffffffff, in[t] > 0);
  if (lane == 0) base[warp] = __popc(m);
  __syncthreads();
  int start = 0;
  for (int w = 0; w < warp; w++) start += base[w];
  if (in[t] > 0) out[start + __popc(m & ((1u << lane) - 1))] = in[t];
}

// expect: XP-RACE | --block 128 --grid 1
__global__ void ballot_compact_no_base(const int* in, int* out) {
  int t = threadIdx.x, lane = t & 31;
  unsigned m = __ballot_sync(0xffffffff, in[t] > -1);
  out[__popc(m & ((1u << lane) - 1))] = t;
}

// expect: XP-MASK | --block 64 --grid 1
__global__ void shuffle_in_branch(float* a) {
  float v = a[threadIdx.x];
  if (threadIdx.x % 32 < 16) v += __shfl_xor_sync(0xffffffff, v, 16);
  a[threadIdx.x] = v;
}

// expect: clean | --block 64 --grid 1
__global__ void shuffle_of_half(float* a) {
  float v = a[threadIdx.x];
  if (threadIdx.x % 32 < 16) v += __shfl_xor_sync(0x0000ffff, v, 8);
  a[threadIdx.x] = v;
}

// expect: XP-RACE | --block 32,8 --grid 1
__global__ void transpose_in_place(float* a) {
  int x = threadIdx.x, y = threadIdx.y;
  float v = a[y * 32 + x];
  a[x * 8 + y] = v;
}

// expect: clean | --block 32,8 --grid 1
__global__ void transpose_through_tile(const float* a, float* b) {
  __shared__ float s[8][33];
  s[threadIdx.y][threadIdx.x] = a[threadIdx.y * 32 + threadIdx.x];
  __syncthreads();
  int t = threadIdx.y * 32 + threadIdx.x;
  b[t] = s[t % 8][t / 8];
}

// expect: XP-RACE | --block 64 --grid 8
__global__ void last_block(const float* in, float* out, float* total) {
  float v = in[blockIdx.x * 64 + threadIdx.x];
  out[blockIdx.x * 64 + threadIdx.x] = v;
  if (threadIdx.x == 0) *total = *total + v;
}

// expect: clean | --block 64 --grid 8
__global__ void strided_columns(float* a, int rows, int cols) {
  for (int c = blockIdx.x * blockDim.x + threadIdx.x; c < cols; c += gridDim.x * blockDim.x)
    for (int r = 1; r < rows; r++) a[r * cols + c] += a[(r - 1) * cols + c];
}

// expect: XP-RACE | --block 64 --grid 8
__global__ void strided_rows(float* a, int rows, int cols) {
  for (int c = blockIdx.x * blockDim.x + threadIdx.x; c < cols; c += gridDim.x * blockDim.x)
    for (int r = 0; r < rows; r++) a[r * cols + c] += a[r * cols + (c + 1) % cols];
}
