// Global memory: strides, guards, locks, aliases, data.

// expect: clean
__global__ void saxpy(float a, const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}

// expect: clean
__global__ void grid_stride(const float* x, float* y, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) y[i] = 2 * x[i];
}

// expect: XP-RACE
__global__ void grid_stride_wrong_step(float* y, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x) y[i] = y[i] + 1;
}

// expect: XP-RACE
__global__ void block_index_forgotten(const float* x, float* y) {
  int i = threadIdx.x;
  y[i] = x[blockIdx.x * blockDim.x + i];
}

// expect: XP-RACE
__global__ void shift_by_one(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i + 1 < n) a[i] = a[i + 1];
}

// expect: clean
__global__ void shift_by_one_out_of_place(const float* a, float* b, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i + 1 < n) b[i] = a[i + 1];
}

// expect: XP-RACE
__global__ void shift_by_parameter(float* a, int offset) {
  a[threadIdx.x] = a[threadIdx.x + offset];
}

// expect: XP-RACE
__global__ void pairs_overlap(float* a) {
  int i = threadIdx.x;
  a[i] = 1.0f * i;
  a[i + 1] = 2.0f * i;
}

// expect: clean
__global__ void pairs(float* a) {
  int i = threadIdx.x;
  a[2 * i] = 1.0f * i;
  a[2 * i + 1] = 2.0f * i;
}

// expect: XP-RACE
__global__ void halves(float* a) {
  a[threadIdx.x / 2] = threadIdx.x;
}

// expect: clean
__global__ void xor_pairs(int* a, int* b) {
  int i = threadIdx.x;
  b[i ^ 1] = a[i];
}

// expect: XP-RACE
__global__ void xor_pairs_in_place(int* a) {
  int i = threadIdx.x;
  a[i ^ 1] = a[i] + i;
}

// expect: clean
__global__ void bitonic_step(float* a, int j, int k) {
  unsigned i = threadIdx.x + blockDim.x * blockIdx.x;
  unsigned other = i ^ j;
  if (other > i) {
    bool up = (i & k) == 0;
    if ((a[i] > a[other]) == up) {
      float t = a[i];
      a[i] = a[other];
      a[other] = t;
    }
  }
}

// expect: clean
__global__ void bitonic_block(int* a) {
  __shared__ int s[128];
  unsigned tid = threadIdx.x;
  s[tid] = a[tid];
  __syncthreads();
  for (unsigned k = 2; k <= 128; k *= 2)
    for (unsigned j = k / 2; j > 0; j /= 2) {
      unsigned other = tid ^ j;
      if (other > tid) {
        bool up = (tid & k) == 0;
        if ((s[tid] > s[other]) == up) {
          int t = s[tid];
          s[tid] = s[other];
          s[other] = t;
        }
      }
      __syncthreads();
    }
  a[tid] = s[tid];
}

// expect: XP-RACE
__global__ void bitonic_block_barrier_outside(int* a) {
  __shared__ int s[128];
  unsigned tid = threadIdx.x;
  s[tid] = a[tid];
  __syncthreads();
  for (unsigned k = 2; k <= 128; k *= 2) {
    for (unsigned j = k / 2; j > 0; j /= 2) {
      unsigned other = tid ^ j;
      if (other > tid) {
        bool up = (tid & k) == 0;
        if ((s[tid] > s[other]) == up) {
          int t = s[tid];
          s[tid] = s[other];
          s[other] = t;
        }
      }
    }
    __syncthreads();
  }
  a[tid] = s[tid];
}

// expect: clean
__global__ void low_bits(int* a, const int* b) {
  unsigned tid = threadIdx.x, s = 8;
  if ((tid & (s - 1)) == 0) a[tid / s] = b[tid];
}

// expect: XP-RACE
__global__ void low_bits_wrong(int* a, const int* b) {
  unsigned tid = threadIdx.x, s = 8;
  a[tid & (s - 1)] = b[tid] + tid;
}

// expect: XP-SAME-VALUE
__global__ void flag_same_value(const float* x, int* found, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && x[i] > 0) *found = 1;
}

// expect: XP-RACE
__global__ void flag_other_value(const float* x, int* found, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && x[i] > 0) *found = i;
}

// expect: XP-RACE
__global__ void histogram_plain(const int* x, int* h, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) h[x[i]]++;
}

// expect: clean
__global__ void histogram_atomic(const int* x, int* h, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) atomicAdd(&h[x[i]], 1);
}

