// What host code says of sizes: pitches, structs, vectors, pointers' types, bytes of dynamic memory.
#include <cuda_pipeline.h>
#include <vector>

struct Particle { float x, y, z, m; };
extern __shared__ char pool[];

// expect: XP-BOUNDS
__global__ void unguarded(float *a, float v) { a[blockIdx.x * blockDim.x + threadIdx.x] = v; }

// expect: XP-BOUNDS
__global__ void pitch_of_elements(float *img, size_t pitch, int w, int h) {
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  if (x < w && y < h) img[y * pitch + x] = 0;
}

// expect: clean
__global__ void pitch_of_bytes(float *img, size_t pitch, int w, int h) {
  int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 16 + threadIdx.y;
  if (x < w && y < h) ((float *)((char *)img + y * pitch))[x] = 0;
}

// expect: XP-BOUNDS
__global__ void next_row(const float *a, float *s, int cols) {
  float acc = 0;
  for (int c = threadIdx.x; c < cols; c += 32) acc += a[(blockIdx.x + 1) * cols + c];
  for (int o = 16; o; o >>= 1) acc += __shfl_down_sync(~0u, acc, o);
  if (threadIdx.x == 0) s[blockIdx.x] = acc;
}

// expect: XP-BOUNDS
__global__ void kick(Particle *p, float dt) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  p[i].x += dt * p[i].m;
}

// expect: clean
__global__ void kick_guarded(Particle *p, float dt, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) p[i].x += dt * p[i].m;
}

// expect: XP-BOUNDS
__global__ void bytes_for_elements(const float *x, float *y, int n) {
  extern __shared__ float xs[];
  float acc = 0.f;
  for (int first = 0; first < n; first += 256) {
    __syncthreads();
    for (int c = threadIdx.x; c < min(256, n - first); c += blockDim.x) xs[c] = x[first + c];
    __syncthreads();
    acc += xs[0];
  }
  y[threadIdx.x] = acc;
}

// expect: XP-RACE
__global__ void pool_reused(const float *x, float *y) {
  float *s = (float *)pool;
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  float v = s[(threadIdx.x + 1) % blockDim.x];
  int *c = (int *)pool;
  c[threadIdx.x] = (int)v;
  __syncthreads();
  y[threadIdx.x] = (float)c[(threadIdx.x + 2) % blockDim.x];
}

// expect: clean
__global__ void pool_in_parts(const float *x, float *y) {
  float *s = (float *)pool;
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  float v = s[(threadIdx.x + 1) % blockDim.x];
  int *c = (int *)(pool + blockDim.x * sizeof(float));
  c[threadIdx.x] = (int)v;
  __syncthreads();
  y[threadIdx.x] = (float)c[(threadIdx.x + 2) % blockDim.x];
}

// expect: clean
__global__ void two_stages(const float *g, float *o, int tiles) {
  __shared__ float s[2][128];
  int t = threadIdx.x;
  __pipeline_memcpy_async(&s[0][t], g + t, 4);
  __pipeline_commit();
  float acc = 0;
  for (int k = 0; k < tiles; ++k) {
    if (k + 1 < tiles) __pipeline_memcpy_async(&s[(k + 1) & 1][t], g + (k + 1) * 128 + t, 4);
    __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    acc += s[k & 1][127 - t];
    __syncthreads();
  }
  o[t] = acc;
}

int main() {
  const int n = 1000, rows = 20, cols = 100;
  float *a, *b, *s;
  Particle *p, *q;
  std::vector<float> m(rows * cols), out(rows);
  cudaMalloc((void **)&b, n * sizeof *b);
  unguarded<<<(n + 255) / 256, 256>>>(b, 1.f);
  cudaMalloc(&a, m.size() * sizeof(float));
  cudaMalloc(&s, out.size() * sizeof(out[0]));
  next_row<<<rows, 32>>>(a, s, cols);
  cudaMalloc(&p, n * sizeof(Particle));
  kick<<<(n + 255) / 256, 256>>>(p, .1f);
  cudaMalloc(&q, n * sizeof(*q));
  kick_guarded<<<(n + 255) / 256, 256>>>(q, .1f, n);
  pool_reused<<<1, 128, 128 * sizeof(float)>>>(a, s);
  pool_in_parts<<<1, 128, 2 * 128 * sizeof(float)>>>(a, s);
}

void images(int w, int h) {
  float *img;
  size_t pitch;
  cudaMallocPitch(&img, &pitch, w * sizeof(float), h);
  pitch_of_elements<<<dim3((w + 15) / 16, (h + 15) / 16), dim3(16, 16)>>>(img, pitch, w, h);
  pitch_of_bytes<<<dim3((w + 15) / 16, (h + 15) / 16), dim3(16, 16)>>>(img, pitch, w, h);
}

void sums(const float *x, float *y, int n) { bytes_for_elements<<<1, 128, 256>>>(x, y, n); }
