// Kernels of models and textbooks, without host code and without a launch given.
#include <cooperative_groups.h>
#include <cuda_fp16.h>
namespace cg = cooperative_groups;

// expect: clean
__global__ void cg_reduce(const float* in, float* out, int n) {
  cg::thread_block block = cg::this_thread_block();
  cg::thread_block_tile<32> tile = cg::tiled_partition<32>(block);
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float v = i < n ? in[i] : 0.0f;
  for (int o = tile.size() / 2; o > 0; o /= 2) v += tile.shfl_down(v, o);
  if (tile.thread_rank() == 0) atomicAdd(out, v);
}

// expect: XP-RACE
__global__ void cg_no_sync(const float* in, float* out) {
  cg::thread_block block = cg::this_thread_block();
  __shared__ float s[128];
  int t = threadIdx.x;
  s[t] = in[blockIdx.x * 128 + t];
  out[blockIdx.x * 128 + t] = s[127 - t];
}

// expect: clean
__global__ void cg_sync(const float* in, float* out) {
  cg::thread_block block = cg::this_thread_block();
  __shared__ float s[128];
  int t = block.thread_rank();
  s[t] = in[blockIdx.x * 128 + t];
  block.sync();
  out[blockIdx.x * 128 + t] = s[127 - t];
}

// expect: clean
__global__ void half2_add(const half2* a, const half2* b, half2* c, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n / 2) c[i] = __hadd2(a[i], b[i]);
}

// expect: clean
template <typename T, int BM, int BN, int BK>
__global__ void gemm_regs(const T* A, const T* B, T* C, int M, int N, int K) {
  __shared__ T As[BK][BM], Bs[BK][BN];
  const int tid = threadIdx.x, tx = tid % 16, ty = tid / 16;
  T acc[4][4] = {};
  for (int k0 = 0; k0 < K; k0 += BK) {
    for (int i = tid; i < BM * BK; i += 256) {
      int r = i / BK, c = i % BK, gr = blockIdx.y * BM + r, gc = k0 + c;
      As[c][r] = gr < M && gc < K ? A[gr * K + gc] : T(0);
    }
    for (int i = tid; i < BN * BK; i += 256) {
      int r = i / BN, c = i % BN, gr = k0 + r, gc = blockIdx.x * BN + c;
      Bs[r][c] = gr < K && gc < N ? B[gr * N + gc] : T(0);
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < BK; k++)
      for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) acc[i][j] += As[k][ty * 4 + i] * Bs[k][tx * 4 + j];
    __syncthreads();
  }
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) {
      int r = blockIdx.y * BM + ty * 4 + i, c = blockIdx.x * BN + tx * 4 + j;
      if (r < M && c < N) C[r * N + c] = acc[i][j];
    }
}
void launch_regs(const float* A, const float* B, float* C, int M, int N, int K) {
  gemm_regs<float, 64, 64, 16><<<dim3((N + 63) / 64, (M + 63) / 64), 256>>>(A, B, C, M, N, K);
}

// expect: clean
__global__ void softmax_warp(const float* x, float* y, int rows, int cols) {
  int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  float m = -INFINITY;
  for (int c = lane; c < cols; c += 32) m = fmaxf(m, x[row * cols + c]);
  for (int o = 16; o; o >>= 1) m = fmaxf(m, __shfl_xor_sync(0xffffffff, m, o));
  float s = 0;
  for (int c = lane; c < cols; c += 32) s += expf(x[row * cols + c] - m);
  for (int o = 16; o; o >>= 1) s += __shfl_xor_sync(0xffffffff, s, o);
  for (int c = lane; c < cols; c += 32) y[row * cols + c] = expf(x[row * cols + c] - m) / s;
}

// expect: clean
__global__ void embedding(const int* ids, const float* table, float* out, int tokens, int dim) {
  for (int t = blockIdx.x; t < tokens; t += gridDim.x)
    for (int d = threadIdx.x; d < dim; d += blockDim.x) out[t * dim + d] = table[ids[t] * dim + d];
}

// expect: clean
__global__ void embedding_grad(const int* ids, const float* grad, float* table, int tokens, int dim) {
  for (int t = blockIdx.x; t < tokens; t += gridDim.x)
    for (int d = threadIdx.x; d < dim; d += blockDim.x) atomicAdd(&table[ids[t] * dim + d], grad[t * dim + d]);
}

// expect: XP-RACE
__global__ void embedding_grad_plain(const int* ids, const float* grad, float* table, int tokens, int dim) {
  for (int t = blockIdx.x; t < tokens; t += gridDim.x)
    for (int d = threadIdx.x; d < dim; d += blockDim.x) table[ids[t] * dim + d] += grad[t * dim + d];
}

// expect: clean
__global__ void rope(float* q, const float* cosv, const float* sinv, int seq, int heads, int dim) {
  int s = blockIdx.x, h = blockIdx.y, d = threadIdx.x;
  if (d >= dim / 2) return;
  float* p = q + (s * heads + h) * dim;
  float a = p[d], b = p[d + dim / 2];
  p[d] = a * cosv[s * dim / 2 + d] - b * sinv[s * dim / 2 + d];
  p[d + dim / 2] = a * sinv[s * dim / 2 + d] + b * cosv[s * dim / 2 + d];
}