// expect: clean
__global__ void histogram_shared(const unsigned char* x, int* h, int n) {
  __shared__ int s[256];
  for (int b = threadIdx.x; b < 256; b += blockDim.x) s[b] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) atomicAdd(&s[x[i]], 1);
  __syncthreads();
  for (int b = threadIdx.x; b < 256; b += blockDim.x) atomicAdd(&h[b], s[b]);
}

// expect: XP-UNINIT
__global__ void histogram_shared_not_zeroed(const unsigned char* x, int* h, int n) {
  __shared__ int s[256];
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) atomicAdd(&s[x[i]], 1);
  __syncthreads();
  for (int b = threadIdx.x; b < 256; b += blockDim.x) atomicAdd(&h[b], s[b]);
}

// expect: XP-RACE
__global__ void histogram_shared_no_barrier(const unsigned char* x, int* h, int n) {
  __shared__ int s[256];
  for (int b = threadIdx.x; b < 256; b += blockDim.x) s[b] = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x) atomicAdd(&s[x[i]], 1);
  __syncthreads();
  for (int b = threadIdx.x; b < 256; b += blockDim.x) atomicAdd(&h[b], s[b]);
}

// expect: clean
__global__ void gather(const int* idx, const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[idx[i]];
}

// expect: undecided
__global__ void scatter(const int* idx, const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[idx[i]] = x[i];
}

// expect: clean
__global__ void append(const int* x, int* out, int* count, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && x[i] > 1) {
    int at = atomicAdd(count, 1);
    out[at] = x[i];
  }
}

// expect: XP-RACE
__global__ void append_plain(const int* x, int* out, int* count, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && x[i] > 1) {
    int at = *count;
    *count = at + 1;
    out[at] = x[i];
  }
}

// expect: clean
__global__ void spmv_csr(const int* ptr, const int* col, const float* val, const float* x, float* y, int rows) {
  int r = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < rows) {
    float sum = 0;
    for (int j = ptr[r]; j < ptr[r + 1]; j++) sum += val[j] * x[col[j]];
    y[r] = sum;
  }
}

// expect: clean
__global__ void critical_section(int* lock, int* shared_count) {
  if (threadIdx.x == 0) {
    while (atomicCAS(lock, 0, 1) != 0) {
    }
    shared_count[0] += 1;
    __threadfence();
    atomicExch(lock, 0);
  }
}

// expect: XP-RACE
__global__ void critical_section_unlocked_read(int* lock, int* shared_count, int* out) {
  if (threadIdx.x == 0) {
    while (atomicCAS(lock, 0, 1) != 0) {
    }
    shared_count[0] += 1;
    __threadfence();
    atomicExch(lock, 0);
    out[blockIdx.x] = shared_count[0];
  }
}

// expect: clean
__global__ void critical_section_by_turns(int* lock, float* sum, const float* x) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      *sum += x[threadIdx.x];
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
  }
}

// expect: XP-RACE
__global__ void two_locks(int* locks, float* sum) {
  bool done = false;
  while (!done) {
    if (atomicCAS(&locks[threadIdx.x % 2], 0, 1) == 0) {
      *sum += 1.0f;
      __threadfence();
      atomicExch(&locks[threadIdx.x % 2], 0);
      done = true;
    }
  }
}

// expect: clean
__global__ void rows_2d(float* a, int rows, int cols) {
  int r = blockIdx.y * blockDim.y + threadIdx.y, c = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < rows && c < cols) a[r * cols + c] += 1;
}

// expect: XP-RACE
__global__ void rows_2d_wrong_stride(float* a, int rows, int cols) {
  int r = blockIdx.y * blockDim.y + threadIdx.y, c = blockIdx.x * blockDim.x + threadIdx.x;
  if (r < rows && c < cols) a[r * rows + c] += 1;
}

// expect: XP-RACE
__global__ void rows_2d_forgot_y(float* a, int cols) {
  int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c < cols) a[c] += threadIdx.y;
}

// expect: clean
__global__ void row_per_thread(const float* a, float* out, int rows, int cols) {
  int r = blockIdx.x * blockDim.x + threadIdx.x;
  if (r >= rows) return;
  float best = a[r * cols];
  for (int c = 1; c < cols; c++) best = max(best, a[r * cols + c]);
  for (int c = 0; c < cols; c++) out[r * cols + c] = a[r * cols + c] - best;
}

// expect: clean
__global__ void unflatten(const float* in, float* out, int n, int h, int w) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n * h * w) return;
  int x = i % w, y = i / w % h, z = i / (w * h);
  out[(x * h + y) * n + z] = in[i];
}

// expect: XP-RACE
__global__ void unflatten_wrong(const float* in, float* out, int n, int h, int w) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n * h * w) return;
  int x = i % w, y = i / w % h, z = i / (w * h);
  out[(x * w + y) * n + z] = in[i];
}

