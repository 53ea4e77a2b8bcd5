// Prefix sums.

// expect: clean
__global__ void scan_hillis_steele(const int* in, int* out, int n) {
  __shared__ int s[2][128];
  int tid = threadIdx.x, from = 0, to = 1;
  s[from][tid] = tid < n ? in[tid] : 0;
  __syncthreads();
  for (int d = 1; d < 128; d <<= 1) {
    s[to][tid] = tid >= d ? s[from][tid] + s[from][tid - d] : s[from][tid];
    __syncthreads();
    int t = from;
    from = to;
    to = t;
  }
  if (tid < n) out[tid] = s[from][tid];
}

// expect: XP-RACE
__global__ void scan_one_buffer(const int* in, int* out, int n) {
  __shared__ int s[128];
  int tid = threadIdx.x;
  s[tid] = tid < n ? in[tid] : 0;
  __syncthreads();
  for (int d = 1; d < 128; d <<= 1) {
    if (tid >= d) s[tid] += s[tid - d];
    __syncthreads();
  }
  if (tid < n) out[tid] = s[tid];
}

// expect: clean
__global__ void scan_two_barriers(const int* in, int* out, int n) {
  __shared__ int s[128];
  int tid = threadIdx.x;
  s[tid] = tid < n ? in[tid] : 0;
  __syncthreads();
  for (int d = 1; d < 128; d <<= 1) {
    int add = tid >= d ? s[tid - d] : 0;
    __syncthreads();
    s[tid] += add;
    __syncthreads();
  }
  if (tid < n) out[tid] = s[tid];
}

// expect: XP-RACE
__global__ void scan_second_barrier_missing(const int* in, int* out, int n) {
  __shared__ int s[128];
  int tid = threadIdx.x;
  s[tid] = tid < n ? in[tid] : 0;
  __syncthreads();
  for (int d = 1; d < 128; d <<= 1) {
    int add = tid >= d ? s[tid - d] : 0;
    __syncthreads();
    s[tid] += add;
  }
  if (tid < n) out[tid] = s[tid];
}

// expect: XP-BOUNDS
__global__ void scan_index_negative(const int* in, int* out, int n) {
  __shared__ int s[128];
  int tid = threadIdx.x;
  s[tid] = in[tid];
  __syncthreads();
  for (int d = 1; d < 128; d <<= 1) {
    int add = s[tid - d];
    __syncthreads();
    s[tid] += add;
    __syncthreads();
  }
  out[tid] = s[tid];
}

// expect: clean
__global__ void scan_blelloch(const float* in, float* out) {
  __shared__ float t[256];
  int tid = threadIdx.x, offset = 1;
  t[2 * tid] = in[2 * tid];
  t[2 * tid + 1] = in[2 * tid + 1];
  for (int d = 128; d > 0; d >>= 1) {
    __syncthreads();
    if (tid < d) {
      int a = offset * (2 * tid + 1) - 1, b = offset * (2 * tid + 2) - 1;
      t[b] += t[a];
    }
    offset *= 2;
  }
  if (tid == 0) t[255] = 0;
  for (int d = 1; d < 256; d *= 2) {
    offset >>= 1;
    __syncthreads();
    if (tid < d) {
      int a = offset * (2 * tid + 1) - 1, b = offset * (2 * tid + 2) - 1;
      float x = t[a];
      t[a] = t[b];
      t[b] += x;
    }
  }
  __syncthreads();
  out[2 * tid] = t[2 * tid];
  out[2 * tid + 1] = t[2 * tid + 1];
}

// The last step works on a thread's own two elements.
// expect: clean
__global__ void scan_blelloch_no_last_barrier(const float* in, float* out) {
  __shared__ float t[256];
  int tid = threadIdx.x, offset = 1;
  t[2 * tid] = in[2 * tid];
  t[2 * tid + 1] = in[2 * tid + 1];
  for (int d = 128; d > 0; d >>= 1) {
    __syncthreads();
    if (tid < d) {
      int a = offset * (2 * tid + 1) - 1, b = offset * (2 * tid + 2) - 1;
      t[b] += t[a];
    }
    offset *= 2;
  }
  if (tid == 0) t[255] = 0;
  for (int d = 1; d < 256; d *= 2) {
    offset >>= 1;
    __syncthreads();
    if (tid < d) {
      int a = offset * (2 * tid + 1) - 1, b = offset * (2 * tid + 2) - 1;
      float x = t[a];
      t[a] = t[b];
      t[b] += x;
    }
  }
  out[2 * tid] = t[2 * tid];
  out[2 * tid + 1] = t[2 * tid + 1];
}

// expect: clean
__global__ void scan_warp(const int* in, int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int v = i < n ? in[i] : 0;
  int lane = threadIdx.x & 31;
  for (int d = 1; d < 32; d <<= 1) {
    int u = __shfl_up_sync(0xffffffff, v, d);
    if (lane >= d) v += u;
  }
  if (i < n) out[i] = v;
}

// expect: XP-MASK
__global__ void scan_warp_divergent(const int* in, int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int lane = threadIdx.x & 31;
  if (i < n) {
    int v = in[i];
    for (int d = 1; d < 32; d <<= 1)
      if (lane >= d) v += __shfl_up_sync(0xffffffff, v, d);
    out[i] = v;
  }
}

// expect: clean
__global__ void compact(const int* in, int* out, int* total, int n) {
  __shared__ int pos[128];
  int tid = threadIdx.x;
  int keep = tid < n && in[tid] > 1;
  pos[tid] = keep;
  __syncthreads();
  for (int d = 1; d < 128; d <<= 1) {
    int add = tid >= d ? pos[tid - d] : 0;
    __syncthreads();
    pos[tid] += add;
    __syncthreads();
  }
  if (keep) out[pos[tid] - 1] = in[tid];
  if (tid == 127) *total = pos[127];
}
