"""WMMA's interface on AMD matrix cores, as text that a translated file carries itself (see `hip_helpers`).

Why the 4x4 instructions. A CUDA warp is half of a 64-lane wave. The 16x16x16 MFMA spreads one tile over all
64 lanes: a kernel written for 32 lanes would need other indices and another launch, and a wave whose halves
disagree about a branch could not use it, because MFMA reads and writes every lane, active or not.
`v_mfma_*_4x4x4` multiplies sixteen separate 4x4 blocks, block b in lanes 4b..4b+3: a warp's tile stays in
its own 32 lanes, one instruction serves both warps, and the rate is that of the large shapes (2048
multiply-adds in 8 cycles against 8192 in 32). So no index and no launch changes, and blocks of 32 threads
work: what the absent lanes hold stays in the absent lanes.

Under divergence between the halves (one warp of the pair skips a tile, or leaves a loop earlier) the result
of an MFMA would be written over live registers of the waiting half. `wave_is_whole` finds that out from the
execution mask; such a wave multiplies with shuffles instead, which is slower and right.
"""

from __future__ import annotations

from xpiler.backend.hip_helper import Helper

_CORE = """\
// CUDA's WMMA tiles on AMD matrix cores. A wave of 64 lanes is two CUDA warps side by side, and each warp
// keeps its tile in its own 32 lanes: the 4x4 MFMA instructions multiply sixteen separate 4x4 blocks, block b
// in lanes 4b..4b+3.
//
// The eight groups of four lanes of a warp form sets of NB = N / 4 groups, one group a column block:
//   accumulator  group g holds the column block g % NB of the row blocks 2 (g / NB) and 2 (g / NB) + 1;
//                x[4 s + r] is row r of the block s, the lane in the group is the column
//   matrix_b     group g holds the column block g % NB, all of K; the lane in the group is the column
//   matrix_a     a set holds its two row blocks once, spread over its groups; an MFMA broadcasts from one
//                group to its set (cbsz = log2(NB), abid = the group); the lane in the group is the row
namespace amd {
namespace mfma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major, mem_col_major };

// What the matrix cores take: `depth` consecutive k in a block of one lane, and the type of the sums.
template <typename T> struct operand;

typedef float float4_vector __attribute__((vector_size(16)));
typedef int int4_vector __attribute__((vector_size(16)));
typedef _Float16 half4_vector __attribute__((vector_size(8)));

template <> struct operand<__half> {
    using element = __half;
    using block = half4_vector;
    using sums = float4_vector;
    static constexpr int depth = 4;
    template <int Set, int Group> static __device__ inline sums multiply(block a, block b, sums c) {
        return __builtin_amdgcn_mfma_f32_4x4x4f16(a, b, c, Set, Group, 0);
    }
    static __device__ inline float dot(block a, block b, float c) {
        for (int e = 0; e < depth; ++e) c += (float)a[e] * (float)b[e];
        return c;
    }
};

template <typename Use, int M, int N, int K, typename T, typename Layout = void> struct fragment;

template <int M, int N, int K, typename T, typename Layout> struct fragment<matrix_a, M, N, K, T, Layout> {
    using element_type = typename operand<T>::element;
    static constexpr int num_elements = M * K / 32, num_storage_elements = num_elements;
    element_type x[num_elements];
};
template <int M, int N, int K, typename T, typename Layout> struct fragment<matrix_b, M, N, K, T, Layout> {
    using element_type = typename operand<T>::element;
    static constexpr int num_elements = K, num_storage_elements = num_elements;
    element_type x[num_elements];
};
template <int M, int N, int K, typename T> struct fragment<accumulator, M, N, K, T, void> {
    using element_type = T;
    static constexpr int num_elements = M * N / 32, num_storage_elements = num_elements;
    element_type x[num_elements];
};

template <typename Layout> struct is_row { static constexpr bool value = false; };
template <> struct is_row<row_major> { static constexpr bool value = true; };

static __device__ inline float sum_of(float x) { return x; }
static __device__ inline float sum_of(__half x) { return __half2float(x); }
static __device__ inline int sum_of(int x) { return x; }
static __device__ inline void set_sum(float& x, float sum) { x = sum; }
static __device__ inline void set_sum(__half& x, float sum) { x = __float2half(sum); }
static __device__ inline void set_sum(int& x, int sum) { x = sum; }

template <typename Use, int M, int N, int K, typename T, typename Layout, typename V>
static __device__ inline void fill_fragment(fragment<Use, M, N, K, T, Layout>& f, const V& value) {
    for (auto& x : f.x) x = value;
}

template <int M, int N, int K, typename T, typename Layout, typename E>
static __device__ inline void load_matrix_sync(fragment<matrix_a, M, N, K, T, Layout>& f, const E* p,
                                               unsigned ldm) {
    constexpr int depth = operand<T>::depth, nb = N / 4, kb = K / depth;
    const int lane = __lane_id() & 31, set = lane / 4 / nb, group = lane / 4 % nb;
#pragma unroll
    for (int i = 0; i < f.num_elements; ++i) {
        const int block = i / depth * nb + group;
        const int row = 4 * (2 * set + block / kb) + lane % 4, k = block % kb * depth + i % depth;
        f.x[i] = is_row<Layout>::value ? p[row * ldm + k] : p[k * ldm + row];
    }
}
template <int M, int N, int K, typename T, typename Layout, typename E>
static __device__ inline void load_matrix_sync(fragment<matrix_b, M, N, K, T, Layout>& f, const E* p,
                                               unsigned ldm) {
    const int lane = __lane_id() & 31, column = 4 * (lane / 4 % (N / 4)) + lane % 4;
#pragma unroll
    for (int k = 0; k < K; ++k) f.x[k] = is_row<Layout>::value ? p[k * ldm + column] : p[column * ldm + k];
}
template <int M, int N, int K, typename T>
static __device__ inline int accumulator_offset(const fragment<accumulator, M, N, K, T>&, int i, unsigned ldm,
                                                layout_t layout) {
    const int lane = __lane_id() & 31, set = lane / 4 / (N / 4), group = lane / 4 % (N / 4);
    const int row = 4 * (2 * set + i / 4) + i % 4, column = 4 * group + lane % 4;
    return layout == mem_row_major ? row * ldm + column : column * ldm + row;
}
template <int M, int N, int K, typename T>
static __device__ inline void load_matrix_sync(fragment<accumulator, M, N, K, T>& f, const T* p, unsigned ldm,
                                               layout_t layout) {
#pragma unroll
    for (int i = 0; i < f.num_elements; ++i) f.x[i] = p[accumulator_offset(f, i, ldm, layout)];
}
template <int M, int N, int K, typename T>
static __device__ inline void store_matrix_sync(T* p, const fragment<accumulator, M, N, K, T>& f,
                                                unsigned ldm, layout_t layout) {
#pragma unroll
    for (int i = 0; i < f.num_elements; ++i) p[accumulator_offset(f, i, ldm, layout)] = f.x[i];
}

// Are all lanes of this wave active that the launch gave it? Uniform over the wave.
static __device__ inline bool wave_is_whole() {
    const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
    const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    const unsigned left = threads - (thread - __lane_id());
    return __builtin_amdgcn_readfirstlane(__popcll(__ballot(1)) == (int)(left < 64 ? left : 64));
}

// A block of four rows of matrix_a times its block of matrix_b. The two row blocks of the set take turns, so
// that an MFMA need not wait for the sums of the one before it.
template <int Left, int N, int K, typename T> struct block_product {
    using unit = operand<T>;
    static constexpr int depth = unit::depth, nb = N / 4, kb = K / depth, step = 2 * kb - Left;
    static constexpr int row_block = step % 2, k_block = step / 2, block = row_block * kb + k_block;
    static constexpr int group = block % nb, set = nb == 8 ? 3 : nb == 4 ? 2 : 1;
    using next = block_product<Left - 1, N, K, T>;

    template <typename A, typename B>
    static __device__ inline void matrix_cores(const A& a, const B& b, typename unit::sums* sums) {
        typename unit::block left, right;
        __builtin_memcpy(&left, &a.x[block / nb * depth], sizeof(left));
        __builtin_memcpy(&right, &b.x[k_block * depth], sizeof(right));
        sums[row_block] = unit::template multiply<set, group>(left, right, sums[row_block]);
        next::matrix_cores(a, b, sums);
    }
    template <typename A, typename B>
    static __device__ inline void shuffles(const A& a, const B& b, typename unit::sums* sums) {
        typename unit::block right, row;
        int left[sizeof(row) / 4], words[sizeof(row) / 4];
        __builtin_memcpy(left, &a.x[block / nb * depth], sizeof(row));
        __builtin_memcpy(&right, &b.x[k_block * depth], sizeof(right));
        const int lane = __lane_id() & 31, owner = 4 * (lane / 4 / nb * nb + group);
        for (int r = 0; r < 4; ++r) {
            for (unsigned w = 0; w < sizeof(row) / 4; ++w) words[w] = __shfl(left[w], owner + r, 32);
            __builtin_memcpy(&row, words, sizeof(row));
            sums[row_block][r] = unit::dot(row, right, sums[row_block][r]);
        }
        next::shuffles(a, b, sums);
    }
};
template <int N, int K, typename T> struct block_product<0, N, K, T> {
    template <typename A, typename B, typename Sums>
    static __device__ inline void matrix_cores(const A&, const B&, Sums*) {}
    template <typename A, typename B, typename Sums>
    static __device__ inline void shuffles(const A&, const B&, Sums*) {}
};

template <int M, int N, int K, typename T, typename LA, typename LB, typename C, typename D>
static __device__ inline void mma_sync(fragment<accumulator, M, N, K, D>& d,
                                       const fragment<matrix_a, M, N, K, T, LA>& a,
                                       const fragment<matrix_b, M, N, K, T, LB>& b,
                                       const fragment<accumulator, M, N, K, C>& c) {
    constexpr int steps = 2 * K / operand<T>::depth;
    typename operand<T>::sums sums[2];
    for (int i = 0; i < 8; ++i) sums[i / 4][i % 4] = sum_of(c.x[i]);
    if (wave_is_whole()) {
        block_product<steps, N, K, T>::matrix_cores(a, b, sums);
    } else {
        block_product<steps, N, K, T>::shuffles(a, b, sums);
    }
    for (int i = 0; i < 8; ++i) set_sum(d.x[i], sums[i / 4][i % 4]);
}

}  // namespace mfma
}  // namespace amd"""

