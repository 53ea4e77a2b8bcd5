// Strides of planes, types of counters, alignment of rows.
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#define T 16
// expect: clean
__global__ void batched_by_strides(const float* A, const float* B, float* C, int M, int N, int K, long long sa, long long sb, long long sc) {
  __shared__ float a[T][T + 1], b[T][T];
  A += blockIdx.z * sa; B += blockIdx.z * sb; C += blockIdx.z * sc;
  int r = blockIdx.y * T + threadIdx.y, c = blockIdx.x * T + threadIdx.x;
  float s = 0.f;
  for (int k0 = 0; k0 < K; k0 += T) {
    a[threadIdx.y][threadIdx.x] = r < M && k0 + threadIdx.x < K ? A[(long long)r * K + k0 + threadIdx.x] : 0.f;
    b[threadIdx.y][threadIdx.x] = c < N && k0 + threadIdx.y < K ? B[(long long)(k0 + threadIdx.y) * N + c] : 0.f;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < T; ++k) s += a[threadIdx.y][k] * b[k][threadIdx.x];
    __syncthreads();
  }
  if (r < M && c < N) C[(long long)r * N + c] = s;
}

// expect: XP-ALIGN
__global__ void pairs_of_odd_rows(const __half* x, __half* y, int rows, int cols) {
  int r = blockIdx.y;
  const __half2* px = reinterpret_cast<const __half2*>(x + r * cols);
  __half2* py = reinterpret_cast<__half2*>(y + r * cols);
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < cols / 2; i += gridDim.x * blockDim.x)
    py[i] = __hadd2(px[i], py[i]);
  if ((cols & 1) && blockIdx.x == 0 && threadIdx.x == 0) y[r * cols + cols - 1] = __hadd(x[r * cols + cols - 1], y[r * cols + cols - 1]);
}
extern "C" void run_pairs(const __half* x, __half* y, int rows, int cols) {
  pairs_of_odd_rows<<<dim3(4, rows), 128>>>(x, y, rows, cols);
}

// expect: XP-OVERFLOW
__global__ void fill_by_int(float* a, size_t n, float v) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) a[i] = v;
}
extern "C" void run_fill(float v) {
  size_t n = 3000000000ull;
  float* a;
  cudaMalloc(&a, n * sizeof(float));
  fill_by_int<<<1024, 256>>>(a, n, v);
  cudaFree(a);
}
