// Larger kernels in the styles of applications, right and wrong.

#define BLOCK 128
#define RADIUS 3
#define CONFLICT_FREE(n) ((n) + ((n) >> 5))

struct Particle {
  float x, y, z, m;
};

__device__ float square(float v) { return v * v; }

__device__ float block_sum(float v, float* buffer) {
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
  if (lane == 0) buffer[warp] = v;
  __syncthreads();
  v = threadIdx.x < (blockDim.x >> 5) ? buffer[lane] : 0.0f;
  if (warp == 0)
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
  if (threadIdx.x == 0) buffer[0] = v;
  __syncthreads();
  return buffer[0];
}

// The second call writes buffer[warp] while threads may still read buffer[0] of the first.
// expect: XP-RACE
__global__ void layernorm_reused_buffer(const float* x, float* y, int width) {
  __shared__ float buffer[32];
  const float* row = x + blockIdx.x * width;
  float sum = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) sum += row[i];
  float mean = block_sum(sum, buffer) / width;
  float var = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) var += square(row[i] - mean);
  var = block_sum(var, buffer) / width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) y[blockIdx.x * width + i] = (row[i] - mean) * rsqrtf(var + 1e-5f);
}

// expect: clean
__global__ void layernorm(const float* x, float* y, int width) {
  __shared__ float buffer[32];
  const float* row = x + blockIdx.x * width;
  float sum = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) sum += row[i];
  float mean = block_sum(sum, buffer) / width;
  __syncthreads();
  float var = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) var += square(row[i] - mean);
  var = block_sum(var, buffer) / width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) y[blockIdx.x * width + i] = (row[i] - mean) * rsqrtf(var + 1e-5f);
}

// expect: clean
__global__ void softmax_online(const float* in, float* out, int rows, int cols) {
  int row = blockIdx.x;
  if (row >= rows) return;
  __shared__ float best[BLOCK], total[BLOCK];
  float m = -1e30f, s = 0;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) {
    float v = in[row * cols + c];
    float old = m;
    m = fmaxf(m, v);
    s = s * __expf(old - m) + __expf(v - m);
  }
  best[threadIdx.x] = m;
  total[threadIdx.x] = s;
  __syncthreads();
  for (int k = blockDim.x / 2; k > 0; k /= 2) {
    if (threadIdx.x < k) {
      float a = best[threadIdx.x], b = best[threadIdx.x + k], top = fmaxf(a, b);
      total[threadIdx.x] = total[threadIdx.x] * __expf(a - top) + total[threadIdx.x + k] * __expf(b - top);
      best[threadIdx.x] = top;
    }
    __syncthreads();
  }
  for (int c = threadIdx.x; c < cols; c += blockDim.x)
    out[row * cols + c] = __expf(in[row * cols + c] - best[0]) / total[0];
}

// expect: clean
__global__ void convolution_1d(const float* in, const float* w, float* out, int n) {
  __shared__ float tile[BLOCK + 2 * RADIUS];
  int i = blockIdx.x * BLOCK + threadIdx.x;
  tile[threadIdx.x + RADIUS] = i < n ? in[i] : 0.0f;
  if (threadIdx.x < RADIUS) {
    tile[threadIdx.x] = i >= RADIUS && i - RADIUS < n ? in[i - RADIUS] : 0.0f;
    tile[threadIdx.x + BLOCK + RADIUS] = i + BLOCK < n ? in[i + BLOCK] : 0.0f;
  }
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int k = -RADIUS; k <= RADIUS; k++) sum += w[k + RADIUS] * tile[threadIdx.x + RADIUS + k];
  if (i < n) out[i] = sum;
}

