#include <cooperative_groups.h>
namespace cg = cooperative_groups;

// expect: clean | --grid 2 --block 128
__global__ void carve(const float* in, float* out) {
  extern __shared__ float mem[];
  float* a = mem;
  float* b = mem + blockDim.x;
  int* c = (int*)(b + blockDim.x);
  int t = threadIdx.x;
  a[t] = in[t];
  b[t] = 2 * in[t];
  c[t] = t ^ 1;
  __syncthreads();
  out[blockIdx.x * blockDim.x + t] = a[c[t]] + b[t];
}

// expect: XP-RACE | --grid 2 --block 128
__global__ void carve_overlap(const float* in, float* out) {
  extern __shared__ float mem[];
  float* a = mem;
  float* b = mem + blockDim.x - 1;
  int t = threadIdx.x;
  a[t] = in[t];
  b[t] = 2 * in[t];
  __syncthreads();
  out[blockIdx.x * blockDim.x + t] = a[t] + b[t];
}

// expect: clean | --grid 2 --block 256
template <int BLOCK>
__global__ void tree(const float* in, float* out, int n) {
  __shared__ float s[BLOCK];
  unsigned tid = threadIdx.x, i = blockIdx.x * (BLOCK * 2) + tid;
  float v = 0;
  if (i < n) v = in[i];
  if (i + BLOCK < n) v += in[i + BLOCK];
  s[tid] = v;
  __syncthreads();
  if (BLOCK >= 256) { if (tid < 128) s[tid] = v = v + s[tid + 128]; __syncthreads(); }
  if (BLOCK >= 128) { if (tid < 64) s[tid] = v = v + s[tid + 64]; __syncthreads(); }
  if (tid < 32) {
    v += s[tid + 32];
    for (int o = 16; o > 0; o /= 2) v += __shfl_down_sync(0xffffffff, v, o);
  }
  if (tid == 0) out[blockIdx.x] = v;
}
void launch_tree(const float* in, float* out, int n) { tree<256><<<(n + 511) / 512, 256>>>(in, out, n); }

// expect: XP-RACE
template <int BLOCK>
__global__ void tree_missing(const float* in, float* out, int n) {
  __shared__ float s[BLOCK];
  unsigned tid = threadIdx.x, i = blockIdx.x * (BLOCK * 2) + tid;
  float v = 0;
  if (i < n) v = in[i];
  if (i + BLOCK < n) v += in[i + BLOCK];
  s[tid] = v;
  __syncthreads();
  if (BLOCK >= 256) { if (tid < 128) s[tid] = v = v + s[tid + 128]; }
  if (BLOCK >= 128) { if (tid < 64) s[tid] = v = v + s[tid + 64]; __syncthreads(); }
  if (tid < 32) {
    v += s[tid + 32];
    for (int o = 16; o > 0; o /= 2) v += __shfl_down_sync(0xffffffff, v, o);
  }
  if (tid == 0) out[blockIdx.x] = v;
}
void launch_tree_missing(const float* in, float* out, int n) { tree_missing<256><<<(n + 511) / 512, 256>>>(in, out, n); }

// expect: clean | --grid 1 --block 256
__global__ void reduce_interleaved(int* a) {
  for (unsigned s = 1; s < blockDim.x; s *= 2) {
    unsigned i = 2 * s * threadIdx.x;
    if (i < blockDim.x) a[i] += a[i + s];
    __syncthreads();
  }
}

// expect: XP-RACE | --grid 1 --block 256
__global__ void reduce_interleaved_bad(int* a) {
  for (unsigned s = 1; s < blockDim.x; s *= 2) {
    unsigned i = s * threadIdx.x;
    if (i + s < blockDim.x) a[i] += a[i + s];
    __syncthreads();
  }
}

// expect: clean | --grid 4 --block 32,8
__global__ void transposed(const float* in, float* out, int w, int h) {
  __shared__ float tile[32][33];
  int x = blockIdx.x * 32 + threadIdx.x;
  for (int j = 0; j < 32; j += 8) {
    int y = blockIdx.y * 32 + threadIdx.y + j;
    if (x < w && y < h) tile[threadIdx.y + j][threadIdx.x] = in[y * w + x];
  }
  __syncthreads();
  int xo = blockIdx.y * 32 + threadIdx.x;
  for (int j = 0; j < 32; j += 8) {
    int y = blockIdx.x * 32 + threadIdx.y + j;
    if (xo < h && y < w) out[y * h + xo] = tile[threadIdx.x][threadIdx.y + j];
  }
}

