// Rests of sizes: chunks that are guarded by their first element, and accesses beside guarded ones.

// expect: undecided
__global__ void four_each(const float* x, float* y, float s, int n) {
  int i = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n)
    for (int k = 0; k < 4; ++k) y[i + k] = s * x[i + k];
}

// expect: XP-BOUNDS
__global__ void four_each_of_any_number(const float* x, float* y, float s, int n) {
  int i = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n)
    for (int k = 0; k < 4; ++k) y[i + k] = s * x[i + k];
}
void run_four_each_of_any_number(const float* x, float* y, int n) {
  int threads = (n + 3) / 4;
  four_each_of_any_number<<<(threads + 63) / 64, 64>>>(x, y, 2.f, n);
}

// expect: clean
__global__ void four_each_guarded(const float* x, float* y, float s, int n) {
  int i = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  if (i + 3 < n)
    for (int k = 0; k < 4; ++k) y[i + k] = s * x[i + k];
}

// expect: clean
__global__ void window_of_four(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float s = 0;
  if (i < n) {
    for (int k = 0; k < 4; ++k) s += x[i + k];
    y[i] = s;
  }
}

// expect: XP-BOUNDS
__global__ void halo_on_one_side(const float* in, float* out, int n) {
  __shared__ float s[130];
  int g = blockIdx.x * 128 + threadIdx.x;
  s[threadIdx.x] = g < n ? in[g] : 0.f;
  if (threadIdx.x < 2) s[threadIdx.x + 128] = in[g + 128];
  __syncthreads();
  if (g < n) out[g] = s[threadIdx.x] + s[threadIdx.x + 1] + s[threadIdx.x + 2];
}

// expect: clean
__global__ void halo_guarded(const float* in, float* out, int n) {
  __shared__ float s[130];
  int g = blockIdx.x * 128 + threadIdx.x;
  s[threadIdx.x] = g < n ? in[g] : 0.f;
  if (threadIdx.x < 2) s[threadIdx.x + 128] = g + 128 < n ? in[g + 128] : 0.f;
  __syncthreads();
  if (g < n) out[g] = s[threadIdx.x] + s[threadIdx.x + 1] + s[threadIdx.x + 2];
}

// expect: clean
__global__ void halves_exchanged(const float* x, float* y, int half) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = i < half ? -x[i] : x[i];
}

// expect: clean
__global__ void first_of_each_block(const float* in, float* out, int n) {
  __shared__ float first;
  int g = blockIdx.x * blockDim.x + threadIdx.x;
  if (threadIdx.x == 0) first = in[g];
  __syncthreads();
  if (g < n) out[g] = in[g] - first;
}