// expect: XP-UNINIT
__global__ void convolution_1d_short_halo(const float* in, const float* w, float* out, int n) {
  __shared__ float tile[BLOCK + 2 * RADIUS];
  int i = blockIdx.x * BLOCK + threadIdx.x;
  tile[threadIdx.x + RADIUS] = i < n ? in[i] : 0.0f;
  if (threadIdx.x < RADIUS - 1) {
    tile[threadIdx.x] = i >= RADIUS && i - RADIUS < n ? in[i - RADIUS] : 0.0f;
    tile[threadIdx.x + BLOCK + RADIUS] = i + BLOCK < n ? in[i + BLOCK] : 0.0f;
  }
  __syncthreads();
  float sum = 0;
  for (int k = -RADIUS; k <= RADIUS; k++) sum += w[k + RADIUS] * tile[threadIdx.x + RADIUS + k];
  if (i < n) out[i] = sum;
}

// expect: clean
__global__ void nbody(const Particle* p, float3* force, int n) {
  __shared__ float4 tile[BLOCK];
  int i = blockIdx.x * BLOCK + threadIdx.x;
  float fx = 0, fy = 0, fz = 0;
  for (int t = 0; t < n; t += BLOCK) {
    int j = t + threadIdx.x;
    tile[threadIdx.x] = j < n ? make_float4(p[j].x, p[j].y, p[j].z, p[j].m) : make_float4(0, 0, 0, 0);
    __syncthreads();
    for (int k = 0; k < BLOCK; k++) {
      float dx = tile[k].x, dy = tile[k].y, dz = tile[k].z;
      float r = rsqrtf(dx * dx + dy * dy + dz * dz + 0.01f);
      fx += dx * r * tile[k].w;
      fy += dy * r * tile[k].w;
      fz += dz * r * tile[k].w;
    }
    __syncthreads();
  }
  if (i < n) force[i] = make_float3(fx, fy, fz);
}

// expect: XP-DIVERGENCE
__global__ void nbody_loop_by_thread(const Particle* p, float3* force, int n) {
  __shared__ float4 tile[BLOCK];
  int i = blockIdx.x * BLOCK + threadIdx.x;
  float fx = 0;
  for (int j = threadIdx.x; j < n; j += BLOCK) {
    tile[threadIdx.x] = make_float4(p[j].x, p[j].y, p[j].z, p[j].m);
    __syncthreads();
    for (int k = 0; k < BLOCK; k++) fx += tile[k].x * tile[k].w;
    __syncthreads();
  }
  if (i < n) force[i] = make_float3(fx, 0, 0);
}

// expect: clean
__global__ void game_of_life(const unsigned char* in, unsigned char* out, int w, int h) {
  __shared__ unsigned char s[18][18];
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  for (int i = threadIdx.y * 16 + threadIdx.x; i < 18 * 18; i += 256) {
    int gx = blockIdx.x * 16 + i % 18 - 1, gy = blockIdx.y * 16 + i / 18 - 1;
    s[i / 18][i % 18] = gx >= 0 && gx < w && gy >= 0 && gy < h ? in[gy * w + gx] : 0;
  }
  __syncthreads();
  int count = 0;
  for (int dy = 0; dy < 3; dy++)
    for (int dx = 0; dx < 3; dx++)
      if (dx != 1 || dy != 1) count += s[threadIdx.y + dy][threadIdx.x + dx];
  if (x < w && y < h) out[y * w + x] = count == 3 || (count == 2 && s[threadIdx.y + 1][threadIdx.x + 1]);
}

// expect: XP-UNINIT
__global__ void game_of_life_partial(const unsigned char* in, unsigned char* out, int w, int h) {
  __shared__ unsigned char s[18][18];
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  for (int i = threadIdx.y * 16 + threadIdx.x; i < 16 * 18; i += 256) {
    int gx = blockIdx.x * 16 + i % 18 - 1, gy = blockIdx.y * 16 + i / 18 - 1;
    s[i / 18][i % 18] = gx >= 0 && gx < w && gy >= 0 && gy < h ? in[gy * w + gx] : 0;
  }
  __syncthreads();
  int count = 0;
  for (int dy = 0; dy < 3; dy++)
    for (int dx = 0; dx < 3; dx++)
      if (dx != 1 || dy != 1) count += s[threadIdx.y + dy][threadIdx.x + dx];
  if (x < w && y < h) out[y * w + x] = count == 3;
}