// expect: XP-RACE | --grid 4 --block 32,8
__global__ void transposed_wrong_width(const float* in, float* out, int w, int h) {
  __shared__ float tile[32][33];
  int x = blockIdx.x * 32 + threadIdx.x;
  for (int j = 0; j < 32; j += 4) {
    int y = blockIdx.y * 32 + threadIdx.y + j;
    if (x < w && y < h) tile[(threadIdx.y + j) & 31][threadIdx.x] = in[y * w + x];
  }
  __syncthreads();
  int xo = blockIdx.y * 32 + threadIdx.x;
  for (int j = 0; j < 32; j += 8) {
    int y = blockIdx.x * 32 + threadIdx.y + j;
    if (xo < h && y < w) out[y * h + xo] = tile[threadIdx.x][threadIdx.y + j];
  }
}

// expect: clean | --grid 2 --block 4,4,4
__global__ void cube(const float* in, float* out) {
  __shared__ float s[4][4][4];
  int x = threadIdx.x, y = threadIdx.y, z = threadIdx.z;
  s[z][y][x] = in[blockIdx.x * 64 + (z * 4 + y) * 4 + x];
  __syncthreads();
  out[blockIdx.x * 64 + (x * 4 + y) * 4 + z] = s[z][y][x] + s[x][y][z];
}

// expect: XP-RACE | --grid 2 --block 4,4,4
__global__ void cube_flat(const float* in, float* out) {
  __shared__ float s[64];
  int x = threadIdx.x, y = threadIdx.y, z = threadIdx.z;
  s[z * 16 + y * 4 + x] = in[blockIdx.x * 64 + (z * 4 + y) * 4 + x];
  __syncthreads();
  out[blockIdx.x * 64 + (z * 4 + y) * 3 + x] = s[z * 16 + y * 4 + x];
}

// expect: XP-BOUNDS | --grid 2 --block 4,4,4
__global__ void cube_halo(const float* in, float* out) {
  __shared__ float s[5][5][5];
  int x = threadIdx.x, y = threadIdx.y, z = threadIdx.z;
  for (int i = z * 16 + y * 4 + x; i < 125; i += 64) ((float*)s)[i] = in[i];
  __syncthreads();
  out[blockIdx.x * 64 + (z * 4 + y) * 4 + x] = s[z + 1][y + 1][x + 1] + s[z + 2][y][x];
}

// expect: clean | --grid 2 --block 128
__global__ void tiles(const int* in, int* out) {
  __shared__ int s[128];
  auto tile = cg::tiled_partition<16>(cg::this_thread_block());
  int t = threadIdx.x;
  s[t] = in[blockIdx.x * 128 + t];
  tile.sync();
  int v = 0;
  for (int i = 0; i < 16; i++) v += s[(t & ~15) + i];
  tile.sync();
  s[t] = v;
  out[blockIdx.x * 128 + t] = s[t];
}

// expect: XP-RACE | --grid 2 --block 128
__global__ void tiles_too_narrow(const int* in, int* out) {
  __shared__ int s[128];
  auto tile = cg::tiled_partition<16>(cg::this_thread_block());
  int t = threadIdx.x;
  s[t] = in[blockIdx.x * 128 + t];
  tile.sync();
  int v = 0;
  for (int i = 0; i < 64; i++) v += s[(t & ~63) + i];
  out[blockIdx.x * 128 + t] = v;
}

// expect: XP-BOUNDS | --grid 4 --block 256
__global__ void halo_left(const float* in, float* out, int n) {
  __shared__ float s[256 + 2];
  int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  s[t + 1] = i < n ? in[i] : 0;
  if (t == 0) s[0] = in[i - 1];
  if (t == 255) s[257] = i + 1 < n ? in[i + 1] : 0;
  __syncthreads();
  if (i < n) out[i] = s[t] + s[t + 1] + s[t + 2];
}

// expect: clean | --grid 4 --block 256
__global__ void halo_both(const float* in, float* out, int n) {
  __shared__ float s[256 + 2];
  int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  s[t + 1] = i < n ? in[i] : 0;
  if (t == 0) s[0] = i > 0 && i - 1 < n ? in[i - 1] : 0;
  if (t == 255) s[257] = i + 1 < n ? in[i + 1] : 0;
  __syncthreads();
  if (i < n) out[i] = s[t] + s[t + 1] + s[t + 2];
}
