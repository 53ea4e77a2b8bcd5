// Kernels that macros define, launches that macros hide.
#define THREADS 128
#define GRID_STRIDE_LOOP(i, n) \
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += blockDim.x * gridDim.x)
#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)
#define UNARY_KERNEL(name, expr)                                        \
  __global__ void CONCAT(name, _kernel)(float *out, const float *in, int n) { \
    GRID_STRIDE_LOOP(i, n) {                                            \
      const float x = in[i];                                            \
      out[i] = (expr);                                                  \
    }                                                                   \
  }
#define LAUNCH(kernel, n, ...) kernel<<<((n) + THREADS - 1) / THREADS, THREADS>>>(__VA_ARGS__)
#define LOG(fmt, ...) printf("[%s] " fmt "\n", #fmt, ##__VA_ARGS__)
#define UNROLL(n) _Pragma("unroll")

UNARY_KERNEL(relu, x > 0.f ? x : 0.f)
UNARY_KERNEL(square, x *x)
UNARY_KERNEL(sigmoid, 1.f / (1.f + expf(-x)))

__global__ void saxpy(int n, float a, const float *x, float *y) {
  GRID_STRIDE_LOOP(i, n) y[i] = a * x[i] + y[i];
}

__global__ void unrolled(float *a) {
  UNROLL(4)
  for (int i = 0; i < 4; ++i) a[i] += 1.f;
#pragma unroll THREADS
  for (int i = 0; i < 4; ++i) a[i] += 2.f;
  for (int i = 0; i < 4; ++i) a[i] += 3.f;
}

void run(float *out, const float *in, int n) {
  LAUNCH(relu_kernel, n, out, in, n);
  LAUNCH(saxpy, n, n, 2.f, in, out);
  LOG("done");
  LOG("n = %d", n);
  square_kernel<<<1, THREADS>>>(out, in, n);
}
