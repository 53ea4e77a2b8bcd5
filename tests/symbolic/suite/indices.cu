// Integers of C: signs, widths, wrapping, bits; constants by macros and template arguments; steps of loops.

// expect: XP-BOUNDS | --block 64 --grid 1
__global__ void negative_remainder(const float* in, float* out) {
  __shared__ float s[64];
  int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  out[t] = s[(t - 1) % 64];
}

// expect: clean | --block 64 --grid 1
__global__ void positive_remainder(const float* in, float* out) {
  __shared__ float s[64];
  int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  out[t] = s[(t + 63) % 64];
}

// expect: clean | --block 64 --grid 1
__global__ void unsigned_remainder(const float* in, float* out) {
  __shared__ float s[64];
  s[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = s[(threadIdx.x - 1) % 64];
}

// expect: clean | --block 64 --grid 1
__global__ void wrapped_is_guarded(const float* in, float* out) {
  __shared__ float s[64];
  s[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  unsigned before = threadIdx.x - 1;
  out[threadIdx.x] = before < 64 ? s[before] : 0.0f;
}

// expect: XP-BOUNDS | --block 64 --grid 1
__global__ void wrapped_is_not(const float* in, float* out) {
  __shared__ float s[64];
  s[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x - 1];
}

// expect: XP-BOUNDS | --block 64 --grid 1
__global__ void unsigned_is_never_negative(const float* in, float* out) {
  __shared__ float s[64];
  unsigned t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  if (t - 1 >= 0) out[t] = s[t - 1];
}

// expect: clean | --block 64 --grid 1
__global__ void signed_may_be_negative(const float* in, float* out) {
  __shared__ float s[64];
  int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  if (t - 1 >= 0) out[t] = s[t - 1];
}

// expect: XP-OVERFLOW | --block 64 --grid 4096
__global__ void block_offset_overflows(float* out) {
  int at = (int)blockIdx.x * (1 << 20) + (int)threadIdx.x;
  out[at] = 1.0f;
}

// expect: clean | --block 64 --grid 4096
__global__ void block_offset_is_long(float* out) {
  long long at = (long long)blockIdx.x * (1 << 20) + threadIdx.x;
  out[at] = 1.0f;
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void partners_no_barrier(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  for (int j = 32; j > 0; j >>= 1) {
    int other = s[t ^ j];
    s[t] = min(s[t], other);
    __syncthreads();
  }
  a[t] = s[t];
}

// expect: clean | --block 64 --grid 1
__global__ void partners_two_barriers(int* a) {
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  for (int j = 32; j > 0; j >>= 1) {
    int other = s[t ^ j];
    __syncthreads();
    s[t] = min(s[t], other);
    __syncthreads();
  }
  a[t] = s[t];
}

// expect: clean | --block 256 --grid 1
__global__ void bits_reversed(const float* in, float* out) {
  out[__brev(threadIdx.x) >> 24] = in[threadIdx.x];
}

// expect: XP-RACE | --block 256 --grid 1
__global__ void bits_reversed_short(const float* in, float* out) {
  out[__brev(threadIdx.x) >> 25] = in[threadIdx.x];
}

// expect: clean | --block 128 --grid 2
__global__ void gray_code(const float* in, float* out) {
  int i = blockIdx.x * 128 + threadIdx.x;
  out[i ^ (i >> 1)] = in[i];
}

// expect: XP-RACE | --block 128 --grid 2
__global__ void even_only(const float* in, float* out) {
  int i = blockIdx.x * 128 + threadIdx.x;
  out[i & ~1] = in[i];
}

// expect: clean | --block 128 --grid 2
__global__ void taken_apart(const float* in, float* out) {
  int i = blockIdx.x * 128 + threadIdx.x;
  out[i / 8 * 8 + (i % 8 + 3) % 8] = in[i];
}

// expect: clean | --block 64 --grid 1
__global__ void odd_step(const float* in, float* out) {
  out[(threadIdx.x * 5) & 63] = in[threadIdx.x];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void even_step(const float* in, float* out) {
  out[(threadIdx.x * 6) & 63] = in[threadIdx.x];
}

// expect: XP-RACE | --block 512 --grid 1
__global__ void index_in_a_byte(const float* in, float* out) {
  unsigned char at = (unsigned char)threadIdx.x;
  out[at] = in[threadIdx.x];
}

// expect: clean | --block 256 --grid 1
__global__ void index_fits_a_byte(const float* in, float* out) {
  unsigned char at = (unsigned char)threadIdx.x;
  out[at] = in[threadIdx.x];
}

// expect: XP-BOUNDS | --block 256 --grid 1
__global__ void index_in_a_signed_byte(const float* in, float* out) {
  signed char at = (signed char)threadIdx.x;
  out[at] = in[threadIdx.x];
}

// expect: clean | --block 64 --grid 4
__global__ void carried_over_the_grid(float* out, int n) {
  int at = blockIdx.x * blockDim.x + threadIdx.x;
  while (at < n) {
    out[at] = at;
    at += blockDim.x * gridDim.x;
  }
}

// expect: XP-RACE | --block 64 --grid 4
__global__ void carried_over_the_block(float* out, int n) {
  int at = blockIdx.x * blockDim.x + threadIdx.x;
  while (at < n) {
    out[at] = at + blockIdx.x;
    at += blockDim.x;
  }
}

// expect: XP-RACE | --block 128 --grid 1
__global__ void step_of_half_a_block(const float* in, float* out, int n) {
  for (int i = threadIdx.x; i < n; i += 64) out[i] = in[i] + threadIdx.x;
}

#define WIDTH 128
// expect: clean | --block 128 --grid 1
__global__ void scanned(const int* in, int* out) {
  __shared__ int s[2][WIDTH];
  int t = threadIdx.x, from = 0;
  s[0][t] = in[t];
  __syncthreads();
  for (int d = 1; d < WIDTH; d <<= 1) {
    int to = 1 - from;
    s[to][t] = t >= d ? s[from][t] + s[from][t - d] : s[from][t];
    from = to;
    __syncthreads();
  }
  out[t] = s[from][t];
}

// expect: XP-RACE | --block 128 --grid 1
__global__ void scanned_in_place(const int* in, int* out) {
  __shared__ int s[WIDTH];
  int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  for (int d = 1; d < WIDTH; d <<= 1) {
    if (t >= d) s[t] += s[t - d];
    __syncthreads();
  }
  out[t] = s[t];
}

// expect: XP-RACE | --block 128 --grid 1
__global__ void scanned_halves_not_swapped(const int* in, int* out) {
  __shared__ int s[2][WIDTH];
  int t = threadIdx.x, from = 0;
  s[0][t] = in[t];
  s[1][t] = 0;
  __syncthreads();
  for (int d = 1; d < WIDTH; d <<= 1) {
    int to = d & 1;
    s[to][t] = t >= d ? s[from][t] + s[from][t - d] : s[from][t];
    __syncthreads();
  }
  out[t] = s[0][t];
}

// expect: clean
template <int N>
__global__ void halved(const float* in, float* out) {
  __shared__ float s[N];
  s[threadIdx.x] = in[blockIdx.x * N + threadIdx.x];
  __syncthreads();
  for (int d = N / 2; d > 0; d /= 2) {
    if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
    __syncthreads();
  }
  if (threadIdx.x == 0) out[blockIdx.x] = s[0];
}
void run_halved(const float* in, float* out) { halved<256><<<4, 256>>>(in, out); }

// expect: XP-BOUNDS
template <int N>
__global__ void halved_of_too_few(const float* in, float* out) {
  __shared__ float s[N];
  s[threadIdx.x] = in[blockIdx.x * N + threadIdx.x];
  __syncthreads();
  for (int d = N / 2; d > 0; d /= 2) {
    if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
    __syncthreads();
  }
  if (threadIdx.x == 0) out[blockIdx.x] = s[0];
}
void run_halved_of_too_few(const float* in, float* out) { halved_of_too_few<128><<<4, 256>>>(in, out); }

// expect: XP-BOUNDS
__global__ void one_too_many(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) out[i] = in[i];
}
void run_one_too_many(int n) {
  float *in, *out;
  cudaMalloc(&in, n * sizeof(float));
  cudaMalloc(&out, n * sizeof(float));
  one_too_many<<<n / 128 + 1, 128>>>(in, out, n);
}

// expect: XP-ZERO | --block 64 --grid 1
__global__ void divided_by_a_lane(const int* in, int* out) {
  int t = threadIdx.x;
  out[t] = 1000 / (t % 32);
}