// expect: clean
__global__ void odd_even_sort(int* data, int n) {
  extern __shared__ int s[];
  int t = threadIdx.x;
  if (t < n) s[t] = data[t];
  __syncthreads();
  for (int phase = 0; phase < n; phase++) {
    int left = 2 * t + (phase & 1);
    if (left + 1 < n && s[left] > s[left + 1]) {
      int x = s[left];
      s[left] = s[left + 1];
      s[left + 1] = x;
    }
    __syncthreads();
  }
  if (t < n) data[t] = s[t];
}

// expect: XP-RACE
__global__ void bubble_sort_parallel(int* data, int n) {
  extern __shared__ int s[];
  int t = threadIdx.x;
  if (t < n) s[t] = data[t];
  __syncthreads();
  for (int phase = 0; phase < n; phase++) {
    if (t + 1 < n && s[t] > s[t + 1]) {
      int x = s[t];
      s[t] = s[t + 1];
      s[t + 1] = x;
    }
    __syncthreads();
  }
  if (t < n) data[t] = s[t];
}

// expect: clean
__global__ void scan_padded(const int* in, int* out, int n) {
  __shared__ int s[CONFLICT_FREE(2 * BLOCK)];
  int t = threadIdx.x, base = blockIdx.x * 2 * BLOCK, offset = 1;
  int a = t, b = t + BLOCK;
  s[CONFLICT_FREE(a)] = base + a < n ? in[base + a] : 0;
  s[CONFLICT_FREE(b)] = base + b < n ? in[base + b] : 0;
  for (int d = BLOCK; d > 0; d >>= 1) {
    __syncthreads();
    if (t < d) s[CONFLICT_FREE(offset * (2 * t + 2) - 1)] += s[CONFLICT_FREE(offset * (2 * t + 1) - 1)];
    offset <<= 1;
  }
  __syncthreads();
  if (base + a < n) out[base + a] = s[CONFLICT_FREE(a)];
  if (base + b < n) out[base + b] = s[CONFLICT_FREE(b)];
}

// expect: clean
__global__ void floyd_warshall_step(int* d, int n, int k) {
  int j = blockIdx.x * blockDim.x + threadIdx.x, i = blockIdx.y * blockDim.y + threadIdx.y;
  if (i >= n || j >= n || i == k || j == k) return;
  int through = d[i * n + k] + d[k * n + j];
  if (through < d[i * n + j]) d[i * n + j] = through;
}

// expect: XP-RACE
__global__ void floyd_warshall_unsafe(int* d, int n) {
  int j = blockIdx.x * blockDim.x + threadIdx.x, i = blockIdx.y * blockDim.y + threadIdx.y;
  if (i >= n || j >= n) return;
  for (int k = 0; k < n; k++) {
    int through = d[i * n + k] + d[k * n + j];
    if (through < d[i * n + j]) d[i * n + j] = through;
  }
}

// expect: clean
__global__ void bfs_level(const int* ptr, const int* adj, int* level, int* next, int* size, int n, int depth) {
  int v = blockIdx.x * blockDim.x + threadIdx.x;
  if (v >= n || level[v] != depth) return;
  for (int e = ptr[v]; e < ptr[v + 1]; e++) {
    int u = adj[e];
    if (atomicCAS(&level[u], -1, depth + 1) == -1) {
      int at = atomicAdd(size, 1);
      next[at] = u;
    }
  }
}

// expect: clean
__global__ void batched_gemv(const float* A, const float* x, float* y, int batch, int rows, int cols) {
  int b = blockIdx.y, r = blockIdx.x * blockDim.x + threadIdx.x;
  if (b >= batch || r >= rows) return;
  const float* a = A + ((size_t)b * rows + r) * cols;
  float sum = 0;
  for (int c = 0; c < cols; c++) sum += a[c] * x[b * cols + c];
  y[b * rows + r] = sum;
}

