// Block and warp reductions, right and wrong.

// expect: clean
__global__ void reduce_tree(const float* in, float* out, int n) {
  __shared__ float s[256];
  int tid = threadIdx.x;
  int i = blockIdx.x * blockDim.x + tid;
  s[tid] = i < n ? in[i] : 0.0f;
  __syncthreads();
  for (int stride = blockDim.x / 2; stride > 0; stride >>= 1) {
    if (tid < stride) s[tid] += s[tid + stride];
    __syncthreads();
  }
  if (tid == 0) out[blockIdx.x] = s[0];
}

// expect: XP-RACE
__global__ void reduce_no_barrier_in_loop(const float* in, float* out, int n) {
  __shared__ float s[256];
  int tid = threadIdx.x;
  int i = blockIdx.x * blockDim.x + tid;
  s[tid] = i < n ? in[i] : 0.0f;
  __syncthreads();
  for (int stride = blockDim.x / 2; stride > 0; stride >>= 1) {
    if (tid < stride) s[tid] += s[tid + stride];
  }
  if (tid == 0) out[blockIdx.x] = s[0];
}

// expect: XP-RACE
__global__ void reduce_no_first_barrier(const float* in, float* out) {
  __shared__ float s[256];
  int tid = threadIdx.x;
  s[tid] = in[blockIdx.x * blockDim.x + tid];
  for (int stride = blockDim.x / 2; stride > 0; stride >>= 1) {
    if (tid < stride) s[tid] += s[tid + stride];
    __syncthreads();
  }
  if (tid == 0) out[blockIdx.x] = s[0];
}

// expect: XP-RACE
__global__ void reduce_less_or_equal(const float* in, float* out) {
  __shared__ float s[257];
  int tid = threadIdx.x;
  s[tid] = in[blockIdx.x * blockDim.x + tid];
  if (tid == 0) s[256] = 0;
  __syncthreads();
  for (int stride = blockDim.x / 2; stride > 0; stride >>= 1) {
    if (tid <= stride) s[tid] += s[tid + stride];
    __syncthreads();
  }
  if (tid == 0) out[blockIdx.x] = s[0];
}

// expect: XP-BOUNDS | --block 256 --grid 2
__global__ void reduce_too_far(const float* in, float* out) {
  __shared__ float s[256];
  int tid = threadIdx.x;
  s[tid] = in[blockIdx.x * blockDim.x + tid];
  __syncthreads();
  for (int stride = blockDim.x; stride > 0; stride >>= 1) {
    if (tid < stride) s[tid] += s[tid + stride];
    __syncthreads();
  }
  if (tid == 0) out[blockIdx.x] = s[0];
}

// expect: XP-DIVERGENCE
__global__ void reduce_barrier_inside_if(const float* in, float* out) {
  __shared__ float s[256];
  int tid = threadIdx.x;
  s[tid] = in[blockIdx.x * blockDim.x + tid];
  __syncthreads();
  for (int stride = blockDim.x / 2; stride > 0; stride >>= 1) {
    if (tid < stride) {
      s[tid] += s[tid + stride];
      __syncthreads();
    }
  }
  if (tid == 0) out[blockIdx.x] = s[0];
}

// expect: clean
__global__ void reduce_interleaved(const int* in, int* out) {
  __shared__ int s[128];
  unsigned tid = threadIdx.x;
  s[tid] = in[blockIdx.x * blockDim.x + tid];
  __syncthreads();
  for (unsigned k = 1; k < blockDim.x; k *= 2) {
    if (tid % (2 * k) == 0) s[tid] += s[tid + k];
    __syncthreads();
  }
  if (tid == 0) out[blockIdx.x] = s[0];
}

// expect: XP-BOUNDS | --block 128 --grid 2
__global__ void reduce_strided_index(const int* in, int* out) {
  __shared__ int s[128];
  unsigned tid = threadIdx.x;
  s[tid] = in[blockIdx.x * blockDim.x + tid];
  __syncthreads();
  for (unsigned k = 1; k < blockDim.x; k *= 2) {
    unsigned at = 2 * k * tid;
    if (at < 2 * blockDim.x) s[at] += s[at + k];
    __syncthreads();
  }
  if (tid == 0) out[blockIdx.x] = s[0];
}

