// Pipelines of all threads of a block.
#include <cooperative_groups.h>
#include <cuda/pipeline>
namespace cg = cooperative_groups;

// expect: clean | --block 64 --grid 2
__global__ void two_stages(const float *in, float *out, int batches) {
  auto block = cg::this_thread_block();
  __shared__ float s[2][64];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
  cuda::pipeline<cuda::thread_scope_block> pipe = cuda::make_pipeline(block, &state);
  const float *mine = in + blockIdx.x * batches * 64;
  float sum = 0.f;
  for (int compute = 0, fetch = 0; compute < batches; ++compute) {
    for (; fetch < batches && fetch < compute + 2; ++fetch) {
      pipe.producer_acquire();
      cuda::memcpy_async(block, s[fetch % 2], mine + fetch * 64, sizeof(float) * 64, pipe);
      pipe.producer_commit();
    }
    pipe.consumer_wait();
    sum += s[compute % 2][63 - threadIdx.x];
    pipe.consumer_release();
  }
  out[blockIdx.x * 64 + threadIdx.x] = sum;
}

// expect: XP-RACE | --block 64 --grid 2
__global__ void more_stages_than_buffers(const float *in, float *out, int batches) {
  auto block = cg::this_thread_block();
  __shared__ float s[2][64];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 3> state;
  auto pipe = cuda::make_pipeline(block, &state);
  const float *mine = in + blockIdx.x * batches * 64;
  float sum = 0.f;
  pipe.producer_acquire();
  cuda::memcpy_async(block, s[0], mine, sizeof(float) * 64, pipe);
  pipe.producer_commit();
  for (int compute = 0; compute < batches; ++compute) {
    pipe.producer_acquire();
    if (compute + 1 < batches)
      cuda::memcpy_async(block, s[(compute + 1) % 2], mine + (compute + 1) * 64, sizeof(float) * 64, pipe);
    pipe.producer_commit();
    pipe.consumer_wait();
    sum += s[compute % 2][63 - threadIdx.x];
    pipe.consumer_release();
  }
  out[blockIdx.x * 64 + threadIdx.x] = sum;
}

// expect: XP-ASYNC | --block 64 --grid 2
__global__ void reads_the_next_stage(const float *in, float *out, int batches) {
  auto block = cg::this_thread_block();
  __shared__ float s[2][64];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
  auto pipe = cuda::make_pipeline(block, &state);
  pipe.producer_acquire();
  cuda::memcpy_async(block, s[0], in, sizeof(float) * 64, pipe);
  pipe.producer_commit();
  pipe.producer_acquire();
  cuda::memcpy_async(block, s[1], in + 64, sizeof(float) * 64, pipe);
  pipe.producer_commit();
  pipe.consumer_wait();
  out[blockIdx.x * 64 + threadIdx.x] = s[1][63 - threadIdx.x];
  pipe.consumer_release();
}
