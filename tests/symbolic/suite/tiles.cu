// Tiled matrix kernels, transposes, stencils.

#define TILE 16

// expect: clean
__global__ void gemm(const float* A, const float* B, float* C, int M, int N, int K) {
  __shared__ float As[TILE][TILE], Bs[TILE][TILE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  float sum = 0;
  for (int t = 0; t < (K + TILE - 1) / TILE; t++) {
    As[ty][tx] = row < M && t * TILE + tx < K ? A[row * K + t * TILE + tx] : 0.0f;
    Bs[ty][tx] = col < N && t * TILE + ty < K ? B[(t * TILE + ty) * N + col] : 0.0f;
    __syncthreads();
    for (int k = 0; k < TILE; k++) sum += As[ty][k] * Bs[k][tx];
    __syncthreads();
  }
  if (row < M && col < N) C[row * N + col] = sum;
}

// expect: XP-RACE
__global__ void gemm_no_first_barrier(const float* A, const float* B, float* C, int M, int N, int K) {
  __shared__ float As[TILE][TILE], Bs[TILE][TILE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  float sum = 0;
  for (int t = 0; t < (K + TILE - 1) / TILE; t++) {
    As[ty][tx] = row < M && t * TILE + tx < K ? A[row * K + t * TILE + tx] : 0.0f;
    Bs[ty][tx] = col < N && t * TILE + ty < K ? B[(t * TILE + ty) * N + col] : 0.0f;
    for (int k = 0; k < TILE; k++) sum += As[ty][k] * Bs[k][tx];
    __syncthreads();
  }
  if (row < M && col < N) C[row * N + col] = sum;
}

// expect: XP-RACE
__global__ void gemm_no_second_barrier(const float* A, const float* B, float* C, int N) {
  __shared__ float As[TILE][TILE], Bs[TILE][TILE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  float sum = 0;
  for (int t = 0; t < N / TILE; t++) {
    As[ty][tx] = A[row * N + t * TILE + tx];
    Bs[ty][tx] = B[(t * TILE + ty) * N + col];
    __syncthreads();
    for (int k = 0; k < TILE; k++) sum += As[ty][k] * Bs[k][tx];
  }
  C[row * N + col] = sum;
}

// expect: clean
__global__ void gemm_square_unguarded(const float* A, const float* B, float* C, int N) {
  __shared__ float As[TILE][TILE], Bs[TILE][TILE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  float sum = 0;
  for (int t = 0; t < N / TILE; t++) {
    As[ty][tx] = A[row * N + t * TILE + tx];
    Bs[ty][tx] = B[(t * TILE + ty) * N + col];
    __syncthreads();
    for (int k = 0; k < TILE; k++) sum += As[ty][k] * Bs[k][tx];
    __syncthreads();
  }
  C[row * N + col] = sum;
}

// expect: XP-DIVERGENCE
__global__ void gemm_early_return(const float* A, const float* B, float* C, int M, int N, int K) {
  __shared__ float As[TILE][TILE], Bs[TILE][TILE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  if (row >= M || col >= N) return;
  float sum = 0;
  for (int t = 0; t < K / TILE; t++) {
    As[ty][tx] = A[row * K + t * TILE + tx];
    Bs[ty][tx] = B[(t * TILE + ty) * N + col];
    __syncthreads();
    for (int k = 0; k < TILE; k++) sum += As[ty][k] * Bs[k][tx];
    __syncthreads();
  }
  C[row * N + col] = sum;
}

// expect: XP-BOUNDS | --block 16,16 --grid 2,2
__global__ void gemm_tile_one_too_far(const float* A, const float* B, float* C, int N) {
  __shared__ float As[TILE][TILE], Bs[TILE][TILE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  float sum = 0;
  for (int t = 0; t < N / TILE; t++) {
    As[ty][tx] = A[row * N + t * TILE + tx];
    Bs[ty][tx] = B[(t * TILE + ty) * N + col];
    __syncthreads();
    for (int k = 0; k <= TILE; k++) sum += As[ty][k] * Bs[k][tx];
    __syncthreads();
  }
  C[row * N + col] = sum;
}

// expect: XP-RACE
__global__ void gemm_swapped_output(const float* A, float* C, int N) {
  int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
  if (row < N && col < N) C[row + col] = A[row * N + col];
}

// expect: clean
__global__ void gemm_double_buffered(const float* A, const float* B, float* C, int N) {
  __shared__ float As[2][TILE][TILE], Bs[2][TILE][TILE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  int buf = 0;
  As[0][ty][tx] = A[row * N + tx];
  Bs[0][ty][tx] = B[ty * N + col];
  __syncthreads();
  float sum = 0;
  for (int t = 0; t < N / TILE; t++) {
    if (t + 1 < N / TILE) {
      As[buf ^ 1][ty][tx] = A[row * N + (t + 1) * TILE + tx];
      Bs[buf ^ 1][ty][tx] = B[((t + 1) * TILE + ty) * N + col];
    }
    for (int k = 0; k < TILE; k++) sum += As[buf][ty][k] * Bs[buf][k][tx];
    __syncthreads();
    buf ^= 1;
  }
  C[row * N + col] = sum;
}

// expect: XP-RACE
__global__ void gemm_double_buffered_same(const float* A, const float* B, float* C, int N) {
  __shared__ float As[2][TILE][TILE], Bs[2][TILE][TILE];
  int tx = threadIdx.x, ty = threadIdx.y;
  int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  int buf = 0;
  As[0][ty][tx] = A[row * N + tx];
  Bs[0][ty][tx] = B[ty * N + col];
  __syncthreads();
  float sum = 0;
  for (int t = 0; t < N / TILE; t++) {
    if (t + 1 < N / TILE) {
      As[buf ^ 1][ty][tx] = A[row * N + (t + 1) * TILE + tx];
      Bs[buf][ty][tx] = B[((t + 1) * TILE + ty) * N + col];
    }
    for (int k = 0; k < TILE; k++) sum += As[buf][ty][k] * Bs[buf][k][tx];
    __syncthreads();
    buf ^= 1;
  }
  C[row * N + col] = sum;
}

// expect: clean
__global__ void transpose(const float* in, float* out, int w, int h) {
  __shared__ float tile[32][33];
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (x < w && y + j < h) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * w + x];
  __syncthreads();
  x = blockIdx.y * 32 + threadIdx.x;
  y = blockIdx.x * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (x < h && y + j < w) out[(y + j) * h + x] = tile[threadIdx.x][threadIdx.y + j];
}

// expect: XP-RACE | --block 32,8 --grid 2,2
__global__ void transpose_no_barrier(const float* in, float* out, int w, int h) {
  __shared__ float tile[32][33];
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (x < w && y + j < h) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * w + x];
  x = blockIdx.y * 32 + threadIdx.x;
  y = blockIdx.x * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (x < h && y + j < w) out[(y + j) * h + x] = tile[threadIdx.x][threadIdx.y + j];
}

// expect: XP-RACE
__global__ void transpose_in_place(float* a, int n) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < n && y < n) {
    float t = a[y * n + x];
    a[x * n + y] = t;
  }
}

// expect: clean
__global__ void transpose_in_place_by_halves(float* a, int n) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < n && y < x) {
    float t = a[y * n + x];
    a[y * n + x] = a[x * n + y];
    a[x * n + y] = t;
  }
}

// expect: clean
__global__ void stencil(const float* in, float* out, int n) {
  __shared__ float s[128 + 2];
  int i = blockIdx.x * blockDim.x + threadIdx.x, l = threadIdx.x + 1;
  s[l] = i < n ? in[i] : 0.0f;
  if (threadIdx.x == 0) s[0] = i > 0 && i - 1 < n ? in[i - 1] : 0.0f;
  if (threadIdx.x == blockDim.x - 1) s[l + 1] = i + 1 < n ? in[i + 1] : 0.0f;
  __syncthreads();
  if (i < n) out[i] = s[l - 1] + s[l] + s[l + 1];
}

// expect: XP-UNINIT
__global__ void stencil_missing_halo(const float* in, float* out, int n) {
  __shared__ float s[128 + 2];
  int i = blockIdx.x * blockDim.x + threadIdx.x, l = threadIdx.x + 1;
  s[l] = i < n ? in[i] : 0.0f;
  if (threadIdx.x == 0) s[0] = i > 0 && i - 1 < n ? in[i - 1] : 0.0f;
  __syncthreads();
  if (i < n) out[i] = s[l - 1] + s[l] + s[l + 1];
}

// expect: XP-RACE
__global__ void stencil_no_barrier(const float* in, float* out, int n) {
  __shared__ float s[128 + 2];
  int i = blockIdx.x * blockDim.x + threadIdx.x, l = threadIdx.x + 1;
  s[l] = i < n ? in[i] : 0.0f;
  if (threadIdx.x == 0) s[0] = i > 0 && i - 1 < n ? in[i - 1] : 0.0f;
  if (threadIdx.x == blockDim.x - 1) s[l + 1] = i + 1 < n ? in[i + 1] : 0.0f;
  if (i < n) out[i] = s[l - 1] + s[l] + s[l + 1];
}

// expect: XP-BOUNDS
__global__ void stencil_global_left(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n - 1) out[i] = in[i - 1] + in[i] + in[i + 1];
}

// expect: XP-RACE
__global__ void stencil_in_place(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > 0 && i < n - 1) a[i] = (a[i - 1] + a[i + 1]) / 2;
}

// expect: clean
__global__ void stencil_2d(const float* in, float* out, int w, int h) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x > 0 && x < w - 1 && y > 0 && y < h - 1)
    out[y * w + x] = in[y * w + x - 1] + in[y * w + x + 1] + in[(y - 1) * w + x] + in[(y + 1) * w + x];
}
