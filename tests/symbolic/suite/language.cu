// The same faults behind more of C++: classes, templates, lambdas, jumps, casts, macros.

struct Grid {
  int w, h;
  __device__ int at(int x, int y) const { return y * w + x; }
  __device__ bool has(int x, int y) const { return x >= 0 && y >= 0 && x < w && y < h; }
};
// expect: clean
__global__ void by_methods(Grid g, const float* in, float* out) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (g.has(x, y)) out[g.at(x, y)] = in[g.at(x, y)] * 2;
}

// expect: XP-RACE
__global__ void by_methods_swapped(Grid g, const float* in, float* out) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (g.has(x, y)) out[x * g.w + y / 2] = in[g.at(x, y)] + x + y;
}

template <typename T>
struct Add {
  __device__ T operator()(T a, T b) const { return a + b; }
};
template <typename T, int SIZE, typename Op>
__device__ T reduced(T* s, Op op) {
  for (int d = SIZE / 2; d > 0; d >>= 1) {
    if (threadIdx.x < d) s[threadIdx.x] = op(s[threadIdx.x], s[threadIdx.x + d]);
    __syncthreads();
  }
  return s[0];
}
// expect: clean | --block 128 --grid 3
__global__ void by_functor(const float* in, float* out) {
  __shared__ float s[128];
  s[threadIdx.x] = in[blockIdx.x * 128 + threadIdx.x];
  __syncthreads();
  float sum = reduced<float, 128>(s, Add<float>());
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// expect: XP-RACE | --block 128 --grid 3
__global__ void by_functor_no_barrier(const float* in, float* out) {
  __shared__ float s[128];
  s[threadIdx.x] = in[blockIdx.x * 128 + threadIdx.x];
  float sum = reduced<float, 128>(s, Add<float>());
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// expect: XP-BOUNDS | --block 128 --grid 3
__global__ void by_functor_of_more(const float* in, float* out) {
  __shared__ float s[128];
  s[threadIdx.x] = in[blockIdx.x * 128 + threadIdx.x];
  __syncthreads();
  float sum = reduced<float, 512>(s, Add<float>());
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// expect: clean | --block 64 --grid 2
__global__ void by_lambda(const float* in, float* out) {
  auto index = [&](int k) { return blockIdx.x * 128 + k * 64 + threadIdx.x; };
  for (int k = 0; k < 2; k++) out[index(k)] = in[index(k)] + 1;
}

// expect: XP-RACE | --block 64 --grid 2
__global__ void by_lambda_too_narrow(const float* in, float* out) {
  auto index = [&](int k) { return blockIdx.x * 64 + k * 64 + threadIdx.x; };
  for (int k = 0; k < 2; k++) out[index(k)] = in[index(k)] + blockIdx.x;
}

#define BAR() __syncthreads()
#define IDX2(r, c, ld) ((r) * (ld) + (c))
// expect: clean | --block 8,8 --grid 1
__global__ void by_macros(const float* in, float* out) {
  __shared__ float s[64];
  s[IDX2(threadIdx.y, threadIdx.x, 8)] = in[IDX2(threadIdx.y, threadIdx.x, 8)];
  BAR();
  out[IDX2(threadIdx.y, threadIdx.x, 8)] = s[IDX2(threadIdx.x, threadIdx.y, 8)];
}

#define IDX2_BAD(r, c, ld) (r * ld + c)
// expect: XP-RACE | --block 8,8 --grid 1
__global__ void by_a_careless_macro(const float* in, float* out) {
  int r = threadIdx.y, c = threadIdx.x;
  out[IDX2_BAD(r + 0, c, 8)] = in[r * 8 + c] + r;
}

enum Mode { COPY, SCALE };
// expect: clean
__global__ void by_mode(const float* in, float* out, int n, Mode mode) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  switch (mode) {
    case COPY:
      out[i] = in[i];
      break;
    case SCALE:
    default:
      out[i] = in[i] * 2;
  }
}

// expect: XP-RACE
__global__ void by_mode_falls_through(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  switch (i % 2) {
    case 0:
      out[i] = in[i];
    case 1:
      out[i / 2 * 2] = in[i] + i;
  }
}

// expect: clean | --block 64 --grid 1
__global__ void raw_bytes(const float* in, const int* idx, float* out) {
  extern __shared__ unsigned char raw[];
  float* f = reinterpret_cast<float*>(raw);
  int* k = reinterpret_cast<int*>(raw + 64 * sizeof(float));
  f[threadIdx.x] = in[threadIdx.x];
  k[threadIdx.x] = 63 - threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = f[k[threadIdx.x]];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void raw_bytes_overlap(const float* in, float* out) {
  extern __shared__ unsigned char raw[];
  float* f = reinterpret_cast<float*>(raw);
  int* k = reinterpret_cast<int*>(raw + 64);
  f[threadIdx.x] = in[threadIdx.x];
  k[threadIdx.x] = 63 - threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = f[threadIdx.x] + k[threadIdx.x];
}

// expect: clean
__global__ void downwards(const float* in, float* out, size_t n) {
  size_t first = (blockIdx.x * blockDim.x + threadIdx.x) * 4ull;
  for (size_t k = 4; k-- > 0;)
    if (first + k < n) out[first + k] = in[first + k];
}

// expect: XP-BOUNDS | --block 32 --grid 1
__global__ void downwards_too_far(const float* in, float* out) {
  float r[8];
  for (int k = 8; k >= 0; k--) r[k] = in[threadIdx.x * 9 + k];
  out[threadIdx.x] = r[0] + r[7];
}

// expect: clean | --block 64 --grid 1
__global__ void through_a_reference(const float* in, float* out) {
  __shared__ float s[64];
  float& mine = s[threadIdx.x];
  mine = in[threadIdx.x];
  mine += 1;
  __syncthreads();
  const float& other = s[63 - threadIdx.x];
  out[threadIdx.x] = other;
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void through_a_reference_to_another(const float* in, float* out) {
  __shared__ float s[64];
  s[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  float& other = s[(threadIdx.x + 1) % 64];
  other += s[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = s[threadIdx.x];
}

template <bool CHECKED>
__global__ void checked(const float* in, float* out, int n);
// expect: clean
template <bool CHECKED>
__global__ void checked(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (CHECKED && i >= n) return;
  out[i] = in[i];
}
void run_checked(int n) {
  float *in, *out;
  cudaMalloc(&in, n * 4);
  cudaMalloc(&out, n * 4);
  if (n % 128 == 0)
    checked<false><<<n / 128, 128>>>(in, out, n);
  else
    checked<true><<<(n + 127) / 128, 128>>>(in, out, n);
}

constexpr int ceil_div(int a, int b) { return (a + b - 1) / b; }
// expect: clean | --block 96 --grid 1
__global__ void constant_expressions(const float* in, float* out) {
  constexpr int WARPS = ceil_div(96, 32);
  __shared__ float s[WARPS][32];
  s[threadIdx.x / 32][threadIdx.x % 32] = in[threadIdx.x];
  __syncthreads();
  if (threadIdx.x < 32) {
    float sum = 0;
    for (int w = 0; w < WARPS; w++) sum += s[w][threadIdx.x];
    out[threadIdx.x] = sum;
  }
}

// expect: XP-BOUNDS | --block 100 --grid 1
__global__ void constant_expressions_rounded_down(const float* in, float* out) {
  __shared__ float s[100 / 32][32];
  s[threadIdx.x / 32][threadIdx.x % 32] = in[threadIdx.x];
  __syncthreads();
  if (threadIdx.x < 32) out[threadIdx.x] = s[0][threadIdx.x] + s[1][threadIdx.x] + s[2][threadIdx.x];
}

// expect: clean
__global__ void short_circuit(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && (i == 0 || in[i - 1] < in[i])) out[i] = 1;
}

// expect: XP-BOUNDS | --block 64 --grid 1
__global__ void short_circuit_in_the_wrong_order(const float* in, float* out) {
  __shared__ float s[64];
  s[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  int t = threadIdx.x;
  if (s[t + 1] > 0 && t < 63) out[t] = s[t];
}

// expect: clean
__global__ void doubles(const double* a, const double* b, double* c, long n) {
  for (long i = blockIdx.x * (long)blockDim.x + threadIdx.x; i < n; i += (long)gridDim.x * blockDim.x)
    c[i] = fma(a[i], b[i], c[i]);
}

// expect: XP-RACE | --block 64 --grid 2
__global__ void static_shared_in_a_function(const float* in, float* out) {
  auto turn = [&](float v) {
    __shared__ float s[64];
    s[threadIdx.x] = v;
    __syncthreads();
    return s[63 - threadIdx.x];
  };
  float v = turn(in[blockIdx.x * 64 + threadIdx.x]);
  out[blockIdx.x * 64 + threadIdx.x] = turn(v + 1);
}

// expect: clean | --block 64 --grid 2
__global__ void static_shared_in_a_function_waits(const float* in, float* out) {
  auto turn = [&](float v) {
    __shared__ float s[64];
    __syncthreads();
    s[threadIdx.x] = v;
    __syncthreads();
    return s[63 - threadIdx.x];
  };
  float v = turn(in[blockIdx.x * 64 + threadIdx.x]);
  out[blockIdx.x * 64 + threadIdx.x] = turn(v + 1);
}

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void in_a_conditional_expression(float* a) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  auto wait = [&]() {
    __syncthreads();
    return s[0];
  };
  a[threadIdx.x] = threadIdx.x < 10 ? wait() : 0.0f;
}

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void after_a_jump(float* a, int n) {
  __shared__ float s[64];
  int i = threadIdx.x;
  for (;;) {
    if (i >= 100) break;
    s[threadIdx.x] = a[i];
    __syncthreads();
    a[i] = s[threadIdx.x] + 1;
    i += 64;
  }
}

// expect: clean | --block 64 --grid 1
__global__ void after_a_jump_of_all(float* a, int n) {
  __shared__ float s[64];
  int i = threadIdx.x;
  for (;;) {
    if (i - (int)threadIdx.x >= 128) break;
    s[threadIdx.x] = a[i];
    __syncthreads();
    a[i] = s[threadIdx.x] + 1;
    i += 64;
  }
}

// expect: XP-UNINIT | --block 64 --grid 1
__global__ void set_in_one_branch(const float* in, float* out) {
  float v;
  if (in[threadIdx.x] > 0 || threadIdx.x % 2) v = in[threadIdx.x];
  out[threadIdx.x] = v;
}

// expect: clean | --block 64 --grid 1
__global__ void set_in_both_branches(const float* in, float* out) {
  float v;
  if (in[threadIdx.x] > 0)
    v = in[threadIdx.x];
  else
    v = 0;
  out[threadIdx.x] = v;
}

// expect: XP-ALIGN | --block 64 --grid 1
__global__ void wide_loads_at_odd_places(const int* in, int* out) {
  const int2* pairs = (const int2*)(in + 1);
  int2 p = pairs[threadIdx.x];
  out[threadIdx.x] = p.x + p.y;
}

// expect: clean | --block 64 --grid 1
__global__ void wide_loads_at_even_places(const int* in, int* out) {
  const int2* pairs = (const int2*)(in + 2);
  int2 p = pairs[threadIdx.x];
  out[threadIdx.x] = p.x + p.y;
}
