// Small kernels, each with one feature of the language or one kind of fault.

// expect: XP-RACE | --block 32 --grid 1
__global__ void shared_scalar() {
  __shared__ int x;
  x = threadIdx.x;
}

// expect: clean | --block 32 --grid 1
__global__ void device_memset(int* p) {
  int* q = p + threadIdx.x * 4;
  for (int i = 0; i < 4; i++) q[i] = 0;
}

// expect: XP-RACE | --block 32 --grid 1
__global__ void device_memset_over(int* p) {
  int* q = p + threadIdx.x * 4;
  for (int i = 0; i < 5; i++) q[i] = threadIdx.x;
}

struct S { int a; int b[2]; };
// expect: clean | --block 32 --grid 2
__global__ void struct_array(S* s) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  s[i].a = i;
  s[i].b[0] = 1;
  s[i].b[1] = s[i].a;
}

// expect: XP-RACE | --block 32 --grid 2
__global__ void struct_array_next(S* s) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  s[i].a = s[i + 1].b[0];
  s[i].b[0] = i;
}

__device__ int counter;
// expect: XP-RACE | --block 32 --grid 2
__global__ void device_global() { counter = counter + 1; }

// expect: clean | --block 32 --grid 2
__global__ void device_global_atomic() { atomicAdd(&counter, 1); }

// expect: clean | --block 32 --grid 2
__global__ void ticket(int* out) { int t = atomicAdd(&counter, 1); out[t] = threadIdx.x; }

// expect: clean | --block 8,8 --grid 2,2
__global__ void two_d(int* a, int w) {
  a[(blockIdx.y * blockDim.y + threadIdx.y) * w + blockIdx.x * blockDim.x + threadIdx.x] = 1 + threadIdx.x;
}

// expect: XP-RACE | --block 8,8 --grid 1
__global__ void two_d_as_one(int* a) { a[threadIdx.x] = threadIdx.y; }

// expect: clean | --block 4,4,4 --grid 1
__global__ void three_d(int* a) { a[(threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x] = threadIdx.z; }

// expect: XP-RACE | --block 4,4,4 --grid 1
__global__ void three_d_wrong(int* a) { a[(threadIdx.z * blockDim.y + threadIdx.y) + threadIdx.x] = threadIdx.z * 16 + threadIdx.x; }

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void nested_divergent(int* a, int n) {
  for (int i = 0; i < n; i++) {
    if ((threadIdx.x + i) % 3 == 0) continue;
    __syncthreads();
    a[threadIdx.x] += i;
  }
}

// expect: clean | --block 64 --grid 1
__global__ void uniform_continue(int* a, int n) {
  for (int i = 0; i < n; i++) {
    if (i % 3 == 0) continue;
    __syncthreads();
    a[threadIdx.x] += i;
  }
}

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void while_divergent(int* a) {
  int x = threadIdx.x;
  while (x > 0) { __syncthreads(); x /= 2; }
  a[threadIdx.x] = x;
}

// expect: clean | --block 64 --grid 1
__global__ void read_only_shared(int* a) {
  __shared__ int t[2];
  if (threadIdx.x < 2) t[threadIdx.x] = a[64 + threadIdx.x];
  __syncthreads();
  a[threadIdx.x] = t[0] + t[1];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void war_same_iteration(int* a) {
  __shared__ int t[64];
  t[threadIdx.x] = a[threadIdx.x];
  __syncthreads();
  int v = t[(threadIdx.x + 1) & 63];
  t[threadIdx.x] = v;
  __syncthreads();
  a[threadIdx.x] = t[threadIdx.x];
}

// expect: XP-RACE | --block 128 --grid 1
__global__ void offset_by_block(int* a) {
  if (threadIdx.x >= 64) a[threadIdx.x] = a[threadIdx.x - 64];
  else a[threadIdx.x] = 0;
}

// expect: clean | --block 128 --grid 1
__global__ void offset_disjoint(int* a) {
  if (threadIdx.x >= 64) a[threadIdx.x] = a[threadIdx.x + 128];
}

// expect: XP-BOUNDS | --block 32 --grid 1
__global__ void oob_2d(int* a) {
  __shared__ int m[8][8];
  m[threadIdx.x / 4][threadIdx.x % 4] = 1;
  __syncthreads();
  a[threadIdx.x] = m[threadIdx.x / 4 + 1][threadIdx.x % 4];
}

// expect: clean | --block 32 --grid 4
__global__ void volatile_flag(volatile int* flag, int* data) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  data[i] = i;
  if (i == 0) { __threadfence(); flag[0] = 1; }
}

// expect: XP-RACE | --block 32 --grid 4
__global__ void volatile_flag_wait(volatile int* flag, int* data, int* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i == 0) { data[0] = 42; __threadfence(); flag[0] = 1; }
  else if (flag[0] == 1) out[i] = data[0];
}

// expect: clean | --block 64 --grid 2
__global__ void ternary_index(const int* a, int* b, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  b[i] = i > 0 ? a[i - 1] : a[0];
}

