// Globals of all kinds.
#include <climits>
#include <cfloat>
#include "math_constants.h"
#define BINS 256

constexpr int kWarps = 8, kThreads = kWarps * 32;
static const unsigned int kMask = 0xffffffffu;
enum Mode { MODE_ADD, MODE_MAX = 4, MODE_LAST };
enum class Layout : unsigned char { Row, Column };
__constant__ float c_filter[3][5] = {{1, 2, 3, 4, 5}};
__constant__ int c_offsets[BINS];
__device__ unsigned int g_counter = 0;
__device__ float g_scratch[BINS], *g_pointer;
__managed__ int g_managed;
using Word = unsigned int;
template <typename T>
using Ptr = T *__restrict__;
typedef float (*UnaryOp)(float);
typedef struct { float lo, hi; } Range;
template <typename T, int N>
struct Array {
  static constexpr int size = N;
  enum { bytes = N * sizeof(T) };
  using value_type = T;
  T data[N];
  T *next = nullptr;
  __device__ Array() : next(nullptr) {}
  __device__ T &operator[](int i) { return data[i]; }
  __host__ __device__ T sum() const;
};
template <typename T, int N>
__host__ __device__ T Array<T, N>::sum() const {
  T total = T(0);
  for (int i = 0; i < N; ++i) total += data[i];
  return total;
}
template <typename T>
constexpr T pi_v = T(3.14159265358979);

__global__ void histogram(const unsigned char *__restrict__ data, Word *bins, int n) {
  __shared__ Word local[BINS];
  for (int i = threadIdx.x; i < BINS; i += kThreads) local[i] = 0;
  __syncthreads();
  float best = -FLT_MAX, worst = CUDART_INF_F, eps = FLT_EPSILON;
  int smallest = INT_MAX;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    atomicAdd(&local[data[i]], 1u);
  __syncthreads();
  for (int i = threadIdx.x; i < BINS; i += kThreads) atomicAdd(&bins[i], local[i] + (best > worst) + (smallest < eps));
  if (threadIdx.x == 0) atomicInc(&g_counter, kMask);
}

extern "C" {
void histogram_host(const unsigned char *data, unsigned int *bins, int n);
void histogram_host(const unsigned char *data, unsigned int *bins, int n) {
  void *args[] = {&data, &bins, &n};
  cudaLaunchKernel((const void *)histogram, dim3(32), dim3(kThreads), args, 0, nullptr);
}
}
extern "C" int histogram_bins(void) { return BINS; }
