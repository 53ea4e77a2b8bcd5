// Locks that are let go, with and without a fence.

// expect: XP-RACE | --block 1 --grid 8
__global__ void no_fence(int *lock, float *sum, const float *x) {
  while (atomicCAS(lock, 0, 1) != 0) {
  }
  sum[0] += x[blockIdx.x];
  atomicExch(lock, 0);
}

// expect: XP-RACE | --block 32 --grid 4
__global__ void fence_before_the_write(int *locks, float *sums, const int *keys, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  bool done = false;
  while (!done) {
    if (atomicCAS(&locks[keys[i] & 7], 0, 1) == 0) {
      __threadfence();
      sums[keys[i] & 7] += 1.f;
      locks[keys[i] & 7] = 0;
      done = true;
    }
  }
}

// expect: clean | --block 32 --grid 4
__global__ void fence_behind_the_write(int *locks, float *sums, const int *keys, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  bool done = false;
  while (!done) {
    if (atomicCAS(&locks[keys[i] & 7], 0, 1) == 0) {
      sums[keys[i] & 7] += 1.f;
      __threadfence();
      atomicExch(&locks[keys[i] & 7], 0);
      done = true;
    }
  }
}

// expect: clean | --block 64 --grid 4
__global__ void one_thread_locks_for_its_block(int *lock, float *sums, const float *x) {
  if (threadIdx.x == 0) {
    while (atomicCAS(lock, 0, 1) != 0) {
    }
    __threadfence();
  }
  __syncthreads();
  sums[threadIdx.x] += x[blockIdx.x * blockDim.x + threadIdx.x];
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) atomicExch(lock, 0);
}

// expect: XP-RACE | --block 64 --grid 4
__global__ void a_block_lets_go_too_early(int *lock, float *sums, const float *x) {
  if (threadIdx.x == 0) {
    while (atomicCAS(lock, 0, 1) != 0) {
    }
    __threadfence();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    atomicExch(lock, 0);
  }
  sums[threadIdx.x] += x[blockIdx.x * blockDim.x + threadIdx.x];
}
