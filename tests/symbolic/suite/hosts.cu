// Kernels with host code: sizes are those that it allocates.

// expect: clean
__global__ void add(const float* a, const float* b, float* c, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}
extern "C" void add_host(const float* a, const float* b, float* c, int n) {
  float *da, *db, *dc;
  cudaMalloc(&da, n * sizeof(float));
  cudaMalloc(&db, n * sizeof(float));
  cudaMalloc(&dc, n * sizeof(float));
  cudaMemcpy(da, a, n * sizeof(float), cudaMemcpyHostToDevice);
  cudaMemcpy(db, b, n * sizeof(float), cudaMemcpyHostToDevice);
  add<<<(n + 255) / 256, 256>>>(da, db, dc, n);
  cudaMemcpy(c, dc, n * sizeof(float), cudaMemcpyDeviceToHost);
}

// expect: XP-BOUNDS
__global__ void scale_unguarded(float* a, float f) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  a[i] *= f;
}
extern "C" void scale_host(float* a, float f, int n) {
  float* d;
  cudaMalloc(&d, n * sizeof(float));
  cudaMemcpy(d, a, n * sizeof(float), cudaMemcpyHostToDevice);
  scale_unguarded<<<(n + 127) / 128, 128>>>(d, f);
  cudaMemcpy(a, d, n * sizeof(float), cudaMemcpyDeviceToHost);
}

// expect: XP-BOUNDS
__global__ void bytes_for_elements(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) a[i] = i;
}
extern "C" void bytes_host(float* a, int n) {
  float* d;
  cudaMalloc(&d, n);
  bytes_for_elements<<<(n + 127) / 128, 128>>>(d, n);
  cudaMemcpy(a, d, n, cudaMemcpyDeviceToHost);
}

// expect: XP-BOUNDS
__global__ void transpose_wrong(const float* in, float* out, int rows, int cols) {
  int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y * blockDim.y + threadIdx.y;
  if (r < rows && c < cols) out[c * cols + r] = in[r * cols + c];
}
extern "C" void transpose_host(const float* in, float* out, int rows, int cols) {
  float *a, *b;
  cudaMalloc(&a, rows * cols * sizeof(float));
  cudaMalloc(&b, rows * cols * sizeof(float));
  cudaMemcpy(a, in, rows * cols * sizeof(float), cudaMemcpyHostToDevice);
  dim3 block(16, 16);
  dim3 grid((cols + 15) / 16, (rows + 15) / 16);
  transpose_wrong<<<grid, block>>>(a, b, rows, cols);
  cudaMemcpy(out, b, rows * cols * sizeof(float), cudaMemcpyDeviceToHost);
}

// expect: XP-RACE
__global__ void smooth(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > 0 && i + 1 < n) out[i] = (in[i - 1] + in[i + 1]) / 2;
}
extern "C" void smooth_host(float* a, int n) {
  float* d;
  cudaMalloc(&d, n * sizeof(float));
  cudaMemcpy(d, a, n * sizeof(float), cudaMemcpyHostToDevice);
  smooth<<<(n + 127) / 128, 128>>>(d, d, n);
  cudaMemcpy(a, d, n * sizeof(float), cudaMemcpyDeviceToHost);
}

// expect: XP-BOUNDS
__global__ void reduce_dynamic(const float* in, float* out, int n) {
  extern __shared__ float s[];
  int t = threadIdx.x;
  s[t] = t < n ? in[t] : 0.0f;
  __syncthreads();
  for (int k = blockDim.x / 2; k > 0; k /= 2) {
    if (t < k) s[t] += s[t + k];
    __syncthreads();
  }
  if (t == 0) out[0] = s[0];
}
extern "C" void reduce_dynamic_host(const float* in, float* out, int n) {
  float *a, *b;
  cudaMalloc(&a, n * sizeof(float));
  cudaMalloc(&b, sizeof(float));
  cudaMemcpy(a, in, n * sizeof(float), cudaMemcpyHostToDevice);
  reduce_dynamic<<<1, 256, 128 * sizeof(float)>>>(a, b, n);
  cudaMemcpy(out, b, sizeof(float), cudaMemcpyDeviceToHost);
}

