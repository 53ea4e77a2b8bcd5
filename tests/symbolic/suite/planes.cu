// Blocks and grids of two and three dimensions.

// expect: clean | --block 32,8 --grid 2,2
__global__ void transposed(const float* in, float* out, int w, int h) {
  __shared__ float tile[32][33];
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (x < w && y + j < h) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * w + x];
  __syncthreads();
  x = blockIdx.y * 32 + threadIdx.x;
  y = blockIdx.x * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (x < h && y + j < w) out[(y + j) * h + x] = tile[threadIdx.x][threadIdx.y + j];
}

// expect: XP-RACE | --block 32,8 --grid 2,2
__global__ void transposed_no_barrier(const float* in, float* out, int w, int h) {
  __shared__ float tile[32][33];
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (x < w && y + j < h) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * w + x];
  x = blockIdx.y * 32 + threadIdx.x;
  y = blockIdx.x * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (x < h && y + j < w) out[(y + j) * h + x] = tile[threadIdx.x][threadIdx.y + j];
}

// expect: XP-RACE | --block 16,16 --grid 4,3
__global__ void rows_as_long_as_columns(const float* in, float* out, int w, int h) {
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  if (x < w && y < h) out[y * h + x] = in[y * w + x];
}

// expect: clean | --block 16,16 --grid 2,2
__global__ void blurred(const float* in, float* out, int w, int h) {
  __shared__ float s[18][18];
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  int number = threadIdx.y * 16 + threadIdx.x;
  for (int i = number; i < 18 * 18; i += 256) {
    int gx = min(max((int)(blockIdx.x * 16) + i % 18 - 1, 0), w - 1);
    int gy = min(max((int)(blockIdx.y * 16) + i / 18 - 1, 0), h - 1);
    s[i / 18][i % 18] = in[gy * w + gx];
  }
  __syncthreads();
  if (x >= w || y >= h) return;
  float sum = 0;
  for (int dy = 0; dy < 3; dy++)
    for (int dx = 0; dx < 3; dx++) sum += s[threadIdx.y + dy][threadIdx.x + dx];
  out[y * w + x] = sum / 9;
}

// expect: XP-UNINIT | --block 16,16 --grid 2,2
__global__ void corners_forgotten(const float* in, float* out, int w, int h) {
  __shared__ float s[18][18];
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  int tx = threadIdx.x + 1, ty = threadIdx.y + 1;
  s[ty][tx] = in[y * w + x];
  if (threadIdx.x == 0) s[ty][0] = x > 0 ? in[y * w + x - 1] : 0.0f;
  if (threadIdx.x == 15) s[ty][17] = x + 1 < w ? in[y * w + x + 1] : 0.0f;
  if (threadIdx.y == 0) s[0][tx] = y > 0 ? in[(y - 1) * w + x] : 0.0f;
  if (threadIdx.y == 15) s[17][tx] = y + 1 < h ? in[(y + 1) * w + x] : 0.0f;
  __syncthreads();
  float sum = 0;
  for (int dy = -1; dy <= 1; dy++)
    for (int dx = -1; dx <= 1; dx++) sum += s[ty + dy][tx + dx];
  out[y * w + x] = sum;
}

// expect: XP-BOUNDS | --block 16,16 --grid 2,2
__global__ void halo_too_small(const float* in, float* out, int w, int h) {
  __shared__ float s[17][17];
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  int tx = threadIdx.x + 1, ty = threadIdx.y + 1;
  s[ty][tx] = x < w && y < h ? in[y * w + x] : 0.0f;
  __syncthreads();
  if (threadIdx.x > 0 && threadIdx.y > 0 && x < w && y < h) out[y * w + x] = s[ty][tx] - s[ty][tx + 1];
}

// expect: clean | --block 4,4,4 --grid 1
__global__ void cube(const float* in, float* out) {
  __shared__ float s[4][4][4];
  int x = threadIdx.x, y = threadIdx.y, z = threadIdx.z;
  s[z][y][x] = in[(z * 4 + y) * 4 + x];
  __syncthreads();
  out[(z * 4 + y) * 4 + x] = s[x][z][y];
}

// expect: XP-RACE | --block 4,4,4 --grid 1
__global__ void cube_counted_wrong(const float* in, float* out) {
  __shared__ float s[64];
  int number = threadIdx.z * blockDim.x + threadIdx.y * blockDim.x + threadIdx.x;
  s[number] = in[threadIdx.z * 16 + threadIdx.y * 4 + threadIdx.x];
  __syncthreads();
  out[threadIdx.z * 16 + threadIdx.y * 4 + threadIdx.x] = s[number];
}

