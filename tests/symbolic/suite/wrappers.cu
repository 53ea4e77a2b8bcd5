// Wrappers as people write them: error checks, dim3, early returns, sizes in variables.
#include <cstdio>
#include <vector>
#define CHECK(x) do { cudaError_t e = (x); if (e != cudaSuccess) { printf("error\n"); return; } } while (0)

// expect: XP-BOUNDS
__global__ void off_by_one(const int* in, int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) out[i] = in[i];
}
void run1(const int* h, int* o, int n) {
  int *a, *b;
  CHECK(cudaMalloc((void**)&a, sizeof(int) * n));
  CHECK(cudaMalloc((void**)&b, sizeof(int) * n));
  CHECK(cudaMemcpy(a, h, sizeof(int) * n, cudaMemcpyHostToDevice));
  int threads = 128;
  int blocks = (n + threads) / threads;
  off_by_one<<<blocks, threads>>>(a, b, n);
}

// expect: clean
__global__ void floor_launch(const int* in, int* out) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = in[i];
}
void run2(int n) {
  int *a, *b;
  size_t bytes = n * sizeof(int);
  cudaMalloc(&a, bytes);
  cudaMalloc(&b, bytes);
  floor_launch<<<n / 64, 64>>>(a, b);
}

// expect: XP-BOUNDS
__global__ void pair_sum(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[2 * i] + in[2 * i + 1];
}
void run3(int n) {
  float *a, *b;
  cudaMalloc(&a, n * sizeof(float));
  cudaMalloc(&b, n * sizeof(float));
  pair_sum<<<(n + 255) / 256, 256>>>(a, b, n);
}

// expect: clean
__global__ void pair_sum_ok(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[2 * i] + in[2 * i + 1];
}
void run4(int n) {
  float *a, *b;
  cudaMalloc(&a, 2 * n * sizeof(float));
  cudaMalloc(&b, n * sizeof(float));
  pair_sum_ok<<<(n + 255) / 256, 256>>>(a, b, n);
}

// expect: XP-BOUNDS
__global__ void matrix_add(const float* a, const float* b, float* c, int rows, int cols) {
  int r = blockIdx.y * blockDim.y + threadIdx.y, k = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < cols && k < rows) c[r * cols + k] = a[r * cols + k] + b[r * cols + k];
}
void run5(int rows, int cols) {
  float *a, *b, *c;
  size_t bytes = (size_t)rows * cols * sizeof(float);
  cudaMalloc(&a, bytes); cudaMalloc(&b, bytes); cudaMalloc(&c, bytes);
  dim3 t(16, 16), g((cols + t.x - 1) / t.x, (rows + t.y - 1) / t.y);
  matrix_add<<<g, t>>>(a, b, c, rows, cols);
}

// expect: XP-BOUNDS
__global__ void constants(float* a) { a[blockIdx.x * 256 + threadIdx.x] = 1; }
const int N = 5000;
int main() {
  float* d;
  cudaMalloc(&d, sizeof(float) * N);
  constants<<<(N + 255) / 256, 256>>>(d);
}

// expect: clean
__global__ void even_only(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  a[i] = 0;
}
bool run7(int n) {
  if (n % 256 != 0) return false;
  float* d;
  cudaMalloc(&d, n * sizeof(float));
  even_only<<<n / 256, 256>>>(d, n);
  return true;
}

// expect: clean
__global__ void halo(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[i] + in[i + 1] + in[i + 2];
}
void run8(int n) {
  float *a, *b;
  cudaMalloc(&a, (n + 2) * sizeof(float));
  cudaMalloc(&b, n * sizeof(float));
  halo<<<(n + 127) / 128, 128>>>(a, b, n);
}

// expect: XP-BOUNDS
__global__ void shared_small(const float* in, float* out, int n) {
  __shared__ float s[128];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  s[threadIdx.x] = i < n ? in[i] : 0;
  __syncthreads();
  if (i < n) out[i] = s[threadIdx.x];
}
void run9(int n) {
  float *a, *b;
  cudaMalloc(&a, n * sizeof(float)); cudaMalloc(&b, n * sizeof(float));
  shared_small<<<(n + 255) / 256, 256>>>(a, b, n);
}
