// Attributes in all the odd places where people put them.
#define RESTRICT __restrict__
#define DEV static __device__ __forceinline__
#define HD __host__ __device__

typedef struct __align__(16) { float x, y, z, w; } vec4_t;
struct __attribute__((aligned(8))) Pair { float a; int b; };
struct alignas(16) Quad { float v[4]; };
union __align__(16) Pun { float4 v; float f[4]; };
typedef struct { int first, second; } __attribute__((packed)) Packed;

inline float __device__ scale(float x, float s) { return x * s; }
DEV float add(float a, float b) { return a + b; }
HD constexpr int div_up(int a, int b) { return (a + b - 1) / b; }
__device__ __noinline__ float slow(float x);
__device__ __attribute__((noinline)) float slow(float x) { return x; }
[[nodiscard]] __device__ inline int lane() { return threadIdx.x & 31; }

void __global__ late_word(float *a) { a[0] = scale(a[1], 2.f); }
static __global__ void __launch_bounds__(256, 2) early_static(float *RESTRICT a) { a[0] = 1; }
__launch_bounds__(128) __global__ void bounds_first(float *a) { a[0] = 1; }
__global__ void __cluster_dims__(2, 1, 1) clustered(float *a) { a[0] = 1; }
extern "C" __global__ __attribute__((visibility("default"))) void visible(float *a) {
  extern __shared__ __align__(sizeof(float4)) unsigned char raw[];
  __shared__ alignas(16) float t[32][33];
  __align__(8) float local[4];
  float __attribute__((aligned(8))) other[2];
  t[0][0] = raw[0] + local[0] + other[0];
  a[0] = t[0][0];
}
__global__ void by_value(const __grid_constant__ Pair p, float *a) { a[0] = p.a; }
__global__ void with_lambda(float *a) {
  auto twice = [=] __device__ (float x) -> float { return x * 2.f; };
  auto both = [] __host__ __device__ (float x) { return x + 1.f; };
  a[0] = both(twice(a[1]));
}
