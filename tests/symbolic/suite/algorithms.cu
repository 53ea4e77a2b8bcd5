// Algorithms as textbooks and benchmarks have them, right and with a slip. No launch is given where none is written.
#include <cooperative_groups.h>
namespace cg = cooperative_groups;

#define LOG_BANKS 5
#define PADDED(i) ((i) + ((i) >> LOG_BANKS))
// expect: clean | --block 128 --grid 2
__global__ void scan_work_efficient(const int* in, int* out) {
  __shared__ int s[256 + 8];
  int t = threadIdx.x, base = blockIdx.x * 256;
  int a = t, b = t + 128;
  s[PADDED(a)] = in[base + a];
  s[PADDED(b)] = in[base + b];
  int offset = 1;
  for (int d = 128; d > 0; d >>= 1) {
    __syncthreads();
    if (t < d) {
      int i = PADDED(offset * (2 * t + 1) - 1), j = PADDED(offset * (2 * t + 2) - 1);
      s[j] += s[i];
    }
    offset <<= 1;
  }
  if (t == 0) s[PADDED(255)] = 0;
  for (int d = 1; d < 256; d <<= 1) {
    offset >>= 1;
    __syncthreads();
    if (t < d) {
      int i = PADDED(offset * (2 * t + 1) - 1), j = PADDED(offset * (2 * t + 2) - 1);
      int v = s[i];
      s[i] = s[j];
      s[j] += v;
    }
  }
  __syncthreads();
  out[base + a] = s[PADDED(a)];
  out[base + b] = s[PADDED(b)];
}

// expect: XP-RACE | --block 128 --grid 2
__global__ void scan_work_efficient_no_barrier_down(const int* in, int* out) {
  __shared__ int s[256 + 8];
  int t = threadIdx.x, base = blockIdx.x * 256;
  s[t] = in[base + t];
  s[t + 128] = in[base + t + 128];
  int offset = 1;
  for (int d = 128; d > 0; d >>= 1) {
    __syncthreads();
    if (t < d) s[offset * (2 * t + 2) - 1] += s[offset * (2 * t + 1) - 1];
    offset <<= 1;
  }
  if (t == 0) s[255] = 0;
  for (int d = 1; d < 256; d <<= 1) {
    offset >>= 1;
    if (t < d) {
      int i = offset * (2 * t + 1) - 1, j = offset * (2 * t + 2) - 1;
      int v = s[i];
      s[i] = s[j];
      s[j] += v;
    }
  }
  __syncthreads();
  out[base + t] = s[t];
  out[base + t + 128] = s[t + 128];
}

// expect: XP-BOUNDS | --block 128 --grid 1
__global__ void scan_one_level_too_many(const int* in, int* out) {
  __shared__ int s[256];
  int t = threadIdx.x;
  s[t] = in[t];
  s[t + 128] = in[t + 128];
  int offset = 1;
  for (int d = 256; d > 0; d >>= 1) {
    __syncthreads();
    if (t < d) s[offset * (2 * t + 2) - 1] += s[offset * (2 * t + 1) - 1];
    offset <<= 1;
  }
  __syncthreads();
  out[t] = s[t];
}

// expect: clean | --block 256 --grid 1
__global__ void bitonic(int* a) {
  __shared__ int s[256];
  unsigned t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  for (unsigned k = 2; k <= 256; k <<= 1)
    for (unsigned j = k >> 1; j > 0; j >>= 1) {
      unsigned other = t ^ j;
      if (other > t) {
        bool up = (t & k) == 0;
        if ((s[t] > s[other]) == up) {
          int v = s[t];
          s[t] = s[other];
          s[other] = v;
        }
      }
      __syncthreads();
    }
  a[t] = s[t];
}

// expect: XP-RACE | --block 256 --grid 1
__global__ void bitonic_both_swap(int* a) {
  __shared__ int s[256];
  unsigned t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  for (unsigned k = 2; k <= 256; k <<= 1)
    for (unsigned j = k >> 1; j > 0; j >>= 1) {
      unsigned other = t ^ j;
      bool up = (t & k) == 0;
      if ((s[t] > s[other]) == up) {
        int v = s[t];
        s[t] = s[other];
        s[other] = v;
      }
      __syncthreads();
    }
  a[t] = s[t];
}

