// Votes, match, reduce and masks held in unsigned: stream compaction and a histogram per warp.
#include <hip/hip_runtime.h>

// CUDA's __ballot_sync: the votes of the caller's 32 lanes, one half of a 64-lane wave.
static __device__ inline unsigned warp32_ballot(unsigned mask, int predicate) {
    return (unsigned)(__ballot(predicate) >> (__lane_id() & 32u)) & mask;
}

static __device__ inline int warp32_any(unsigned mask, int predicate) {
    return warp32_ballot(mask, predicate) != 0;
}

static __device__ inline int warp32_all(unsigned mask, int predicate) {
    return warp32_ballot(mask, !predicate) == 0;
}

// The active lanes among the caller's 32.
static __device__ inline unsigned warp32_activemask() { return warp32_ballot(0xffffffffu, 1); }

// CUDA's __syncwarp: a wave runs in lockstep, only its memory accesses must stay in order.
static __device__ inline void warp32_sync(unsigned = 0xffffffffu) {
    __builtin_amdgcn_fence(__ATOMIC_ACQ_REL, "wavefront");
    __builtin_amdgcn_wave_barrier();
    __builtin_amdgcn_fence(__ATOMIC_ACQ_REL, "wavefront");
}

// CUDA's __match_any_sync: the lanes of the mask that hold the same bits.
template <typename T>
static __device__ inline unsigned warp32_match_any(unsigned mask, T value) {
    int words[sizeof(T) / 4];
    __builtin_memcpy(words, &value, sizeof(T));
    unsigned same = 0;
    for (int lane = 0; lane < 32; ++lane) {
        bool equal = true;
        for (int word : words) equal = equal && __shfl(word, lane, 32) == word;
        if (equal) same |= 1u << lane;
    }
    return same & mask;
}

// CUDA's __match_all_sync: the mask if its lanes all hold the same bits, else 0.
template <typename T>
static __device__ inline unsigned warp32_match_all(unsigned mask, T value, int* all_equal) {
    *all_equal = warp32_match_any(mask, value) == mask;
    *all_equal = warp32_all(mask, *all_equal);
    return *all_equal ? mask : 0u;
}

// CUDA's __reduce_add_sync: over the lanes of the mask.
static __device__ inline unsigned warp32_reduce_add(unsigned mask, unsigned value) {
    unsigned result = 0;
    for (int lane = 0; lane < 32; ++lane) {
        const unsigned other = __shfl(value, lane, 32);
        if (mask >> lane & 1u) result += other;
    }
    return result;
}
static __device__ inline int warp32_reduce_add(unsigned mask, int value) {
    int result = 0;
    for (int lane = 0; lane < 32; ++lane) {
        const int other = __shfl(value, lane, 32);
        if (mask >> lane & 1u) result += other;
    }
    return result;
}

// CUDA's __reduce_max_sync: over the lanes of the mask.
static __device__ inline unsigned warp32_reduce_max(unsigned mask, unsigned value) {
    unsigned result = value;
    for (int lane = 0; lane < 32; ++lane) {
        const unsigned other = __shfl(value, lane, 32);
        if (mask >> lane & 1u) result = other > result ? other : result;
    }
    return result;
}
static __device__ inline int warp32_reduce_max(unsigned mask, int value) {
    int result = value;
    for (int lane = 0; lane < 32; ++lane) {
        const int other = __shfl(value, lane, 32);
        if (mask >> lane & 1u) result = other > result ? other : result;
    }
    return result;
}

// CUDA's __reduce_or_sync: over the lanes of the mask.
static __device__ inline unsigned warp32_reduce_or(unsigned mask, unsigned value) {
    unsigned result = 0;
    for (int lane = 0; lane < 32; ++lane) {
        const unsigned other = __shfl(value, lane, 32);
        if (mask >> lane & 1u) result |= other;
    }
    return result;
}

__global__ void compact_positive(const int* in, int* out, int* count, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int lane = threadIdx.x & 31;
    bool keep = i < n && in[i] > 0;
    unsigned mask = warp32_ballot(0xffffffff, keep);
    int leader = __ffs(mask) - 1;
    int base = 0;
    if (mask != 0 && lane == leader) base = atomicAdd(count, __popc(mask));
    base = __shfl(base, (leader) & 31, 32);
    if (keep) out[base + __popc(mask & ((1u << lane) - 1))] = in[i];
}

__global__ void warp_histogram(const int* keys, unsigned* peers, int* all_same, int* any_big, int* sums, unsigned* ors,
                               int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int key = i < n ? keys[i] : -1;
    unsigned active = warp32_activemask();
    peers[i] = warp32_match_any(active, key);
    int pred;
    warp32_match_all(0xffffffff, key, &pred);
    all_same[i] = pred;
    any_big[i] = warp32_any(0xffffffff, key > 5) + 2 * warp32_all(0xffffffff, key >= 0);
    sums[i] = warp32_reduce_add(0xffffffff, key) - warp32_reduce_max(0xffffffff, key);
    ors[i] = warp32_reduce_or(0xffffffffu, 1u << (key & 31));
    warp32_sync();
    if (threadIdx.x % 32 < 16) peers[i] ^= warp32_ballot(0x0000ffff, key & 1);
}

extern "C" void votes(const int* in, int* out, int* count, unsigned* peers, int* all_same, int* any_big, int* sums,
                      unsigned* ors, int n) {
    compact_positive<<<(n + 127) / 128, 128>>>(in, out, count, n);
    warp_histogram<<<(n + 127) / 128, 128>>>(in, peers, all_same, any_big, sums, ors, n);
}