_BF16 = """namespace amd {
namespace mfma {
typedef short short4_vector __attribute__((vector_size(8)));
template <> struct operand<hip_bf16> {
    using element = hip_bf16;
    using block = short4_vector;
    using sums = float4_vector;
    static constexpr int depth = 4;
    template <int Set, int Group> static __device__ inline sums multiply(block a, block b, sums c) {
        return __builtin_amdgcn_mfma_f32_4x4x4bf16_1k(a, b, c, Set, Group, 0);
    }
    static __device__ inline float dot(block a, block b, float c) {
        for (int e = 0; e < depth; ++e) {
            c += __uint_as_float((unsigned)a[e] << 16) * __uint_as_float((unsigned)b[e] << 16);
        }
        return c;
    }
};
}  // namespace mfma
}  // namespace amd"""

_INT8 = """namespace amd {
namespace mfma {
template <> struct operand<signed char> {
    using element = signed char;
    using block = int;  // four bytes
    using sums = int4_vector;
    static constexpr int depth = 4;
    template <int Set, int Group> static __device__ inline sums multiply(block a, block b, sums c) {
        return __builtin_amdgcn_mfma_i32_4x4x4i8(a, b, c, Set, Group, 0);
    }
    static __device__ inline int dot(block a, block b, int c) {
        for (int e = 0; e < 4; ++e) c += (int)(signed char)(a >> 8 * e) * (int)(signed char)(b >> 8 * e);
        return c;
    }
};
// The matrix cores take signed bytes only. An unsigned byte is 2 h + l, h < 128, l < 2: four exact products.
template <> struct operand<unsigned char> {
    using element = unsigned char;
    using block = int;  // four bytes
    using sums = int4_vector;
    static constexpr int depth = 4;
    template <int Set, int Group> static __device__ inline sums multiply(block a, block b, sums c) {
        const int ah = a >> 1 & 0x7f7f7f7f, al = a & 0x01010101;
        const int bh = b >> 1 & 0x7f7f7f7f, bl = b & 0x01010101;
        const sums zero = {0, 0, 0, 0};
        const sums hh = __builtin_amdgcn_mfma_i32_4x4x4i8(ah, bh, zero, Set, Group, 0);
        const sums hl = __builtin_amdgcn_mfma_i32_4x4x4i8(ah, bl, zero, Set, Group, 0);
        const sums hl_lh = __builtin_amdgcn_mfma_i32_4x4x4i8(al, bh, hl, Set, Group, 0);
        return __builtin_amdgcn_mfma_i32_4x4x4i8(al, bl, c, Set, Group, 0) + 4 * hh + 2 * hl_lh;
    }
    static __device__ inline int dot(block a, block b, int c) {
        for (int e = 0; e < 4; ++e) c += (int)(unsigned char)(a >> 8 * e) * (int)(unsigned char)(b >> 8 * e);
        return c;
    }
};
}  // namespace mfma
}  // namespace amd"""

