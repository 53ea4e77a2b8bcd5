// Asynchronous copies, tensor cores, packed numbers, cooperative launches, shared atomics.
#include <cooperative_groups.h>
#include <cuda_fp16.h>
#include <cuda_pipeline.h>
#include <mma.h>
namespace cg = cooperative_groups;
using namespace nvcuda;

// expect: XP-RACE | --block 128 --grid 1
__global__ void copied_and_not_met(const float* in, float* out) {
  __shared__ float s[128];
  int t = threadIdx.x;
  __pipeline_memcpy_async(&s[t], &in[t], sizeof(float));
  __pipeline_commit();
  __pipeline_wait_prior(0);
  out[t] = s[127 - t];
}

// expect: clean | --block 64 --grid 1
__global__ void two_stages(const float* in, float* out, int tiles) {
  __shared__ float s[2][64];
  int t = threadIdx.x;
  float sum = 0;
  __pipeline_memcpy_async(&s[0][t], &in[t], sizeof(float));
  __pipeline_commit();
  for (int k = 0; k < tiles; k++) {
    if (k + 1 < tiles) __pipeline_memcpy_async(&s[(k + 1) % 2][t], &in[(k + 1) * 64 + t], sizeof(float));
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    sum += s[k % 2][63 - t];
    __syncthreads();
  }
  out[t] = sum;
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void two_stages_one_barrier(const float* in, float* out, int tiles) {
  __shared__ float s[2][64];
  int t = threadIdx.x;
  float sum = 0;
  s[0][t] = in[t];
  for (int k = 0; k < tiles; k++) {
    __syncthreads();
    sum += s[k % 2][63 - t];
    if (k + 1 < tiles) s[k % 2][t] = in[(k + 1) * 64 + t];
  }
  out[t] = sum;
}

// expect: clean | --block 64 --grid 1
__global__ void three_buffers_one_barrier(const float* in, float* out, int tiles) {
  __shared__ float s[3][64];
  int t = threadIdx.x;
  float sum = 0;
  s[0][t] = in[t];
  for (int k = 0; k < tiles; k++) {
    if (k + 1 < tiles) s[(k + 1) % 3][t] = in[(k + 1) * 64 + t];
    __syncthreads();
    sum += s[k % 3][63 - t];
  }
  out[t] = sum;
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void one_buffer_one_barrier(const float* in, float* out, int tiles) {
  __shared__ float s[64];
  int t = threadIdx.x;
  float sum = 0;
  for (int k = 0; k < tiles; k++) {
    s[t] = in[k * 64 + t];
    __syncthreads();
    sum += s[63 - t];
  }
  out[t] = sum;
}

// expect: clean | --block 32 --grid 2,2
__global__ void fragments(const half* a, const half* b, float* c, int n) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> fa;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> fb;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> fc;
  wmma::fill_fragment(fc, 0.0f);
  for (int k = 0; k < n; k += 16) {
    wmma::load_matrix_sync(fa, a + blockIdx.y * 16 * n + k, n);
    wmma::load_matrix_sync(fb, b + k * n + blockIdx.x * 16, n);
    wmma::mma_sync(fc, fa, fb, fc);
  }
  wmma::store_matrix_sync(c + blockIdx.y * 16 * n + blockIdx.x * 16, fc, n, wmma::mem_row_major);
}

// expect: XP-RACE | --block 32 --grid 2,2
__global__ void fragments_in_one_column(const half* a, const half* b, float* c, int n) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> fa;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> fb;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> fc;
  wmma::fill_fragment(fc, 0.0f);
  wmma::load_matrix_sync(fa, a + blockIdx.y * 16 * n, n);
  wmma::load_matrix_sync(fb, b + blockIdx.x * 16, n);
  wmma::mma_sync(fc, fa, fb, fc);
  wmma::store_matrix_sync(c + blockIdx.y * 16 * n, fc, n, wmma::mem_row_major);
}

// expect: XP-MASK | --block 32 --grid 1
__global__ void fragments_by_half_a_warp(const half* a, float* c) {
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> fa;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> fc;
  wmma::fill_fragment(fc, 0.0f);
  if (threadIdx.x < 16) wmma::load_matrix_sync(fa, a, 16);
  wmma::store_matrix_sync(c, fc, 16, wmma::mem_row_major);
}

// expect: clean
__global__ void packed_halves(const half2* a, half2* b, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n / 2) b[i] = __hmul2(a[i], a[i]);
}

