#include <cuda_pipeline.h>
#include <cuda/pipeline>
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
namespace cg = cooperative_groups;

// expect: XP-ASYNC
__global__ void never_waited_for(const float* in, float* out) {
  __shared__ float s[256];
  int t = threadIdx.x;
  __pipeline_memcpy_async(&s[t], &in[blockIdx.x * 256 + t], sizeof(float));
  __pipeline_commit();
  __syncthreads();
  out[blockIdx.x * 256 + t] = s[255 - t];
}

// expect: clean
__global__ void waited_for(const float* in, float* out) {
  __shared__ float s[256];
  int t = threadIdx.x;
  __pipeline_memcpy_async(&s[t], &in[blockIdx.x * 256 + t], sizeof(float));
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  out[blockIdx.x * 256 + t] = s[255 - t];
}

// expect: XP-ASYNC
__global__ void own_element_too_early(const float* in, float* out) {
  __shared__ float s[256];
  int t = threadIdx.x;
  __pipeline_memcpy_async(&s[t], &in[blockIdx.x * 256 + t], sizeof(float));
  __pipeline_commit();
  out[blockIdx.x * 256 + t] = s[t];
}

// expect: clean
__global__ void group_waits(const float* in, float* out) {
  __shared__ float s[256];
  auto b = cg::this_thread_block();
  cg::memcpy_async(b, s, in + blockIdx.x * 256, sizeof(float) * 256);
  cg::wait(b);
  out[blockIdx.x * 256 + threadIdx.x] = s[255 - threadIdx.x];
}

// expect: XP-ASYNC
__global__ void group_meets_only(const float* in, float* out) {
  __shared__ float s[256];
  auto b = cg::this_thread_block();
  cg::memcpy_async(b, s, in + blockIdx.x * 256, sizeof(float) * 256);
  b.sync();
  out[blockIdx.x * 256 + threadIdx.x] = s[255 - threadIdx.x];
}

// expect: clean
__global__ void pipeline_of_a_thread(const float* in, float* out) {
  __shared__ float s[256];
  int t = threadIdx.x;
  auto pipe = cuda::make_pipeline();
  pipe.producer_acquire();
  cuda::memcpy_async(&s[t], &in[blockIdx.x * 256 + t], sizeof(float), pipe);
  pipe.producer_commit();
  pipe.consumer_wait();
  __syncthreads();
  out[blockIdx.x * 256 + t] = s[255 - t];
  pipe.consumer_release();
}
}

// expect: clean
__global__ void double_buffer(const float* a, float* o, int tiles) {
  __shared__ float s[2][128];
  int t = threadIdx.x;
  const float* p = a + (size_t)blockIdx.x * tiles * 128;
  __pipeline_memcpy_async(&s[0][t], p + t, 4);
  __pipeline_commit();
  float acc = 0;
  for (int k = 0; k < tiles; ++k) {
    if (k + 1 < tiles) __pipeline_memcpy_async(&s[(k + 1) & 1][t], p + (k + 1) * 128 + t, 4);
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    acc += s[k & 1][127 - t];
    __syncthreads();
  }
  o[blockIdx.x * 128 + t] = acc;
}

// expect: XP-ASYNC
__global__ void double_buffer_one_group_late(const float* a, float* o, int tiles) {
  __shared__ float s[2][128];
  int t = threadIdx.x;
  const float* p = a + (size_t)blockIdx.x * tiles * 128;
  __pipeline_memcpy_async(&s[0][t], p + t, 4);
  __pipeline_commit();
  float acc = 0;
  for (int k = 0; k < tiles; ++k) {
    if (k + 1 < tiles) __pipeline_memcpy_async(&s[(k + 1) & 1][t], p + (k + 1) * 128 + t, 4);
    __pipeline_commit();
    __pipeline_wait_prior(2);
    __syncthreads();
    acc += s[k & 1][127 - t];
    __syncthreads();
  }
  o[blockIdx.x * 128 + t] = acc;
}

