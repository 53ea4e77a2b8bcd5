// Warps: shuffles, votes, masks, and shared memory between lanes.

// expect: clean | --block 128 --grid 4
__global__ void warp_sum(const float* in, float* out) {
  float v = in[blockIdx.x * blockDim.x + threadIdx.x];
  for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffffu, v, o);
  if ((threadIdx.x & 31) == 0) out[(blockIdx.x * blockDim.x + threadIdx.x) >> 5] = v;
}

// expect: XP-MASK | --block 32 --grid 1
__global__ void half_warp_full_mask(const float* in, float* out) {
  float v = in[threadIdx.x];
  if (threadIdx.x < 16) {
    v += __shfl_down_sync(0xffffffffu, v, 8);
    out[threadIdx.x] = v;
  }
}

// expect: clean | --block 32 --grid 1
__global__ void half_warp_half_mask(const float* in, float* out) {
  float v = in[threadIdx.x];
  if (threadIdx.x < 16) {
    v += __shfl_xor_sync(0x0000ffffu, v, 8);
    out[threadIdx.x] = v;
  }
}

// expect: XP-MASK | --block 32 --grid 1
__global__ void shuffle_from_outside(const float* in, float* out) {
  float v = in[threadIdx.x];
  if (threadIdx.x < 16) {
    v = __shfl_sync(0x0000ffffu, v, threadIdx.x + 4);
    out[threadIdx.x] = v;
  }
}

// expect: clean | --block 64 --grid 1
__global__ void ballot_mask(const int* in, int* out, int n) {
  int i = threadIdx.x;
  unsigned m = __ballot_sync(0xffffffffu, i < n);
  if (i < n) {
    int v = in[i];
    v = __shfl_sync(m, v, 0);
    out[i] = v;
  }
}

// expect: clean | --block 64 --grid 1
__global__ void exchange_with_syncwarp(const float* in, float* out) {
  __shared__ float s[64];
  int t = threadIdx.x;
  s[t] = in[t];
  __syncwarp();
  out[t] = s[t ^ 1];
}