// expect: XP-RACE
__global__ void packed_halves_overlap(const half* a, half* b, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i + 1 < n) {
    b[i] = a[i];
    b[i + 1] = __float2half(0.0f);
  }
}

// expect: clean
__global__ void grid_steps(float* a, float* b, int n, int steps) {
  cg::grid_group grid = cg::this_grid();
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int k = 0; k < steps; k++) {
    if (i > 0 && i < n - 1) b[i] = (a[i - 1] + a[i + 1]) / 2;
    grid.sync();
    if (i > 0 && i < n - 1) a[i] = b[i];
    grid.sync();
  }
}

// expect: XP-RACE
__global__ void grid_steps_one_sync(float* a, float* b, int n, int steps) {
  cg::grid_group grid = cg::this_grid();
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int k = 0; k < steps; k++) {
    if (i > 0 && i < n - 1) b[i] = (a[i - 1] + a[i + 1]) / 2;
    grid.sync();
    if (i > 0 && i < n - 1) a[i] = b[i];
  }
}

// expect: clean | --block 128 --grid 1
__global__ void shared_queue(const int* in, int* out) {
  __shared__ int queue[128];
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  if (in[threadIdx.x] & 1) queue[atomicAdd(&count, 1)] = threadIdx.x;
  __syncthreads();
  for (int i = threadIdx.x; i < count; i += blockDim.x) out[i] = queue[i];
}

// expect: XP-RACE | --block 128 --grid 1
__global__ void shared_queue_reset_early(const int* in, int* out) {
  __shared__ int queue[128];
  __shared__ int count;
  for (int round = 0; round < 2; round++) {
    if (threadIdx.x == 0) count = 0;
    __syncthreads();
    if (in[round * 128 + threadIdx.x] & 1) queue[atomicAdd(&count, 1)] = threadIdx.x;
    __syncthreads();
    for (int i = threadIdx.x; i < count; i += blockDim.x) out[round * 128 + i] = queue[i];
  }
}

// expect: XP-BOUNDS | --block 128 --grid 1
__global__ void shared_queue_too_short(const int* in, int* out) {
  __shared__ int queue[64];
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  queue[atomicAdd(&count, 1)] = in[threadIdx.x];
  __syncthreads();
  if (threadIdx.x < 64) out[threadIdx.x] = queue[threadIdx.x];
}

// expect: clean
__global__ void read_only(const float* __restrict__ in, float* __restrict__ out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = __ldg(&in[i]) + __ldg(in + (n - 1 - i));
}

union Bits {
  float f;
  unsigned u;
};
// expect: clean
__global__ void through_a_union(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    Bits b;
    b.f = a[i];
    b.u &= 0x7fffffffu;
    a[i] = b.f;
  }
}

// expect: clean | --block 256 --grid 1
__global__ void named_barriers_are_plain_ones(const float* in, float* out) {
  __shared__ float s[256];
  s[threadIdx.x] = in[threadIdx.x];
  asm volatile("bar.sync 0;");
  out[threadIdx.x] = s[255 - threadIdx.x];
}

// expect: clean | --block 32,4 --grid 1
__global__ void a_warp_a_row(const float* in, float* out, int cols) {
  float sum = 0;
  for (int c = threadIdx.x; c < cols; c += 32) sum += in[threadIdx.y * cols + c];
  for (int o = 16; o > 0; o /= 2) sum += __shfl_xor_sync(0xffffffff, sum, o);
  if (threadIdx.x == 0) out[threadIdx.y] = sum;
}

// expect: XP-MASK | --block 24,4 --grid 1
__global__ void rows_are_no_warps(const float* in, float* out, int cols) {
  float sum = 0;
  for (int c = threadIdx.x; c < cols; c += 24) {
    sum += in[threadIdx.y * cols + c];
    sum = __shfl_xor_sync(0xffffffff, sum, 1);
  }
  if (threadIdx.x == 0) out[threadIdx.y] = sum;
}

// expect: XP-CAPACITY | --block 64 --grid 1
__global__ void two_large_arrays(float* a) {
  __shared__ float s[8000];
  __shared__ float t[8000];
  s[threadIdx.x] = a[threadIdx.x];
  t[threadIdx.x] = 0;
  __syncthreads();
  a[threadIdx.x] = s[63 - threadIdx.x] + t[threadIdx.x];
}
