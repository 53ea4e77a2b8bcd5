// Variants of one another: the same kernel with one thing changed.

// expect: clean
__global__ void axpy2d(float* y, const float* x, float a, int rows, int cols) {
  for (int r = blockIdx.y * blockDim.y + threadIdx.y; r < rows; r += gridDim.y * blockDim.y)
    for (int c = blockIdx.x * blockDim.x + threadIdx.x; c < cols; c += gridDim.x * blockDim.x) y[r * cols + c] += a * x[r * cols + c];
}

// expect: XP-RACE
__global__ void axpy2d_steps_swapped(float* y, const float* x, float a, int rows, int cols) {
  for (int r = blockIdx.y * blockDim.y + threadIdx.y; r < rows; r += blockDim.y)
    for (int c = blockIdx.x * blockDim.x + threadIdx.x; c < cols; c += gridDim.x * blockDim.x) y[r * cols + c] += a * x[r * cols + c];
}

// expect: clean
__global__ void column_means(const float* x, float* mean, int rows, int cols) {
  __shared__ float s[16][33];
  int c = blockIdx.x * 32 + threadIdx.x;
  float sum = 0;
  if (c < cols)
    for (int r = threadIdx.y; r < rows; r += 16) sum += x[r * cols + c];
  s[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && c < cols) {
    sum = 0;
    for (int k = 0; k < 16; k++) sum += s[k][threadIdx.x];
    mean[c] = sum / rows;
  }
}

// expect: XP-UNINIT
__global__ void column_means_of_half(const float* x, float* mean, int rows, int cols) {
  __shared__ float s[16][33];
  int c = blockIdx.x * 32 + threadIdx.x;
  float sum = 0;
  if (c < cols)
    for (int r = threadIdx.y; r < rows; r += 16) sum += x[r * cols + c];
  if (threadIdx.y % 2 == 0) s[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0 && c < cols) {
    sum = 0;
    for (int k = 0; k < 16; k++) sum += s[k][threadIdx.x];
    mean[c] = sum / rows;
  }
}

// expect: XP-RACE
__global__ void column_means_by_all_rows(const float* x, float* mean, int rows, int cols) {
  __shared__ float s[16][33];
  int c = blockIdx.x * 32 + threadIdx.x;
  float sum = 0;
  if (c < cols)
    for (int r = threadIdx.y; r < rows; r += 16) sum += x[r * cols + c];
  s[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (c < cols) mean[c] = s[threadIdx.y][threadIdx.x] / rows;
}

// expect: clean | --block 64 --grid 3
__global__ void rotated(const float* in, float* out, int k) {
  int n = gridDim.x * blockDim.x, i = blockIdx.x * blockDim.x + threadIdx.x;
  out[(i + k) % n] = in[i];
}

// expect: XP-RACE | --block 64 --grid 3
__global__ void rotated_within(const float* in, float* out, int k) {
  int n = gridDim.x * blockDim.x, i = blockIdx.x * blockDim.x + threadIdx.x;
  out[(i + k) % (n / 2)] = in[i];
}

// expect: clean | --block 128 --grid 1
__global__ void maximum_with_position(const float* in, float* best, int* where) {
  __shared__ float v[128];
  __shared__ int p[128];
  int t = threadIdx.x;
  v[t] = in[t];
  p[t] = t;
  __syncthreads();
  for (int d = 64; d > 0; d >>= 1) {
    if (t < d && v[t + d] > v[t]) {
      v[t] = v[t + d];
      p[t] = p[t + d];
    }
    __syncthreads();
  }
  if (t == 0) {
    *best = v[0];
    *where = p[0];
  }
}

// expect: XP-RACE | --block 128 --grid 1
__global__ void maximum_with_late_barrier(const float* in, float* best, int* where) {
  __shared__ float v[128];
  __shared__ int p[128];
  int t = threadIdx.x;
  v[t] = in[t];
  p[t] = t;
  __syncthreads();
  for (int d = 64; d > 0; d >>= 1) {
    if (t < d && v[t + d] > v[t]) v[t] = v[t + d];
    if (t < d) p[t] = p[t + d];
  }
  __syncthreads();
  if (t == 0) {
    *best = v[0];
    *where = p[0];
  }
}

// expect: XP-DIVERGENCE | --block 128 --grid 1
__global__ void maximum_with_barrier_in_condition(const float* in, float* best) {
  __shared__ float v[128];
  int t = threadIdx.x;
  v[t] = in[t];
  __syncthreads();
  for (int d = 64; d > 0; d >>= 1)
    if (t < d) {
      v[t] = fmaxf(v[t], v[t + d]);
      __syncthreads();
    }
  if (t == 0) *best = v[0];
}

// expect: clean
__global__ void gathered(const float* in, const int* map, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[map[i]];
}

// expect: XP-SCATTER
__global__ void scattered(const float* in, const int* map, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[map[i]] = in[i];
}

// expect: XP-RACE
__global__ void scattered_sum(const float* in, const int* map, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[map[i]] = out[map[i]] + in[i];
}

// expect: clean | --block 32 --grid 1
__global__ void jagged(const int* length, float* out) {
  int t = threadIdx.x, total = 0;
  for (int k = 0; k < t; k++) total += 4;
  for (int k = 0; k < 4; k++) out[total + k] = t;
}

// expect: XP-RACE | --block 32 --grid 1
__global__ void jagged_overlap(const int* length, float* out) {
  int t = threadIdx.x, total = 0;
  for (int k = 0; k < t; k++) total += 3;
  for (int k = 0; k < 4; k++) out[total + k] = t;
}

// expect: clean | --block 16,16 --grid 1
__global__ void lower_and_upper(float* m) {
  __shared__ float s[16][16];
  int x = threadIdx.x, y = threadIdx.y;
  s[y][x] = m[y * 16 + x];
  __syncthreads();
  if (x > y) s[y][x] = s[x][y];
  __syncthreads();
  m[y * 16 + x] = s[y][x];
}

// expect: XP-RACE | --block 16,16 --grid 1
__global__ void lower_and_upper_with_diagonals(float* m) {
  __shared__ float s[16][16];
  int x = threadIdx.x, y = threadIdx.y;
  s[y][x] = m[y * 16 + x];
  __syncthreads();
  if (x != y) s[y][x] = s[x][y];
  __syncthreads();
  m[y * 16 + x] = s[y][x];
}

// expect: XP-RACE | --block 16,16 --grid 1
__global__ void rows_and_columns_exchanged(float* m) {
  __shared__ float s[16][12];
  int x = threadIdx.x, y = threadIdx.y;
  if (y < 12) s[y][x] = m[y * 16 + x];
  __syncthreads();
  if (y < 12) m[y * 16 + x] = s[y][x];
}

// expect: clean | --block 256 --grid 2
__global__ void swizzled(const float* in, float* out) {
  __shared__ float s[16 * 16];
  int t = threadIdx.x, r = t / 16, c = t % 16;
  s[r * 16 + (c ^ r)] = in[blockIdx.x * 256 + t];
  __syncthreads();
  out[blockIdx.x * 256 + t] = s[c * 16 + (r ^ c)];
}

// expect: XP-RACE | --block 256 --grid 2
__global__ void swizzled_with_or(const float* in, float* out) {
  __shared__ float s[16 * 16];
  int t = threadIdx.x, r = t / 16, c = t % 16;
  s[r * 16 + (c | r)] = in[blockIdx.x * 256 + t];
  __syncthreads();
  out[blockIdx.x * 256 + t] = s[c * 16 + (r | c)];
}

// expect: clean
__global__ void packed_nibbles(const unsigned char* in, unsigned char* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (2 * i + 1 < n) out[i] = (in[2 * i] & 15) | (in[2 * i + 1] << 4);
}

// expect: XP-RACE
__global__ void packed_nibbles_one_by_one(const unsigned char* in, unsigned char* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i / 2] |= (in[i] & 15) << (4 * (i % 2));
}

