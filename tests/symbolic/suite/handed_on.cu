// expect: XP-BOUNDS
__global__ void one_of_two_guards(const float* in, float* out, int W, int H) {
  int x = blockIdx.x * blockDim.x + threadIdx.x;
  int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < W || y < H) out[y * W + x] = in[y * W + x] * 2.0f;
}

// expect: XP-BOUNDS
__global__ void returns_only_beyond_both(const float* in, float* out, int W, int H) {
  int x = blockIdx.x * blockDim.x + threadIdx.x;
  int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= W && y >= H) return;
  out[y * W + x] = in[y * W + x] * 2.0f;
}

// expect: clean
__global__ void border(const float* in, float* out, int W, int H) {
  int x = blockIdx.x * blockDim.x + threadIdx.x;
  int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= W || y >= H) return;
  if (x == 0 || y == 0 || x == W - 1 || y == H - 1) out[y * W + x] = 0.f;
  else out[y * W + x] = in[y * W + x - 1] + in[(y - 1) * W + x];
}

// expect: XP-BOUNDS
__global__ void reversed_from_the_size(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[n - i];
}

// expect: clean
__global__ void reversed_from_the_last(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[n - 1 - i];
}

// expect: XP-RACE
__global__ void last_block_without_a_fence(const float* in, float* part, float* out, unsigned* count, int n) {
  __shared__ float s[256];
  __shared__ bool last;
  int t = threadIdx.x;
  float v = 0;
  for (int i = blockIdx.x * 256 + t; i < n; i += gridDim.x * 256) v += in[i];
  s[t] = v;
  __syncthreads();
  for (int o = 128; o; o >>= 1) { if (t < o) s[t] += s[t + o]; __syncthreads(); }
  if (t == 0) {
    part[blockIdx.x] = s[0];
    unsigned k = atomicAdd(count, 1u);
    last = k == gridDim.x - 1;
  }
  __syncthreads();
  if (last) {
    float w = 0;
    for (int i = t; i < gridDim.x; i += 256) w += part[i];
    s[t] = w;
    __syncthreads();
    for (int o = 128; o; o >>= 1) { if (t < o) s[t] += s[t + o]; __syncthreads(); }
    if (t == 0) { out[0] = s[0]; *count = 0; }
  }
}

// expect: clean
__global__ void last_block(const float* in, float* part, float* out, unsigned* count, int n) {
  __shared__ float s[256];
  __shared__ bool last;
  int t = threadIdx.x;
  float v = 0;
  for (int i = blockIdx.x * 256 + t; i < n; i += gridDim.x * 256) v += in[i];
  s[t] = v;
  __syncthreads();
  for (int o = 128; o; o >>= 1) { if (t < o) s[t] += s[t + o]; __syncthreads(); }
  if (t == 0) {
    part[blockIdx.x] = s[0];
    __threadfence();
    unsigned k = atomicAdd(count, 1u);
    last = k == gridDim.x - 1;
  }
  __syncthreads();
  if (last) {
    float w = 0;
    for (int i = t; i < gridDim.x; i += 256) w += __ldcg(&part[i]);
    s[t] = w;
    __syncthreads();
    for (int o = 128; o; o >>= 1) { if (t < o) s[t] += s[t + o]; __syncthreads(); }
    if (t == 0) { out[0] = s[0]; *count = 0; }
  }
}

// expect: XP-BOUNDS
__global__ void one_of_two_guards_in_a_volume(float* v, int nx, int ny, int nz, float c) {
  int x = blockIdx.x * 8 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y, z = blockIdx.z * 4 + threadIdx.z;
  if (x >= nx || (y >= ny && z >= nz)) return;
  v[(z * ny + y) * nx + x] = c;
}

// expect: clean
__global__ void faces_of_a_volume(float* v, int nx, int ny, int nz, float c) {
  int x = blockIdx.x * 8 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y, z = blockIdx.z * 4 + threadIdx.z;
  if (x >= nx || y >= ny || z >= nz) return;
  if (x == 0 || y == 0 || z == 0 || x == nx - 1 || y == ny - 1 || z == nz - 1) v[(z * ny + y) * nx + x] = c;
}
