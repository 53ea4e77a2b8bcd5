"""What a translated CUDA file defines itself: what AMD's compiler has built in, and waves of 64."""

from __future__ import annotations

from collections.abc import Iterable

from xpiler.backend.hip_helper import Helper


def _arithmetic(op: str) -> str:
    return (
        f"    friend __device__ __host__ lanes operator{op}(lanes a, const lanes& b) {{\n"
        f"        for (int i = 0; i < N; ++i) a.at[i] = a.at[i] {op} b.at[i];\n"
        f"        return a;\n"
        f"    }}\n"
        f"    __device__ __host__ lanes& operator{op}=(const lanes& b) {{ return *this = *this {op} b; }}"
    )


_LANES = (
    """// A vector of N elements with element-wise arithmetic, as the ext_vector_type of AMD's compiler.
template <class T, int N>
struct lanes_data {
    T at[N];
};
template <class T>
struct lanes_data<T, 2> {
    union {
        T at[2];
        struct { T x, y; };
    };
};
template <class T>
struct lanes_data<T, 4> {
    union {
        T at[4];
        struct { T x, y, z, w; };
    };
};
template <class T, int N>
struct alignas(sizeof(T) * N > 16 ? 16 : sizeof(T) * N) lanes : lanes_data<T, N> {
    using lanes_data<T, N>::at;
    lanes() = default;
    __device__ __host__ lanes(T value) {
        for (int i = 0; i < N; ++i) at[i] = value;
    }
    template <class A, class B, class... Rest>
    __device__ __host__ lanes(A first, B second, Rest... rest) {
        const T given[] = {(T)first, (T)second, (T)rest...};
        for (int i = 0; i < N; ++i) at[i] = i < (int)sizeof...(Rest) + 2 ? given[i] : T(0);
    }
    __device__ __host__ T& operator[](int i) { return at[i]; }
    __device__ __host__ const T& operator[](int i) const { return at[i]; }
"""
    + "\n".join(_arithmetic(op) for op in "+-*/")
    + "\n};"
)


def _operators(scalar: str, kind: str, count: int) -> str:
    """HIP's element-wise operators of one vector type."""
    lanes = "xyzw"[:count]
    head = "static __device__ __host__ __forceinline__"
    lines = [f"// Element-wise arithmetic of {kind}, as HIP has it."]
    for op in "+-*/":
        both = ", ".join(f"a.{lane} {op} b.{lane}" for lane in lanes)
        right = ", ".join(f"a.{lane} {op} b" for lane in lanes)
        left = ", ".join(f"a {op} b.{lane}" for lane in lanes)
        lines += [
            f"{head} {kind} operator{op}({kind} a, {kind} b) {{ return make_{kind}({both}); }}",
            f"{head} {kind} operator{op}({kind} a, {scalar} b) {{ return make_{kind}({right}); }}",
            f"{head} {kind} operator{op}({scalar} a, {kind} b) {{ return make_{kind}({left}); }}",
            f"{head} {kind}& operator{op}=({kind}& a, {kind} b) {{ return a = a {op} b; }}",
            f"{head} {kind}& operator{op}=({kind}& a, {scalar} b) {{ return a = a {op} b; }}",
        ]
    return "\n".join(lines)


_SCALARS = {
    "float": "float",
    "double": "double",
    "int": "int",
    "uint": "unsigned",
    "long": "long",
    "ulong": "unsigned long",
}