// expect: clean
__global__ void partial_sums(const float* in, float* out, int n) {
  extern __shared__ float s[];
  int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  s[t] = i < n ? in[i] : 0.0f;
  __syncthreads();
  for (int k = blockDim.x / 2; k > 0; k /= 2) {
    if (t < k) s[t] += s[t + k];
    __syncthreads();
  }
  if (t == 0) out[blockIdx.x] = s[0];
}
extern "C" void partial_sums_host(const float* in, float* out, int n) {
  const int threads = 128;
  int blocks = (n + threads - 1) / threads;
  float *a, *b;
  cudaMalloc(&a, n * sizeof(float));
  cudaMalloc(&b, blocks * sizeof(float));
  cudaMemcpy(a, in, n * sizeof(float), cudaMemcpyHostToDevice);
  partial_sums<<<blocks, threads, threads * sizeof(float)>>>(a, b, n);
  cudaMemcpy(out, b, blocks * sizeof(float), cudaMemcpyDeviceToHost);
}

// expect: XP-BOUNDS
__global__ void fixed_sizes(float* a) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  a[i] = i;
}
int main() {
  const int N = 1000;
  float* d;
  cudaMalloc((void**)&d, N * sizeof(float));
  fixed_sizes<<<4, 256>>>(d);
  cudaDeviceSynchronize();
  return 0;
}

// expect: clean
__global__ void mirrored(const float* in, float* out, int n, int pad) {
  int j = blockIdx.x * blockDim.x + threadIdx.x;
  if (j >= n + 2 * pad) return;
  int i = abs(j - pad);
  out[j] = in[n - 1 - abs(n - 1 - i)];
}
void mirrored_host(const float* in, float* out, int n, int pad) {
  assert(pad < n);
  float *a, *b;
  cudaMalloc(&a, n * sizeof(float));
  cudaMalloc(&b, (n + 2 * pad) * sizeof(float));
  cudaMemcpy(a, in, n * sizeof(float), cudaMemcpyHostToDevice);
  mirrored<<<(n + 2 * pad + 127) / 128, 128>>>(a, b, n, pad);
  cudaMemcpy(out, b, (n + 2 * pad) * sizeof(float), cudaMemcpyDeviceToHost);
}

template <typename T>
struct Plane {
  T* data;
  int step, rows, columns;
};

// expect: clean
__global__ void add_planes(Plane<float> a, Plane<const float> b) {
  for (int r = blockIdx.y; r < a.rows; r += gridDim.y)
    for (int c = blockIdx.x * blockDim.x + threadIdx.x; c < a.columns; c += gridDim.x * blockDim.x)
      a.data[r * a.step + c] += b.data[r * b.step + c];
}
void add_planes_host(float* a, const float* b, int rows, int columns) {
  Plane<float> x{a, columns, rows, columns};
  Plane<const float> y{.data = b, .step = columns, .rows = rows, .columns = columns};
  add_planes<<<dim3(2, 3), 64>>>(x, y);
}

// expect: clean
__global__ void numbers_alone(int rows, int columns, const float* a, float* b) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  b[i % columns] = a[i];
}
void numbers_alone_host(const float* a, float* b) { numbers_alone<<<1, 64>>>(4, 64, a, b); }

// expect: XP-ALIGN
__global__ void rows_at_odd_places(const float* in, float* out, int length) {
  const float4* from = reinterpret_cast<const float4*>(in + blockIdx.x * (length + 1));
  float4* to = reinterpret_cast<float4*>(out + blockIdx.x * length);
  for (int c = threadIdx.x; c < length / 4; c += blockDim.x) to[c] = from[c];
}
void rows_at_odd_places_host(const float* in, float* out, int rows) {
  rows_at_odd_places<<<rows, 64>>>(in, out, 256);
}
