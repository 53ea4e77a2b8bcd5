// Votes, match, reduce and masks held in unsigned: stream compaction and a histogram per warp.
#include <cuda_runtime.h>

__global__ void compact_positive(const int* in, int* out, int* count, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int lane = threadIdx.x & 31;
    bool keep = i < n && in[i] > 0;
    unsigned mask = __ballot_sync(0xffffffff, keep);
    int leader = __ffs(mask) - 1;
    int base = 0;
    if (mask != 0 && lane == leader) base = atomicAdd(count, __popc(mask));
    base = __shfl_sync(0xffffffff, base, leader);
    if (keep) out[base + __popc(mask & ((1u << lane) - 1))] = in[i];
}

__global__ void warp_histogram(const int* keys, unsigned* peers, int* all_same, int* any_big, int* sums, unsigned* ors,
                               int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int key = i < n ? keys[i] : -1;
    unsigned active = __activemask();
    peers[i] = __match_any_sync(active, key);
    int pred;
    __match_all_sync(0xffffffff, key, &pred);
    all_same[i] = pred;
    any_big[i] = __any_sync(0xffffffff, key > 5) + 2 * __all_sync(0xffffffff, key >= 0);
    sums[i] = __reduce_add_sync(0xffffffff, key) - __reduce_max_sync(0xffffffff, key);
    ors[i] = __reduce_or_sync(0xffffffffu, 1u << (key & 31));
    __syncwarp();
    if (threadIdx.x % 32 < 16) peers[i] ^= __ballot_sync(0x0000ffff, key & 1);
}

extern "C" void votes(const int* in, int* out, int* count, unsigned* peers, int* all_same, int* any_big, int* sums,
                      unsigned* ors, int n) {
    compact_positive<<<(n + 127) / 128, 128>>>(in, out, count, n);
    warp_histogram<<<(n + 127) / 128, 128>>>(in, peers, all_same, any_big, sums, ors, n);
}
