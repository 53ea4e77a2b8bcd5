// Blocks that disturb each other, and ones that do not.

// expect: clean
__global__ void one_a_block(const float* in, float* out) {
  if (threadIdx.x == 0) out[blockIdx.x] = in[blockIdx.x];
}

// expect: XP-RACE | --block 64 --grid 4
__global__ void all_of_a_block(const float* in, float* out) {
  out[blockIdx.x] = in[blockIdx.x * 64 + threadIdx.x];
}

// expect: XP-RACE
__global__ void in_place_stencil(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > 0 && i < n - 1) a[i] = 0.5f * (a[i - 1] + a[i + 1]);
}

// expect: clean
__global__ void other_place_stencil(const float* a, float* b, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > 0 && i < n - 1) b[i] = 0.5f * (a[i - 1] + a[i + 1]);
}

// expect: XP-RACE | --block 64 --grid 4
__global__ void own_tile_with_foreign_border(float* a, int n) {
  __shared__ float s[66];
  int i = blockIdx.x * 64 + threadIdx.x;
  int t = threadIdx.x + 1;
  s[t] = a[i];
  if (threadIdx.x == 0) s[0] = i > 0 ? a[i - 1] : 0.0f;
  if (threadIdx.x == 63) s[65] = i + 1 < n ? a[i + 1] : 0.0f;
  __syncthreads();
  a[i] = s[t - 1] + s[t] + s[t + 1];
}

// expect: clean | --block 64 --grid 1
__global__ void own_tile_of_the_only_block(float* a) {
  __shared__ float s[66];
  int t = threadIdx.x + 1;
  s[t] = a[threadIdx.x];
  if (threadIdx.x == 0) s[0] = s[65] = 0.0f;
  __syncthreads();
  a[threadIdx.x] = s[t - 1] + s[t] + s[t + 1];
}

// expect: XP-SAME-VALUE
__global__ void found_any(const float* in, int* found, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] > 0) *found = 1;
}

// expect: XP-RACE
__global__ void found_which(const float* in, int* found, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] > 0) *found = i;
}

// expect: clean
__global__ void four_in_a_row(const float* in, float* out, int n) {
  int first = 4 * (blockIdx.x * blockDim.x + threadIdx.x);
  for (int k = 0; k < 4; k++)
    if (first + k < n) out[first + k] = in[first + k];
}

// expect: XP-RACE
__global__ void four_in_three(const float* in, float* out, int n) {
  int first = 3 * (blockIdx.x * blockDim.x + threadIdx.x);
  for (int k = 0; k < 4; k++)
    if (first + k < n) out[first + k] = in[first] + k;
}

// expect: clean
__global__ void reversed(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n / 2) {
    float v = a[i];
    a[i] = a[n - 1 - i];
    a[n - 1 - i] = v;
  }
}

// expect: XP-RACE
__global__ void reversed_by_all(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    float v = a[i];
    a[i] = a[n - 1 - i];
    a[n - 1 - i] = v;
  }
}

// expect: clean
__global__ void transposed_in_place(float* m, int n) {
  int i = blockIdx.y * blockDim.y + threadIdx.y, j = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && j < i) {
    float v = m[i * n + j];
    m[i * n + j] = m[j * n + i];
    m[j * n + i] = v;
  }
}

// expect: XP-RACE
__global__ void transposed_twice(float* m, int n) {
  int i = blockIdx.y * blockDim.y + threadIdx.y, j = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && j < n) {
    float v = m[i * n + j];
    m[i * n + j] = m[j * n + i];
    m[j * n + i] = v;
  }
}

// expect: clean
__global__ void sorted_in_pairs(int* a, int n, int phase) {
  int i = 2 * (blockIdx.x * blockDim.x + threadIdx.x) + (phase & 1);
  if (i + 1 < n && a[i] > a[i + 1]) {
    int v = a[i];
    a[i] = a[i + 1];
    a[i + 1] = v;
  }
}

// expect: XP-RACE
__global__ void sorted_in_overlapping_pairs(int* a, int n, int phase) {
  int i = (blockIdx.x * blockDim.x + threadIdx.x) + (phase & 1);
  if (i + 1 < n && a[i] > a[i + 1]) {
    int v = a[i];
    a[i] = a[i + 1];
    a[i + 1] = v;
  }
}

// expect: clean
__global__ void red_and_black(float* a, int w, int h, int colour) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < 1 || y < 1 || x >= w - 1 || y >= h - 1) return;
  if (((x + y) & 1) != (colour & 1)) return;
  a[y * w + x] = 0.25f * (a[y * w + x - 1] + a[y * w + x + 1] + a[(y - 1) * w + x] + a[(y + 1) * w + x]);
}

// expect: XP-RACE
__global__ void red_and_black_mixed(float* a, int w, int h, int colour) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < 1 || y < 1 || x >= w - 1 || y >= h - 1) return;
  if ((x & 1) != (colour & 1)) return;
  a[y * w + x] = 0.25f * (a[y * w + x - 1] + a[y * w + x + 1] + a[(y - 1) * w + x] + a[(y + 1) * w + x]);
}

// expect: clean | --block 32 --grid 16
__global__ void blocks_renumbered(const float* in, float* out) {
  int b = (blockIdx.x % 4) * (gridDim.x / 4) + blockIdx.x / 4;
  out[b * blockDim.x + threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
}

// expect: XP-RACE | --block 32 --grid 18
__global__ void blocks_renumbered_with_a_rest(const float* in, float* out) {
  int b = (blockIdx.x % 4) * (gridDim.x / 4) + blockIdx.x / 4;
  out[b * blockDim.x + threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
}

// expect: XP-RACE
__global__ void in_fewer_rows(const float* in, float* out, int rows, int cols) {
  int r = blockIdx.y * blockDim.y + threadIdx.y, c = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < rows && c < cols) out[(r / 2) * cols + c] = in[r * cols + c];
}

// expect: clean
__global__ void in_every_second_row(const float* in, float* out, int rows, int cols) {
  int r = blockIdx.y * blockDim.y + threadIdx.y, c = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < rows && c < cols && r % 2 == 0) out[(r / 2) * cols + c] = in[r * cols + c];
}

// expect: XP-BOUNDS
__global__ void blocks_of_another_size(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = in[i] * 2;
}
void run_blocks(int n) {
  float *in, *out;
  cudaMalloc(&in, n * sizeof(float));
  cudaMalloc(&out, n * sizeof(float));
  blocks_of_another_size<<<(n + 127) / 128, 128>>>(in, out, n);
}
