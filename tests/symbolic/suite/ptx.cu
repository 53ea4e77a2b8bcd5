// Asynchronous copies as inline assembly.

__device__ __forceinline__ unsigned shared_address(const void *p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}

__device__ __forceinline__ void copy16(unsigned to, const void *from, bool wanted) {
  asm volatile(
      "{\n"
      "  .reg .pred p;\n"
      "  setp.ne.b32 p, %0, 0;\n"
      "  @p cp.async.cg.shared.global.L2::128B [%1], [%2], 16;\n"
      "}\n" ::"r"((int)wanted), "r"(to), "l"(from));
}

__device__ __forceinline__ void copy_or_zero(float *to, const float *from, bool wanted) {
  const int bytes = wanted ? 4 : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;\n" ::"r"(shared_address(to)), "l"(from), "r"(bytes));
}

#define COMMIT() asm volatile("cp.async.commit_group;\n" ::: "memory")
#define WAIT(n) asm volatile("cp.async.wait_group %0;\n" ::"n"(n) : "memory")

// expect: clean | --block 64 --grid 2
__global__ void stages_in_one_array(const float *in, float *out, int tiles) {
  extern __shared__ float s[];
  const unsigned base = shared_address(s);
  const unsigned mine = base + threadIdx.x * 16;
  in += blockIdx.x * tiles * 256;
  out += blockIdx.x * tiles * 256;
  copy16(mine, in + threadIdx.x * 4, true);
  COMMIT();
  for (int k = 0; k < tiles; ++k) {
    copy16(mine + ((k + 1) % 2) * 1024, in + (k + 1) * 256 + threadIdx.x * 4, k + 1 < tiles);
    COMMIT();
    WAIT(1);
    __syncthreads();
    for (int j = threadIdx.x; j < 256; j += 64) out[k * 256 + j] = s[k % 2 * 256 + 255 - j];
    __syncthreads();
  }
}

// expect: XP-ASYNC | --block 64 --grid 2
__global__ void one_group_too_many_left(const float *in, float *out, int tiles) {
  __shared__ float s[2][256];
  const unsigned mine = shared_address(&s[0][threadIdx.x * 4]);
  copy16(mine, in + threadIdx.x * 4, true);
  COMMIT();
  for (int k = 0; k < tiles; ++k) {
    copy16(mine + ((k + 1) % 2) * 1024, in + (k + 1) * 256 + threadIdx.x * 4, k + 1 < tiles);
    COMMIT();
    WAIT(2);
    __syncthreads();
    for (int j = threadIdx.x; j < 256; j += 64) out[k * 256 + j] = s[k % 2][255 - j];
    __syncthreads();
  }
}

// expect: clean | --block 64 --grid 4
__global__ void zeros_beyond_the_end(const float *in, float *out, int n) {
  __shared__ float s[64];
  const int i = blockIdx.x * 64 + threadIdx.x;
  copy_or_zero(&s[threadIdx.x], in + i, i < n);
  asm volatile("cp.async.wait_all;");
  asm volatile("bar.sync 0;" ::: "memory");
  if (i < n) out[i] = s[63 - threadIdx.x];
}

// expect: XP-RACE | --block 64 --grid 4
__global__ void waited_without_a_barrier(const float *in, float *out, int n) {
  __shared__ float s[64];
  const int i = blockIdx.x * 64 + threadIdx.x;
  copy_or_zero(&s[threadIdx.x], in + i, i < n);
  asm volatile("cp.async.wait_all;");
  if (i < n) out[i] = s[63 - threadIdx.x];
}
