"""Small C++ functions that generated code may call; each is emitted only where used.

A helper is a name,
    its text and the helpers that it needs. `emit` orders them by dependency. They give C++ the GPU's
rules: half and bfloat16 with one rounding an operation, clamping float -> int conversions,
    min/max that prefer numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

_TEXTS: tuple[str, ...] = (
    # ------------------------------------------------------------------------------------------ 16-bit floats
    """\
struct half {
    uint16_t bits;
};""",
    """\
struct bfloat16 {
    uint16_t bits;
};""",
    """\
static inline float half_to_float(half h) {
    return _mm_cvtss_f32(_mm_maskz_cvtph_ps(0xf, _mm_cvtsi32_si128(h.bits)));
}""",
    """\
static inline half float_to_half(float x) {
    return bits_as<half>((uint16_t)_mm_cvtsi128_si32(_mm_maskz_cvtps_ph(0xf, _mm_set_ss(x),
        _MM_FROUND_TO_NEAREST_INT)));
}""",
    """\
static inline float round_to_half(float x) {
    return half_to_float(float_to_half(x));
}""",
    """\
// The nearest float with an odd last bit unless exact: rounding it once more to 16 bits rounds x correctly.
static inline float round_to_odd(double x) {
    float nearest = (float)x;
    if (nearest != nearest || (double)nearest == x || __builtin_isinf(x)) return nearest;
    uint32_t bits = bits_as<uint32_t>(nearest);
    if (bits & 1u) return nearest;
    bool too_far = __builtin_fabs((double)nearest) > __builtin_fabs(x);
    return bits_as<float>(too_far ? bits - 1u : bits + 1u);
}""",
    """\
static inline float bfloat16_to_float(bfloat16 b) {
    return bits_as<float>((uint32_t)b.bits << 16);
}""",
    """\
static inline bfloat16 float_to_bfloat16(float x) {
    uint32_t bits = bits_as<uint32_t>(x);
    if (x != x) return bits_as<bfloat16>((uint16_t)((bits >> 16) | 0x40u));
    return bits_as<bfloat16>((uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16));
}""",
    """\
static inline float round_to_bfloat16(float x) {
    return bfloat16_to_float(float_to_bfloat16(x));
}""",
    # ---------------------------------------------------------------------- bits and memory
    """\
template <class To, class From>
static inline To bits_as(From value) {
    static_assert(sizeof(To) == sizeof(From), "same width");
    To result;
    __builtin_memcpy(&result, &value, sizeof result);
    return result;
}""",
    """\
template <class T>
static inline T load_as(const void *array, int64_t index) {
    T value;
    __builtin_memcpy(&value, (const char *)array + index * (int64_t)sizeof(T), sizeof value);
    return value;
}""",
    """\
template <class T>
static inline void store_as(void *array, int64_t index, T value) {
    __builtin_memcpy((char *)array + index * (int64_t)sizeof(T), &value, sizeof value);
}""",
    """\
// Heap memory of one scope, aligned for vectors.
template <class T>
struct Buffer {
    T *data;
    explicit Buffer(size_t n) : data((T *)_mm_malloc((n * sizeof(T) | 63) + 1, 64)) {
        if (!data) abort();
    }
    ~Buffer() { _mm_free(data); }
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    operator T *() { return data; }
    template <class U>
    explicit operator U *() { return (U *)data; }
};""",
    # ------------------------------------------------------------------------------------------ numbers
    """\
// float to integer as on GPUs: toward zero, clamped to the range; NaN gives 0, or the top bit where either
// type has 64 bits.
template <class To, class From>
static inline To clamp_to(From x) {
    const bool has_sign = (To)-1 < (To)0;
    const To high = (To)(~(uint64_t)0 >> (64 - 8 * sizeof(To) + has_sign)), low = has_sign
        ? (To)(-high - 1) : (To)0;
    if (x != x)
        return (sizeof(To) < 8 && sizeof(From) < 8) || (sizeof(To) < 4 && !has_sign) ? (To)0
             : (To)((uint64_t)1 << (8 * sizeof(To) - 1));
    if (x <= (From)low) return low;
    return x >= (From)high ? high : (To)x;
}""",
    """\
template <class T>
static inline T minimum(T a, T b) {
    return a < b || b != b ? a : b;  // of a number and a NaN: the number
}""",
    """\
template <class T>
static inline T maximum(T a, T b) {
    return a > b || b != b ? a : b;  // of a number and a NaN: the number
}""",
    """\
template <class T>
static inline T saturate(T x) {
    return x >= 1 ? (T)1 : x > 0 ? x : (T)0;
}""",
    """\
// Shifts as on GPUs: by the width or more shifts everything out.
template <class T, class N>
static inline T shift_left(T value, N count) {
    return (uint64_t)count >= sizeof(T) * 8 ? (T)0 : (T)(value << count);
}""",
    """\
template <class T, class N>
static inline T shift_right(T value, N count) {
    return (uint64_t)count >= sizeof(T) * 8 ? (T)(value < 0 ? -1 : 0) : (T)(value >> count);
}""",
    """\
template <class T>
static inline T multiply_high(T a, T b) {
    return (T)(((__int128)a * (__int128)b) >> (sizeof(T) * 8));
}""",
    """\
template <class T>
static inline T multiply_24(T a, T b) {
    const T x = (T)((uint32_t)a << 8) >> 8, y = (T)((uint32_t)b << 8) >> 8;
    return (T)((uint32_t)x * (uint32_t)y);
}""",
    """\
template <class T>
static inline int count_leading_zeros(T x) {
    if (x == 0) return (int)sizeof(T) * 8;
    return sizeof(T) == 8 ? __builtin_clzll((uint64_t)x) : __builtin_clz((uint32_t)x);
}""",
    """\