// expect: XP-DIVERGENCE | --block 256 --grid 1
__global__ void bitonic_barrier_inside(int* a) {
  __shared__ int s[256];
  unsigned t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  for (unsigned k = 2; k <= 256; k <<= 1)
    for (unsigned j = k >> 1; j > 0; j >>= 1) {
      unsigned other = t ^ j;
      if (other > t) {
        if (s[t] > s[other]) {
          int v = s[t];
          s[t] = s[other];
          s[other] = v;
        }
        __syncthreads();
      }
    }
  a[t] = s[t];
}

// expect: clean
__global__ void csr_rows(const int* start, const int* column, const float* value, const float* x, float* y, int rows) {
  int r = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < rows) {
    float sum = 0;
    for (int k = start[r]; k < start[r + 1]; ++k) sum += value[k] * x[column[k]];
    y[r] = sum;
  }
}

// expect: XP-RACE
__global__ void coo_entries(const int* row, const int* column, const float* value, const float* x, float* y, int count) {
  int k = blockIdx.x * blockDim.x + threadIdx.x;
  if (k < count) y[row[k]] += value[k] * x[column[k]];
}

// expect: clean
__global__ void coo_entries_atomic(const int* row, const int* column, const float* value, const float* x, float* y,
                                   int count) {
  int k = blockIdx.x * blockDim.x + threadIdx.x;
  if (k < count) atomicAdd(&y[row[k]], value[k] * x[column[k]]);
}

// expect: clean
__global__ void floyd(int* d, int n, int k) {
  int i = blockIdx.y * blockDim.y + threadIdx.y, j = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n || j >= n || i == k || j == k) return;
  int through = d[i * n + k] + d[k * n + j];
  if (through < d[i * n + j]) d[i * n + j] = through;
}

// expect: XP-RACE
__global__ void floyd_columns_swapped(int* d, int n, int k) {
  int i = blockIdx.y * blockDim.y + threadIdx.y, j = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n || j >= n || i == k || j == k) return;
  int through = d[i * n + k] + d[k * n + j];
  if (through < d[i * n + j]) d[j * n + i] = through;
}

// expect: XP-SAME-VALUE
__global__ void frontier(const int* start, const int* next, const int* level, int* mark, int n, int depth) {
  int v = blockIdx.x * blockDim.x + threadIdx.x;
  if (v >= n || level[v] != depth) return;
  for (int e = start[v]; e < start[v + 1]; e++) mark[next[e]] = 1;
}

// expect: clean
__global__ void life(const unsigned char* now, unsigned char* then, int w, int h) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= w || y >= h) return;
  int count = 0;
  for (int dy = -1; dy <= 1; dy++)
    for (int dx = -1; dx <= 1; dx++)
      if (dx || dy) count += now[((y + dy + h) % h) * w + (x + dx + w) % w];
  then[y * w + x] = count == 3 || (count == 2 && now[y * w + x]);
}

// expect: XP-RACE
__global__ void life_in_place(unsigned char* now, int w, int h) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= w || y >= h) return;
  int count = 0;
  for (int dy = -1; dy <= 1; dy++)
    for (int dx = -1; dx <= 1; dx++)
      if (dx || dy) count += now[((y + dy + h) % h) * w + (x + dx + w) % w];
  now[y * w + x] = count == 3 || (count == 2 && now[y * w + x]);
}

