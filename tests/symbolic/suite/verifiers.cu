// In the manner of suites for verifiers: launch given, small kernels, many features of the language.

#define N 64
typedef unsigned int uint;

// expect: clean | --grid 1 --block 64
__global__ void param_alias(int* p) {
  int* q = p;
  q[threadIdx.x] = threadIdx.x;
  p[threadIdx.x] += 1;
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void param_alias_shift(int* p) {
  int* q = p + 1;
  q[threadIdx.x] = threadIdx.x;
  p[threadIdx.x] = 2 * threadIdx.x;
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void pointer_choice(int* p, int* q, int c) {
  int* r = c > 3 ? p : q;
  r[0] = threadIdx.x;
}

// expect: clean | --grid 1 --block 64
__global__ void pointer_choice_own(int* p, int* q) {
  int* r = threadIdx.x % 2 ? p : q;
  r[threadIdx.x] = threadIdx.x;
}

// expect: clean | --grid 1 --block 64
__global__ void pointer_to_shared_or_global(int* p, int c) {
  __shared__ int s[N];
  int* r = c > 3 ? s : p;
  r[threadIdx.x] = threadIdx.x;
}

// expect: clean | --grid 1 --block 64
__global__ void char_view(unsigned* p) {
  __shared__ unsigned words[16];
  unsigned char* bytes = (unsigned char*)words;
  bytes[threadIdx.x] = threadIdx.x;
  __syncthreads();
  if (threadIdx.x < 16) p[threadIdx.x] = words[threadIdx.x];
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void char_view_overlap(unsigned* p) {
  __shared__ unsigned words[64];
  unsigned char* bytes = (unsigned char*)words;
  bytes[threadIdx.x] = threadIdx.x;
  words[threadIdx.x] = threadIdx.x;
  __syncthreads();
  p[threadIdx.x] = words[threadIdx.x];
}

// expect: clean | --grid 1 --block 64
__global__ void ternary_index(int* a) {
  int i = threadIdx.x < 32 ? threadIdx.x : 95 - threadIdx.x;
  a[i] = threadIdx.x;
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void ternary_index_meet(int* a) {
  int i = threadIdx.x < 32 ? threadIdx.x : 64 - threadIdx.x;
  a[i] = threadIdx.x;
}

// expect: clean | --grid 1 --block 64
__global__ void short_index(int* a) {
  unsigned char i = threadIdx.x * 4;
  a[i] = threadIdx.x;
}

// expect: XP-RACE | --grid 1 --block 128
__global__ void short_index_wraps(int* a) {
  unsigned char i = threadIdx.x * 4;
  a[i] = threadIdx.x;
}

// expect: clean | --grid 1 --block 64
__global__ void do_while_steps(int* a, int n) {
  int i = threadIdx.x;
  do {
    a[i] = i;
    i += blockDim.x;
  } while (i < n);
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void do_while_half_steps(int* a, int n) {
  int i = threadIdx.x;
  do {
    a[i] += i;
    i += blockDim.x / 2;
  } while (i < n);
}

// expect: clean | --grid 1 --block 64
__global__ void goto_free_breaks(int* a) {
  for (int i = 0;; i++) {
    if (i > 5) break;
    if (i % 2) continue;
    a[i * 64 + threadIdx.x] = i;
  }
}

// expect: XP-DIVERGENCE | --grid 1 --block 64
__global__ void break_before_barrier(int* a) {
  __shared__ int s[N];
  for (int i = 0; i < 4; i++) {
    if (threadIdx.x == 7 && i == 2) break;
    s[threadIdx.x] = i;
    __syncthreads();
  }
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: XP-DIVERGENCE | --grid 1 --block 64
__global__ void continue_before_barrier(int* a) {
  for (int i = 0; i < 4; i++) {
    if ((threadIdx.x + i) % 5 == 0) continue;
    __syncthreads();
    a[threadIdx.x] = i;
  }
}

// expect: clean | --grid 1 --block 64
__global__ void two_sided_barrier_value(int* a, int c) {
  if (c) {
    a[threadIdx.x] = 1;
    __syncthreads();
  } else {
    a[threadIdx.x] = 2;
    __syncthreads();
  }
}

// expect: XP-DIVERGENCE | --grid 1 --block 64
__global__ void two_sided_barrier_thread(int* a) {
  if (threadIdx.x & 1) {
    a[threadIdx.x] = 1;
    __syncthreads();
  } else {
    a[threadIdx.x] = 2;
    __syncthreads();
  }
}

// expect: XP-DIVERGENCE | --grid 2 --block 64
__global__ void nested_conditions(int* a, int n) {
  if (n > 2) {
    if (blockIdx.x == 1) {
      if (threadIdx.x < n) __syncthreads();
    }
  }
  a[blockIdx.x * 64 + threadIdx.x] = n;
}

// expect: XP-DIVERGENCE | --grid 1 --block 64
__global__ void short_circuit_barrier(int* a) {
  if (threadIdx.x > 10 && __syncthreads_or(threadIdx.x > 20)) a[threadIdx.x] = 1;
}

__device__ void helper_barrier(bool go) { if (go) __syncthreads(); }
__device__ int square(int x) { return x * x; }
__device__ void swap_at(int* a, int i, int j) { int t = a[i]; a[i] = a[j]; a[j] = t; }

// expect: XP-DIVERGENCE | --grid 1 --block 64
__global__ void barrier_in_helper(int* a) {
  helper_barrier(threadIdx.x != 0);
  a[threadIdx.x] = square(threadIdx.x);
}

// expect: clean | --grid 1 --block 64
__global__ void barrier_in_helper_uniform(int* a) {
  helper_barrier(blockDim.x > 32);
  a[threadIdx.x] = square(threadIdx.x);
}

// expect: clean | --grid 1 --block 32
__global__ void swaps_apart(int* a) { swap_at(a, threadIdx.x, 63 - threadIdx.x); }

// expect: XP-RACE | --grid 1 --block 32
__global__ void swaps_meet(int* a) { swap_at(a, threadIdx.x, 32 - threadIdx.x); }

// expect: XP-BOUNDS | --grid 1 --block 64
__global__ void shared_off_by_one(int* a) {
  __shared__ int s[N];
  for (int i = threadIdx.x; i <= N; i += 64) s[i] = i;
  __syncthreads();
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: XP-BOUNDS | --grid 1 --block 64
__global__ void shared_2d_swapped(int* a) {
  __shared__ int s[4][16];
  s[threadIdx.x % 16][threadIdx.x / 16] = threadIdx.x;
  __syncthreads();
  a[threadIdx.x] = s[0][threadIdx.x % 16];
}

// expect: XP-BOUNDS | --grid 1 --block 64
__global__ void local_array_bound(int* a) {
  int r[8];
  for (int i = 0; i < 8; i++) r[i] = a[i];
  int s = 0;
  for (int i = 0; i < 8; i++) s += r[i + (threadIdx.x == 63)];
  a[threadIdx.x + 8] = s;
}

// expect: XP-BOUNDS | --grid 2 --block 64
__global__ void negative_modulo(int* a, const int* b) {
  __shared__ int s[N];
  int d = (int)threadIdx.x - 5;
  s[d % N] = b[threadIdx.x];
  __syncthreads();
  a[blockIdx.x * 64 + threadIdx.x] = s[threadIdx.x];
}

// expect: clean | --grid 2 --block 64
__global__ void modulo_made_positive(int* a, const int* b) {
  __shared__ int s[N];
  int d = (int)threadIdx.x - 5;
  s[(d + N) % N] = b[threadIdx.x];
  __syncthreads();
  a[blockIdx.x * 64 + threadIdx.x] = s[threadIdx.x];
}

// expect: clean | --grid 2 --block 64
__global__ void negative_masked(int* a, const int* b) {
  __shared__ int s[N];
  int d = (int)threadIdx.x - 5;
  s[d & (N - 1)] = b[threadIdx.x];
  __syncthreads();
  a[blockIdx.x * 64 + threadIdx.x] = s[threadIdx.x];
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void constant_memory_is_fine_but_sum_is_not(int* sum, const int* b) { *sum += b[threadIdx.x]; }

__constant__ int table[64];
__device__ int total;

// expect: clean | --grid 2 --block 64
__global__ void reads_constants(int* a) { a[blockIdx.x * 64 + threadIdx.x] = table[threadIdx.x]; }

// expect: XP-BOUNDS | --grid 2 --block 64
__global__ void reads_past_constants(int* a) { a[blockIdx.x * 64 + threadIdx.x] = table[threadIdx.x + 1]; }

// expect: XP-RACE | --grid 2 --block 64
__global__ void device_variable(int* a) {
  total += a[threadIdx.x];
}

// expect: clean | --grid 2 --block 64
__global__ void device_variable_atomic(int* a) {
  atomicAdd(&total, a[threadIdx.x]);
}

// expect: clean | --grid 1 --block 32
__global__ void histogram_by_bits(unsigned* out, const unsigned* in) {
  __shared__ unsigned h[32][33];
  for (int i = 0; i < 32; i++) h[i][threadIdx.x] = 0;
  for (int i = threadIdx.x; i < 1024; i += 32) h[in[i] & 31][threadIdx.x]++;
  __syncthreads();
  unsigned s = 0;
  for (int i = 0; i < 32; i++) s += h[threadIdx.x][i];
  out[threadIdx.x] = s;
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void histogram_by_half(unsigned* out, const unsigned* in) {
  __shared__ unsigned h[32][33];
  for (int i = 0; i < 32; i++) if (threadIdx.x < 32) h[i][threadIdx.x] = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < 1024; i += 64) h[in[i] & 31][threadIdx.x & 31]++;
  __syncthreads();
  unsigned s = 0;
  for (int i = 0; i < 32; i++) s += h[threadIdx.x & 31][i];
  out[threadIdx.x] = s;
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void bitfield_shift(int* a) { a[threadIdx.x >> 1 << 1] = threadIdx.x; }

// expect: clean | --grid 1 --block 64
__global__ void interleave(int* a) {
  unsigned t = threadIdx.x;
  unsigned x = t & 7, y = t >> 3;
  unsigned z = 0;
  for (int b = 0; b < 3; b++) z |= (x >> b & 1) << (2 * b) | (y >> b & 1) << (2 * b + 1);
  a[z] = t;
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void interleave_two_bits(int* a) {
  unsigned t = threadIdx.x;
  unsigned x = t & 7, y = t >> 3;
  unsigned z = 0;
  for (int b = 0; b < 2; b++) z |= (x >> b & 1) << (2 * b) | (y >> b & 1) << (2 * b + 1);
  a[z] = t;
}

// expect: clean | --grid 1 --block 64
__global__ void ordinal_of_set_bits(int* a, unsigned mask) {
  if (mask >> (threadIdx.x & 31) & 1 && threadIdx.x < 32) a[__popc(mask & ((1u << threadIdx.x) - 1))] = threadIdx.x;
}

// expect: XP-RACE | --grid 1 --block 64
__global__ void ordinal_of_set_bits_two_warps(int* a, unsigned mask) {
  unsigned lane = threadIdx.x & 31;
  if (mask >> lane & 1) a[__popc(mask & ((1u << lane) - 1))] = threadIdx.x;
}

// expect: clean | --grid 4,4 --block 8,8
__global__ void blocked(float* c, int ld) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < ld) c[y * ld + x] = x;
}

// expect: XP-RACE | --grid 4,4 --block 8,8
__global__ void blocked_wrong_axis(float* c, int ld) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.x * blockDim.y + threadIdx.y;
  if (x < ld) c[y * ld + x] += x;
}

// expect: XP-RACE | --grid 4,4 --block 8,8
__global__ void blocked_no_guard(float* c, int w) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (y < w) c[y * w + x] = x;
}

struct Cell { float v[4]; int tag; };

// expect: clean | --grid 2 --block 64
__global__ void cells(Cell* c, int n) {
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i < n) {
    for (int k = 0; k < 4; k++) c[i].v[k] = k;
    c[i].tag = i;
  }
}

// expect: XP-BOUNDS | --grid 2 --block 64
__global__ void cells_shared(Cell* c) {
  __shared__ Cell s[32];
  s[threadIdx.x].tag = threadIdx.x;
  __syncthreads();
  c[blockIdx.x * 64 + threadIdx.x].tag = s[threadIdx.x].tag;
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void cells_of_pairs(Cell* c) {
  int i = (blockIdx.x * 64 + threadIdx.x) / 2;
  c[i].v[threadIdx.x % 2] = 1;
  c[i].tag = threadIdx.x;
}

// expect: clean | --grid 2 --block 64
__global__ void cells_of_pairs_own(Cell* c) {
  int i = (blockIdx.x * 64 + threadIdx.x) / 2;
  c[i].v[threadIdx.x % 2] = 1;
  c[i].v[2 + threadIdx.x % 2] = 2;
}
