#include <hip/hip_runtime.h>

// expect: XP-WARP-SIZE
__global__ void compacted_by_half_the_votes(const int* in, int* out, int* total, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int lane = threadIdx.x & 63;
  bool keep = i < n && in[i] > 0;
  unsigned mask = __ballot(keep);
  int before = __popc(mask & ((1u << lane) - 1));
  int base = 0;
  if (lane == 0) base = atomicAdd(total, __popc(mask));
  base = __shfl(base, 0);
  if (keep) out[base + before] = in[i];
}

// expect: XP-WARP-SIZE
__global__ void counts_half_the_votes(const int* in, int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned int m = __ballot(i < n && in[i] > 0);
  if ((threadIdx.x & 63) == 0) atomicAdd(out, __popc(m));
}

// expect: XP-WARP-SIZE
__global__ void counts_votes_by_32_bits(const int* in, int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if ((threadIdx.x & 63) == 0) {}
  int c = __popc(__ballot(i < n && in[i] > 0));
  if ((threadIdx.x & 63) == 0) atomicAdd(out, c);
}

// expect: clean
__global__ void counts_votes(const int* in, int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned long long m = __ballot(i < n && in[i] > 0);
  if ((threadIdx.x & 63) == 0) atomicAdd(out, __popcll(m));
}

// expect: clean
__global__ void counts_votes_by_halves(const int* in, int* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned long long m = __ballot(i < n && in[i] > 0);
  int half = (threadIdx.x & 63) / 32;
  unsigned mine = (unsigned)(m >> (32 * half));
  if ((threadIdx.x & 31) == 0) atomicAdd(out + half, __popc(mine));
}