#define N 64
// expect: clean | --block 64 --grid 1
__global__ void diagonals(const int* cost, int* out) {
  __shared__ int m[N + 1][N + 1];
  int t = threadIdx.x;
  m[0][t + 1] = -(t + 1);
  m[t + 1][0] = -(t + 1);
  if (t == 0) m[0][0] = 0;
  __syncthreads();
  for (int d = 0; d < 2 * N - 1; d++) {
    int r = d - t, c = t;
    if (r >= 0 && r < N) m[r + 1][c + 1] = max(m[r][c] + cost[r * N + c], max(m[r][c + 1], m[r + 1][c]) - 1);
    __syncthreads();
  }
  for (int r = 0; r < N; r++) out[r * N + t] = m[r + 1][t + 1];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void diagonals_by_rows(const int* cost, int* out) {
  __shared__ int m[N + 1][N + 1];
  int t = threadIdx.x;
  m[0][t + 1] = -(t + 1);
  m[t + 1][0] = -(t + 1);
  if (t == 0) m[0][0] = 0;
  __syncthreads();
  for (int r = 0; r < N; r++) {
    m[r + 1][t + 1] = max(m[r][t] + cost[r * N + t], max(m[r][t + 1], m[r + 1][t]) - 1);
    __syncthreads();
  }
  for (int r = 0; r < N; r++) out[r * N + t] = m[r + 1][t + 1];
}

// expect: clean | --block 16,16 --grid 1
__global__ void lu_in_shared(float* a) {
  __shared__ float m[16][16];
  int i = threadIdx.y, j = threadIdx.x;
  m[i][j] = a[i * 16 + j];
  __syncthreads();
  for (int k = 0; k < 15; k++) {
    if (j == k && i > k) m[i][k] /= m[k][k];
    __syncthreads();
    if (i > k && j > k) m[i][j] -= m[i][k] * m[k][j];
    __syncthreads();
  }
  a[i * 16 + j] = m[i][j];
}

// expect: XP-SYNCWARP | --block 16,16 --grid 1
__global__ void lu_in_shared_one_barrier(float* a) {
  __shared__ float m[16][16];
  int i = threadIdx.y, j = threadIdx.x;
  m[i][j] = a[i * 16 + j];
  __syncthreads();
  for (int k = 0; k < 15; k++) {
    if (j == k && i > k) m[i][k] /= m[k][k];
    if (i > k && j > k) m[i][j] -= m[i][k] * m[k][j];
    __syncthreads();
  }
  a[i * 16 + j] = m[i][j];
}

// expect: clean
__global__ void butterflies(float2* a, int n, int half) {
  int k = blockIdx.x * blockDim.x + threadIdx.x;
  if (k >= n / 2) return;
  int group = k / half, within = k % half;
  int i = group * half * 2 + within, j = i + half;
  float2 x = a[i], y = a[j];
  a[i] = make_float2(x.x + y.x, x.y + y.y);
  a[j] = make_float2(x.x - y.x, x.y - y.y);
}

// expect: XP-RACE
__global__ void butterflies_closer(float2* a, int n, int half) {
  int k = blockIdx.x * blockDim.x + threadIdx.x;
  if (k >= n / 2) return;
  int i = k, j = i + half;
  float2 x = a[i], y = a[j];
  a[i] = make_float2(x.x + y.x, x.y + y.y);
  a[j] = make_float2(x.x - y.x, x.y - y.y);
}

__constant__ float weights[25];
// expect: clean
__global__ void convolved(const float* in, float* out, int w, int h) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < 2 || y < 2 || x >= w - 2 || y >= h - 2) return;
  float sum = 0;
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < 5; j++) sum += weights[i * 5 + j] * in[(y + i - 2) * w + x + j - 2];
  out[y * w + x] = sum;
}

// expect: XP-BOUNDS
__global__ void convolved_with_six(const float* in, float* out, int w, int h) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < 2 || y < 2 || x >= w - 3 || y >= h - 3) return;
  float sum = 0;
  for (int i = 0; i < 6; i++)
    for (int j = 0; j < 5; j++) sum += weights[i * 5 + j] * in[(y + i - 2) * w + x + j - 2];
  out[y * w + x] = sum;
}

// expect: clean
__global__ void softmax_rows(const float* in, float* out, int cols) {
  __shared__ float part[256];
  const float* x = in + blockIdx.x * cols;
  float* y = out + blockIdx.x * cols;
  float best = -INFINITY;
  for (int i = threadIdx.x; i < cols; i += 256) best = fmaxf(best, x[i]);
  part[threadIdx.x] = best;
  __syncthreads();
  for (int d = 128; d; d >>= 1) {
    if (threadIdx.x < d) part[threadIdx.x] = fmaxf(part[threadIdx.x], part[threadIdx.x + d]);
    __syncthreads();
  }
  best = part[0];
  __syncthreads();
  float sum = 0;
  for (int i = threadIdx.x; i < cols; i += 256) sum += expf(x[i] - best);
  part[threadIdx.x] = sum;
  __syncthreads();
  for (int d = 128; d; d >>= 1) {
    if (threadIdx.x < d) part[threadIdx.x] += part[threadIdx.x + d];
    __syncthreads();
  }
  for (int i = threadIdx.x; i < cols; i += 256) y[i] = expf(x[i] - best) / part[0];
}

