// Graphs, butterflies, buffers: right, and with one thing wrong.
// expect: XP-BOUNDS | --grid 4 --block 64
__global__ void rows_no_guard(const int* nindex, const int* nlist, int* out, int numv, int nume) {
  int v = blockIdx.x * blockDim.x + threadIdx.x;
  if (v < numv) {
    int s = 0;
    for (int j = nindex[v]; j <= nindex[v + 1]; j++) s += nlist[j];
    out[v + 1] = s;
  }
  if (v < numv) out[v] = 0;
}

// expect: XP-RACE | --grid 4 --block 64
__global__ void cond_neighbour(const int* nindex, const int* nlist, int* mark, int numv) {
  int v = blockIdx.x * blockDim.x + threadIdx.x;
  if (v < numv)
    for (int j = nindex[v]; j < nindex[v + 1]; j++)
      if (mark[nlist[j]] < mark[v]) mark[nlist[j]] = mark[v];
}

// expect: clean | --grid 4 --block 64
__global__ void until_first(const int* nindex, const int* nlist, const int* mark, int* out, int numv) {
  int v = blockIdx.x * blockDim.x + threadIdx.x;
  if (v < numv) {
    int j = nindex[v], end = nindex[v + 1];
    while (j < end && mark[nlist[j]] == 0) j++;
    out[v] = j < end;
  }
}

// expect: clean | --grid 4 --block 64
__global__ void union_cas(const int* src, const int* dst, int* parent, int nume) {
  int e = blockIdx.x * blockDim.x + threadIdx.x;
  if (e >= nume) return;
  int a = src[e], b = dst[e];
  int old = atomicCAS(&parent[a], a, b);
  if (old != a) atomicMin(&parent[b], old);
}

// expect: XP-RACE | --grid 4 --block 64
__global__ void warp_leader_store(int* out, const int* in) {
  int v = in[blockIdx.x * 64 + threadIdx.x];
  int s = __reduce_add_sync(0xffffffff, v);
  if ((threadIdx.x & 31) == 0) out[blockIdx.x] = s;
}

// expect: clean | --grid 4 --block 64
__global__ void warp_leader_store_own(int* out, const int* in) {
  int v = in[blockIdx.x * 64 + threadIdx.x];
  int s = __reduce_add_sync(0xffffffff, v);
  if ((threadIdx.x & 31) == 0) out[blockIdx.x * 2 + threadIdx.x / 32] = s;
}

// expect: XP-DIVERGENCE | --grid 4 --block 64
__global__ void found_break(const int* in, int* out, int n) {
  __shared__ int s[64];
  for (int i = threadIdx.x; i < n; i += 64) {
    s[threadIdx.x] = in[i];
    if (in[i] == 3) break;
    __syncthreads();
  }
  out[blockIdx.x * 64 + threadIdx.x] = 0;
}

// expect: clean | --grid 4 --block 64
__global__ void uniform_break(const int* in, int* out, int n) {
  __shared__ int s[64];
  for (int i = 0; i < n; i++) {
    if (in[i] == 3) break;
    s[threadIdx.x] = in[i];
    __syncthreads();
    out[(blockIdx.x * n + i) * 64 + threadIdx.x] = s[63 - threadIdx.x];
    __syncthreads();
  }
}