// expect: XP-RACE
__global__ void double_buffer_overwritten(const float* a, float* o, int tiles) {
  __shared__ float s[2][128];
  int t = threadIdx.x;
  const float* p = a + (size_t)blockIdx.x * tiles * 128;
  __pipeline_memcpy_async(&s[0][t], p + t, 4);
  __pipeline_commit();
  float acc = 0;
  for (int k = 0; k < tiles; ++k) {
    if (k + 1 < tiles) { __pipeline_memcpy_async(&s[(k + 1) & 1][t], p + (k + 1) * 128 + t, 4); __pipeline_commit(); __pipeline_wait_prior(1); }
    else __pipeline_wait_prior(0);
    __syncthreads();
    acc += s[k & 1][127 - t];
  }
  o[blockIdx.x * 128 + t] = acc;
}

// expect: XP-ASYNC
__global__ void waits_after_the_barrier(const float* a, float* o, int tiles) {
  __shared__ float s[2][128];
  int t = threadIdx.x;
  const float* p = a + (size_t)blockIdx.x * tiles * 128;
  __pipeline_memcpy_async(&s[0][t], p + t, 4);
  __pipeline_commit();
  float acc = 0;
  for (int k = 0; k < tiles; ++k) {
    if (k + 1 < tiles) { __pipeline_memcpy_async(&s[(k + 1) & 1][t], p + (k + 1) * 128 + t, 4); __pipeline_commit(); }
    __syncthreads();
    __pipeline_wait_prior(k + 1 < tiles ? 1 : 0);
    acc += s[k & 1][127 - t];
    __syncthreads();
  }
  o[blockIdx.x * 128 + t] = acc;
}

// expect: clean
__global__ void zeros_beyond_the_end(const float* a, float* o, int n) {
  __shared__ alignas(16) float s[512];
  int t = threadIdx.x;
  int i = (blockIdx.x * 128 + t) * 4;
  int left = n - i; left = left < 0 ? 0 : left > 4 ? 4 : left;
  __pipeline_memcpy_async(&s[t * 4], a + (left ? i : 0), 16, 16 - left * 4);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  for (int k = 0; k < 4; ++k) { int j = blockIdx.x * 512 + k * 128 + t; if (j < n) o[j] = s[k * 128 + t]; }
}

// The group before the last has come when all but one are waited for.
// expect: clean
__global__ void all_but_one(const float* in, float* out) {
  __shared__ float s[2][128];
  int t = threadIdx.x;
  auto pipe = cuda::make_pipeline();
  for (int k = 0; k < 2; ++k) {
    pipe.producer_acquire();
    cuda::memcpy_async(&s[k][t], &in[blockIdx.x * 256 + k * 128 + t], sizeof(float), pipe);
    pipe.producer_commit();
  }
  cuda::pipeline_consumer_wait_prior<1>(pipe);
  __syncthreads();
  out[blockIdx.x * 128 + t] = s[0][127 - t];
}

// Two stages, and the wait is for the first of two groups.
// expect: clean
__global__ void stages(const float* in, float* out, int tiles) {
  __shared__ float s[2][128];
  int t = threadIdx.x;
  auto pipe = cuda::make_pipeline();
  for (int k = 0; k < 2 && k < tiles; ++k) {
    pipe.producer_acquire();
    cuda::memcpy_async(&s[k][t], &in[k * 128 + t], sizeof(float), pipe);
    pipe.producer_commit();
  }
  float sum = 0;
  for (int k = 0; k < tiles; ++k) {
    pipe.consumer_wait();
    __syncthreads();
    sum += s[k % 2][127 - t];
    __syncthreads();
    pipe.consumer_release();
    if (k + 2 < tiles) {
      pipe.producer_acquire();
      cuda::memcpy_async(&s[k % 2][t], &in[(k + 2) * 128 + t], sizeof(float), pipe);
      pipe.producer_commit();
    }
  }
  out[blockIdx.x * 128 + t] = sum;
}

// expect: XP-ASYNC
__global__ void stages_not_given_back(const float* in, float* out, int tiles) {
  __shared__ float s[2][128];
  int t = threadIdx.x;
  auto pipe = cuda::make_pipeline();
  for (int k = 0; k < 2; ++k) {
    pipe.producer_acquire();
    cuda::memcpy_async(&s[k][t], &in[k * 128 + t], sizeof(float), pipe);
    pipe.producer_commit();
  }
  pipe.consumer_wait();
  __syncthreads();
  out[blockIdx.x * 128 + t] = s[0][127 - t] + s[1][127 - t];
}