// expect: XP-SYNCWARP | --block 64 --grid 1
__global__ void exchange_in_lockstep(const float* in, float* out) {
  __shared__ volatile float s[64];
  int t = threadIdx.x;
  s[t] = in[t];
  out[t] = s[t ^ 1];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void syncwarp_is_not_enough(const float* in, float* out) {
  __shared__ float s[64];
  int t = threadIdx.x;
  s[t] = in[t];
  __syncwarp();
  out[t] = s[63 - t];
}

// expect: clean | --block 256 --grid 2
__global__ void block_sum(const float* in, float* out) {
  __shared__ float partial[8];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float v = in[blockIdx.x * 256 + threadIdx.x];
  for (int o = 16; o; o /= 2) v += __shfl_xor_sync(~0u, v, o);
  if (lane == 0) partial[warp] = v;
  __syncthreads();
  if (warp == 0) {
    v = lane < 8 ? partial[lane] : 0.0f;
    for (int o = 4; o; o /= 2) v += __shfl_xor_sync(~0u, v, o);
    if (lane == 0) out[blockIdx.x] = v;
  }
}

// expect: XP-RACE | --block 256 --grid 2
__global__ void block_sum_no_barrier(const float* in, float* out) {
  __shared__ float partial[8];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float v = in[blockIdx.x * 256 + threadIdx.x];
  for (int o = 16; o; o /= 2) v += __shfl_xor_sync(~0u, v, o);
  if (lane == 0) partial[warp] = v;
  if (warp == 0) {
    v = lane < 8 ? partial[lane] : 0.0f;
    for (int o = 4; o; o /= 2) v += __shfl_xor_sync(~0u, v, o);
    if (lane == 0) out[blockIdx.x] = v;
  }
}

// expect: clean | --block 256 --grid 2
__global__ void block_sum_more_barriers(const float* in, float* out) {
  __shared__ float partial[8];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  __syncthreads();
  float v = in[blockIdx.x * 256 + threadIdx.x];
  for (int o = 16; o; o /= 2) {
    v += __shfl_xor_sync(~0u, v, o);
    __syncthreads();
  }
  if (lane == 0) partial[warp] = v;
  __syncthreads();
  __syncthreads();
  if (threadIdx.x == 0) {
    float total = 0;
    for (int w = 0; w < 8; w++) total += partial[w];
    out[blockIdx.x] = total;
  }
}

// expect: XP-BOUNDS | --block 512 --grid 1
__global__ void partials_for_eight_warps(const float* in, float* out) {
  __shared__ float partial[8];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float v = in[threadIdx.x];
  for (int o = 16; o; o /= 2) v += __shfl_xor_sync(~0u, v, o);
  if (lane == 0) partial[warp] = v;
  __syncthreads();
  if (threadIdx.x < 8) out[threadIdx.x] = partial[threadIdx.x];
}

// expect: XP-MASK | --block 32 --grid 1
__global__ void syncwarp_in_branch(float* a) {
  __shared__ float s[32];
  int t = threadIdx.x;
  s[t] = a[t];
  if (t < 16) {
    __syncwarp();
    a[t] = s[t];
  }
}

// expect: clean | --block 32 --grid 1
__global__ void syncwarp_of_half(float* a) {
  __shared__ float s[32];
  int t = threadIdx.x;
  if (t < 16) {
    s[t] = a[t];
    __syncwarp(0xffffu);
    a[t] = s[15 - t];
  }
}

// expect: XP-MASK | --block 32 --grid 1
__global__ void vote_in_uneven_loop(const int* in, int* out) {
  int t = threadIdx.x, found = 0;
  for (int k = 0; k < t + 1; k++) found += __any_sync(0xffffffffu, in[t] > k);
  out[t] = found;
}

// expect: clean | --block 32 --grid 1
__global__ void vote_in_even_loop(const int* in, int* out) {
  int t = threadIdx.x, found = 0;
  for (int k = 0; k < 5; k++) found += __all_sync(0xffffffffu, in[t] > k);
  out[t] = found;
}

// expect: clean | --block 64 --grid 1
__global__ void segments_of_eight(const float* in, float* out) {
  float v = in[threadIdx.x];
  for (int o = 4; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffffu, v, o, 8);
  if (threadIdx.x % 8 == 0) out[threadIdx.x / 8] = v;
}

// expect: clean | --block 128 --grid 1
__global__ void leader_tells(const int* in, int* out) {
  __shared__ int s[4];
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  if (lane == 0) s[warp] = in[warp];
  __syncwarp();
  out[threadIdx.x] = s[warp] + lane;
}

// expect: XP-SYNCWARP | --block 128 --grid 1
__global__ void leader_is_not_waited_for(const int* in, int* out) {
  __shared__ int s[4];
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  if (lane == 0) s[warp] = in[warp];
  out[threadIdx.x] = s[warp] + lane;
}

// expect: clean | --block 64 --grid 2
__global__ void aggregated_counter(const int* in, int* out, int* count) {
  int i = blockIdx.x * 64 + threadIdx.x;
  int lane = threadIdx.x % 32;
  bool keep = in[i] > 2;
  unsigned votes = __ballot_sync(0xffffffffu, keep);
  int base = 0;
  if (lane == 0) base = atomicAdd(count, __popc(votes));
  base = __shfl_sync(0xffffffffu, base, 0);
  if (keep) out[base + __popc(votes & ((1u << lane) - 1u))] = in[i];
}

// expect: XP-RACE | --block 64 --grid 2
__global__ void counter_without_atomic(const int* in, int* out, int* count) {
  int i = blockIdx.x * 64 + threadIdx.x;
  int lane = threadIdx.x % 32;
  bool keep = in[i] > 2;
  unsigned votes = __ballot_sync(0xffffffffu, keep);
  if (lane == 0) count[0] += __popc(votes);
  if (keep) out[i] = in[i];
}

// expect: XP-RACE | --block 32 --grid 1
__global__ void half_waits_for_itself_only(const float* in, float* out) {
  __shared__ float s[32];
  int t = threadIdx.x;
  if (t < 16) {
    s[t] = in[t];
    __syncwarp(0xffffu);
    out[t] = s[15 - t];
  } else {
    out[t] = s[t - 16];
  }
}

// expect: clean | --block 32 --grid 1
__global__ void halves_wait_one_after_the_other(const float* in, float* out) {
  __shared__ float s[32];
  int t = threadIdx.x;
  if (t < 16) {
    s[t] = in[t];
    __syncwarp(0xffffu);
  }
  __syncwarp();
  out[t] = s[t / 2];
}

// expect: XP-RACE | --block 32 --grid 1
__global__ void a_vote_orders_no_memory(const float* in, float* out) {
  __shared__ float s[32];
  int t = threadIdx.x;
  s[t] = in[t];
  bool any = __any_sync(0xffffffffu, s[t] > 0);
  out[t] = any ? s[31 - t] : 0.0f;
}
