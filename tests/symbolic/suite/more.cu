// Work queues, grids that synchronise, asynchronous copies, triangles, warps on their own.
#include <cooperative_groups.h>
#include <cuda_pipeline.h>
namespace cg = cooperative_groups;

// expect: clean
__global__ void queue(const int* work, int* out, int* next, int n) {
  __shared__ int item;
  while (true) {
    if (threadIdx.x == 0) item = atomicAdd(next, 1);
    __syncthreads();
    if (item >= n) break;
    out[item * blockDim.x + threadIdx.x] = work[item] + threadIdx.x;
    __syncthreads();
  }
}

// expect: XP-RACE
__global__ void queue_no_second_barrier(const int* work, int* out, int* next, int n) {
  __shared__ int item;
  while (true) {
    if (threadIdx.x == 0) item = atomicAdd(next, 1);
    __syncthreads();
    if (item >= n) break;
    out[item * blockDim.x + threadIdx.x] = work[item] + threadIdx.x;
  }
}

// expect: clean
__global__ void grid_sync(float* a, float* b, int n) {
  cg::grid_group grid = cg::this_grid();
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) b[i] = a[i] * 2;
  grid.sync();
  if (i < n) a[i] = b[n - 1 - i];
}

// expect: XP-RACE
__global__ void grid_no_sync(float* a, float* b, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) b[i] = a[i] * 2;
  __syncthreads();
  if (i < n) a[i] = b[n - 1 - i];
}

// expect: clean
__global__ void async_copy(const float* in, float* out, int n) {
  __shared__ float s[128];
  int t = threadIdx.x;
  __pipeline_memcpy_async(&s[t], &in[blockIdx.x * 128 + t], sizeof(float));
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  if (blockIdx.x * 128 + t < n) out[blockIdx.x * 128 + t] = s[127 - t];
}

// expect: clean
__launch_bounds__(256)
__global__ void bounded(const float* in, float* out, int n) {
  __shared__ float s[8];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float v = i < n ? in[i] : 0;
  for (int o = 16; o; o >>= 1) v += __shfl_down_sync(~0u, v, o);
  if (threadIdx.x % 32 == 0) s[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x == 0) { float t = 0; for (int w = 0; w < blockDim.x / 32; w++) t += s[w]; out[blockIdx.x] = t; }
}

// expect: clean
__global__ void merge_path(const int* a, const int* b, int* c, int na, int nb) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < na) {
    int lo = 0, hi = nb;
    while (lo < hi) { int mid = (lo + hi) / 2; if (b[mid] < a[i]) lo = mid + 1; else hi = mid; }
    atomicAdd(&c[i + lo], a[i]);
  }
}

// expect: clean
__global__ void lu_step(float* a, int n, int k) {
  int j = blockIdx.x * blockDim.x + threadIdx.x + k + 1, i = blockIdx.y * blockDim.y + threadIdx.y + k + 1;
  if (i < n && j < n) a[i * n + j] -= a[i * n + k] * a[k * n + j] / a[k * n + k];
}

// expect: XP-RACE
__global__ void lu_step_wrong(float* a, int n, int k) {
  int j = blockIdx.x * blockDim.x + threadIdx.x + k, i = blockIdx.y * blockDim.y + threadIdx.y + k + 1;
  if (i < n && j < n) a[i * n + j] -= a[i * n + k] * a[k * n + j] / a[k * n + k];
}

// expect: clean
__global__ void upper_triangle(float* a, int n) {
  int i = blockIdx.y * blockDim.y + threadIdx.y, j = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && j < n && i < j) { float t = a[i * n + j]; a[i * n + j] = a[j * n + i]; a[j * n + i] = t; }
}

// expect: clean
__global__ void packed_triangle(float* p, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) for (int j = 0; j <= i; j++) p[i * (i + 1) / 2 + j] = j;
}

// expect: XP-RACE
__global__ void packed_triangle_wrong(float* p, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) for (int j = 0; j <= i; j++) p[i * i / 2 + j] = i + j;
}