template <class T>
static inline T reverse_bits(T x) {
    uint64_t result = 0;
    for (unsigned i = 0; i < sizeof(T) * 8;
        ++i) result |= (uint64_t)(((uint64_t)x >> i) & 1u) << (sizeof(T) * 8 - 1 - i);
    return (T)result;
}""",
    """\
static inline uint32_t byte_permute(uint32_t x, uint32_t y, uint32_t selector) {
    uint64_t bytes = (uint64_t)y << 32 | x;
    uint32_t result = 0;
    for (int i = 0; i < 4; ++i) {
        uint32_t pick = selector >> (4 * i);
        uint32_t byte = (uint32_t)(bytes >> (8 * (pick & 7u))) & 0xffu;
        if (pick & 8u) byte = byte & 0x80u ? 0xffu : 0u;
        result |= byte << (8 * i);
    }
    return result;
}""",
    """\
static inline uint32_t funnel_shift_left(uint32_t low, uint32_t high, uint32_t count) {
    return (uint32_t)((((uint64_t)high << 32 | low) << (count & 31u)) >> 32);
}""",
    """\
static inline uint32_t funnel_shift_right(uint32_t low, uint32_t high, uint32_t count) {
    return (uint32_t)(((uint64_t)high << 32 | low) >> (count & 31u));
}""",
    """\
template <class Byte, class T>
static inline T dot_4_bytes(T a, T b, T sum) {
    uint32_t total = (uint32_t)sum;
    for (int i = 0; i < 4;
        ++i) total += (uint32_t)((int)(Byte)((uint32_t)a >> (8 * i)) * (int)(Byte)((uint32_t)b >> (8 * i)));
    return (T)total;
}""",
    """\
template <class T>
static inline uint32_t sum_abs_difference(T a, T b, uint32_t sum) {
    return sum + (a > b ? (uint32_t)a - (uint32_t)b : (uint32_t)b - (uint32_t)a);
}""",
    """\
// The inverse of erf: a rational start (M. Giles) and two Newton steps.
static inline double inverse_erf(double x) {
    if (x <= -1 || x >= 1 || x != x) return x == 1 ? HUGE_VAL : x == -1 ? -HUGE_VAL : (double)NAN;
    double w = -log((1 - x) * (1 + x)), p;
    if (w < 5) {
        w -= 2.5;
        p = 2.81022636e-08;
        const double c[] = {3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
                            -0.00125372503, -0.00417768164, 0.246640727, 1.50140941};
        for (double k : c) p = k + p * w;
    } else {
        w = sqrt(w) - 3;
        p = -0.000200214257;
        const double c[] = {0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
                            -0.0076224613, 0.00943887047, 1.00167406, 2.83297682};
        for (double k : c) p = k + p * w;
    }
    double y = p * x;
    for (int i = 0; i < 2; ++i) {
        double error = x > 0 ? -(erfc(y) - (1 - x)) : erf(y) - x;
        y -= error / (1.1283791670955126 * exp(-y * y));
    }
    return y;
}""",
    """\
static inline double sin_pi(double x) {
    double turn = x - 2 * round(x / 2);
    return turn == trunc(turn) && !isnan(turn) ? copysign(0.0, x) : sin(3.141592653589793 * turn);
}""",
    """\
static inline double cos_pi(double x) {
    double turn = fabs(x - 2 * round(x / 2));
    return turn == 0.5 ? 0.0 : cos(3.141592653589793 * turn);
}""",
    # ------------------------------------------------------------------------------------------ atomics
    """\
// Read, modify and write one element as a whole; returns the old value. `Bits` has the width of T.
template <class Bits, class T, class F>
static inline T atomic_update(T *place, F change) {
    Bits expected = __atomic_load_n((Bits *)place, __ATOMIC_RELAXED);
    for (;;) {
        T old = bits_as<T>(expected);
        Bits desired = bits_as<Bits>((T)change(old));
        if (__atomic_compare_exchange_n((Bits *)place, &expected, desired, false, __ATOMIC_RELAXED,
            __ATOMIC_RELAXED))
            return old;
    }
}""",
    # ------------------------------------------------------------------------------------------ traps
    """\
static inline void abort_unless(bool holds, const char *message) {
    if (holds) return;
    fprintf(stderr, "%s\\n", message);
    abort();
}""",
)

_NAME = re.compile(r"^(?:static (?:inline|__device__)\s+.*?(\w+)\(|struct (\w+) \{)", re.M)


def _name(text: str) -> str:
    match = _NAME.search(text)
    assert match is not None, text
    return match.group(1) or match.group(2)


def registry(texts: Iterable[str]) -> dict[str, str]:
    """Helpers by the name that each text defines."""
    return {_name(text): text for text in texts}


HELPERS: dict[str, str] = registry(_TEXTS)


@cache
def needs(text: str, known: frozenset[str]) -> tuple[str, ...]:
    """The helpers that a text mentions, in order of mention."""
    own = _name(text)
    return tuple(dict.fromkeys(w for w in re.findall(r"[A-Za-z_]\w*", text) if w in known and w != own))


def used_in(text: str, helpers: dict[str, str]) -> tuple[str, ...]:
    """Names of the helpers that a piece of generated code mentions."""
    words = dict.fromkeys(re.findall(r"[A-Za-z_]\w*", text))
    return tuple(w for w in words if w in helpers)


def emit(names: Iterable[str], helpers: dict[str, str]) -> list[str]:
    """Texts of the helpers, each after those that it needs."""
    known = frozenset(helpers)
    done: dict[str, str] = {}

    def visit(name: str) -> None:
        if name in done:
            return
        for other in needs(helpers[name], known):
            visit(other)
        done[name] = helpers[name]

    for name in names:
        visit(name)
    return list(done.values())
