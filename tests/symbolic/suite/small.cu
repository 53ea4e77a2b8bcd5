// Small kernels: one idea each.

// expect: clean | --grid 1 --block 64
__global__ void mask_swap(int* a) {
  int t = threadIdx.x;
  int low = t & 7, high = t & ~7;
  a[high | (low ^ 7)] = t;
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void mask_overlap(int* a) {
  int t = threadIdx.x;
  int low = t & 7, high = t & ~3;
  a[high | (low ^ 7)] = t;
}

// expect: clean | --grid 2 --block 64
__global__ void rotate_in_power(int* a, int k) {
  __shared__ int s[64];
  s[(threadIdx.x + k) & 63] = threadIdx.x;
  __syncthreads();
  a[blockIdx.x * 64 + threadIdx.x] = s[threadIdx.x];
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void multiply_in_power(int* a) {
  __shared__ int s[64];
  s[(threadIdx.x * 6) & 63] = threadIdx.x;
  __syncthreads();
  a[blockIdx.x * 64 + threadIdx.x] = s[threadIdx.x];
}

// expect: clean | --grid 2 --block 64
__global__ void odd_multiplier(int* a) {
  __shared__ int s[64];
  s[(threadIdx.x * 5 + 3) & 63] = threadIdx.x;
  __syncthreads();
  a[blockIdx.x * 64 + threadIdx.x] = s[threadIdx.x];
}

// expect: clean | --grid 1 --block 128
__global__ void gray(int* a) {
  unsigned t = threadIdx.x;
  a[t ^ (t >> 1)] = t;
}

// expect: XP-RACE | --grid 1 --block 128
__global__ void not_gray(int* a) {
  unsigned t = threadIdx.x;
  a[t & ~(t >> 1)] = t;
}

// expect: clean | --grid 1 --block 128
__global__ void reversed_bits(int* a) {
  unsigned t = threadIdx.x;
  a[__brev(t) >> 25] = t;
}

// expect: XP-RACE | --grid 1 --block 128
__global__ void reversed_bits_short(int* a) {
  unsigned t = threadIdx.x;
  a[__brev(t) >> 26] = t;
}

// expect: clean | --grid 1 --block 16,16
__global__ void triangle(float* a) {
  int i = threadIdx.y, j = threadIdx.x;
  if (j <= i) a[i * (i + 1) / 2 + j] = i - j;
}

// expect: XP-RACE | --grid 1 --block 16,16
__global__ void triangle_wrong(float* a) {
  int i = threadIdx.y, j = threadIdx.x;
  if (j <= i) a[i * (i - 1) / 2 + j] = i - j;
}

// expect: clean | --grid 1 --block 32
__global__ void triangle_rows(const float* a, float* b, int n) {
  __shared__ float s[32];
  int t = threadIdx.x;
  s[t] = 0;
  for (int i = 0; i < 32; i++) {
    if (t <= i) s[t] += a[i * 32 + t];
  }
  b[t] = s[t];
}

// expect: XP-BOUNDS | --grid 1 --block 32
__global__ void triangle_above(const float* a, float* b) {
  __shared__ float s[32];
  int t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  float sum = 0;
  for (int i = 0; i <= 32 - t; i++) sum += s[t + i];
  b[t] = sum;
}

// expect: clean | --grid 1 --block 32
__global__ void triangle_above_right(const float* a, float* b) {
  __shared__ float s[32];
  int t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < 32 - t; i++) sum += s[t + i];
  b[t] = sum;
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void switch_barrier_role(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  switch (t / 32) {
    case 0: s[t] = 1; break;
    default: s[t - 32] = 2;
  }
  __syncthreads();
  a[t] = s[t % 32];
}

// expect: XP-DIVERGENCE | --grid 1 --block 64
__global__ void switch_barrier(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = t;
  switch (t & 3) {
    case 0:
      __syncthreads();
      a[t] = s[63 - t];
      break;
    case 1:
    case 2:
      a[t] = 0;
      break;
    default:
      a[t] = 1;
  }
}

// expect: clean | --grid 4 --block 64
__global__ void switch_on_block(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = t;
  switch (blockIdx.x & 1) {
    case 0:
      __syncthreads();
      a[blockIdx.x * 64 + t] = s[63 - t];
      break;
    default:
      a[blockIdx.x * 64 + t] = s[t];
  }
}

// expect: XP-DIVERGENCE | --grid 2 --block 64
__global__ void early_return_odd(int* a, int n) {
  __shared__ int s[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i >= n) return;
  s[threadIdx.x] = a[i];
  __syncthreads();
  a[i] = s[threadIdx.x ^ 1];
}

// expect: clean | --grid 2 --block 64
__global__ void return_of_block(int* a, int n) {
  __shared__ int s[64];
  if ((blockIdx.x + 1) * 64 > n) return;
  int i = blockIdx.x * 64 + threadIdx.x;
  s[threadIdx.x] = a[i];
  __syncthreads();
  a[i] = s[threadIdx.x ^ 1];
}

// expect: XP-DIVERGENCE | --grid 1 --block 64
__global__ void loop_by_thread(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = 0;
  for (int i = t; i < 100; i += 64) {
    s[t] += i;
    __syncthreads();
  }
  a[t] = s[t];
}

// expect: clean | --grid 1 --block 64
__global__ void loop_by_thread_even(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = 0;
  for (int i = t; i < 128; i += 64) {
    s[t] += i;
    __syncthreads();
  }
  a[t] = s[t];
}

// expect: XP-DIVERGENCE | --grid 1 --block 64
__global__ void while_on_data(const int* in, int* out) {
  int t = threadIdx.x;
  int left = in[t];
  while (left > 0) {
    left--;
    __syncthreads();
  }
  out[t] = left;
}

// expect: clean | --grid 1 --block 64
__global__ void while_on_vote(const int* in, int* out) {
  int t = threadIdx.x;
  int left = in[t];
  while (__syncthreads_or(left > 0)) left--;
  out[t] = left;
}

// expect: clean | --grid 1 --block 64
__global__ void while_on_shared_flag(const int* in, int* out) {
  __shared__ int go;
  int t = threadIdx.x, left = in[t];
  do {
    __syncthreads();
    if (t == 0) go = 0;
    __syncthreads();
    if (--left > 0) atomicOr(&go, 1);
    __syncthreads();
  } while (go);
  out[t] = left;
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void while_on_shared_flag_one_barrier(const int* in, int* out) {
  __shared__ int go;
  int t = threadIdx.x, left = in[t];
  do {
    if (t == 0) go = 0;
    __syncthreads();
    if (--left > 0) atomicOr(&go, 1);
    __syncthreads();
  } while (go);
  out[t] = left;
}

// expect: XP-RACE | --grid 4 --block 32
__global__ void neighbour_block(int* a) {
  int b = blockIdx.x, t = threadIdx.x;
  a[b * 32 + t] = a[((b + 1) % gridDim.x) * 32 + t] + 1;
}

// expect: XP-RACE | --grid 4 --block 32
__global__ void last_element_of_block(int* a, const int* in) {
  int i = blockIdx.x * 31 + threadIdx.x;
  a[i] = in[i] * (threadIdx.x + 1);
}

// expect: clean | --grid 4 --block 32
__global__ void overlap_masked(int* a, const int* in) {
  int i = blockIdx.x * 31 + threadIdx.x;
  if (threadIdx.x < 31) a[i] = in[i] * (threadIdx.x + 1);
}

// expect: XP-RACE | --grid 2 --block 32
__global__ void block_total_plain(int* a) {
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  atomicAdd(&sum, a[blockIdx.x * 32 + threadIdx.x]);
  if (threadIdx.x == 0) a[blockIdx.x * 32] = sum;
}

// expect: clean | --grid 2 --block 32
__global__ void block_total_ok(int* a) {
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  atomicAdd(&sum, a[blockIdx.x * 32 + threadIdx.x]);
  __syncthreads();
  if (threadIdx.x == 0) a[blockIdx.x * 32] = sum;
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void volatile_flag(volatile int* flag, int* out) {
  if (threadIdx.x == 0) *flag = blockIdx.x;
  out[blockIdx.x * 64 + threadIdx.x] = *flag;
}

// expect: XP-SYNCWARP | --grid 1 --block 64
__global__ void volatile_warp(const int* in, int* out) {
  __shared__ volatile int s[64];
  int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  if (t < 32) {
    s[t] += s[t + 32];
    s[t] += s[t + 16];
    s[t] += s[t + 8];
  }
  if (t == 0) out[0] = s[0];
}

// expect: clean | --grid 1 --block 64
__global__ void warp_with_syncwarp(const int* in, int* out) {
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  if (t < 32) {
    int v = s[t] + s[t + 32];
    for (int o = 16; o; o >>= 1) {
      __syncwarp();
      s[t] = v;
      __syncwarp();
      if (t < o) v += s[t + o];
    }
    if (t == 0) out[0] = v;
  }
}

// expect: clean | --grid 1 --block 64
__global__ void parity_buffers(const float* in, float* out, int n) {
  __shared__ float buf[2][64];
  int t = threadIdx.x, p = 0;
  buf[0][t] = in[t];
  for (int i = 1; i <= n; i++) {
    __syncthreads();
    buf[p ^ 1][t] = buf[p][(t + 1) & 63] * 0.5f;
    p ^= 1;
  }
  out[t] = buf[p][t];
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void parity_not_flipped(const float* in, float* out, int n) {
  __shared__ float buf[2][64];
  int t = threadIdx.x, p = 0;
  buf[0][t] = in[t];
  buf[1][t] = 0;
  for (int i = 1; i <= n; i++) {
    __syncthreads();
    buf[p][t] = buf[p][(t + 1) & 63] * 0.5f;
    p ^= 1;
  }
  out[t] = buf[p][t];
}

// expect: XP-BOUNDS | --grid 4 --block 64 
__global__ void unsigned_below_zero(const float* in, float* out, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[i - 1] + in[i];
}

// expect: clean | --grid 4 --block 64 
__global__ void unsigned_not_below_zero(const float* in, float* out, unsigned n) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i - 1 < n - 1) out[i] = in[i - 1] + in[i];
}

// expect: XP-BOUNDS | --grid 1 --block 32
__global__ void countdown_unsigned(float* out) {
  __shared__ float s[32];
  s[threadIdx.x] = threadIdx.x;
  __syncthreads();
  float v = 0;
  for (int i = 31; i >= -1; i--) v += s[i];
  out[threadIdx.x] = v;
}

struct Pair { int key; float value; };

// expect: clean | --grid 2 --block 64
__global__ void pairs_split(const Pair* in, int* keys, float* values, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    Pair p = in[i];
    keys[i] = p.key;
    values[i] = p.value;
  }
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void pairs_move(Pair* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i + 1 < n) a[i].value = a[i + 1].value;
}

// expect: clean | --grid 2 --block 64
__global__ void pairs_fields(Pair* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i + 1 < n) a[i].value = a[i + 1].key;
}

__device__ void put(float* at, int i, float v) { at[i] = v; }
__device__ float* row_of(float* a, int r, int w) { return a + r * w; }

// expect: clean | --grid 8 --block 32
__global__ void helper_rows(float* a) { put(row_of(a, blockIdx.x, 32), threadIdx.x, 1.0f * threadIdx.x); }

// expect: XP-RACE | --grid 8 --block 32
__global__ void helper_rows_close(float* a) { put(row_of(a, blockIdx.x, 31), threadIdx.x, 1.0f * threadIdx.x); }

// expect: clean | --grid 2 --block 32
__global__ void walking_pointer(const float* a, float* b, int n) {
  const float* p = a + blockIdx.x * 32 + threadIdx.x;
  float* const end = b + n;
  for (float* q = b + blockIdx.x * 32 + threadIdx.x; q < end; q += 64, p += 64) *q = *p;
}

// expect: XP-SAME-VALUE | --grid 2 --block 32
__global__ void walking_pointer_steps(const float* a, float* b, int n) {
  const float* p = a + blockIdx.x * 32 + threadIdx.x;
  float* const end = b + n;
  for (float* q = b + blockIdx.x * 32 + threadIdx.x; q < end; q += 32, p += 32) *q = *p;
}