// expect: clean
__global__ void reduce_shuffle(const float* in, float* out, int n) {
  float v = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += in[i];
  for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffff, v, o);
  __shared__ float part[32];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if (lane == 0) part[warp] = v;
  __syncthreads();
  if (warp == 0) {
    v = lane < blockDim.x / 32 ? part[lane] : 0.0f;
    for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffff, v, o);
    if (lane == 0) atomicAdd(out, v);
  }
}

// expect: XP-RACE
__global__ void reduce_shuffle_no_barrier(const float* in, float* out, int n) {
  float v = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += in[i];
  for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffff, v, o);
  __shared__ float part[32];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if (lane == 0) part[warp] = v;
  if (warp == 0) {
    v = lane < blockDim.x / 32 ? part[lane] : 0.0f;
    for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffff, v, o);
    if (lane == 0) atomicAdd(out, v);
  }
}

// expect: XP-UNINIT
__global__ void reduce_uninitialised_parts(const float* in, float* out, int n) {
  float v = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += in[i];
  for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffff, v, o);
  __shared__ float part[32];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if (lane == 0) part[warp] = v;
  __syncthreads();
  if (warp == 0) {
    v = part[lane];
    for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffff, v, o);
    if (lane == 0) atomicAdd(out, v);
  }
}

// expect: XP-SYNCWARP
__global__ void reduce_last_warp_unrolled(const float* in, float* out) {
  __shared__ volatile float s[128];
  int tid = threadIdx.x;
  s[tid] = in[blockIdx.x * blockDim.x + tid];
  __syncthreads();
  if (tid < 64) s[tid] += s[tid + 64];
  __syncthreads();
  if (tid < 32) {
    s[tid] += s[tid + 32];
    if (tid < 16) s[tid] += s[tid + 16];
    if (tid < 8) s[tid] += s[tid + 8];
    if (tid < 4) s[tid] += s[tid + 4];
  }
  if (tid == 0) out[blockIdx.x] = s[0] + s[1] + s[2] + s[3];
}

// expect: clean
__global__ void reduce_last_warp_synchronised(const float* in, float* out) {
  __shared__ float s[64];
  int tid = threadIdx.x;
  s[tid] = in[blockIdx.x * blockDim.x + tid];
  __syncthreads();
  if (tid < 32) {
    float v = s[tid] + s[tid + 32];
    __syncwarp();
    for (int o = 16; o > 0; o /= 2) {
      s[tid] = v;
      __syncwarp();
      if (tid < o) v += s[tid + o];
      __syncwarp();
    }
    if (tid == 0) out[blockIdx.x] = v;
  }
}

// expect: XP-RACE
__global__ void sum_without_atomic(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[0] += in[i];
}

// expect: clean
__global__ void sum_with_atomic(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&out[0], in[i]);
}

// expect: XP-RACE
__global__ void sum_atomic_and_plain(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&out[0], in[i]);
  if (i == 0) out[0] = 0.0f;
}

// expect: clean
__global__ void max_by_cas(const float* in, float* best, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int* where = (int*)best;
  int old = *where, assumed;
  do {
    assumed = old;
    if (__int_as_float(assumed) >= in[i]) break;
    old = atomicCAS(where, assumed, __float_as_int(in[i]));
  } while (assumed != old);
}

// expect: clean
__global__ void last_block_sums(const float* in, float* part, unsigned* count, float* out, int n) {
  __shared__ float s[128];
  __shared__ bool last;
  int tid = threadIdx.x;
  int i = blockIdx.x * blockDim.x + tid;
  s[tid] = i < n ? in[i] : 0.0f;
  __syncthreads();
  for (int k = 64; k > 0; k /= 2) {
    if (tid < k) s[tid] += s[tid + k];
    __syncthreads();
  }
  if (tid == 0) {
    part[blockIdx.x] = s[0];
    __threadfence();
    last = atomicInc(count, gridDim.x) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && tid == 0) {
    float total = 0;
    for (int b = 0; b < gridDim.x; b++) total += part[b];
    out[0] = total;
  }
}

// expect: XP-RACE
__global__ void first_block_sums(const float* in, float* part, float* out) {
  if (threadIdx.x == 0) part[blockIdx.x] = in[blockIdx.x];
  __syncthreads();
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    float total = 0;
    for (int b = 0; b < gridDim.x; b++) total += part[b];
    out[0] = total;
  }
}