// expect: XP-RACE
__global__ void softmax_rows_buffer_reused(const float* in, float* out, int cols) {
  __shared__ float part[256];
  const float* x = in + blockIdx.x * cols;
  float* y = out + blockIdx.x * cols;
  float best = -INFINITY;
  for (int i = threadIdx.x; i < cols; i += 256) best = fmaxf(best, x[i]);
  part[threadIdx.x] = best;
  __syncthreads();
  for (int d = 128; d; d >>= 1) {
    if (threadIdx.x < d) part[threadIdx.x] = fmaxf(part[threadIdx.x], part[threadIdx.x + d]);
    __syncthreads();
  }
  best = part[0];
  float sum = 0;
  for (int i = threadIdx.x; i < cols; i += 256) sum += expf(x[i] - best);
  part[threadIdx.x] = sum;
  __syncthreads();
  for (int d = 128; d; d >>= 1) {
    if (threadIdx.x < d) part[threadIdx.x] += part[threadIdx.x + d];
    __syncthreads();
  }
  for (int i = threadIdx.x; i < cols; i += 256) y[i] = expf(x[i] - best) / part[0];
}

// expect: clean
__global__ void embedding(const int* token, const float* table, float* out, int width) {
  for (int i = threadIdx.x; i < width; i += blockDim.x)
    out[blockIdx.x * width + i] = table[(long long)token[blockIdx.x] * width + i];
}

// expect: XP-RACE
__global__ void embedding_gradient(const int* token, const float* grad, float* table, int width) {
  for (int i = threadIdx.x; i < width; i += blockDim.x)
    table[(long long)token[blockIdx.x] * width + i] += grad[blockIdx.x * width + i];
}

// expect: clean
__global__ void tile_reduce(const float* in, float* out, int n) {
  auto block = cg::this_thread_block();
  auto tile = cg::tiled_partition<16>(block);
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float v = i < n ? in[i] : 0;
  for (int d = tile.size() / 2; d > 0; d /= 2) v += tile.shfl_down(v, d);
  if (tile.thread_rank() == 0) atomicAdd(out, v);
}

// expect: clean | --block 64 --grid 1
__global__ void tile_exchange(float* a) {
  __shared__ float s[64];
  auto tile = cg::tiled_partition<16>(cg::this_thread_block());
  int t = threadIdx.x;
  s[t] = a[t];
  tile.sync();
  a[t] = s[t ^ 15];
}

// expect: XP-SYNCWARP | --block 64 --grid 1
__global__ void tile_exchange_with_another_tile(float* a) {
  __shared__ float s[64];
  auto tile = cg::tiled_partition<16>(cg::this_thread_block());
  int t = threadIdx.x;
  s[t] = a[t];
  tile.sync();
  a[t] = s[t ^ 31];
}

// expect: clean | --block 128 --grid 1
__global__ void ranked(const int* key, int* out) {
  __shared__ int s[128];
  int t = threadIdx.x, rank = 0;
  s[t] = key[t];
  __syncthreads();
  for (int i = 0; i < 128; i++) rank += s[i] < s[t] || (s[i] == s[t] && i < t);
  out[rank] = s[t];
}

// expect: XP-RACE | --block 128 --grid 1
__global__ void ranked_without_ties(const int* key, int* out) {
  __shared__ int s[128];
  int t = threadIdx.x, rank = 0;
  s[t] = key[t];
  __syncthreads();
  for (int i = 0; i < 128; i++) rank += s[i] < s[t];
  out[rank] = t;
}

// expect: clean
__global__ void quantised(const float* in, signed char* out, const float* scale, int rows, int cols) {
  int r = blockIdx.y, c = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (r >= rows || c + 3 >= cols) return;
  float s = 1.0f / scale[r];
  for (int k = 0; k < 4; k++) {
    int v = (int)rintf(in[(size_t)r * cols + c + k] * s);
    out[(size_t)r * cols + c + k] = (signed char)max(-127, min(127, v));
  }
}

// expect: XP-RACE
__global__ void bits_set(const int* in, unsigned* bits, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] > 0) bits[i / 32] |= 1u << (i % 32);
}

// expect: clean
__global__ void bits_set_atomic(const int* in, unsigned* bits, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] > 0) atomicOr(&bits[i / 32], 1u << (i % 32));
}
