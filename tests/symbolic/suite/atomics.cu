// Counters, histograms, locks and flags.

// expect: clean | --block 128 --grid 3
__global__ void histogram(const unsigned char* in, int* bins, int n) {
  __shared__ int local[256];
  for (int b = threadIdx.x; b < 256; b += blockDim.x) local[b] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    atomicAdd(&local[in[i]], 1);
  __syncthreads();
  for (int b = threadIdx.x; b < 256; b += blockDim.x) atomicAdd(&bins[b], local[b]);
}

// expect: XP-RACE | --block 128 --grid 3
__global__ void histogram_not_cleared_in_time(const unsigned char* in, int* bins, int n) {
  __shared__ int local[256];
  for (int b = threadIdx.x; b < 256; b += blockDim.x) local[b] = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    atomicAdd(&local[in[i]], 1);
  __syncthreads();
  for (int b = threadIdx.x; b < 256; b += blockDim.x) atomicAdd(&bins[b], local[b]);
}

// expect: XP-RACE | --block 128 --grid 3
__global__ void histogram_added_up_early(const unsigned char* in, int* bins, int n) {
  __shared__ int local[256];
  for (int b = threadIdx.x; b < 256; b += blockDim.x) local[b] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    atomicAdd(&local[in[i]], 1);
  for (int b = threadIdx.x; b < 256; b += blockDim.x) atomicAdd(&bins[b], local[b]);
}

// expect: XP-RACE | --block 128 --grid 1
__global__ void histogram_plain(const unsigned char* in, int* bins, int n) {
  __shared__ int local[256];
  for (int b = threadIdx.x; b < 256; b += blockDim.x) local[b] = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) local[in[i]]++;
  __syncthreads();
  for (int b = threadIdx.x; b < 256; b += blockDim.x) bins[b] = local[b];
}

// expect: XP-UNINIT | --block 128 --grid 1
__global__ void histogram_half_cleared(const unsigned char* in, int* bins, int n) {
  __shared__ int local[256];
  local[threadIdx.x] = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) atomicAdd(&local[in[i]], 1);
  __syncthreads();
  for (int b = threadIdx.x; b < 256; b += blockDim.x) bins[b] = local[b];
}

// expect: clean
__global__ void compaction(const float* in, float* out, int* count, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] > 0.0f) {
    int at = atomicAdd(count, 1);
    out[at] = in[i];
  }
}

// expect: XP-RACE
__global__ void compaction_plain(const float* in, float* out, int* count, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] > 0.0f) {
    int at = *count;
    *count = at + 1;
    out[at] = in[i];
  }
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void maximum_read_early(const int* in, int* out) {
  __shared__ int best;
  if (threadIdx.x == 0) best = in[0];
  __syncthreads();
  atomicMax(&best, in[threadIdx.x]);
  out[threadIdx.x] = in[threadIdx.x] - best;
}

// expect: clean | --block 64 --grid 1
__global__ void maximum_read_late(const int* in, int* out) {
  __shared__ int best;
  if (threadIdx.x == 0) best = in[0];
  __syncthreads();
  atomicMax(&best, in[threadIdx.x]);
  __syncthreads();
  out[threadIdx.x] = in[threadIdx.x] - best;
}

// expect: clean | --block 1 --grid 8
__global__ void locked_sum(int* lock, float* total, const float* in) {
  while (atomicCAS(lock, 0, 1) != 0) {
  }
  __threadfence();
  *total += in[blockIdx.x];
  __threadfence();
  atomicExch(lock, 0);
}

// expect: XP-RACE | --block 1 --grid 8
__global__ void unlocked_too_early(int* lock, float* total, const float* in) {
  while (atomicCAS(lock, 0, 1) != 0) {
  }
  __threadfence();
  float old = *total;
  atomicExch(lock, 0);
  *total = old + in[blockIdx.x];
}

// expect: XP-RACE | --block 1 --grid 8
__global__ void two_locks_one_sum(int* lock, float* total, const float* in) {
  int mine = blockIdx.x % 2;
  while (atomicCAS(&lock[mine], 0, 1) != 0) {
  }
  __threadfence();
  *total += in[blockIdx.x];
  __threadfence();
  atomicExch(&lock[mine], 0);
}

// expect: clean | --block 64 --grid 4
__global__ void last_block_adds(const float* in, float* parts, float* out, unsigned* done) {
  __shared__ float s[64];
  __shared__ bool last;
  s[threadIdx.x] = in[blockIdx.x * 64 + threadIdx.x];
  __syncthreads();
  for (int d = 32; d > 0; d >>= 1) {
    if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = s[0];
    __threadfence();
    last = atomicInc(done, gridDim.x) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    float total = 0;
    for (int b = 0; b < gridDim.x; b++) total += parts[b];
    *out = total;
  }
}

// expect: XP-RACE | --block 64 --grid 4
__global__ void every_block_adds(const float* in, float* parts, float* out) {
  __shared__ float s[64];
  s[threadIdx.x] = in[blockIdx.x * 64 + threadIdx.x];
  __syncthreads();
  for (int d = 32; d > 0; d >>= 1) {
    if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
    __syncthreads();
  }
  if (threadIdx.x == 0) parts[blockIdx.x] = s[0];
  __syncthreads();
  if (threadIdx.x == 0) {
    float total = 0;
    for (int b = 0; b < gridDim.x; b++) total += parts[b];
    out[blockIdx.x] = total;
  }
}

// expect: clean | --block 64 --grid 4
__global__ void float_atomics(const float* in, float* out) {
  __shared__ float sum;
  if (threadIdx.x == 0) sum = 0.0f;
  __syncthreads();
  atomicAdd(&sum, in[blockIdx.x * blockDim.x + threadIdx.x]);
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// expect: XP-RACE | --block 64 --grid 4
__global__ void float_atomics_read_early(const float* in, float* out) {
  __shared__ float sum;
  if (threadIdx.x == 0) sum = 0.0f;
  __syncthreads();
  atomicAdd(&sum, in[blockIdx.x * blockDim.x + threadIdx.x]);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// expect: XP-RACE | --block 256 --grid 2
__global__ void ring_too_short(const int* in, int* ring, unsigned* head) {
  int i = blockIdx.x * 256 + threadIdx.x;
  unsigned at = atomicInc(head, 255u);
  ring[at] = in[i];
}

// expect: clean | --block 64 --grid 2
__global__ void reserved_range(const int* in, int* out, int* next) {
  __shared__ int base;
  if (threadIdx.x == 0) base = atomicAdd(next, 64);
  __syncthreads();
  out[base + threadIdx.x] = in[blockIdx.x * 64 + threadIdx.x];
}

// expect: XP-RACE | --block 64 --grid 2
__global__ void reserved_range_no_barrier(const int* in, int* out, int* next) {
  __shared__ int base;
  if (threadIdx.x == 0) base = atomicAdd(next, 64);
  out[base + threadIdx.x] = in[blockIdx.x * 64 + threadIdx.x];
}

// expect: clean
__global__ void float_maximum(const float* in, int* best, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int old = *best, assumed;
  do {
    assumed = old;
    old = atomicCAS(best, assumed, __float_as_int(fmaxf(in[i], __int_as_float(assumed))));
  } while (assumed != old);
}