// expect: clean
__global__ void row_sums(const float* m, float* out, int rows, int cols) {
  __shared__ float s[8][32];
  int row = blockIdx.x * 8 + threadIdx.y;
  float sum = 0;
  if (row < rows)
    for (int c = threadIdx.x; c < cols; c += 32) sum += m[row * cols + c];
  s[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  for (int d = 16; d > 0; d /= 2) {
    if (threadIdx.x < d) s[threadIdx.y][threadIdx.x] += s[threadIdx.y][threadIdx.x + d];
    __syncthreads();
  }
  if (threadIdx.x == 0 && row < rows) out[row] = s[threadIdx.y][0];
}

// expect: XP-RACE
__global__ void row_sums_in_one_place(const float* m, float* out, int rows, int cols) {
  __shared__ float s[8][32];
  int row = blockIdx.x * 8 + threadIdx.y;
  float sum = 0;
  if (row < rows)
    for (int c = threadIdx.x; c < cols; c += 32) sum += m[row * cols + c];
  s[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  for (int d = 16; d > 0; d /= 2) {
    if (threadIdx.x < d) s[threadIdx.y][threadIdx.x] += s[threadIdx.y][threadIdx.x + d];
    __syncthreads();
  }
  if (threadIdx.x == 0 && row < rows) out[blockIdx.x] = s[threadIdx.y][0];
}

// expect: XP-DIVERGENCE
__global__ void row_sums_return_early(const float* m, float* out, int rows, int cols) {
  __shared__ float s[8][32];
  int row = blockIdx.x * 8 + threadIdx.y;
  if (row >= rows) return;
  float sum = 0;
  for (int c = threadIdx.x; c < cols; c += 32) sum += m[row * cols + c];
  s[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  for (int d = 16; d > 0; d /= 2) {
    if (threadIdx.x < d) s[threadIdx.y][threadIdx.x] += s[threadIdx.y][threadIdx.x + d];
    __syncthreads();
  }
  if (threadIdx.x == 0) out[row] = s[threadIdx.y][0];
}

#define TILE 16
// expect: clean
__global__ void product(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float as[TILE][TILE], bs[TILE][TILE];
  int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
  float acc = 0;
  for (int p = 0; p < (k + TILE - 1) / TILE; ++p) {
    int ka = p * TILE + threadIdx.x, kb = p * TILE + threadIdx.y;
    as[threadIdx.y][threadIdx.x] = row < m && ka < k ? a[row * k + ka] : 0.0f;
    bs[threadIdx.y][threadIdx.x] = kb < k && col < n ? b[kb * n + col] : 0.0f;
    __syncthreads();
    for (int i = 0; i < TILE; ++i) acc += as[threadIdx.y][i] * bs[i][threadIdx.x];
    __syncthreads();
  }
  if (row < m && col < n) c[row * n + col] = acc;
}

// expect: XP-RACE
__global__ void product_one_barrier(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float as[TILE][TILE], bs[TILE][TILE];
  int row = blockIdx.y * TILE + threadIdx.y, col = blockIdx.x * TILE + threadIdx.x;
  float acc = 0;
  for (int p = 0; p < (k + TILE - 1) / TILE; ++p) {
    int ka = p * TILE + threadIdx.x, kb = p * TILE + threadIdx.y;
    as[threadIdx.y][threadIdx.x] = row < m && ka < k ? a[row * k + ka] : 0.0f;
    bs[threadIdx.y][threadIdx.x] = kb < k && col < n ? b[kb * n + col] : 0.0f;
    __syncthreads();
    for (int i = 0; i < TILE; ++i) acc += as[threadIdx.y][i] * bs[i][threadIdx.x];
  }
  if (row < m && col < n) c[row * n + col] = acc;
}

// expect: XP-BOUNDS
__global__ void product_unguarded_load(const float* a, const float* b, float* c, int m, int n, int k) {
  int row = blockIdx.y * blockDim.y + threadIdx.y, col = blockIdx.x * blockDim.x + threadIdx.x;
  float acc = 0;
  for (int i = 0; i < k; ++i) acc += a[row * k + i] * b[i * n + col];
  if (row < m && col < n) c[row * n + col] = acc;
}
void run_product(const float* ha, const float* hb, float* hc, int m, int n, int k) {
  float *a, *b, *c;
  cudaMalloc(&a, m * k * sizeof(float));
  cudaMalloc(&b, k * n * sizeof(float));
  cudaMalloc(&c, m * n * sizeof(float));
  dim3 block(16, 16), grid((n + 15) / 16, (m + 15) / 16);
  product_unguarded_load<<<grid, block>>>(a, b, c, m, n, k);
}

// expect: clean | --block 16,4 --grid 2,2,3
__global__ void batches(const float* in, float* out, int w, int h) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < w && y < h) out[(blockIdx.z * h + y) * w + x] = in[(blockIdx.z * h + y) * w + x] * 2;
}

// expect: XP-RACE | --block 16,4 --grid 2,2,3
__global__ void batches_in_one(const float* in, float* out, int w, int h) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < w && y < h) out[y * w + x] = in[(blockIdx.z * h + y) * w + x] * 2;
}
