"""Definitions that a translated file carries itself, because ROCm 5.2 has no twin; only those that are used.

The texts are for the reader of the translated file. They compile with ROCm 5.2 and with current ROCm, and
define no name that any ROCm version declares (overloads for types of their own excepted).
"""

from __future__ import annotations

from collections.abc import Iterable

from xpiler.backend.hip_half_helpers import HALF_HELPERS
from xpiler.backend.hip_helper import Helper
from xpiler.backend.hip_mfma_helpers import MFMA_HELPERS
from xpiler.backend.hip_sample_helpers import SAMPLE_HELPERS


def _reduce(name: str, types: tuple[str, ...], start: str, step: str) -> Helper:
    lines = [f"// CUDA's __reduce_{name}_sync: over the lanes of the mask."]
    for dtype in types:
        lines.append(
            f"static __device__ inline {dtype} warp32_reduce_{name}(unsigned mask, {dtype} value) {{\n"
            f"    {dtype} result = {start};\n"
            f"    for (int lane = 0; lane < 32; ++lane) {{\n"
            f"        const {dtype} other = __shfl(value, lane, 32);\n"
            f"        if (mask >> lane & 1u) {step};\n"
            f"    }}\n"
            f"    return result;\n"
            f"}}"
        )
    return Helper("\n".join(lines))


def _typed_shuffle(name: str, parameter: str, what: str) -> Helper:
    return Helper(
        f"""// {what} a value of any size, word by word, within groups of `width` lanes.
template <typename T>
static __device__ inline T warp32_{name}(T value, {parameter}, int width) {{
    int words[(sizeof(T) + 3) / 4] = {{}};
    __builtin_memcpy(words, &value, sizeof(T));
    for (int& word : words) word = __{name}(word, {parameter.split()[-1]}, width);
    __builtin_memcpy(&value, words, sizeof(T));
    return value;
}}"""
    )