// expect: clean
__global__ void vectors(const float4* in, float4* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    float4 v = in[i];
    v.x += 1;
    v.w *= 2;
    out[i] = v;
  }
}

// expect: XP-UNINIT
__global__ void register_not_set(const float* in, float* out, int n) {
  float best;
  int i = threadIdx.x;
  for (int k = 0; k < n; k++)
    if (in[i * n + k] > 0 && i > 3) best = in[i * n + k];
  out[i] = best;
}

// expect: XP-UNINIT
__global__ void local_array_not_set(const float* in, float* out) {
  float r[4];
  for (int k = 0; k < 3; k++) r[k] = in[threadIdx.x * 4 + k];
  float sum = 0;
  for (int k = 0; k < 4; k++) sum += r[k];
  out[threadIdx.x] = sum;
}

// expect: XP-BOUNDS
__global__ void local_array_too_far(const float* in, float* out) {
  float r[4];
  for (int k = 0; k <= 4; k++) r[k] = in[threadIdx.x * 4 + k];
  out[threadIdx.x] = r[0] + r[1] + r[2] + r[3];
}

// expect: XP-CAPACITY
__global__ void too_much_shared(float* a) {
  __shared__ float s[64 * 1024];
  s[threadIdx.x] = a[threadIdx.x];
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: XP-UNINIT
__global__ void shared_read_first(float* a) {
  __shared__ float s[64];
  a[threadIdx.x] = s[threadIdx.x];
  s[threadIdx.x] = 1;
}

// expect: XP-RACE
__global__ void broadcast_without_barrier(const float* a, float* b) {
  __shared__ float first;
  if (threadIdx.x == 0) first = a[blockIdx.x];
  b[blockIdx.x * blockDim.x + threadIdx.x] = first;
}

// expect: clean
__global__ void broadcast(const float* a, float* b) {
  __shared__ float first;
  if (threadIdx.x == 0) first = a[blockIdx.x];
  __syncthreads();
  b[blockIdx.x * blockDim.x + threadIdx.x] = first;
}

// expect: XP-RACE
__global__ void broadcast_in_loop(const float* a, float* b, int n) {
  __shared__ float first;
  for (int k = 0; k < n; k++) {
    if (threadIdx.x == 0) first = a[k];
    __syncthreads();
    b[k * blockDim.x + threadIdx.x] = first;
  }
}

// expect: XP-RACE
__global__ void ping_pong_wrong(float* out, int steps) {
  __shared__ float s[2][64];
  int t = threadIdx.x;
  s[0][t] = t;
  s[1][t] = 0;
  for (int k = 0; k < steps; k++) {
    int from = k & 1, to = from ^ 1;
    s[to][t] = s[from][(t + 1) % 64];
  }
  __syncthreads();
  out[t] = s[steps & 1][t];
}

// expect: clean
__global__ void ping_pong(float* out, int steps) {
  __shared__ float s[2][64];
  int t = threadIdx.x;
  s[0][t] = t;
  s[1][t] = 0;
  __syncthreads();
  for (int k = 0; k < steps; k++) {
    int from = k & 1, to = from ^ 1;
    s[to][t] = s[from][(t + 1) % 64];
    __syncthreads();
  }
  out[t] = s[steps & 1][t];
}

// expect: XP-BOUNDS
__global__ void guard_less_or_equal(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) a[i] = 1;
}

// expect: XP-BOUNDS
__global__ void guard_greater_return(float* a, const float* b, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > n) return;
  a[i] = b[i];
}

// expect: XP-BOUNDS
__global__ void neighbour_beyond(const float* a, float* b, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) b[i] = a[i + 1] - a[i];
}

// expect: XP-BOUNDS
__global__ void guard_2d_off(float* a, int rows, int cols) {
  int r = blockIdx.y * blockDim.y + threadIdx.y, c = blockIdx.x * blockDim.x + threadIdx.x;
  if (r <= rows && c < cols) a[r * cols + c] = 0;
}

// expect: undecided
__global__ void guard_missing(float* a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  a[i] = 1;
}

// expect: XP-ALIGN
__global__ void vector_misaligned(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    float4 v = *reinterpret_cast<const float4*>(in + i);
    out[i] = v.x + v.y + v.z + v.w;
  }
}

// expect: clean
__global__ void vector_aligned(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (4 * i + 3 < n) {
    float4 v = *reinterpret_cast<const float4*>(in + 4 * i);
    out[i] = v.x + v.y + v.z + v.w;
  }
}
