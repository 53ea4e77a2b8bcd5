// Launches and sizes: by host code, by guards, by nobody; offsets that grow, widths that do not suffice.

// expect: clean
__global__ void padded_rows(const float* in, float* out, int rows, int cols, int pitch) {
  int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y * blockDim.y + threadIdx.y;
  if (r < rows && c < cols) out[r * pitch + c] = in[r * cols + c];
}
void run_padded_rows(int rows, int cols) {
  int pitch = (cols + 31) / 32 * 32;
  float *in, *out;
  cudaMalloc(&in, rows * cols * sizeof(float));
  cudaMalloc(&out, rows * pitch * sizeof(float));
  padded_rows<<<dim3((cols + 31) / 32, (rows + 7) / 8), dim3(32, 8)>>>(in, out, rows, cols, pitch);
}

// expect: XP-BOUNDS
__global__ void padded_rows_read(const float* in, float* out, int rows, int cols, int pitch) {
  int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y * blockDim.y + threadIdx.y;
  if (r < rows && c < pitch) out[r * pitch + c] = in[r * cols + c];
}
void run_padded_rows_read(int rows, int cols) {
  int pitch = (cols + 31) / 32 * 32;
  float *in, *out;
  cudaMalloc(&in, rows * cols * sizeof(float));
  cudaMalloc(&out, rows * pitch * sizeof(float));
  padded_rows_read<<<dim3((pitch + 31) / 32, (rows + 7) / 8), dim3(32, 8)>>>(in, out, rows, cols, pitch);
}

// expect: XP-BOUNDS
__global__ void elements_as_bytes(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) a[i] = i;
}
void run_elements_as_bytes(int n) {
  float* a;
  cudaMalloc(&a, n);
  elements_as_bytes<<<(n + 255) / 256, 256>>>(a, n);
}

// expect: clean
__global__ void elements(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) a[i] = i;
}
void run_elements(int n) {
  float* a;
  cudaMalloc((void**)&a, n * sizeof(*a));
  elements<<<(n + 255) / 256, 256>>>(a, n);
}

// expect: XP-BOUNDS
__global__ void dynamic_too_small(const float* in, float* out, int n) {
  extern __shared__ float s[];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  s[threadIdx.x + 1] = i < n ? in[i] : 0;
  if (threadIdx.x == 0) s[0] = 0;
  __syncthreads();
  if (i < n) out[i] = s[threadIdx.x];
}
void run_dynamic_too_small(const float* in, float* out, int n) {
  int threads = 128;
  dynamic_too_small<<<(n + threads - 1) / threads, threads, threads * sizeof(float)>>>(in, out, n);
}

// expect: clean
__global__ void dynamic_enough(const float* in, float* out, int n) {
  extern __shared__ float s[];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  s[threadIdx.x + 1] = i < n ? in[i] : 0;
  if (threadIdx.x == 0) s[0] = 0;
  __syncthreads();
  if (i < n) out[i] = s[threadIdx.x];
}
void run_dynamic_enough(const float* in, float* out, int n) {
  int threads = 128;
  dynamic_enough<<<(n + threads - 1) / threads, threads, (threads + 1) * sizeof(float)>>>(in, out, n);
}

// expect: XP-RACE
__global__ void stride_of_a_constant(float* a, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += 1024) a[i] += 1.0f;
}
void run_stride_of_a_constant(float* a, int n) { stride_of_a_constant<<<16, 128>>>(a, n); }

// expect: clean
__global__ void stride_of_the_launch(float* a, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += 1024) a[i] += 1.0f;
}
void run_stride_of_the_launch(float* a, int n) { stride_of_the_launch<<<8, 128>>>(a, n); }

// expect: XP-OVERFLOW
__global__ void large_matrix(float* a, int rows, int cols) {
  int r = blockIdx.y * blockDim.y + threadIdx.y, c = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < rows && c < cols) a[r * cols + c] = 1.0f;
}
void run_large_matrix(float* a) {
  large_matrix<<<dim3(2048, 4096), dim3(32, 16)>>>(a, 65536, 65536);
}

// expect: clean
__global__ void large_matrix_wide(float* a, int rows, int cols) {
  int r = blockIdx.y * blockDim.y + threadIdx.y, c = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < rows && c < cols) a[(size_t)r * cols + c] = 1.0f;
}
void run_large_matrix_wide(float* a) {
  large_matrix_wide<<<dim3(2048, 4096), dim3(32, 16)>>>(a, 65536, 65536);
}

// expect: clean
__global__ void split_k(const float* a, const float* b, float* c, int m, int n, int k, int per) {
  int row = blockIdx.y * 16 + threadIdx.y, col = blockIdx.x * 16 + threadIdx.x;
  if (row >= m || col >= n) return;
  int first = blockIdx.z * per, last = min(first + per, k);
  float sum = 0;
  for (int i = first; i < last; i++) sum += a[row * k + i] * b[i * n + col];
  atomicAdd(&c[row * n + col], sum);
}

// expect: XP-RACE | --grid 2,2,2 --block 16,16
__global__ void split_k_plain(const float* a, const float* b, float* c, int m, int n, int k, int per) {
  int row = blockIdx.y * 16 + threadIdx.y, col = blockIdx.x * 16 + threadIdx.x;
  if (row >= m || col >= n) return;
  int first = blockIdx.z * per, last = min(first + per, k);
  float sum = 0;
  for (int i = first; i < last; i++) sum += a[row * k + i] * b[i * n + col];
  c[row * n + col] += sum;
}

