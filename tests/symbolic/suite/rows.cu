// Guards that one operand of several lacks.
#include <cuda_runtime.h>
#define TILE 16
#define IDX(r, c, ld) ((r) * (ld) + (c))
#define CEIL(a, b) (((a) + (b) - 1) / (b))

// expect: clean | --block 16,16 --grid 3,3
__global__ void mm(const float* A, const float* B, float* C, int M, int N, int K) {
  __shared__ float As[TILE][TILE], Bs[TILE][TILE];
  int r = blockIdx.y * TILE + threadIdx.y, c = blockIdx.x * TILE + threadIdx.x;
  float acc = 0.f;
  for (int k0 = 0; k0 < CEIL(K, TILE); ++k0) {
    int ka = k0 * TILE + threadIdx.x, kb = k0 * TILE + threadIdx.y;
    As[threadIdx.y][threadIdx.x] = (r < M && ka < K) ? A[IDX(r, ka, K)] : 0.f;
    Bs[threadIdx.y][threadIdx.x] = (kb < K && c < N) ? B[IDX(kb, c, N)] : 0.f;
    __syncthreads();
    for (int k = 0; k < TILE; ++k) acc += As[threadIdx.y][k] * Bs[k][threadIdx.x];
    __syncthreads();
  }
  if (r < M && c < N) C[IDX(r, c, N)] = acc;
}

// expect: XP-BOUNDS | --block 16,16 --grid 3,3
__global__ void mm_guard_missing_b(const float* A, const float* B, float* C, int M, int N, int K) {
  __shared__ float As[TILE][TILE], Bs[TILE][TILE];
  int r = blockIdx.y * TILE + threadIdx.y, c = blockIdx.x * TILE + threadIdx.x;
  float acc = 0.f;
  for (int k0 = 0; k0 < CEIL(K, TILE); ++k0) {
    int ka = k0 * TILE + threadIdx.x, kb = k0 * TILE + threadIdx.y;
    As[threadIdx.y][threadIdx.x] = (r < M && ka < K) ? A[IDX(r, ka, K)] : 0.f;
    Bs[threadIdx.y][threadIdx.x] = c < N ? B[IDX(kb, c, N)] : 0.f;
    __syncthreads();
    for (int k = 0; k < TILE; ++k) acc += As[threadIdx.y][k] * Bs[k][threadIdx.x];
    __syncthreads();
  }
  if (r < M && c < N) C[IDX(r, c, N)] = acc;
}

// expect: XP-BOUNDS | --block 16,16 --grid 3,3
__global__ void mm_guard_missing_c(const float* A, const float* B, float* C, int M, int N, int K) {
  __shared__ float As[TILE][TILE], Bs[TILE][TILE];
  int r = blockIdx.y * TILE + threadIdx.y, c = blockIdx.x * TILE + threadIdx.x;
  float acc = 0.f;
  for (int k0 = 0; k0 < CEIL(K, TILE); ++k0) {
    int ka = k0 * TILE + threadIdx.x, kb = k0 * TILE + threadIdx.y;
    As[threadIdx.y][threadIdx.x] = (r < M && ka < K) ? A[IDX(r, ka, K)] : 0.f;
    Bs[threadIdx.y][threadIdx.x] = (kb < K && c < N) ? B[IDX(kb, c, N)] : 0.f;
    __syncthreads();
    for (int k = 0; k < TILE; ++k) acc += As[threadIdx.y][k] * Bs[k][threadIdx.x];
    __syncthreads();
  }
  if (c < N) C[IDX(r, c, N)] = acc;
}

// expect: XP-RACE | --block 16,16 --grid 3,3
__global__ void mm_missing_second_sync(const float* A, const float* B, float* C, int M, int N, int K) {
  __shared__ float As[TILE][TILE], Bs[TILE][TILE];
  int r = blockIdx.y * TILE + threadIdx.y, c = blockIdx.x * TILE + threadIdx.x;
  float acc = 0.f;
  for (int k0 = 0; k0 < CEIL(K, TILE); ++k0) {
    int ka = k0 * TILE + threadIdx.x, kb = k0 * TILE + threadIdx.y;
    As[threadIdx.y][threadIdx.x] = (r < M && ka < K) ? A[IDX(r, ka, K)] : 0.f;
    Bs[threadIdx.y][threadIdx.x] = (kb < K && c < N) ? B[IDX(kb, c, N)] : 0.f;
    __syncthreads();
    for (int k = 0; k < TILE; ++k) acc += As[threadIdx.y][k] * Bs[k][threadIdx.x];
  }
  if (r < M && c < N) C[IDX(r, c, N)] = acc;
}

// expect: XP-RACE | --block 16,16 --grid 3,3
__global__ void mm_block_xy_swapped(const float* A, const float* B, float* C, int M, int N, int K) {
  int r = blockIdx.y * TILE + threadIdx.y, c = blockIdx.y * TILE + threadIdx.x;
  float acc = 0.f;
  if (r < M && c < N) {
    for (int k = 0; k < K; ++k) acc += A[IDX(r, k, K)] * B[IDX(k, c, N)];
    C[IDX(r, c, N)] = acc + blockIdx.x;
  }
}

// expect: XP-BOUNDS
__global__ void row_of_a_block(const float* x, float* y, int H) {
  float s = 0.f;
  for (int i = threadIdx.x; i <= H; i += blockDim.x) s += x[(size_t)blockIdx.x * H + i];
  atomicAdd(&y[blockIdx.x], s);
}
void sums_of_rows(const float* x, float* y, int rows, int H) { row_of_a_block<<<rows, 64>>>(x, y, H); }

// expect: clean
__global__ void longer_row_of_a_block(const float* x, float* y, int H) {
  float s = 0.f;
  for (int i = threadIdx.x; i <= H; i += blockDim.x) s += x[(size_t)blockIdx.x * (H + 1) + i];
  atomicAdd(&y[blockIdx.x], s);
}
void sums_of_longer_rows(const float* x, float* y, int rows, int H) {
  longer_row_of_a_block<<<rows, 64>>>(x, y, H);
}