// expect: XP-RACE | --grid 1 --block 256
__global__ void strides_of_power(int* a) {
  __shared__ int s[512];
  for (int k = 0; k < 2; k++) s[threadIdx.x * 2 + k] = a[threadIdx.x * 2 + k];
  __syncthreads();
  for (int d = 1; d <= 128; d <<= 1) {
    int i = threadIdx.x / d * 2 * d + threadIdx.x % d;
    int x = s[i], y = s[i + d];
    s[i] = min(x, y);
    s[i + d] = max(x, y);
    if (d < 64) __syncthreads();
  }
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: clean | --grid 1 --block 256
__global__ void strides_of_power_all(int* a) {
  __shared__ int s[512];
  for (int k = 0; k < 2; k++) s[threadIdx.x * 2 + k] = a[threadIdx.x * 2 + k];
  __syncthreads();
  for (int d = 1; d <= 256; d <<= 1) {
    int i = threadIdx.x / d * 2 * d + threadIdx.x % d;
    int x = s[i], y = s[i + d];
    s[i] = min(x, y);
    s[i + d] = max(x, y);
    __syncthreads();
  }
  for (int k = 0; k < 2; k++) a[threadIdx.x + 256 * k] = s[threadIdx.x + 256 * k];
}

// expect: XP-BOUNDS | --grid 1 --block 256
__global__ void strides_one_too_far(int* a) {
  __shared__ int s[512];
  for (int k = 0; k < 2; k++) s[threadIdx.x * 2 + k] = a[threadIdx.x * 2 + k];
  __syncthreads();
  for (int d = 1; d <= 512; d <<= 1) {
    int i = threadIdx.x / d * 2 * d + threadIdx.x % d;
    s[i] += s[i + d];
    __syncthreads();
  }
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: clean | --grid 8 --block 32,4
__global__ void rows_of_warps(const float* x, float* y, int rows, int cols) {
  int r = blockIdx.x * blockDim.y + threadIdx.y;
  if (r >= rows) return;
  float s = 0;
  for (int c = threadIdx.x; c < cols; c += 32) s += x[r * cols + c];
  for (int o = 16; o; o /= 2) s += __shfl_xor_sync(~0u, s, o);
  if (!threadIdx.x) y[r] = s;
}

// expect: XP-DIVERGENCE | --grid 8 --block 32,4
__global__ void rows_of_warps_barrier(const float* x, float* y, int rows, int cols) {
  __shared__ float part[4];
  int r = blockIdx.x * blockDim.y + threadIdx.y;
  if (r >= rows) return;
  float s = 0;
  for (int c = threadIdx.x; c < cols; c += 32) s += x[r * cols + c];
  for (int o = 16; o; o /= 2) s += __shfl_xor_sync(~0u, s, o);
  if (!threadIdx.x) part[threadIdx.y] = s;
  __syncthreads();
  if (!threadIdx.x) y[r] = part[threadIdx.y];
}

// expect: clean | --grid 4 --block 64
__global__ void triple_buffer(const float* in, float* out, int n) {
  __shared__ float b[3][64];
  int t = threadIdx.x;
  b[0][t] = in[t];
  for (int i = 0; i < n; i++) {
    b[(i + 1) % 3][t] = in[(i + 1) * 64 + t];
    __syncthreads();
    out[(blockIdx.x * n + i) * 64 + t] = b[i % 3][63 - t];
  }
}

// expect: XP-RACE | --grid 4 --block 64
__global__ void two_buffers_one_barrier(const float* in, float* out, int n) {
  __shared__ float b[2][64];
  int t = threadIdx.x;
  b[0][t] = in[t];
  for (int i = 0; i < n; i++) {
    b[(i + 1) % 2][t] = in[(i + 1) * 64 + t];
    __syncthreads();
    out[(blockIdx.x * n + i) * 64 + t] = b[i % 2][63 - t];
  }
}

// expect: XP-RACE | --grid 2 --block 64
__global__ void dynamic_parts(const float* in, float* out, int k) {
  extern __shared__ char raw[];
  float* f = (float*)raw;
  double* d = (double*)(raw + 32 * sizeof(float));
  f[threadIdx.x] = in[threadIdx.x];
  d[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = f[threadIdx.x] + d[threadIdx.x];
}

// expect: clean | --grid 2 --block 64
__global__ void dynamic_parts_apart(const float* in, float* out) {
  extern __shared__ char raw[];
  float* f = (float*)raw;
  double* d = (double*)(raw + 64 * sizeof(float));
  f[threadIdx.x] = in[threadIdx.x];
  d[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = f[63 - threadIdx.x] + d[63 - threadIdx.x];
}

// expect: XP-BOUNDS | --grid 2 --block 64
__global__ void switch_size(const int* in, int* out, int kind) {
  __shared__ int s[64];
  int m = 0;
  switch (kind) {
    case 0: m = 32; break;
    case 1: m = 64;
    default: m += 16;
  }
  for (int i = threadIdx.x; i < m; i += 64) s[i] = in[i];
  __syncthreads();
  out[blockIdx.x * 64 + threadIdx.x] = threadIdx.x < m ? s[threadIdx.x] : 0;
}

// expect: XP-SYNCWARP | --grid 2 --block 64
__global__ void warp_transpose(const float* in, float* out) {
  __shared__ float s[2][32];
  int w = threadIdx.x / 32, l = threadIdx.x % 32;
  s[w][l] = in[threadIdx.x];
  out[blockIdx.x * 64 + threadIdx.x] = s[w][31 - l];
}

// expect: clean | --grid 2 --block 64
__global__ void warp_transpose_synced(const float* in, float* out) {
  __shared__ float s[2][32];
  int w = threadIdx.x / 32, l = threadIdx.x % 32;
  s[w][l] = in[threadIdx.x];
  __syncwarp();
  out[blockIdx.x * 64 + threadIdx.x] = s[w][31 - l];
}

// expect: clean | --grid 4 --block 64
__global__ void volatile_own(volatile int* a) {
  int i = blockIdx.x * 64 + threadIdx.x;
  a[i] = 1;
  while (a[i] < 5) a[i] = a[i] + 1;
}

// expect: XP-RACE | --grid 4 --block 64
__global__ void mod_prime(int* a) {
  int i = blockIdx.x * 64 + threadIdx.x;
  a[i * 7 % 251] = i;
}

// expect: clean | --grid 4 --block 62
__global__ void mod_prime_fewer(int* a) {
  int i = blockIdx.x * 62 + threadIdx.x;
  a[i * 7 % 251] = i;
}

// expect: XP-OVERFLOW
__global__ void long_rows(float* a, int rows) {
  int r = blockIdx.x * blockDim.x + threadIdx.x;
  int pitch = 1 << 20;
  if (r < 4096) a[r * pitch] = rows;
}
void launch_long_rows(float* a, int rows) { long_rows<<<16, 256>>>(a, rows); }