// expect: clean
__global__ void warp_transpose(const int* in, int* out) {
  __shared__ int t[4][32][33];
  int w = threadIdx.x / 32, l = threadIdx.x % 32;
  for (int r = 0; r < 32; r++) t[w][r][l] = in[(blockIdx.x * 4 + w) * 1024 + r * 32 + l];
  __syncwarp();
  for (int r = 0; r < 32; r++) out[(blockIdx.x * 4 + w) * 1024 + r * 32 + l] = t[w][l][r];
}

// expect: XP-SYNCWARP
__global__ void warp_transpose_no_sync(const int* in, int* out) {
  __shared__ int t[4][32][33];
  int w = threadIdx.x / 32, l = threadIdx.x % 32;
  for (int r = 0; r < 32; r++) t[w][r][l] = in[(blockIdx.x * 4 + w) * 1024 + r * 32 + l];
  for (int r = 0; r < 32; r++) out[(blockIdx.x * 4 + w) * 1024 + r * 32 + l] = t[w][l][r];
}

// expect: clean
__global__ void stencil_3d(const float* in, float* out, int nx, int ny, int nz) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < 1 || x >= nx - 1 || y < 1 || y >= ny - 1) return;
  for (int z = 1; z < nz - 1; z++) {
    int c = (z * ny + y) * nx + x;
    out[c] = in[c - 1] + in[c + 1] + in[c - nx] + in[c + nx] + in[c - nx * ny] + in[c + nx * ny];
  }
}

// expect: XP-BOUNDS
__global__ void stencil_3d_low(const float* in, float* out, int nx, int ny, int nz) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= nx - 1 || y >= ny - 1) return;
  for (int z = 0; z < nz - 1; z++) {
    int c = (z * ny + y) * nx + x;
    out[c] = in[c - 1] + in[c + 1] + in[c - nx] + in[c + nx] + in[c - nx * ny] + in[c + nx * ny];
  }
}

// expect: clean
__global__ void complex_mul(const float2* a, const float2* b, float2* c, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  c[i].x = a[i].x * b[i].x - a[i].y * b[i].y;
  c[i].y = a[i].x * b[i].y + a[i].y * b[i].x;
}

// expect: XP-UNINIT
__global__ void max_uninit(const float* x, float* out, int n) {
  __shared__ float m[256];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) m[threadIdx.x] = x[i];
  __syncthreads();
  for (int s = blockDim.x / 2; s > 0; s >>= 1) {
    if (threadIdx.x < s) m[threadIdx.x] = fmaxf(m[threadIdx.x], m[threadIdx.x + s]);
    __syncthreads();
  }
  if (threadIdx.x == 0) out[blockIdx.x] = m[0];
}

// expect: clean
__global__ void exclusive_by_shift(const int* in, int* out, int n) {
  __shared__ int s[256];
  int t = threadIdx.x;
  s[t] = (t > 0 && t < n) ? in[t - 1] : 0;
  __syncthreads();
  for (int d = 1; d < blockDim.x; d *= 2) {
    int v = 0;
    if (t >= d) v = s[t - d];
    __syncthreads();
    if (t >= d) s[t] += v;
    __syncthreads();
  }
  if (t < n) out[t] = s[t];
}

// expect: clean
__global__ void match_any(const int* key, int* leader, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int k = i < n ? key[i] : -1;
  unsigned m = __match_any_sync(0xffffffff, k);
  if (i < n) leader[i] = __ffs(m) - 1;
}

// expect: clean
__global__ void barrier_in_uniform_while(float* x, int iters) {
  __shared__ float a[64], b[64];
  int t = threadIdx.x, k = 0;
  a[t] = x[t];
  __syncthreads();
  while (k < iters) {
    b[t] = 0.5f * (a[t] + a[(t + 63) % 64]);
    __syncthreads();
    a[t] = b[t];
    __syncthreads();
    k++;
  }
  x[t] = a[t];
}