_TF32 = """namespace amd {
namespace mfma {
// tf32 is a float whose low 13 bits are 0. CDNA2 has no such type: the products are those of full floats.
namespace precision { struct tf32; }
template <> struct operand<precision::tf32> {
    using element = float;
    using block = float;
    using sums = float4_vector;
    static constexpr int depth = 1;
    template <int Set, int Group> static __device__ inline sums multiply(block a, block b, sums c) {
        return __builtin_amdgcn_mfma_f32_4x4x1f32(a, b, c, Set, Group, 0);
    }
    static __device__ inline float dot(block a, block b, float c) { return fmaf(a, b, c); }
};
// To the nearest tf32, ties away from zero.
static __device__ inline float __float_to_tf32(float x) {
    const unsigned bits = __float_as_uint(x);
    return (bits & 0x7f800000u) == 0x7f800000u ? x : __uint_as_float((bits + 0x1000u) & ~0x1fffu);
}
}  // namespace mfma
}  // namespace amd"""

_SATURATING = """namespace amd {
namespace mfma {
// Integer sums that stop at the ends of int when `saturate` is set.
template <int M, int N, int K, typename T, typename LA, typename LB>
static __device__ inline void mma_sync(fragment<accumulator, M, N, K, int>& d,
                                       const fragment<matrix_a, M, N, K, T, LA>& a,
                                       const fragment<matrix_b, M, N, K, T, LB>& b,
                                       const fragment<accumulator, M, N, K, int>& c, bool saturate) {
    fragment<accumulator, M, N, K, int> zero, products;
    fill_fragment(zero, 0);
    mma_sync(products, a, b, zero);
    for (int i = 0; i < d.num_elements; ++i) {
        const long long sum = (long long)c.x[i] + products.x[i], top = 2147483647, bottom = -top - 1;
        d.x[i] = (int)(!saturate ? sum : sum > top ? top : sum < bottom ? bottom : sum);
    }
}
}  // namespace mfma
}  // namespace amd"""

MFMA_HELPERS: dict[str, Helper] = {
    "mfma": Helper(_CORE),
    "mfma_bf16": Helper(_BF16, ("mfma", "hip_bf16")),
    "mfma_int8": Helper(_INT8, ("mfma",)),
    "mfma_saturating": Helper(_SATURATING, ("mfma", "mfma_int8")),
    "mfma_tf32": Helper(_TF32, ("mfma",)),
}