// expect: XP-RACE
__global__ void batched_gemv_wrong_output(const float* A, const float* x, float* y, int batch, int rows, int cols) {
  int b = blockIdx.y, r = blockIdx.x * blockDim.x + threadIdx.x;
  if (b >= batch || r >= rows) return;
  const float* a = A + ((size_t)b * rows + r) * cols;
  float sum = 0;
  for (int c = 0; c < cols; c++) sum += a[c] * x[b * cols + c];
  y[r] = sum;
}

// expect: clean
template <int N>
__global__ void two_arrays_in_dynamic(const float* in, float* out) {
  extern __shared__ float raw[];
  float* a = raw;
  float* b = raw + N;
  a[threadIdx.x] = in[threadIdx.x];
  b[threadIdx.x] = in[threadIdx.x + N];
  __syncthreads();
  out[threadIdx.x] = a[N - 1 - threadIdx.x] * b[N - 1 - threadIdx.x];
}
void run_two(const float* in, float* out) { two_arrays_in_dynamic<64><<<1, 64, 2 * 64 * sizeof(float)>>>(in, out); }

// expect: XP-RACE
template <int N>
__global__ void overlapping_arrays_in_dynamic(const float* in, float* out) {
  extern __shared__ float raw[];
  float* a = raw;
  float* b = raw + N / 2;
  a[threadIdx.x] = in[threadIdx.x];
  b[threadIdx.x] = in[threadIdx.x + N];
  __syncthreads();
  out[threadIdx.x] = a[N - 1 - threadIdx.x] * b[N - 1 - threadIdx.x];
}
void run_overlap(const float* in, float* out) {
  overlapping_arrays_in_dynamic<64><<<1, 64, 2 * 64 * sizeof(float)>>>(in, out);
}

// expect: clean
__global__ void fft_radix2(float2* data, int log_n) {
  __shared__ float2 s[128];
  int t = threadIdx.x, n = 1 << log_n;
  if (log_n > 7 || t >= 64) return;
  for (int i = t; i < n; i += 64) s[__brev(i) >> (32 - log_n)] = data[i];
  __syncthreads();
  for (int half = 1; half < n; half <<= 1) {
    for (int i = t; i < n / 2; i += 64) {
      int group = i / half, k = i % half, a = group * 2 * half + k, b = a + half;
      float2 u = s[a], v = s[b];
      s[a] = make_float2(u.x + v.x, u.y + v.y);
      s[b] = make_float2(u.x - v.x, u.y - v.y);
    }
    __syncthreads();
  }
  for (int i = t; i < n; i += 64) data[i] = s[i];
}

// expect: clean
__global__ void segmented_max(const int* key, const float* val, float* best, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicMax((int*)&best[key[i]], __float_as_int(val[i]));
}

// expect: XP-RACE
__global__ void reduce_by_key(const int* key, const float* val, float* sum, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) sum[key[i]] += val[i];
}

// expect: clean
__global__ void switch_on_block(float* a, int n) {
  __shared__ float s[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  s[threadIdx.x] = i < n ? a[i] : 0.0f;
  switch (blockIdx.x % 3) {
    case 0:
      __syncthreads();
      if (i < n) a[i] = s[63 - threadIdx.x];
      break;
    case 1:
      if (i < n) a[i] = s[threadIdx.x] * 2;
      break;
    default:
      break;
  }
}

// expect: XP-DIVERGENCE
__global__ void switch_on_thread(float* a) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  switch (threadIdx.x % 3) {
    case 0:
      __syncthreads();
      a[threadIdx.x] = s[63 - threadIdx.x];
      break;
    default:
      break;
  }
}

