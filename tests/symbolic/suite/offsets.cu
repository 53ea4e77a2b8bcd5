// Host code: where pointers begin, what helpers allocate, what structs hold.
#include <cuda_runtime.h>
#include <thrust/device_vector.h>

struct Params { const float* in; float* out; int n; int stride; };
template <typename T>
T* device_alloc(size_t n) { T* p; cudaMalloc(&p, n * sizeof(T)); return p; }

// expect: XP-BOUNDS
__global__ void offset_passed(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) a[i] = i;
}
void main_f() {
  const int N = 1024;
  float* d;
  cudaMalloc(&d, N * sizeof(float));
  offset_passed<<<4, 256>>>(d + 8, N);
  cudaFree(d);
}

// expect: clean
__global__ void offset_passed_ok(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) a[i] = i;
}
void main_g() {
  const int N = 1024;
  float* d;
  cudaMalloc(&d, (N + 8) * sizeof(float));
  offset_passed_ok<<<4, 256>>>(d + 8, N);
  cudaFree(d);
}

// expect: XP-BOUNDS
__global__ void rounding(float* a) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  a[i] += 1.f;
}
void run_rounding(std::vector<float>& v) {
  size_t bytes = v.size() * sizeof(float);
  float* d;
  cudaMalloc(&d, bytes);
  cudaMemcpy(d, v.data(), bytes, cudaMemcpyHostToDevice);
  int threads = 256;
  int blocks = (int)(v.size() + threads - 1) / threads;
  rounding<<<blocks, threads>>>(d);
  cudaMemcpy(v.data(), d, bytes, cudaMemcpyDeviceToHost);
  cudaFree(d);
}

// expect: XP-BOUNDS
__global__ void from_params(Params p) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < p.n) p.out[i * p.stride] = p.in[i];
}
void main_r() {
  Params p;
  p.n = 200; p.stride = 2;
  float *a, *b;
  cudaMalloc(&a, p.n * sizeof(float));
  cudaMalloc(&b, p.n * sizeof(float));
  p.in = a; p.out = b;
  from_params<<<(p.n + 63) / 64, 64>>>(p);
}

// expect: clean
__global__ void from_params_ok(Params p) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < p.n) p.out[i * p.stride] = p.in[i];
}
void main_s() {
  Params p;
  p.n = 200; p.stride = 2;
  float *a, *b;
  cudaMalloc(&a, p.n * sizeof(float));
  cudaMalloc(&b, p.n * p.stride * sizeof(float));
  p.in = a; p.out = b;
  from_params_ok<<<(p.n + 63) / 64, 64>>>(p);
}

template <typename T>
T* device_alloc(size_t n) { T* p; cudaMalloc(&p, n * sizeof(T)); return p; }

// expect: XP-BOUNDS
__global__ void helper_allocated(float* a) {
  a[blockIdx.x * blockDim.x + threadIdx.x] = 3.f;
}
void main_t() {
  float* a = device_alloc<float>(1000);
  helper_allocated<<<8, 128>>>(a);
}

// expect: clean
__global__ void helper_allocated_ok(float* a) {
  a[blockIdx.x * blockDim.x + threadIdx.x] = 3.f;
}
void main_u() {
  float* a = device_alloc<float>(1024);
  helper_allocated_ok<<<8, 128>>>(a);
}

// expect: XP-BOUNDS
__global__ void later_realloc(float* p, int n) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) p[i] = i; }
void r1() {
  float* p;
  cudaMalloc(&p, 300 * sizeof(float));
  later_realloc<<<4, 128>>>(p, 512);
  cudaFree(p);
  cudaMalloc(&p, 4096 * sizeof(float));
  cudaFree(p);
}

// expect: clean
__global__ void later_realloc_ok(float* p, int n) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) p[i] = i; }
void r2() {
  float* p;
  cudaMalloc(&p, 512 * sizeof(float));
  later_realloc_ok<<<4, 128>>>(p, 512);
  cudaFree(p);
  cudaMalloc(&p, 4 * sizeof(float));
  cudaFree(p);
}

void grab(float** p, size_t n) { cudaMalloc((void**)p, n * sizeof(float)); cudaMemset(*p, 0, n * sizeof(float)); }
// expect: XP-BOUNDS
__global__ void by_out_param(const float* a, float* b) { int i = blockIdx.x * blockDim.x + threadIdx.x; b[i] = a[i + 1]; }
void r3() {
  float *a, *b;
  grab(&a, 1024);
  grab(&b, 1024);
  by_out_param<<<8, 128>>>(a, b);
}
// expect: clean
__global__ void by_out_param_ok(const float* a, float* b) { int i = blockIdx.x * blockDim.x + threadIdx.x; b[i] = a[i + 1]; }
void r4() {
  float *a, *b;
  grab(&a, 1025);
  grab(&b, 1024);
  by_out_param_ok<<<8, 128>>>(a, b);
}

