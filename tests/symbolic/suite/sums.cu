// Sums, scans, sorts: right and with one thing wrong. Launches are to be found.

// expect: clean
__global__ void scan_double_buffer(const int* in, int* out, int n) {
  extern __shared__ int temp[];
  int t = threadIdx.x, pout = 0, pin = 1;
  temp[t] = t > 0 ? in[t - 1] : 0;
  __syncthreads();
  for (int o = 1; o < n; o <<= 1) {
    pout = 1 - pout;
    pin = 1 - pout;
    if (t >= o) temp[pout * n + t] = temp[pin * n + t] + temp[pin * n + t - o];
    else temp[pout * n + t] = temp[pin * n + t];
    __syncthreads();
  }
  out[t] = temp[pout * n + t];
}

// expect: XP-RACE
__global__ void scan_single_buffer(const int* in, int* out) {
  __shared__ int s[256];
  int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  for (int o = 1; o < 256; o <<= 1) {
    if (t >= o) s[t] += s[t - o];
    __syncthreads();
  }
  out[t] = s[t];
}

// expect: clean
__global__ void scan_single_buffer_two_barriers(const int* in, int* out) {
  __shared__ int s[256];
  int t = threadIdx.x;
  s[t] = in[t];
  __syncthreads();
  for (int o = 1; o < 256; o <<= 1) {
    int v = t >= o ? s[t - o] : 0;
    __syncthreads();
    s[t] += v;
    __syncthreads();
  }
  out[t] = s[t];
}

// expect: clean
__global__ void odd_even_sort(int* a) {
  __shared__ int s[128];
  int t = threadIdx.x;
  s[2 * t] = a[2 * t];
  s[2 * t + 1] = a[2 * t + 1];
  __syncthreads();
  for (int i = 0; i < 128; i++) {
    int j = 2 * t + (i & 1);
    if (j + 1 < 128 && s[j] > s[j + 1]) {
      int v = s[j];
      s[j] = s[j + 1];
      s[j + 1] = v;
    }
    __syncthreads();
  }
  a[2 * t] = s[2 * t];
  a[2 * t + 1] = s[2 * t + 1];
}

// expect: XP-BOUNDS
__global__ void odd_even_sort_end(int* a) {
  __shared__ int s[128];
  int t = threadIdx.x;
  s[2 * t] = a[2 * t];
  s[2 * t + 1] = a[2 * t + 1];
  __syncthreads();
  for (int i = 0; i < 128; i++) {
    int j = 2 * t + (i & 1);
    if (s[j] > s[j + 1]) {
      int v = s[j];
      s[j] = s[j + 1];
      s[j + 1] = v;
    }
    __syncthreads();
  }
  a[2 * t] = s[2 * t];
  a[2 * t + 1] = s[2 * t + 1];
}

// expect: XP-RACE
__global__ void odd_even_sort_all(int* a) {
  __shared__ int s[128];
  int t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  for (int i = 0; i < 128; i++) {
    if (t + 1 < 128 && s[t] > s[t + 1]) {
      int v = s[t];
      s[t] = s[t + 1];
      s[t + 1] = v;
    }
    __syncthreads();
  }
  a[t] = s[t];
}

// expect: clean
__global__ void block_max_with_index(const float* in, int* out, int n) {
  __shared__ float v[128];
  __shared__ int at[128];
  int t = threadIdx.x;
  float best = -1e30f;
  int where = 0;
  for (int i = t; i < n; i += 128)
    if (in[blockIdx.x * n + i] > best) { best = in[blockIdx.x * n + i]; where = i; }
  v[t] = best;
  at[t] = where;
  for (int s = 64; s > 0; s >>= 1) {
    __syncthreads();
    if (t < s && v[t + s] > v[t]) { v[t] = v[t + s]; at[t] = at[t + s]; }
  }
  if (t == 0) out[blockIdx.x] = at[0];
}

// expect: XP-RACE
__global__ void block_max_read_by_all(const float* in, float* out, int n) {
  __shared__ float v[128];
  int t = threadIdx.x;
  float best = -1e30f;
  for (int i = t; i < n; i += 128) best = fmaxf(best, in[blockIdx.x * n + i]);
  v[t] = best;
  for (int s = 64; s > 0; s >>= 1) {
    __syncthreads();
    if (t < s) v[t] = fmaxf(v[t], v[t + s]);
  }
  for (int i = t; i < n; i += 128) out[blockIdx.x * n + i] = in[blockIdx.x * n + i] - v[0];
}

// expect: clean
__global__ void warp_prefix(const int* in, int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31;
  int v = i < n ? in[i] : 0;
  for (int o = 1; o < 32; o *= 2) {
    int w = __shfl_up_sync(0xffffffff, v, o);
    if (lane >= o) v += w;
  }
  if (i < n) out[i] = v;
}

// expect: XP-MASK
__global__ void warp_prefix_inside_guard(const int* in, int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31;
  if (i < n) {
    int v = in[i];
    for (int o = 1; o < 32; o *= 2) {
      int w = __shfl_up_sync(0xffffffff, v, o);
      if (lane >= o) v += w;
    }
    out[i] = v;
  }
}