// expect: XP-ZERO
__global__ void divided_by_the_block(int* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = i / (int)blockIdx.x;
}

// expect: clean | --block 64 --grid 1
__global__ void producers_and_consumers(float* a, int turns) {
  __shared__ float s[32];
  int t = threadIdx.x;
  for (int k = 0; k < turns; k++) {
    if (t < 32) s[t] = a[k * 32 + t];
    __syncthreads();
    if (t >= 32) a[k * 32 + t - 32] = s[63 - t] * 2;
    __syncthreads();
  }
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void producers_run_ahead(float* a, int turns) {
  __shared__ float s[32];
  int t = threadIdx.x;
  for (int k = 0; k < turns; k++) {
    if (t < 32) s[t] = a[k * 32 + t];
    __syncthreads();
    if (t >= 32) a[k * 32 + t - 32] = s[63 - t] * 2;
  }
}

// expect: clean
__global__ void strided_batches(const float* in, float* out, int batch, int n, long stride) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int b = 0; b < batch; b++)
    if (i < n) out[b * (long)n + i] = in[b * stride + i];
}

// expect: clean | --block 96 --grid 2
__global__ void three_colours(unsigned char* rgb) {
  int i = blockIdx.x * 96 + threadIdx.x;
  rgb[i / 3 * 3 + (i + 1) % 3] = i;
}

// expect: XP-RACE | --block 96 --grid 2
__global__ void two_colours(unsigned char* rgb) {
  int i = blockIdx.x * 96 + threadIdx.x;
  rgb[i / 3 * 3 + i % 2] = i;
}

// expect: XP-BOUNDS | --block 64 --grid 1
__global__ void local_table(const int* in, int* out) {
  int table[16] = {0};
  int i = threadIdx.x;
  table[i / 4 + 1] = in[i];
  out[i] = table[i / 4 + 1];
}

// expect: clean | --block 64 --grid 1
__global__ void local_table_fits(const int* in, int* out) {
  int table[17] = {0};
  int i = threadIdx.x;
  table[i / 4 + 1] = in[i];
  out[i] = table[i / 4 + 1];
}

// expect: XP-UNGUARDED
__global__ void loop_instead_of_guard(float* a, int n, int turns) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  for (int k = 0; k < turns; k++) a[i] += k;
}

// expect: clean | --block 32 --grid 4
__global__ void tickets(int* next, int* out) {
  __shared__ int mine;
  if (threadIdx.x == 0) mine = atomicAdd(next, 1);
  __syncthreads();
  out[mine * 32 + threadIdx.x] = threadIdx.x;
}

// expect: XP-RACE | --block 32 --grid 4
__global__ void tickets_without_atomic(int* next, int* out) {
  __shared__ int mine;
  if (threadIdx.x == 0) mine = (*next)++;
  __syncthreads();
  out[mine * 32 + threadIdx.x] = threadIdx.x;
}