// expect: XP-BOUNDS
__global__ void thrust_over(float* a) { a[blockIdx.x * blockDim.x + threadIdx.x] = 1; }
void r5() {
  thrust::device_vector<float> d(1000);
  thrust_over<<<8, 128>>>(thrust::raw_pointer_cast(d.data()));
}
// expect: clean
__global__ void thrust_ok(float* a) { a[blockIdx.x * blockDim.x + threadIdx.x] = 1; }
void r6() {
  thrust::device_vector<float> d(1024);
  thrust_ok<<<8, 128>>>(thrust::raw_pointer_cast(d.data()));
}

struct Img { float* px; int w, h; };
// expect: XP-BOUNDS
__global__ void blur(Img src, Img dst) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < src.w && y < src.h) dst.px[y * dst.w + x] = src.px[y * src.w + x] + src.px[y * src.w + x + 1];
}
void r7() {
  Img a, b;
  a.w = 50; a.h = 20; b.w = 50; b.h = 20;
  cudaMalloc(&a.px, a.w * a.h * sizeof(float));
  cudaMalloc(&b.px, b.w * b.h * sizeof(float));
  blur<<<dim3(4, 2), dim3(16, 16)>>>(a, b);
}
// expect: clean
__global__ void blur_ok(Img src, Img dst) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x + 1 < src.w && y < src.h) dst.px[y * dst.w + x] = src.px[y * src.w + x] + src.px[y * src.w + x + 1];
}
void r8() {
  Img a{nullptr, 50, 20}, b = {nullptr, 50, 20};
  cudaMalloc(&a.px, a.w * a.h * sizeof(float));
  cudaMalloc(&b.px, b.w * b.h * sizeof(float));
  blur_ok<<<dim3(4, 2), dim3(16, 16)>>>(a, b);
}

// expect: XP-BOUNDS
__global__ void row_offset(float* row, int cols) { int c = blockIdx.x * blockDim.x + threadIdx.x; if (c <= cols) row[c] = 0; }
void r9() {
  int rows = 8, cols = 100;
  float* m;
  cudaMalloc(&m, rows * cols * sizeof(float));
  for (int r = 0; r < rows; ++r) row_offset<<<1, 128>>>(m + r * cols, cols);
}
// expect: clean
__global__ void row_offset_ok(float* row, int cols) { int c = blockIdx.x * blockDim.x + threadIdx.x; if (c < cols) row[c] = 0; }
void r10() {
  int rows = 8, cols = 100;
  float* m;
  cudaMalloc(&m, rows * cols * sizeof(float));
  for (int r = 0; r < rows; ++r) row_offset_ok<<<1, 128>>>(m + r * cols, cols);
}

// expect: XP-RACE
__global__ void shifted_alias(const float* src, float* dst, int n) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) dst[i] = src[i] * 2; }
void r11() {
  float* d;
  cudaMalloc(&d, 513 * sizeof(float));
  shifted_alias<<<4, 128>>>(d, d + 1, 512);
}
// expect: clean
__global__ void halves_alias(const float* src, float* dst, int n) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) dst[i] = src[i] * 2; }
void r12() {
  float* d;
  cudaMalloc(&d, 1024 * sizeof(float));
  halves_alias<<<4, 128>>>(d, d + 512, 512);
}

// expect: clean
__global__ void before_start(const float* mid, float* out, int n) { int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) out[i] = mid[i - 1] + mid[i] + mid[i + 1]; }
void r13() {
  float *d, *o;
  cudaMalloc(&d, 258 * sizeof(float));
  cudaMalloc(&o, 256 * sizeof(float));
  before_start<<<2, 128>>>(d + 1, o, 256);
}

template <typename T> class Buf {
 public:
  explicit Buf(size_t n) : n_(n) { cudaMalloc(&p_, n * sizeof(T)); }
  ~Buf() { cudaFree(p_); }
  T* get() const { return p_; }
  size_t size() const { return n_; }
 private:
  T* p_ = nullptr; size_t n_;
};
// expect: XP-BOUNDS
__global__ void raii_over(float* a) { a[blockIdx.x * blockDim.x + threadIdx.x] = 1; }
void r14() { Buf<float> b(1000); raii_over<<<8, 128>>>(b.get()); }
// expect: clean
__global__ void raii_ok(float* a) { a[blockIdx.x * blockDim.x + threadIdx.x] = 1; }
void r15() { Buf<float> b(1024); raii_ok<<<8, 128>>>(b.get()); }
