// Barriers that not everybody reaches.

// expect: XP-DIVERGENCE
__global__ void barrier_in_thread_if(float* a) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  if (threadIdx.x < 32) __syncthreads();
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: clean
__global__ void barrier_in_block_if(float* a) {
  __shared__ float s[64];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  s[threadIdx.x] = a[i];
  if (blockIdx.x % 2 == 0) {
    __syncthreads();
    a[i] = s[blockDim.x - 1 - threadIdx.x];
  }
}

// expect: clean
__global__ void barrier_in_uniform_if(float* a, int mode) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  if (mode > 0) {
    __syncthreads();
    a[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
  }
}

// expect: XP-DIVERGENCE
__global__ void barrier_in_both_branches(float* a) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  if (threadIdx.x % 2) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  a[threadIdx.x] = s[63 - threadIdx.x];
}

// expect: XP-DIVERGENCE
__global__ void barrier_after_return(float* a, int n) {
  __shared__ float s[64];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  s[threadIdx.x] = a[i];
  __syncthreads();
  a[i] = s[0];
}

// expect: clean
__global__ void barrier_after_block_return(float* a, int blocks) {
  __shared__ float s[64];
  if (blockIdx.x >= blocks) return;
  s[threadIdx.x] = a[blockIdx.x * 64 + threadIdx.x];
  __syncthreads();
  a[blockIdx.x * 64 + threadIdx.x] = s[63 - threadIdx.x];
}

// expect: XP-DIVERGENCE
__global__ void barrier_in_guarded_body(float* a, int n) {
  __shared__ float s[64];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    s[threadIdx.x] = a[i];
    __syncthreads();
    a[i] = s[threadIdx.x] * 2;
  }
}

// expect: XP-DIVERGENCE
__global__ void barrier_in_thread_loop(float* a) {
  __shared__ float s[64];
  s[threadIdx.x] = 0;
  for (int i = 0; i < threadIdx.x; i++) {
    s[threadIdx.x] += a[i];
    __syncthreads();
  }
  a[threadIdx.x + 64] = s[threadIdx.x];
}

// expect: XP-DIVERGENCE
__global__ void barrier_in_grid_stride_loop(const float* in, float* out, int n) {
  __shared__ float s[64];
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) {
    s[threadIdx.x] = in[i];
    __syncthreads();
    out[i] = s[threadIdx.x] + s[0];
    __syncthreads();
  }
}

// expect: clean
__global__ void barrier_in_block_stride_loop(const float* in, float* out, int tiles) {
  __shared__ float s[64];
  for (int t = blockIdx.x; t < tiles; t += gridDim.x) {
    s[threadIdx.x] = in[t * 64 + threadIdx.x];
    __syncthreads();
    out[t * 64 + threadIdx.x] = s[63 - threadIdx.x];
    __syncthreads();
  }
}

// expect: XP-DIVERGENCE
__global__ void barrier_after_break(const int* in, int* out) {
  __shared__ int s[64];
  int x = in[threadIdx.x];
  for (int k = 0; k < 8; k++) {
    if (k == threadIdx.x % 4) break;
    s[threadIdx.x] = x + k;
    __syncthreads();
  }
  out[threadIdx.x] = x;
}

// expect: XP-DIVERGENCE
__global__ void barrier_after_data(const int* in, int* out) {
  __shared__ int s[64];
  int x = in[threadIdx.x];
  s[threadIdx.x] = x;
  if (x > 2) __syncthreads();
  out[threadIdx.x] = s[threadIdx.x];
}

// expect: clean
__global__ void barrier_after_uniform_data(const int* in, int* out) {
  __shared__ int s[64];
  s[threadIdx.x] = in[threadIdx.x];
  if (in[64] > 2) {
    __syncthreads();
    out[threadIdx.x] = s[63 - threadIdx.x];
  }
}

// expect: XP-DIVERGENCE
__global__ void barrier_under_short_circuit(const int* in, int* out, int n) {
  __shared__ int s[64];
  s[threadIdx.x] = in[threadIdx.x];
  if (n > 3 && threadIdx.x != 5) __syncthreads();
  out[threadIdx.x] = s[threadIdx.x];
}

// expect: clean
__global__ void barrier_count(const int* in, int* out) {
  int votes = __syncthreads_count(in[threadIdx.x] > 1);
  if (votes > 10) __syncthreads();
  out[threadIdx.x] = votes;
}

// expect: XP-DIVERGENCE
__global__ void barrier_2d_row(float* a) {
  __shared__ float s[16][16];
  s[threadIdx.y][threadIdx.x] = a[threadIdx.y * 16 + threadIdx.x];
  if (threadIdx.y == 0) __syncthreads();
  a[threadIdx.y * 16 + threadIdx.x] = s[threadIdx.y][threadIdx.x];
}

// expect: clean
__global__ void loop_until_settled(int* a, int n) {
  __shared__ int changed;
  int i = threadIdx.x;
  do {
    __syncthreads();
    if (i == 0) changed = 0;
    __syncthreads();
    if (i < n && a[i] > 0) {
      a[i] -= 1;
      atomicOr(&changed, 1);
    }
    __syncthreads();
  } while (changed);
}

// expect: XP-RACE
__global__ void loop_until_settled_short(int* a, int n) {
  __shared__ int changed;
  int i = threadIdx.x;
  do {
    if (i == 0) changed = 0;
    __syncthreads();
    if (i < n && a[i] > 0) {
      a[i] -= 1;
      atomicOr(&changed, 1);
    }
    __syncthreads();
  } while (changed);
}

// expect: XP-MASK
__global__ void shuffle_in_divergent_if(const int* in, int* out) {
  int v = in[threadIdx.x];
  if (threadIdx.x % 32 < 16) v += __shfl_xor_sync(0xffffffff, v, 1);
  out[threadIdx.x] = v;
}

// expect: clean
__global__ void shuffle_with_half_mask(const int* in, int* out) {
  int v = in[threadIdx.x];
  if (threadIdx.x % 32 < 16) v += __shfl_xor_sync(0x0000ffff, v, 1);
  out[threadIdx.x] = v;
}

// expect: XP-MASK
__global__ void shuffle_from_outside_mask(const int* in, int* out) {
  int v = in[threadIdx.x];
  if (threadIdx.x % 32 < 16) v = __shfl_sync(0x0000ffff, v, 20);
  out[threadIdx.x] = v;
}

// expect: clean
__global__ void ballot_rank(const int* in, int* out) {
  int lane = threadIdx.x & 31;
  bool keep = in[threadIdx.x] > 2;
  unsigned mask = __ballot_sync(0xffffffff, keep);
  int rank = __popc(mask & ((1u << lane) - 1));
  if (keep) out[(threadIdx.x / 32) * 32 + rank] = in[threadIdx.x];
}

// expect: XP-RACE
__global__ void ballot_rank_forgot_warp(const int* in, int* out) {
  int lane = threadIdx.x & 31;
  bool keep = in[threadIdx.x] > 2;
  unsigned mask = __ballot_sync(0xffffffff, keep);
  int rank = __popc(mask & ((1u << lane) - 1));
  if (keep) out[rank] = in[threadIdx.x] + threadIdx.x;
}

// expect: clean
__global__ void warp_mask_from_ballot(const int* in, int* out) {
  int v = in[threadIdx.x];
  unsigned mask = __ballot_sync(0xffffffff, v > 1);
  if (v > 1) {
    int leader = __ffs(mask) - 1;
    v = __shfl_sync(mask, v, leader);
  }
  out[threadIdx.x] = v;
}