// expect: clean
__global__ void attention_row(const float* q, const float* k, const float* v, float* out, int len, int dim) {
  extern __shared__ float scores[];
  int row = blockIdx.x;
  for (int j = threadIdx.x; j < len; j += blockDim.x) {
    float dot = 0;
    for (int d = 0; d < dim; d++) dot += q[row * dim + d] * k[j * dim + d];
    scores[j] = dot;
  }
  __syncthreads();
  float top = -1e30f, sum = 0;
  for (int j = 0; j < len; j++) top = fmaxf(top, scores[j]);
  for (int j = 0; j < len; j++) sum += expf(scores[j] - top);
  for (int d = threadIdx.x; d < dim; d += blockDim.x) {
    float o = 0;
    for (int j = 0; j < len; j++) o += expf(scores[j] - top) / sum * v[j * dim + d];
    out[row * dim + d] = o;
  }
}

// expect: XP-RACE
__global__ void attention_row_in_place(const float* q, const float* k, const float* v, float* out, int len, int dim) {
  extern __shared__ float scores[];
  int row = blockIdx.x;
  for (int j = threadIdx.x; j < len; j += blockDim.x) {
    float dot = 0;
    for (int d = 0; d < dim; d++) dot += q[row * dim + d] * k[j * dim + d];
    scores[j] = dot;
  }
  __syncthreads();
  float top = -1e30f;
  for (int j = 0; j < len; j++) top = fmaxf(top, scores[j]);
  for (int j = threadIdx.x; j < len; j += blockDim.x) scores[j] = expf(scores[j] - top);
  __syncthreads();
  for (int d = threadIdx.x; d < dim; d += blockDim.x) {
    float o = 0;
    for (int j = 0; j < len; j++) o += scores[j] * v[j * dim + d];
    out[row * dim + d] = o;
  }
}

// expect: clean
__global__ void im2col(const float* im, float* col, int n, int height, int width, int ksize, int pad, int stride, int hcol, int wcol) {
  for (int index = blockIdx.x * blockDim.x + threadIdx.x; index < n; index += blockDim.x * gridDim.x) {
    int w_out = index % wcol, h_index = index / wcol, h_out = h_index % hcol, channel_in = h_index / hcol;
    int channel_out = channel_in * ksize * ksize;
    int h_in = h_out * stride - pad, w_in = w_out * stride - pad;
    float* out = col + (channel_out * hcol + h_out) * wcol + w_out;
    const float* in = im + (channel_in * height + h_in) * width + w_in;
    for (int i = 0; i < ksize; ++i)
      for (int j = 0; j < ksize; ++j) {
        int h = h_in + i, w = w_in + j;
        *out = (h >= 0 && w >= 0 && h < height && w < width) ? in[i * width + j] : 0;
        out += hcol * wcol;
      }
  }
}

// expect: clean
__global__ void maxpool_2x2(const float* in, float* out, int c, int h, int w) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y, z = blockIdx.z;
  int ow = w / 2, oh = h / 2;
  if (x >= ow || y >= oh || z >= c) return;
  const float* p = in + (z * h + 2 * y) * w + 2 * x;
  out[(z * oh + y) * ow + x] = fmaxf(fmaxf(p[0], p[1]), fmaxf(p[w], p[w + 1]));
}

// expect: clean
__global__ void lookback_free_scan(const int* in, int* out, int* sums, int n) {
  __shared__ int warp_sum[32];
  int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  int v = i < n ? in[i] : 0;
  for (int d = 1; d < 32; d *= 2) {
    int u = __shfl_up_sync(0xffffffff, v, d);
    if (lane >= d) v += u;
  }
  if (lane == 31) warp_sum[warp] = v;
  __syncthreads();
  if (warp == 0) {
    int s = lane < (blockDim.x + 31) / 32 ? warp_sum[lane] : 0;
    for (int d = 1; d < 32; d *= 2) {
      int u = __shfl_up_sync(0xffffffff, s, d);
      if (lane >= d) s += u;
    }
    warp_sum[lane] = s;
  }
  __syncthreads();
  if (warp > 0) v += warp_sum[warp - 1];
  if (i < n) out[i] = v;
  if (threadIdx.x == blockDim.x - 1) sums[blockIdx.x] = v;
}
