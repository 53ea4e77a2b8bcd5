// Pointers, structures, vectors, and shared memory that is cut into arrays.

// expect: clean
__global__ void row_pointer(float* a, int rows, int cols) {
  int r = blockIdx.x * blockDim.x + threadIdx.x;
  if (r >= rows) return;
  float* row = a + r * cols;
  for (int c = 0; c < cols; c++) row[c] *= 2.0f;
}

// expect: XP-RACE
__global__ void row_pointer_one_long(float* a, int rows, int cols) {
  int r = blockIdx.x * blockDim.x + threadIdx.x;
  if (r >= rows) return;
  float* row = a + r * cols;
  for (int c = 0; c <= cols; c++) row[c] *= 2.0f;
}

// expect: clean
__global__ void moving_pointer(const float* in, float* out, int n) {
  int stride = gridDim.x * blockDim.x;
  const float* p = in + blockIdx.x * blockDim.x + threadIdx.x;
  float* q = out + blockIdx.x * blockDim.x + threadIdx.x;
  while (p < in + n) {
    *q = *p * 3.0f;
    p += stride;
    q += stride;
  }
}

struct Views {
  float* x;
  float* y;
  int n;
};
// expect: clean
__global__ void by_views(Views v) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < v.n) v.y[i] = v.x[i] + 1.0f;
}

// expect: XP-RACE
__global__ void by_views_shifted(Views v) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i + 1 < v.n) v.x[i + 1] = v.x[i] + 1.0f;
}

struct Point {
  float x, y, z, w;
};
// expect: clean
__global__ void own_fields(Point* p, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) p[i].x = p[i].y + p[i].z;
}

// expect: clean
__global__ void other_field_of_neighbour(Point* p, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i + 1 < n) p[i].x = p[i + 1].y;
}

// expect: XP-RACE
__global__ void same_field_of_neighbour(Point* p, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i + 1 < n) p[i].x = p[i + 1].x;
}

// expect: clean
__global__ void vectors(const float4* in, float4* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    float4 v = in[i];
    v.x += v.y;
    v.z *= v.w;
    out[i] = v;
  }
}

// expect: XP-ALIGN | --block 64 --grid 1
__global__ void vectors_off_by_one(const float* in, float* out) {
  int i = threadIdx.x;
  float4 v = *reinterpret_cast<const float4*>(in + 4 * i + 1);
  reinterpret_cast<float4*>(out)[i] = v;
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void vectors_overlap(const float* in, float* out) {
  int i = threadIdx.x;
  float2 v = make_float2(in[i], in[i + 64]);
  *reinterpret_cast<float2*>(out + (i & ~1)) = v;
}

// expect: clean | --block 64 --grid 1
__global__ void cut_in_two(const float* in, float* out) {
  extern __shared__ float s[];
  float* a = s;
  float* b = s + blockDim.x;
  int t = threadIdx.x;
  a[t] = in[t];
  b[t] = in[t + 64];
  __syncthreads();
  out[t] = a[63 - t] + b[63 - t];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void cut_too_short(const float* in, float* out) {
  extern __shared__ float s[];
  float* a = s;
  float* b = s + 32;
  int t = threadIdx.x;
  a[t] = in[t];
  b[t] = in[t + 64];
  __syncthreads();
  out[t] = a[63 - t] + b[63 - t];
}

// expect: XP-BOUNDS
__global__ void cut_beyond(const float* in, float* out) {
  extern __shared__ float s[];
  float* a = s;
  float* b = s + blockDim.x;
  int t = threadIdx.x;
  a[t] = in[t];
  b[t] = in[t + blockDim.x];
  __syncthreads();
  out[t] = a[t] + b[blockDim.x - 1 - t];
}
void run_cut_beyond(const float* in, float* out) { cut_beyond<<<1, 128, 128 * sizeof(float)>>>(in, out); }

// expect: clean | --block 64 --grid 1
__global__ void swapped_pointers(float* a, int steps) {
  __shared__ float s0[64], s1[64];
  float *src = s0, *dst = s1;
  int t = threadIdx.x;
  src[t] = a[t];
  __syncthreads();
  for (int k = 0; k < steps; k++) {
    dst[t] = src[t] + src[(t + 1) % 64];
    __syncthreads();
    float* old = src;
    src = dst;
    dst = old;
  }
  a[t] = src[t];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void swapped_pointers_no_barrier(float* a, int steps) {
  __shared__ float s0[64], s1[64];
  float *src = s0, *dst = s1;
  int t = threadIdx.x;
  src[t] = a[t];
  __syncthreads();
  for (int k = 0; k < steps; k++) {
    dst[t] = src[t] + src[(t + 1) % 64];
    float* old = src;
    src = dst;
    dst = old;
  }
  a[t] = src[t];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void pointer_to_neighbour(float* a) {
  __shared__ float s[65];
  float* p = &s[threadIdx.x];
  *p = a[threadIdx.x];
  if (threadIdx.x == 0) s[64] = 0.0f;
  a[threadIdx.x] = *(p + 1);
}

// expect: XP-BOUNDS | --block 64 --grid 1
__global__ void own_array_exceeded(const float* in, float* out) {
  float r[4];
  for (int i = 0; i <= 4; i++) r[i] = in[threadIdx.x * 5 + i];
  out[threadIdx.x] = r[0] + r[1] + r[2] + r[3];
}

// expect: XP-UNINIT | --block 64 --grid 1
__global__ void own_array_unset(const float* in, float* out) {
  float r[4], sum = 0;
  for (int i = 0; i < 3; i++) r[i] = in[threadIdx.x * 3 + i];
  for (int i = 0; i < 4; i++) sum += r[i];
  out[threadIdx.x] = sum;
}

// expect: XP-RACE
__global__ void shift_by_one(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n - 1) out[i] = in[i + 1];
}
void shift_in_place(int n) {
  float* data;
  cudaMalloc(&data, n * sizeof(float));
  shift_by_one<<<(n + 255) / 256, 256>>>(data, data, n);
}

// expect: clean
__global__ void packed_bytes(const char4* in, int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    char4 c = in[i];
    out[i] = c.x + c.y + c.z + c.w;
  }
}

// expect: clean | --block 16,16 --grid 1
__global__ void pointer_to_rows(const float* in, float* out) {
  __shared__ float s[256];
  float(*m)[16] = (float(*)[16])s;
  m[threadIdx.y][threadIdx.x] = in[threadIdx.y * 16 + threadIdx.x];
  __syncthreads();
  out[threadIdx.y * 16 + threadIdx.x] = m[threadIdx.x][threadIdx.y];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void halves_of_words(int* words) {
  short* halves = (short*)words;
  int t = threadIdx.x;
  halves[t] = (short)t;
  if (t < 32) words[t] += 1;
}

// expect: clean | --block 64 --grid 1
__global__ void halves_apart(int* words) {
  short* halves = (short*)words;
  int t = threadIdx.x;
  halves[t] = (short)t;
  if (t < 32) words[32 + t] = 1;
}