// expect: XP-BOUNDS | --block 64 --grid 2
__global__ void ternary_index_wrong(const int* a, int* b, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  b[i] = i >= 0 ? a[i - 1] : a[0];
}

// expect: clean | --block 256 --grid 2
__global__ void coarse(const float* a, float* b, int n) {
  int base = (blockIdx.x * blockDim.x + threadIdx.x) * 4;
#pragma unroll
  for (int j = 0; j < 4; j++) if (base + j < n) b[base + j] = a[base + j];
}

// The last element of a thread is the first one of the next, and both copy the same value there.
// expect: XP-SAME-VALUE | --block 256 --grid 2
__global__ void coarse_overlap(const float* a, float* b, int n) {
  int base = (blockIdx.x * blockDim.x + threadIdx.x) * 3;
#pragma unroll
  for (int j = 0; j < 4; j++) if (base + j < n) b[base + j] = a[base + j];
}

// expect: clean | --block 128 --grid 2
__global__ void warp_reduce_all(int* a) {
  int v = a[blockIdx.x * 128 + threadIdx.x];
  v = __reduce_add_sync(0xffffffff, v);
  if ((threadIdx.x & 31) == 0) atomicAdd(&a[1000], v);
}

// expect: clean | --block 64 --grid 2
__global__ void syncthreads_or_loop(int* a) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int v = a[i];
  while (__syncthreads_or(v > 0)) v--;
  a[i] = v;
}

// expect: XP-RACE | --block 64 --grid 2
__global__ void neighbour_after_sync(int* a) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int v = a[i + 1];
  __syncthreads();
  a[i] = v;
}

// expect: clean | --block 64 --grid 1
__global__ void neighbour_after_sync_one(int* a) {
  int i = threadIdx.x;
  int v = a[i + 1];
  __syncthreads();
  a[i] = v;
}

// expect: clean | --block 64 --grid 2
__global__ void block_private(int* scratch, int* out) {
  int* mine = scratch + blockIdx.x * 64;
  mine[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = mine[63 - threadIdx.x];
}

// expect: XP-RACE | --block 64 --grid 2
__global__ void block_private_short(int* scratch, int* out) {
  int* mine = scratch + blockIdx.x * 32;
  mine[threadIdx.x] = threadIdx.x + blockIdx.x;
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = mine[63 - threadIdx.x];
}

// expect: clean | --block 64 --grid 1
__global__ void char_view(unsigned char* bytes, int* words) {
  __shared__ int w[64];
  unsigned char* b = (unsigned char*)w;
  for (int k = 0; k < 4; k++) b[threadIdx.x * 4 + k] = bytes[threadIdx.x * 4 + k];
  words[threadIdx.x] = w[threadIdx.x];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void char_view_interleaved(unsigned char* bytes, int* words) {
  __shared__ int w[64];
  unsigned char* b = (unsigned char*)w;
  for (int k = 0; k < 4; k++) b[threadIdx.x + 64 * k] = bytes[threadIdx.x * 4 + k];
  words[threadIdx.x] = w[threadIdx.x];
}

// expect: clean | --block 32 --grid 1
__global__ void early_exit_no_barrier(int* a, int n) {
  if (threadIdx.x >= n) return;
  a[threadIdx.x] = 1;
}

// expect: XP-SAME-VALUE | --block 32 --grid 1
__global__ void same_constant(int* a) { a[0] = 7; }

// expect: clean | --block 64 --grid 1
__global__ void lambda_like(int* a, int k) {
  auto at = [&](int j) { return j * 2 + 1; };
  a[at(threadIdx.x)] = k;
}

// expect: clean | --block 64 --grid 1
__global__ void goto_free_switch(int* a, int mode) {
  int i = threadIdx.x;
  switch (mode) {
    case 0: a[i] = 0; break;
    case 1: a[i + 64] = 1; break;
    default: a[63 - i] = 2;
  }
}

// expect: XP-RACE
__global__ void pointer_swap(float* out, int steps) {
  __shared__ float A[64], B[64];
  float *src = A, *dst = B;
  A[threadIdx.x] = threadIdx.x;
  __syncthreads();
  for (int i = 0; i < steps; i++) {
    dst[threadIdx.x] = src[(threadIdx.x + 1) % 64];
    float* t = src; src = dst; dst = t;
  }
  out[threadIdx.x] = src[threadIdx.x];
}

// expect: clean
__global__ void pointer_swap_ok(float* out, int steps) {
  __shared__ float A[64], B[64];
  float *src = A, *dst = B;
  A[threadIdx.x] = threadIdx.x;
  __syncthreads();
  for (int i = 0; i < steps; i++) {
    dst[threadIdx.x] = src[(threadIdx.x + 1) % 64];
    __syncthreads();
    float* t = src; src = dst; dst = t;
  }
  out[threadIdx.x] = src[threadIdx.x];
}