// expect: clean
__global__ void batchnorm_stats(const float* x, float* mean, float* var, int n, int c, int hw) {
  int ch = blockIdx.x;
  __shared__ float s1[256], s2[256];
  float a = 0, b = 0;
  for (int i = threadIdx.x; i < n * hw; i += blockDim.x) {
    float v = x[(i / hw * c + ch) * hw + i % hw];
    a += v; b += v * v;
  }
  s1[threadIdx.x] = a; s2[threadIdx.x] = b;
  __syncthreads();
  for (int k = blockDim.x / 2; k > 0; k >>= 1) {
    if (threadIdx.x < k) { s1[threadIdx.x] += s1[threadIdx.x + k]; s2[threadIdx.x] += s2[threadIdx.x + k]; }
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    float m = s1[0] / (n * hw);
    mean[ch] = m; var[ch] = s2[0] / (n * hw) - m * m;
  }
}

// expect: clean
__global__ void topk_row(const float* x, int* idx, float* val, int rows, int cols, int k) {
  int row = blockIdx.x;
  extern __shared__ float s[];
  __shared__ float best[64];
  __shared__ int where[64];
  for (int c = threadIdx.x; c < cols; c += blockDim.x) s[c] = x[row * cols + c];
  __syncthreads();
  for (int r = 0; r < k; r++) {
    float b = -1e30f; int w = 0;
    for (int c = threadIdx.x; c < cols; c += blockDim.x) if (s[c] > b) { b = s[c]; w = c; }
    best[threadIdx.x] = b; where[threadIdx.x] = w;
    __syncthreads();
    for (int o = 32; o > 0; o >>= 1) {
      if (threadIdx.x < o && best[threadIdx.x + o] > best[threadIdx.x]) {
        best[threadIdx.x] = best[threadIdx.x + o]; where[threadIdx.x] = where[threadIdx.x + o];
      }
      __syncthreads();
    }
    if (threadIdx.x == 0) { val[row * k + r] = best[0]; idx[row * k + r] = where[0]; s[where[0]] = -1e30f; }
    __syncthreads();
  }
}

// expect: clean
__global__ void lstm_cell(const float* gates, const float* c_in, float* c_out, float* h, int batch, int hidden) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= batch * hidden) return;
  int b = i / hidden, j = i % hidden;
  const float* g = gates + b * 4 * hidden;
  float c = 1.f / (1.f + expf(-g[hidden + j])) * c_in[i] + 1.f / (1.f + expf(-g[j])) * tanhf(g[2 * hidden + j]);
  c_out[i] = c;
  h[i] = tanhf(c) / (1.f + expf(-g[3 * hidden + j]));
}

// expect: clean
__global__ void adam(float* p, const float* g, float* m, float* v, float lr, float b1, float b2, float eps, int step, size_t n) {
  size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
  size_t stride = (size_t)gridDim.x * blockDim.x;
  for (; i < n; i += stride) {
    m[i] = b1 * m[i] + (1 - b1) * g[i];
    v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
    p[i] -= lr * (m[i] / (1 - powf(b1, step))) / (sqrtf(v[i] / (1 - powf(b2, step))) + eps);
  }
}

// expect: clean
__global__ void transpose_0213(const float* in, float* out, int b, int s, int h, int d) {
  int n = b * s * h * d;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    int id = i % d, ih = i / d % h, is = i / (d * h) % s, ib = i / (d * h * s);
    out[((ib * h + ih) * s + is) * d + id] = in[i];
  }
}

// expect: clean
__global__ void histogram_private(const int* x, int* h, int n, int bins) {
  extern __shared__ int local[];
  for (int b = threadIdx.x; b < bins; b += blockDim.x) local[b] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    int b = x[i];
    if (b >= 0 && b < bins) atomicAdd(&local[b], 1);
  }
  __syncthreads();
  for (int b = threadIdx.x; b < bins; b += blockDim.x) atomicAdd(&h[b], local[b]);
}

// expect: clean
__global__ void radix_count(const unsigned* keys, int* counts, int n, int shift) {
  __shared__ int c[16];
  if (threadIdx.x < 16) c[threadIdx.x] = 0;
  __syncthreads();
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&c[(keys[i] >> shift) & 15], 1);
  __syncthreads();
  if (threadIdx.x < 16) counts[threadIdx.x * gridDim.x + blockIdx.x] = c[threadIdx.x];
}

// expect: clean
__global__ void pool_argmax(const float* x, float* y, int* arg, int n, int c, int h, int w, int k) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int oh = h / k, ow = w / k;
  if (i >= n * c * oh * ow) return;
  int ox = i % ow, oy = i / ow % oh, nc = i / (ow * oh);
  float best = -1e30f; int at = -1;
  for (int dy = 0; dy < k; dy++) for (int dx = 0; dx < k; dx++) {
    int p = (nc * h + oy * k + dy) * w + ox * k + dx;
    if (x[p] > best) { best = x[p]; at = p; }
  }
  y[i] = best; arg[i] = at;
}

