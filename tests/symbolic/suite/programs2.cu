// Kernels with the host code that launches them.
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>
#define CHECK(x) do { cudaError_t e = (x); if (e != cudaSuccess) { printf("%s\n", cudaGetErrorString(e)); exit(1); } } while (0)

// expect: clean
__global__ void saxpy_main(float a, const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}

// expect: XP-BOUNDS
__global__ void saxpy_unguarded(float a, const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = a * x[i] + y[i];
}

// expect: XP-BOUNDS
__global__ void shifted(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] + x[i + 1];
}

// expect: XP-RACE
__global__ void smoothed(float* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > 0 && i < n - 1) x[i] = (x[i - 1] + x[i] + x[i + 1]) / 3;
}

// expect: clean
__global__ void smoothed_to(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > 0 && i < n - 1) y[i] = (x[i - 1] + x[i] + x[i + 1]) / 3;
}

// expect: XP-RACE
__global__ void in_place(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[n - 1 - i] = x[i];
}

// expect: XP-BOUNDS
__global__ void dynamic(const float* x, float* y) {
  extern __shared__ float s[];
  s[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
  s[threadIdx.x + blockDim.x] = 0;
  __syncthreads();
  y[blockIdx.x * blockDim.x + threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}

// expect: XP-BOUNDS
__global__ void wrong_extent(const float* m, float* out, int rows, int cols) {
  int r = blockIdx.y * blockDim.y + threadIdx.y, c = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < rows && c < cols) out[r * cols + c] = m[c * cols + r];
}

// expect: clean
__global__ void right_extent(const float* m, float* out, int rows, int cols) {
  int r = blockIdx.y * blockDim.y + threadIdx.y, c = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < rows && c < cols) out[c * rows + r] = m[r * cols + c];
}

int main(int argc, char** argv) {
  int n = argc > 1 ? atoi(argv[1]) : 1000;
  float *x, *y;
  CHECK(cudaMalloc(&x, n * sizeof(float)));
  CHECK(cudaMalloc(&y, n * sizeof(float)));
  int threads = 256, blocks = (n + threads - 1) / threads;
  saxpy_main<<<blocks, threads>>>(2.0f, x, y, n);
  saxpy_unguarded<<<blocks, threads>>>(2.0f, x, y, n);
  shifted<<<blocks, threads>>>(x, y, n);
  smoothed<<<blocks, threads>>>(x, n);
  smoothed_to<<<blocks, threads>>>(x, y, n);
  in_place<<<blocks, threads>>>(x, x, n);
  dynamic<<<3, threads, threads * sizeof(float)>>>(x, y);
  float *m, *o;
  const int rows = 30, cols = 50;
  CHECK(cudaMalloc((void**)&m, rows * cols * sizeof(float)));
  CHECK(cudaMalloc((void**)&o, rows * cols * sizeof(float)));
  dim3 block(16, 16), grid((cols + 15) / 16, (rows + 15) / 16);
  wrong_extent<<<grid, block>>>(m, o, rows, cols);
  right_extent<<<grid, block>>>(m, o, rows, cols);
  CHECK(cudaDeviceSynchronize());
  return 0;
}
