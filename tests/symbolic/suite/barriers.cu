// Barriers that some threads do not reach, and ones that look as if.

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void in_half_a_block(float* a) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  if (threadIdx.x < 32) __syncthreads();
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: clean | --block 64 --grid 2
__global__ void in_one_block(float* a) {
  __shared__ float s[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  s[threadIdx.x] = a[i];
  if (blockIdx.x == 0) {
    __syncthreads();
    a[i] = s[63 - threadIdx.x];
  }
}

// expect: XP-DIVERGENCE
__global__ void after_a_return(const float* in, float* out, int n) {
  __shared__ float s[256];
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= n) return;
  s[threadIdx.x] = in[i];
  __syncthreads();
  out[i] = s[threadIdx.x] * 2;
}

// expect: clean
__global__ void guarded_apart(const float* in, float* out, int n) {
  __shared__ float s[256];
  int i = blockIdx.x * 256 + threadIdx.x;
  s[threadIdx.x] = i < n ? in[i] : 0;
  __syncthreads();
  if (i < n) out[i] = s[threadIdx.x ^ 1];
}

// expect: XP-DIVERGENCE | --block 32 --grid 1
__global__ void as_often_as_a_thread_says(float* a) {
  for (int k = 0; k < threadIdx.x; k++) __syncthreads();
  a[threadIdx.x] = 1;
}

// expect: clean | --block 32 --grid 3
__global__ void as_often_as_a_block_says(float* a) {
  __shared__ float s[32];
  s[threadIdx.x] = 0;
  for (int k = 0; k < blockIdx.x; k++) {
    __syncthreads();
    float v = s[31 - threadIdx.x];
    __syncthreads();
    s[threadIdx.x] = v + k;
  }
  a[blockIdx.x * 32 + threadIdx.x] = s[threadIdx.x];
}

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void loop_over_elements(const float* in, float* out, int n) {
  __shared__ float s[64];
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    s[threadIdx.x] = in[i];
    __syncthreads();
    out[i] = s[threadIdx.x] + 1;
    __syncthreads();
  }
}

// expect: clean | --block 64 --grid 1
__global__ void loop_over_whole_blocks(const float* in, float* out, int n) {
  __shared__ float s[64];
  for (int first = 0; first < n; first += blockDim.x) {
    int i = first + threadIdx.x;
    if (i < n) s[threadIdx.x] = in[i];
    __syncthreads();
    int other = first + (63 - (int)threadIdx.x);
    if (i < n && other < n) out[i] = s[63 - threadIdx.x];
    __syncthreads();
  }
}

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void one_in_each_branch(float* a) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  if (threadIdx.x % 2) {
    __syncthreads();
    a[threadIdx.x] = s[threadIdx.x - 1];
  } else {
    __syncthreads();
    a[threadIdx.x] = s[threadIdx.x + 1];
  }
}

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void in_a_case(float* a) {
  switch (threadIdx.x / 32) {
    case 0:
      a[threadIdx.x] = 1;
      break;
    case 1:
      __syncthreads();
      a[threadIdx.x] = 2;
      break;
  }
}

__device__ void waits(float* s, int t) {
  __syncthreads();
  s[t] += 1;
}
// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void in_a_function(float* a) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  if (threadIdx.x > 7) waits(s, threadIdx.x);
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: clean | --block 64 --grid 1
__global__ void in_a_function_by_all(float* a) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  waits(s, threadIdx.x);
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void left_by_some(float* a) {
  __shared__ float s[64];
  for (int k = 0; k < 8; k++) {
    if (k > threadIdx.x) break;
    s[threadIdx.x] = k;
    __syncthreads();
  }
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void skipped_by_some(float* a) {
  __shared__ float s[64];
  s[threadIdx.x] = 0;
  for (int k = 0; k < 8; k++) {
    if (threadIdx.x == k) continue;
    s[threadIdx.x] += k;
    __syncthreads();
  }
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: clean | --block 64 --grid 1
__global__ void until_none_changes(int* a) {
  __shared__ int changed;
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = a[t];
  do {
    __syncthreads();
    if (t == 0) changed = 0;
    __syncthreads();
    int v = t > 0 ? s[t - 1] : s[t];
    __syncthreads();
    if (v > s[t]) {
      s[t] = v;
      changed = 1;
    }
    __syncthreads();
  } while (changed);
  a[t] = s[t];
}

// expect: XP-RACE | --block 64 --grid 1
__global__ void until_none_changes_but_reset_early(int* a) {
  __shared__ int changed;
  __shared__ int s[64];
  int t = threadIdx.x;
  s[t] = a[t];
  do {
    if (t == 0) changed = 0;
    __syncthreads();
    int v = t > 0 ? s[t - 1] : s[t];
    __syncthreads();
    if (v > s[t]) {
      s[t] = v;
      changed = 1;
    }
    __syncthreads();
  } while (changed);
  a[t] = s[t];
}

// expect: clean | --block 64 --grid 1
__global__ void if_the_parameter_says(float* a, int mode) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  if (mode > 1) {
    __syncthreads();
    a[threadIdx.x] = s[63 - threadIdx.x];
  } else {
    a[threadIdx.x] = s[threadIdx.x];
  }
}

// expect: clean | --block 64 --grid 2
__global__ void if_the_block_has_work(const int* work, float* a) {
  __shared__ float s[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  if (work[blockIdx.x] > 0) {
    s[threadIdx.x] = a[i];
    __syncthreads();
    a[i] = s[63 - threadIdx.x];
  }
}

// expect: XP-DIVERGENCE | --block 64 --grid 2
__global__ void if_the_thread_has_work(const int* work, float* a) {
  __shared__ float s[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  s[threadIdx.x] = a[i];
  if (work[i] > 0) {
    __syncthreads();
    a[i] = s[63 - threadIdx.x];
  }
}

// expect: clean | --block 128 --grid 1
__global__ void counted_by_a_barrier(const int* in, int* out) {
  int many = __syncthreads_count(in[threadIdx.x] > 1);
  if (threadIdx.x == 0) out[0] = many;
  if (__syncthreads_or(in[threadIdx.x] == 3)) out[1 + threadIdx.x] = many;
}

// expect: XP-DIVERGENCE | --block 128 --grid 1
__global__ void counted_by_some(const int* in, int* out) {
  if (threadIdx.x >= 100) return;
  int many = __syncthreads_count(in[threadIdx.x] > 1);
  if (threadIdx.x == 0) out[0] = many;
}

// expect: clean | --block 64 --grid 1
__global__ void short_circuit_of_the_same(float* a, int n) {
  __shared__ float s[64];
  s[threadIdx.x] = a[threadIdx.x];
  for (int k = 0; k < n && k < 10; ++k) {
    __syncthreads();
    float v = s[(threadIdx.x + k) & 63];
    __syncthreads();
    s[threadIdx.x] = v;
  }
  a[threadIdx.x] = s[threadIdx.x];
}

// expect: XP-DIVERGENCE | --block 64 --grid 1
__global__ void halved_with_threads_leaving(float* a) {
  __shared__ float s[64];
  int t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  for (int d = 32; d > 0; d /= 2) {
    if (t >= d) return;
    s[t] += s[t + d];
    __syncthreads();
  }
  a[0] = s[0];
}