HELPERS: dict[str, Helper] = {
    f"operators_{base}{count}": Helper(_operators(scalar, f"{base}{count}", count))
    for base, scalar in _SCALARS.items()
    for count in (2, 3, 4)
} | {
    "lanes": Helper(_LANES),
    "median_of": Helper(
        """// The middle one of three.
static __device__ __forceinline__ float median_of(float a, float b, float c) {
    return fmaxf(fminf(a, b), fminf(fmaxf(a, b), c));
}"""
    ),
    "dot_2_halves": Helper(
        """// c + a.x * b.x + a.y * b.y in float.
template <class Pair>
static __device__ __forceinline__ float dot_2_halves(Pair a, Pair b, float c) {
    return c + (float)a[0] * (float)b[0] + (float)a[1] * (float)b[1];
}"""
    ),
    "lane_number": Helper(
        """// The lane of this thread in its warp.
static __device__ __forceinline__ int lane_number() {
    return ((threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x) % 32;
}"""
    ),
    "lanes_before": Helper(
        """// How many of the lanes below this one are in the mask, plus `base`.
static __device__ __forceinline__ int lanes_before(unsigned mask, int base) {
    return base + __popc(mask & ((1u << lane_number()) - 1));
}""",
        ("lane_number",),
    ),
    "wave": Helper(
        """// Waves of 64 lanes on warps of 32: the two warps of a wave meet at a barrier of their own and
// exchange values through shared memory. All lanes of a wave have to take part.
static constexpr int wave_size = 64;
static __device__ __forceinline__ unsigned wave_thread() {
    return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
}
static __device__ __forceinline__ int wave_lane() { return wave_thread() % 64; }
static __device__ __forceinline__ void wave_meet() {
    const unsigned wave = wave_thread() / 64, rest = blockDim.x * blockDim.y * blockDim.z - wave * 64;
    if (wave >= 15) __trap();  // there are 16 barriers, one of which is __syncthreads
    __barrier_sync_count(wave + 1, rest >= 64 ? 64 : (rest + 31) / 32 * 32);
}
static __device__ __forceinline__ unsigned long long* wave_slots() {
    __shared__ unsigned long long slots[960];
    return slots + wave_thread() / 64 * 64;
}"""
    ),
    "wave_read": Helper(
        """// The value of another lane of the wave.
template <class T>
static __device__ __forceinline__ T wave_read(T value, int lane) {
    static_assert(sizeof(T) <= 8, "values of up to eight bytes are exchanged");
    unsigned long long* slots = wave_slots();
    memcpy(&slots[wave_lane()], &value, sizeof(T));
    wave_meet();
    memcpy(&value, &slots[lane & 63], sizeof(T));
    wave_meet();
    return value;
}""",
        ("wave",),
    ),
    "wave_shfl": Helper(
        """template <class T>
static __device__ __forceinline__ T wave_shfl(T value, int source, int width = 64) {
    return wave_read(value, (wave_lane() & ~(width - 1)) + (source & (width - 1)));
}""",
        ("wave_read",),
    ),
    "wave_shfl_up": Helper(
        """template <class T>
static __device__ __forceinline__ T wave_shfl_up(T value, unsigned delta, int width = 64) {
    const int lane = wave_lane(), source = lane - (int)delta;
    return wave_read(value, source < (lane & ~(width - 1)) ? lane : source);
}""",
        ("wave_read",),
    ),
    "wave_shfl_down": Helper(
        """template <class T>
static __device__ __forceinline__ T wave_shfl_down(T value, unsigned delta, int width = 64) {
    const int lane = wave_lane();
    return wave_read(value, (lane & (width - 1)) + (int)delta >= width ? lane : lane + (int)delta);
}""",
        ("wave_read",),
    ),
    "wave_shfl_xor": Helper(
        """template <class T>
static __device__ __forceinline__ T wave_shfl_xor(T value, int mask, int width = 64) {
    const int lane = wave_lane(), source = lane ^ mask;
    return wave_read(value, source > (lane | (width - 1)) ? lane : source);
}""",
        ("wave_read",),
    ),
    "wave_ballot": Helper(
        """// One bit a lane, for all 64 lanes of the wave.
static __device__ __forceinline__ unsigned long long wave_ballot(int predicate) {
    unsigned long long* slots = wave_slots();
    const unsigned long long half = __ballot_sync(0xffffffffu, predicate);
    const bool both = wave_thread() / 64 * 64 + 32 < blockDim.x * blockDim.y * blockDim.z;
    if (wave_lane() % 32 == 0) slots[wave_lane()] = half;
    wave_meet();
    const unsigned long long result = slots[0] | (both ? slots[32] << 32 : 0);
    wave_meet();
    return result;
}""",
        ("wave",),
    ),
    "wave_any": Helper(
        "static __device__ __forceinline__ int wave_any(int predicate) {\n"
        "    return wave_ballot(predicate) != 0;\n}",
        ("wave_ballot",),
    ),
    "wave_all": Helper(
        "static __device__ __forceinline__ int wave_all(int predicate) {\n"
        "    return wave_ballot(!predicate) == 0;\n}",
        ("wave_ballot",),
    ),
    "wave_lanes_before": Helper(
        """// How many of the lanes below this one, in the half that `shift` names, the mask has; plus `base`.
static __device__ __forceinline__ int wave_lanes_before(unsigned mask, int base, int shift) {
    return base + __popc(mask & (unsigned)(((1ull << wave_lane()) - 1) >> shift));
}""",
        ("wave",),
    ),
    "wave_dpp": Helper(
        """// AMD's DPP: rows of 16 lanes shift, rotate, mirror and broadcast, by a control word.
static __device__ __forceinline__ int wave_dpp(int old, int value, int control, int rows, int banks,
                                               bool bound) {
    const int lane = wave_lane();
    int source = lane, row = lane & ~15, in_row = lane & 15, n = control & 15;
    bool valid = true;
    if (control <= 0xff) source = (lane & ~3) | (control >> 2 * (lane & 3) & 3);
    else if (control >> 4 == 0x10) { source = lane + n; valid = in_row + n < 16; }
    else if (control >> 4 == 0x11) { source = lane - n; valid = in_row >= n; }
    else if (control >> 4 == 0x12) source = row | ((in_row - n) & 15);
    else if (control == 0x130) { source = lane + 1; valid = lane < 63; }
    else if (control == 0x134) source = (lane + 1) & 63;
    else if (control == 0x138) { source = lane - 1; valid = lane > 0; }
    else if (control == 0x13c) source = (lane - 1) & 63;
    else if (control == 0x140) source = row | (15 - in_row);
    else if (control == 0x141) source = (lane & ~7) | (7 - (lane & 7));
    else if (control == 0x142) { source = row - 1; valid = lane >= 16; }
    else if (control == 0x143) { source = 31; valid = lane >= 32; }
    const int moved = wave_read(value, valid ? source : lane);
    if (!(rows >> lane / 16 & 1) || !(banks >> (lane & 15) / 4 & 1)) return old;
    return valid ? moved : bound ? 0 : old;
}""",
        ("wave_read",),
    ),
    "wave_swizzle": Helper(
        """// AMD's ds_swizzle: and, or and exclusive or on the lane within 32, or a permutation of four.
static __device__ __forceinline__ int wave_swizzle(int value, int pattern) {
    const int lane = wave_lane(), in = lane & 31;
    const int source = pattern & 0x8000 ? (in & ~3) | (pattern >> 2 * (in & 3) & 3)
                                        : ((in & pattern & 31) | (pattern >> 5 & 31)) ^ (pattern >> 10 & 31);
    return wave_read(value, (lane & 32) | source);
}""",
        ("wave_read",),
    ),
    "wave_mfma": Helper(
        """// A matrix instruction of AMD's CDNA: D = C + A * B for each of `Blocks` tiles, by one wave. Each
// lane holds its own elements of A, B and C in the registers where the hardware has them.
template <class T> struct mfma_element {
    using sum = float;
    static __device__ __forceinline__ float value(const T& x) { return (float)x; }
};
template <> struct mfma_element<signed char> {
    using sum = int;
    static __device__ __forceinline__ int value(signed char x) { return x; }
};
template <> struct mfma_element<double> {
    using sum = double;
    static __device__ __forceinline__ double value(double x) { return x; }
};
template <> struct mfma_element<short> {  // the bits of a bfloat16
    using sum = float;
    static __device__ __forceinline__ float value(short x) { return __int_as_float((int)x << 16); }
};
template <int M, int K, int Blocks, class T, class A, class B, class C>
static __device__ __forceinline__ C wave_mfma(A a, B b, C c) {
    using Sum = typename mfma_element<T>::sum;
    constexpr int in = M * K * Blocks / 64, out = M * M * Blocks / 64;
    constexpr bool wide = sizeof(T) == 8;
    static_assert(sizeof(A) == in * sizeof(T) && sizeof(B) == in * sizeof(T) && sizeof(A) <= 8, "operands");
    static_assert(sizeof(C) == out * sizeof(Sum), "accumulator");
    __shared__ unsigned long long other[960];
    unsigned long long *left = wave_slots(), *right = other + wave_thread() / 64 * 64;
    const int lane = wave_lane();
    memcpy(&left[lane], &a, sizeof(A));
    memcpy(&right[lane], &b, sizeof(B));
    wave_meet();
    Sum* sums = reinterpret_cast<Sum*>(&c);
    for (int r = 0; r < out; ++r) {
        const int row = wide ? (M == 16 ? 4 * r + lane / 16 : lane / 16)
                      : M == 32 ? 8 * (r / 4 % 4) + 4 * (lane / 32) + r % 4
                      : M == 16 ? 4 * (lane / 16) + r % 4 : r;
        const int column = lane % M;
        const int block = M == 4 ? (wide ? lane / 4 % 4 : lane / 4) : r / (M * M / 64);
        for (int k = 0; k < K; ++k) {
            const int group = Blocks == 1 ? k / in : block;
            const int element = wide ? 0 : Blocks == 1 ? k % in : k;
            const int base = wide ? (M == 16 ? 16 * k : 16 * k + 4 * block) : M * group;
            const T x = reinterpret_cast<const T*>(&left[base + row])[element];
            const T y = reinterpret_cast<const T*>(&right[base + column])[element];
            sums[r] += mfma_element<T>::value(x) * mfma_element<T>::value(y);
        }
    }
    wave_meet();
    return c;
}""",
        ("wave",),
    ),
}


def definitions(needed: Iterable[str]) -> str:
    """The texts of the helpers asked for, each after those that it relies on."""
    order: dict[str, None] = {}

    def add(name: str) -> None:
        for required in HELPERS[name].requires:
            add(required)
        order[name] = None

    for name in sorted(needed):
        add(name)
    return "\n".join(HELPERS[name].text for name in order) + "\n"