// expect: clean
__global__ void chunks(const float* in, float* out, int n) {
  int threads = gridDim.x * blockDim.x, me = blockIdx.x * blockDim.x + threadIdx.x;
  int per = (n + threads - 1) / threads;
  for (int i = me * per; i < min((me + 1) * per, n); i++) out[i] = in[i];
}

// expect: XP-RACE
__global__ void chunks_overlap(const float* in, float* out, int n) {
  int threads = gridDim.x * blockDim.x, me = blockIdx.x * blockDim.x + threadIdx.x;
  int per = (n + threads - 1) / threads;
  for (int i = me * per; i <= min((me + 1) * per, n - 1); i++) out[i] = in[i] + me;
}

// expect: clean
__global__ void permuted(const float* in, float* out, int a, int b, int c) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= a * b * c) return;
  int z = i % c, y = i / c % b, x = i / (b * c);
  out[(z * a + x) * b + y] = in[i];
}

// expect: XP-RACE
__global__ void permuted_wrong(const float* in, float* out, int a, int b, int c) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= a * b * c) return;
  int z = i % c, y = i / c % b, x = i / (b * c);
  out[(z * a + x) * c + y] = in[i];
}

// expect: clean
__global__ void upsampled(const float* in, float* out, int w, int h) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < 2 * w && y < 2 * h) out[y * 2 * w + x] = in[y / 2 * w + x / 2];
}

// expect: XP-RACE
__global__ void pooled_by_scatter(const float* in, float* out, int w, int h) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < w && y < h) out[y / 2 * (w / 2) + x / 2] = fmaxf(out[y / 2 * (w / 2) + x / 2], in[y * w + x]);
}

// expect: clean
__global__ void interleaved(const float* a, const float* b, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    out[2 * i] = a[i];
    out[2 * i + 1] = b[i];
  }
}

// expect: XP-RACE
__global__ void interleaved_off(const float* a, const float* b, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    out[2 * i] = a[i];
    out[2 * i + 2] = b[i];
  }
}

// expect: clean
__global__ void lower_triangle(float* m, int n) {
  int k = blockIdx.x * blockDim.x + threadIdx.x;
  for (int j = 0; j < k && k < n; j++) m[k * (k - 1) / 2 + j] = k - j;
}

// expect: XP-RACE
__global__ void lower_triangle_with_diagonal(float* m, int n) {
  int k = blockIdx.x * blockDim.x + threadIdx.x;
  for (int j = 0; j <= k && k < n; j++) m[k * (k - 1) / 2 + j] = k - j;
}

// expect: XP-BOUNDS
__global__ void last_neighbour(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[i + 1] - in[i];
}
void run_last_neighbour(int n) {
  float *in, *out;
  cudaMalloc(&in, n * sizeof(float));
  cudaMalloc(&out, n * sizeof(float));
  last_neighbour<<<(n + 63) / 64, 64>>>(in, out, n);
}

// expect: XP-DIVERGENCE
__global__ void tiles_of_a_ragged_grid(const float* in, float* out, int n) {
  __shared__ float s[64];
  for (int first = blockIdx.x * 64; first + threadIdx.x < n; first += gridDim.x * 64) {
    s[threadIdx.x] = in[first + threadIdx.x];
    __syncthreads();
    out[first + threadIdx.x] = s[threadIdx.x];
    __syncthreads();
  }
}

// expect: clean
__global__ void tiles_of_a_whole_grid(const float* in, float* out, int n) {
  __shared__ float s[64];
  for (int first = blockIdx.x * 64; first < n; first += gridDim.x * 64) {
    bool inside = first + threadIdx.x < n;
    s[threadIdx.x] = inside ? in[first + threadIdx.x] : 0.0f;
    __syncthreads();
    if (inside) out[first + threadIdx.x] = s[63 - threadIdx.x];
    __syncthreads();
  }
}

// expect: XP-BOUNDS
__global__ void row_of_one_too_many(const float* m, float* sums, int rows, int cols) {
  int r = blockIdx.x * blockDim.x + threadIdx.x;
  if (r >= rows) return;
  float s = 0;
  for (int c = 0; c <= cols; ++c) s += m[r * cols + c];
  sums[r] = s;
}

// expect: XP-BOUNDS
__global__ void row_of_a_fixed_length_too_many(float* m, int rows) {
  for (int r = blockIdx.x; r <= rows; r += gridDim.x)
    for (int c = threadIdx.x; c < 64; c += blockDim.x) m[r * 64 + c] = 0;
}

// expect: clean
__global__ void windows_longer_than_their_step(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[2 * i] + x[2 * i + 1] + x[2 * i + 2];
}

// expect: clean
__global__ void rows_are_the_blocks(float* m, int rows, int cols) {
  for (int c = threadIdx.x; c < cols; c += blockDim.x) m[blockIdx.x * cols + c] = 1;
}
void run_rows_are_the_blocks(float* m) { rows_are_the_blocks<<<700, 64>>>(m, 700, 100); }