// expect: XP-DIVERGENCE
__global__ void stencil_return(const float* in, float* out, int n) {
  __shared__ float s[130];
  int i = blockIdx.x * 128 + threadIdx.x;
  if (i < 1 || i >= n - 1) return;
  s[threadIdx.x + 1] = in[i];
  if (threadIdx.x == 0) s[0] = in[i - 1];
  if (threadIdx.x == 127) s[129] = in[i + 1];
  __syncthreads();
  out[i] = s[threadIdx.x] + s[threadIdx.x + 1] + s[threadIdx.x + 2];
}

// expect: clean
__global__ void matvec_shared(const float* a, const float* x, float* y, int rows, int cols) {
  __shared__ float xs[64];
  int r = blockIdx.x * 64 + threadIdx.x;
  float s = 0;
  for (int c = 0; c < cols; c += 64) {
    xs[threadIdx.x] = c + threadIdx.x < cols ? x[c + threadIdx.x] : 0;
    __syncthreads();
    if (r < rows)
      for (int k = 0; k < 64 && c + k < cols; k++) s += a[r * cols + c + k] * xs[k];
    __syncthreads();
  }
  if (r < rows) y[r] = s;
}

// expect: XP-RACE
__global__ void matvec_shared_one_barrier(const float* a, const float* x, float* y, int rows, int cols) {
  __shared__ float xs[64];
  int r = blockIdx.x * 64 + threadIdx.x;
  float s = 0;
  for (int c = 0; c < cols; c += 64) {
    xs[threadIdx.x] = c + threadIdx.x < cols ? x[c + threadIdx.x] : 0;
    __syncthreads();
    if (r < rows)
      for (int k = 0; k < 64 && c + k < cols; k++) s += a[r * cols + c + k] * xs[k];
  }
  if (r < rows) y[r] = s;
}

// expect: clean
template <typename T, int ROWS, int COLS>
__global__ void copy_tile(const T* in, T* out, int ld) {
  __shared__ T s[ROWS][COLS + 1];
  for (int r = threadIdx.y; r < ROWS; r += blockDim.y)
    for (int c = threadIdx.x; c < COLS; c += blockDim.x) s[r][c] = in[(blockIdx.y * ROWS + r) * ld + blockIdx.x * COLS + c];
  __syncthreads();
  for (int r = threadIdx.y; r < ROWS; r += blockDim.y)
    for (int c = threadIdx.x; c < COLS; c += blockDim.x) out[(blockIdx.y * ROWS + r) * ld + blockIdx.x * COLS + c] = s[r][c];
}
template __global__ void copy_tile<float, 32, 64>(const float*, float*, int);

// expect: XP-BOUNDS
template <typename T, int ROWS, int COLS>
__global__ void copy_tile_transposed(const T* in, T* out, int ld) {
  __shared__ T s[ROWS][COLS + 1];
  for (int r = threadIdx.y; r < ROWS; r += blockDim.y)
    for (int c = threadIdx.x; c < COLS; c += blockDim.x) s[c][r] = in[(blockIdx.y * ROWS + r) * ld + blockIdx.x * COLS + c];
  __syncthreads();
  for (int r = threadIdx.y; r < ROWS; r += blockDim.y)
    for (int c = threadIdx.x; c < COLS; c += blockDim.x) out[(blockIdx.y * ROWS + r) * ld + blockIdx.x * COLS + c] = s[r][c];
}
template __global__ void copy_tile_transposed<float, 32, 64>(const float*, float*, int);

// expect: XP-RACE
__global__ void dot_last(const float* a, const float* b, float* out, int n) {
  __shared__ float cache[256];
  float s = 0;
  for (int i = threadIdx.x + blockIdx.x * blockDim.x; i < n; i += blockDim.x * gridDim.x) s += a[i] * b[i];
  cache[threadIdx.x] = s;
  for (int i = blockDim.x / 2; i > 0; i /= 2) {
    if (threadIdx.x < i) cache[threadIdx.x] += cache[threadIdx.x + i];
    __syncthreads();
  }
  if (threadIdx.x == 0) atomicAdd(out, cache[0]);
}

// expect: XP-RACE
__global__ void counts_reset(int* bins, const int* in, int n) {
  __shared__ int h[256];
  h[threadIdx.x] = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) atomicAdd(&h[in[i] & 255], 1);
  __syncthreads();
  atomicAdd(&bins[threadIdx.x], h[threadIdx.x]);
}

// expect: XP-DIVERGENCE
__global__ void tail_blocks(const float* in, float* out, int n) {
  __shared__ float s[64];
  for (int i = blockIdx.x * 64 + threadIdx.x; i < n; i += gridDim.x * 64) {
    s[threadIdx.x] = in[i];
    __syncthreads();
    out[i] = s[63 - threadIdx.x];
    __syncthreads();
  }
}

// expect: clean
__global__ void tail_blocks_padded(const float* in, float* out, int n) {
  __shared__ float s[64];
  for (int b = blockIdx.x * 64; b < n; b += gridDim.x * 64) {
    int i = b + threadIdx.x;
    s[threadIdx.x] = i < n ? in[i] : 0;
    __syncthreads();
    if (i < n) out[i] = s[63 - threadIdx.x];
    __syncthreads();
  }
}