// expect: undecided
__global__ void pool_grad(const float* g, const int* arg, float* dx, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) dx[arg[i]] = g[i];
}

// expect: clean
__global__ void jacobi(const double* a, double* b, int n, int m) {
  int j = blockIdx.x * blockDim.x + threadIdx.x + 1, i = blockIdx.y * blockDim.y + threadIdx.y + 1;
  if (i < n - 1 && j < m - 1) b[i * m + j] = 0.25 * (a[(i - 1) * m + j] + a[(i + 1) * m + j] + a[i * m + j - 1] + a[i * m + j + 1]);
}

// expect: XP-RACE
__global__ void gauss_seidel(double* a, int n, int m) {
  int j = blockIdx.x * blockDim.x + threadIdx.x + 1, i = blockIdx.y * blockDim.y + threadIdx.y + 1;
  if (i < n - 1 && j < m - 1) a[i * m + j] = 0.25 * (a[(i - 1) * m + j] + a[(i + 1) * m + j] + a[i * m + j - 1] + a[i * m + j + 1]);
}

// expect: clean
__global__ void red_black(double* a, int n, int m, int color) {
  int j = blockIdx.x * blockDim.x + threadIdx.x + 1, i = blockIdx.y * blockDim.y + threadIdx.y + 1;
  if (i < n - 1 && j < m - 1 && (i + j) % 2 == color)
    a[i * m + j] = 0.25 * (a[(i - 1) * m + j] + a[(i + 1) * m + j] + a[i * m + j - 1] + a[i * m + j + 1]);
}

// expect: clean
__global__ void matvec_t(const float* A, const float* x, float* y, int rows, int cols) {
  int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= cols) return;
  float s = 0;
  for (int r = 0; r < rows; ++r) s += A[r * cols + c] * x[r];
  y[c] = s;
}

// expect: clean
__global__ void dot_partial(const float* a, const float* b, float* part, int n) {
  __shared__ float cache[256];
  int tid = threadIdx.x + blockIdx.x * blockDim.x, ci = threadIdx.x;
  float t = 0;
  while (tid < n) { t += a[tid] * b[tid]; tid += blockDim.x * gridDim.x; }
  cache[ci] = t;
  __syncthreads();
  int i = blockDim.x / 2;
  while (i != 0) {
    if (ci < i) cache[ci] += cache[ci + i];
    __syncthreads();
    i /= 2;
  }
  if (ci == 0) part[blockIdx.x] = cache[0];
}

// expect: XP-DIVERGENCE
__global__ void dot_partial_book_bug(const float* a, const float* b, float* part, int n) {
  __shared__ float cache[256];
  int tid = threadIdx.x + blockIdx.x * blockDim.x, ci = threadIdx.x;
  float t = 0;
  while (tid < n) { t += a[tid] * b[tid]; tid += blockDim.x * gridDim.x; }
  cache[ci] = t;
  __syncthreads();
  int i = blockDim.x / 2;
  while (i != 0) {
    if (ci < i) { cache[ci] += cache[ci + i]; __syncthreads(); }
    i /= 2;
  }
  if (ci == 0) part[blockIdx.x] = cache[0];
}

// expect: clean
__global__ void julia(unsigned char* ptr, int dim) {
  int x = blockIdx.x, y = blockIdx.y, offset = x + y * gridDim.x;
  float jx = 1.5f * (dim / 2 - x) / (dim / 2), jy = 1.5f * (dim / 2 - y) / (dim / 2);
  int i;
  for (i = 0; i < 20; i++) { float t = jx * jx - jy * jy - 0.8f; jy = 2 * jx * jy + 0.156f; jx = t; if (jx * jx + jy * jy > 1000) break; }
  ptr[offset * 4 + 0] = 255 * (i == 20); ptr[offset * 4 + 1] = 0; ptr[offset * 4 + 2] = 0; ptr[offset * 4 + 3] = 255;
}

// expect: clean
__global__ void heat_shared(const float* in, float* out, int nx, int ny, float alpha) {
  __shared__ float t[18][18];
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y, lx = threadIdx.x + 1, ly = threadIdx.y + 1;
  bool inside = x < nx && y < ny;
  t[ly][lx] = inside ? in[y * nx + x] : 0;
  if (threadIdx.x == 0) t[ly][0] = x > 0 && y < ny ? in[y * nx + x - 1] : 0;
  if (threadIdx.x == 15) t[ly][17] = x + 1 < nx && y < ny ? in[y * nx + x + 1] : 0;
  if (threadIdx.y == 0) t[0][lx] = y > 0 && x < nx ? in[(y - 1) * nx + x] : 0;
  if (threadIdx.y == 15) t[17][lx] = y + 1 < ny && x < nx ? in[(y + 1) * nx + x] : 0;
  __syncthreads();
  if (inside) out[y * nx + x] = t[ly][lx] + alpha * (t[ly][lx - 1] + t[ly][lx + 1] + t[ly - 1][lx] + t[ly + 1][lx] - 4 * t[ly][lx]);
}