HELPERS: dict[str, Helper] = (
    SAMPLE_HELPERS
    | HALF_HELPERS
    | MFMA_HELPERS
    | {
        "warp32_size": Helper(
            "// The width of a CUDA warp. A wave of 64 lanes is two such warps side by side.\n"
            "static constexpr int warp32_size = 32;"
        ),
        "warp32_ballot": Helper(
            """// CUDA's __ballot_sync: the votes of the caller's 32 lanes, one half of a 64-lane wave.
static __device__ inline unsigned warp32_ballot(unsigned mask, int predicate) {
    return (unsigned)(__ballot(predicate) >> (__lane_id() & 32u)) & mask;
}"""
        ),
        "warp32_any": Helper(
            "static __device__ inline int warp32_any(unsigned mask, int predicate) {\n"
            "    return warp32_ballot(mask, predicate) != 0;\n}",
            ("warp32_ballot",),
        ),
        "warp32_all": Helper(
            "static __device__ inline int warp32_all(unsigned mask, int predicate) {\n"
            "    return warp32_ballot(mask, !predicate) == 0;\n}",
            ("warp32_ballot",),
        ),
        "warp32_uni": Helper(
            "static __device__ inline int warp32_uni(unsigned mask, int predicate) {\n"
            "    return warp32_all(mask, predicate) || !warp32_any(mask, predicate);\n}",
            ("warp32_all", "warp32_any"),
        ),
        "warp32_activemask": Helper(
            "// The active lanes among the caller's 32.\n"
            "static __device__ inline unsigned warp32_activemask() { return warp32_ballot(0xffffffffu, 1); }",
            ("warp32_ballot",),
        ),
        "warp32_sync": Helper(
            """// CUDA's __syncwarp: a wave runs in lockstep, only its memory accesses must stay in order.
static __device__ inline void warp32_sync(unsigned = 0xffffffffu) {
    __builtin_amdgcn_fence(__ATOMIC_ACQ_REL, "wavefront");
    __builtin_amdgcn_wave_barrier();
    __builtin_amdgcn_fence(__ATOMIC_ACQ_REL, "wavefront");
}"""
        ),
        "warp32_barrier": Helper(
            """// CUDA's __barrier_sync_count within a wave. There is no barrier for some of a block's waves.
static __device__ inline void warp32_barrier(unsigned, unsigned threads) {
    const unsigned long long here = __ballot(1);
    const unsigned warps = ((unsigned)here != 0) + (here >> 32 != 0);
    if (warps * 32 < threads) __builtin_trap();
    warp32_sync();
}""",
            ("warp32_sync",),
        ),
        "warp32_match_any": Helper(
            """// CUDA's __match_any_sync: the lanes of the mask that hold the same bits.
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
}"""
        ),
        "warp32_match_all": Helper(
            """// CUDA's __match_all_sync: the mask if its lanes all hold the same bits, else 0.
template <typename T>
static __device__ inline unsigned warp32_match_all(unsigned mask, T value, int* all_equal) {
    *all_equal = warp32_match_any(mask, value) == mask;
    *all_equal = warp32_all(mask, *all_equal);
    return *all_equal ? mask : 0u;
}""",
            ("warp32_match_any", "warp32_all"),
        ),
        "warp32_reduce_add": _reduce("add", ("unsigned", "int"), "0", "result += other"),
        "warp32_reduce_min": _reduce(
            "min", ("unsigned", "int"), "value", "result = other < result ? other : result"
        ),
        "warp32_reduce_max": _reduce(
            "max", ("unsigned", "int"), "value", "result = other > result ? other : result"
        ),
        "warp32_reduce_and": _reduce("and", ("unsigned",), "~0u", "result &= other"),
        "warp32_reduce_or": _reduce("or", ("unsigned",), "0", "result |= other"),
        "warp32_reduce_xor": _reduce("xor", ("unsigned",), "0", "result ^= other"),
        "warp32_shfl": _typed_shuffle("shfl", "int source", "Reads"),
        "warp32_shfl_up": _typed_shuffle("shfl_up", "unsigned delta", "Shifts up"),
        "warp32_shfl_down": _typed_shuffle("shfl_down", "unsigned delta", "Shifts down"),
        "warp32_shfl_xor": _typed_shuffle("shfl_xor", "int lane_mask", "Exchanges"),
        "tile_operators": Helper(
            """// The operators of cooperative groups' reductions.
template <typename T> struct tile_plus { __device__ T operator()(T a, T b) const { return a + b; } };
template <typename T> struct tile_less { __device__ T operator()(T a, T b) const { return b < a ? b : a; } };
template <typename T> struct tile_greater {
    __device__ T operator()(T a, T b) const { return a < b ? b : a; }
};
template <typename T> struct tile_bit_and { __device__ T operator()(T a, T b) const { return a & b; } };
template <typename T> struct tile_bit_or { __device__ T operator()(T a, T b) const { return a | b; } };
template <typename T> struct tile_bit_xor { __device__ T operator()(T a, T b) const { return a ^ b; } };"""
        ),
        "tile_reduce": Helper(
            """// Cooperative groups' reduce over a tile of threads: every thread receives the result.
template <typename Tile, typename T, typename Operator>
static __device__ inline T tile_reduce(const Tile& tile, T value, Operator combine) {
    for (unsigned offset = tile.size() / 2; offset > 0; offset /= 2) {
        value = combine(value, tile.shfl_xor(value, offset));
    }
    return value;
}"""
        ),
        "tile_ballot": Helper(
            """// The votes of a tile: bit i is thread i of the tile.
template <typename Tile> static __device__ inline unsigned tile_ballot(const Tile& tile, int predicate) {
    const unsigned size = tile.size(), first = __lane_id() & ~(size - 1);
    return (unsigned)(__ballot(predicate) >> first) & (size < 32 ? (1u << size) - 1u : ~0u);
}"""
        ),
        "tile_any": Helper(
            """template <typename Tile>
static __device__ inline int tile_any(const Tile& tile, int predicate) {
    return tile_ballot(tile, predicate) != 0;
}""",
            ("tile_ballot",),
        ),
        "tile_all": Helper(
            """template <typename Tile>
static __device__ inline int tile_all(const Tile& tile, int predicate) {
    return tile_ballot(tile, !predicate) == 0;
}""",
            ("tile_ballot",),
        ),
        "tile_match_any": Helper(
            """// The threads of the tile that hold the same value.
template <typename Tile, typename T>
static __device__ inline unsigned tile_match_any(const Tile& tile, T value) {
    unsigned same = 0;
    for (unsigned i = 0; i < tile.size(); ++i) same |= (unsigned)(tile.shfl(value, i) == value) << i;
    return same;
}"""
        ),
        "tile_meta_group_rank": Helper(
            """// Which tile of its block this is.
template <typename Tile> static __device__ inline unsigned tile_meta_group_rank(const Tile& tile) {
    return ((threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x) / tile.size();
}"""
        ),
        "tile_meta_group_size": Helper(
            """// How many tiles the block has.
template <typename Tile> static __device__ inline unsigned tile_meta_group_size(const Tile& tile) {
    return (blockDim.x * blockDim.y * blockDim.z + tile.size() - 1) / tile.size();
}"""
        ),
        "min_of": Helper(
            """// CUDA's min for operands of different types: in their common type.
template <typename A, typename B> static __device__ inline auto min_of(A a, B b) -> decltype(a + b) {
    typedef decltype(a + b) common;
    return min((common)a, (common)b);
}"""
        ),
        "max_of": Helper(
            """// CUDA's max for operands of different types: in their common type.
template <typename A, typename B> static __device__ inline auto max_of(A a, B b) -> decltype(a + b) {
    typedef decltype(a + b) common;
    return max((common)a, (common)b);
}"""
        ),
        "unfused_mul": Helper(
            """// Rounded by itself: never part of a fused multiply-add.
template <typename T> static __device__ inline T unfused_mul(T a, T b) {
#pragma clang fp contract(off)
    return a * b;
}"""
        ),
        "unfused_add": Helper(
            """// Rounded by itself: never part of a fused multiply-add.
template <typename T> static __device__ inline T unfused_add(T a, T b) {
#pragma clang fp contract(off)
    return a + b;
}"""
        ),
        "unfused_sub": Helper(
            """// Rounded by itself: never part of a fused multiply-add.
template <typename T> static __device__ inline T unfused_sub(T a, T b) {
#pragma clang fp contract(off)
    return a - b;
}"""
        ),
        "saturate_number": Helper(
            """// CUDA's __saturatef: to [0, 1], and 0 for NaN.
static __device__ inline float saturate_number(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }"""
        ),
        "dot_4_bytes": Helper(
            """// CUDA's __dp4a: c plus the four products of bytes.
static __device__ inline int dot_4_bytes(int a, int b, int c) {
    for (int i = 0; i < 4; ++i) c += (int)(signed char)(a >> 8 * i) * (int)(signed char)(b >> 8 * i);
    return c;
}
static __device__ inline unsigned dot_4_bytes(unsigned a, unsigned b, unsigned c) {
    for (int i = 0; i < 4; ++i) c += (a >> 8 * i & 255u) * (b >> 8 * i & 255u);
    return c;
}
static __device__ inline int dot_4_bytes(char4 a, char4 b, int c) {
    return c + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}
static __device__ inline unsigned dot_4_bytes(uchar4 a, uchar4 b, unsigned c) {
    return c + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}"""
        ),
        "device_sleep": Helper(
            """// CUDA's __nanosleep: a hint, about 64 clocks here.
static __device__ inline void device_sleep(unsigned) { __builtin_amdgcn_s_sleep(1); }"""
        ),
    }
)
"""Helper -> definition, in the order in which a file carries them."""


def definitions(needed: Iterable[str]) -> str:
    """The texts of the needed helpers and of what they require, each once, in the order of the table."""
    wanted: set[str] = set()
    todo = list(needed)
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo += HELPERS[name].requires
    return "\n\n".join(helper.text for name, helper in HELPERS.items() if name in wanted)
