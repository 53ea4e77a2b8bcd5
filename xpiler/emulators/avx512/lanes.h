// Vector types, and functions over their lanes; every intrinsic is one of these with a formula.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmath>
#include <limits>
#include <type_traits>

#pragma GCC diagnostic ignored "-Wpsabi"
#pragma GCC diagnostic ignored "-Wignored-attributes"

typedef float __m128 __attribute__((vector_size(16), may_alias));
typedef float __m256 __attribute__((vector_size(32), may_alias));
typedef float __m512 __attribute__((vector_size(64), may_alias));
typedef double __m128d __attribute__((vector_size(16), may_alias));
typedef double __m256d __attribute__((vector_size(32), may_alias));
typedef double __m512d __attribute__((vector_size(64), may_alias));
typedef long long __m128i __attribute__((vector_size(16), may_alias));
typedef long long __m256i __attribute__((vector_size(32), may_alias));
typedef long long __m512i __attribute__((vector_size(64), may_alias));
typedef short __m128bh __attribute__((vector_size(16), may_alias));
typedef short __m256bh __attribute__((vector_size(32), may_alias));
typedef short __m512bh __attribute__((vector_size(64), may_alias));
typedef unsigned short __bfloat16;
typedef unsigned char __mmask8;
typedef unsigned short __mmask16;
typedef unsigned int __mmask32;
typedef unsigned long long __mmask64;
typedef int _MM_CMPINT_ENUM;
typedef int _MM_PERM_ENUM;

enum { _MM_CMPINT_EQ, _MM_CMPINT_LT, _MM_CMPINT_LE, _MM_CMPINT_UNUSED, _MM_CMPINT_NE, _MM_CMPINT_NLT, _MM_CMPINT_GE = 5, _MM_CMPINT_NLE, _MM_CMPINT_GT = 6 };
enum {
    _CMP_EQ_OQ, _CMP_LT_OS, _CMP_LE_OS, _CMP_UNORD_Q, _CMP_NEQ_UQ, _CMP_NLT_US, _CMP_NLE_US, _CMP_ORD_Q,
    _CMP_EQ_UQ, _CMP_NGE_US, _CMP_NGT_US, _CMP_FALSE_OQ, _CMP_NEQ_OQ, _CMP_GE_OS, _CMP_GT_OS, _CMP_TRUE_UQ,
    _CMP_EQ_OS, _CMP_LT_OQ, _CMP_LE_OQ, _CMP_UNORD_S, _CMP_NEQ_US, _CMP_NLT_UQ, _CMP_NLE_UQ, _CMP_ORD_S,
    _CMP_EQ_US, _CMP_NGE_UQ, _CMP_NGT_UQ, _CMP_FALSE_OS, _CMP_NEQ_OS, _CMP_GE_OQ, _CMP_GT_OQ, _CMP_TRUE_US
};
enum {
    _MM_FROUND_TO_NEAREST_INT = 0, _MM_FROUND_TO_NEG_INF = 1, _MM_FROUND_TO_POS_INF = 2, _MM_FROUND_TO_ZERO = 3,
    _MM_FROUND_CUR_DIRECTION = 4, _MM_FROUND_RAISE_EXC = 0, _MM_FROUND_NO_EXC = 8
};
typedef enum { _MM_MANT_NORM_1_2, _MM_MANT_NORM_p5_2, _MM_MANT_NORM_p5_1, _MM_MANT_NORM_p75_1p5 } _MM_MANTISSA_NORM_ENUM;
typedef enum { _MM_MANT_SIGN_src, _MM_MANT_SIGN_zero, _MM_MANT_SIGN_nan } _MM_MANTISSA_SIGN_ENUM;
enum { _MM_HINT_ET0 = 7, _MM_HINT_T0 = 3, _MM_HINT_T1 = 2, _MM_HINT_T2 = 1, _MM_HINT_NTA = 0 };
#define _MM_SHUFFLE(z, y, x, w) (((z) << 6) | ((y) << 4) | ((x) << 2) | (w))

namespace xpavx {

template <class T, class V>
constexpr int count = static_cast<int>(sizeof(V) / sizeof(T));

template <class T, int N>
struct Array {
    T at[N];
};
template <class T, class V>
static inline Array<T, count<T, V>> lanes(V v) {
    Array<T, count<T, V>> a;
    memcpy(&a, &v, sizeof a);
    return a;
}
template <class V, class T, int N>
static inline V join(const Array<T, N>& a) {
    static_assert(sizeof a == sizeof(V));
    V v;
    memcpy(&v, &a, sizeof v);
    return v;
}
template <class To, class From>
static inline To bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
template <class V>
static inline V load(const void* p) {
    V v;
    memcpy(&v, p, sizeof v);
    return v;
}
template <class V>
static inline V load_aligned(const void* p) {
    if (reinterpret_cast<uintptr_t>(p) % sizeof(V)) abort();  // the instruction faults
    return load<V>(p);
}
template <class V>
static inline void store(void* p, V v) {
    memcpy(p, &v, sizeof v);
}
template <class V>
static inline void store_aligned(void* p, V v) {
    if (reinterpret_cast<uintptr_t>(p) % sizeof(V)) abort();
    store(p, v);
}

template <class T, class V, class F>
static inline V map(V a, F f) {
    auto x = lanes<T>(a);
    for (auto& e : x.at) e = static_cast<T>(f(e));
    return join<V>(x);
}
template <class T, class V, class F>
static inline V zip(V a, V b, F f) {
    auto x = lanes<T>(a);
    const auto y = lanes<T>(b);
    for (int i = 0; i < count<T, V>; ++i) x.at[i] = static_cast<T>(f(x.at[i], y.at[i]));
    return join<V>(x);
}
template <class T, class V, class F>
static inline V zip3(V a, V b, V c, F f) {
    auto x = lanes<T>(a);
    const auto y = lanes<T>(b), z = lanes<T>(c);
    for (int i = 0; i < count<T, V>; ++i) x.at[i] = static_cast<T>(f(x.at[i], y.at[i], z.at[i]));
    return join<V>(x);
}
// f(i) for each lane i of the result.
template <class T, class V, class F>
static inline V build(F f) {
    Array<T, count<T, V>> x;
    for (int i = 0; i < count<T, V>; ++i) x.at[i] = static_cast<T>(f(i));
    return join<V>(x);
}
template <class T, class V>
static inline V merge(uint64_t k, V a, V otherwise) {
    const auto x = lanes<T>(a);
    auto y = lanes<T>(otherwise);
    for (int i = 0; i < count<T, V>; ++i)
        if (k >> i & 1) y.at[i] = x.at[i];
    return join<V>(y);
}
template <class T, class V, class F>
static inline uint64_t test(V a, V b, F f) {
    const auto x = lanes<T>(a), y = lanes<T>(b);
    uint64_t k = 0;
    for (int i = 0; i < count<T, V>; ++i) k |= static_cast<uint64_t>(f(x.at[i], y.at[i])) << i;
    return k;
}
// Lane by lane into another element type; lanes beyond the result's are dropped, missing ones are zero.
template <class From, class To, class VTo, class V, class F>
static inline VTo convert(V a, F f) {
    const auto x = lanes<From>(a);
    Array<To, count<To, VTo>> y{};
    for (int i = 0; i < count<To, VTo> && i < count<From, V>; ++i) y.at[i] = static_cast<To>(f(x.at[i]));
    return join<VTo>(y);
}
template <class T, class V>
static inline V masked_load(uint64_t k, const void* p, V otherwise) {
    auto x = lanes<T>(otherwise);
    for (int i = 0; i < count<T, V>; ++i)
        if (k >> i & 1) memcpy(&x.at[i], static_cast<const T*>(p) + i, sizeof(T));
    return join<V>(x);
}
template <class T, class V>
static inline void masked_store(void* p, uint64_t k, V v) {
    const auto x = lanes<T>(v);
    for (int i = 0; i < count<T, V>; ++i)
        if (k >> i & 1) memcpy(static_cast<T*>(p) + i, &x.at[i], sizeof(T));
}
// The reduction tree of the compilers: halves are combined, 16 -> 8 -> 4 -> 2 -> 1.
template <class T, class V, class F>
static inline T reduce(V v, F f) {
    auto x = lanes<T>(v);
    for (int n = count<T, V> / 2; n; n /= 2)
        for (int i = 0; i < n; ++i) x.at[i] = static_cast<T>(f(x.at[i], x.at[i + n]));
    return x.at[0];
}

template <class To, class From>
static inline To clamp(From v) {
    using Wide = long long;
    const Wide low = static_cast<Wide>(std::numeric_limits<To>::min()), high = static_cast<Wide>(std::numeric_limits<To>::max());
    const Wide w = static_cast<Wide>(v);
    return static_cast<To>(w < low ? low : w > high ? high : w);
}
template <class T>
static inline T greater_of(T a, T b) {
    return a > b ? a : b;
}
template <class T>
static inline T less_of(T a, T b) {
    return a < b ? a : b;
}

template <class T>
static inline T rounded(T v, int mode) {
    switch (mode & 7) {
        case _MM_FROUND_TO_NEG_INF: return std::floor(v);
        case _MM_FROUND_TO_POS_INF: return std::ceil(v);
        case _MM_FROUND_TO_ZERO: return std::trunc(v);
        default: return std::nearbyint(v);
    }
}
// Float to integer: out of range and NaN give the "integer indefinite", 0x80... signed and 0xff... unsigned.
template <class To, class From>
static inline To to_integer(From v, int mode) {
    const From r = rounded(v, mode);
    constexpr To indefinite = std::is_signed_v<To> ? std::numeric_limits<To>::min() : std::numeric_limits<To>::max();
    const From limit = std::ldexp(From(1), static_cast<int>(8 * sizeof(To)) - std::is_signed_v<To>);
    if (!(r < limit) || !(std::is_signed_v<To> ? r >= -limit : r >= 0)) return indefinite;
    return static_cast<To>(r);
}
template <class T>
static inline bool compare(T a, T b, int predicate) {
    const bool unordered = a != a || b != b;
    switch (predicate & 15) {
        case 0: return a == b;
        case 1: return a < b;
        case 2: return a <= b;
        case 3: return unordered;
        case 4: return !(a == b);
        case 5: return !(a < b);
        case 6: return !(a <= b);
        case 7: return !unordered;
        case 8: return unordered || a == b;
        case 9: return !(a >= b);
        case 10: return !(a > b);
        case 11: return false;
        case 12: return !unordered && a != b;
        case 13: return a >= b;
        case 14: return a > b;
        default: return true;
    }
}
template <class T>
static inline bool compare_integers(T a, T b, int predicate) {
    switch (predicate & 7) {
        case 0: return a == b;
        case 1: return a < b;
        case 2: return a <= b;
        case 3: return false;
        case 4: return a != b;
        case 5: return a >= b;
        case 6: return a > b;
        default: return true;
    }
}

static inline float half_to_float(uint16_t h) {
    const int exponent = h >> 10 & 31, mantissa = h & 1023;
    if (exponent == 31 && mantissa) return bits<float>(static_cast<uint32_t>(h & 0x8000) << 16 | 0x7fc00000u | static_cast<uint32_t>(mantissa) << 13);
    const float size = exponent == 31 ? INFINITY : exponent ? std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25) : std::ldexp(static_cast<float>(mantissa), -24);
    return h & 0x8000 ? -size : size;
}
static inline uint16_t float_to_half(float f, int mode) {
    const auto raw = bits<uint32_t>(f);
    const uint16_t sign = static_cast<uint16_t>(raw >> 16 & 0x8000);
    if (f != f) return static_cast<uint16_t>(sign | 0x7e00 | (raw >> 13 & 0x1ff));
    const float size = std::fabs(f);
    mode &= 7;
    const bool away = (mode == 2 && !sign) || (mode == 1 && sign), toward = mode >= 1 && mode <= 3 && !away;
    if (std::isinf(size)) return sign | 0x7c00;
    int exponent = size > 0 ? std::ilogb(size) : -14;
    if (exponent < -14) exponent = -14;
    if (exponent > 15) return sign | (toward ? 0x7bff : 0x7c00);
    const float units = std::ldexp(size, 10 - exponent);
    float whole = std::floor(units);
    const float rest = units - whole;
    if (mode == 0 || mode == 4 ? rest > 0.5f || (rest == 0.5f && std::fmod(whole, 2.0f) == 1.0f) : away && rest > 0) whole += 1;
    return static_cast<uint16_t>(sign | ((static_cast<unsigned>(exponent + 14) << 10) + static_cast<unsigned>(whole)));
}
static inline float bfloat_to_float(uint16_t b) { return bits<float>(static_cast<uint32_t>(b) << 16); }
static inline uint16_t float_to_bfloat(float f) {
    const auto raw = bits<uint32_t>(f);
    if (f != f) return static_cast<uint16_t>(raw >> 16 | 0x40);
    if (!(raw & 0x7f800000u)) return static_cast<uint16_t>(raw >> 16 & 0x8000);  // subnormals become zero
    return static_cast<uint16_t>((raw + 0x7fff + (raw >> 16 & 1)) >> 16);
}
static inline float flush(float f) { return bits<uint32_t>(f) & 0x7f800000u ? f : std::copysign(0.0f, f); }

}  // namespace xpavx

// For each width: M(prefix, vector type, mask type of this element size, ...).
#define XP_PS(M, ...) M(_mm512, __m512, __mmask16, __VA_ARGS__) M(_mm256, __m256, __mmask8, __VA_ARGS__) M(_mm, __m128, __mmask8, __VA_ARGS__)
#define XP_PD(M, ...) M(_mm512, __m512d, __mmask8, __VA_ARGS__) M(_mm256, __m256d, __mmask8, __VA_ARGS__) M(_mm, __m128d, __mmask8, __VA_ARGS__)
#define XP_I8(M, ...) M(_mm512, __m512i, __mmask64, __VA_ARGS__) M(_mm256, __m256i, __mmask32, __VA_ARGS__) M(_mm, __m128i, __mmask16, __VA_ARGS__)
#define XP_I16(M, ...) M(_mm512, __m512i, __mmask32, __VA_ARGS__) M(_mm256, __m256i, __mmask16, __VA_ARGS__) M(_mm, __m128i, __mmask8, __VA_ARGS__)
#define XP_I32(M, ...) M(_mm512, __m512i, __mmask16, __VA_ARGS__) M(_mm256, __m256i, __mmask8, __VA_ARGS__) M(_mm, __m128i, __mmask8, __VA_ARGS__)
#define XP_I64(M, ...) M(_mm512, __m512i, __mmask8, __VA_ARGS__) M(_mm256, __m256i, __mmask8, __VA_ARGS__) M(_mm, __m128i, __mmask8, __VA_ARGS__)

// One, two and three operands, each with its mask_ and maskz_ forms; the formula is over x, y, z of type T.
#define XP_UNARY(P, V, K, NAME, T, ...)                                                                                 \
    static inline V P##_##NAME(V a) { return xpavx::map<T>(a, [](T x) { return __VA_ARGS__; }); }                      \
    static inline V P##_mask_##NAME(V s, K k, V a) { return xpavx::merge<T>(k, P##_##NAME(a), s); }                    \
    static inline V P##_maskz_##NAME(K k, V a) { return xpavx::merge<T>(k, P##_##NAME(a), V{}); }
#define XP_BINARY(P, V, K, NAME, T, ...)                                                                                \
    static inline V P##_##NAME(V a, V b) { return xpavx::zip<T>(a, b, [](T x, T y) { return __VA_ARGS__; }); }         \
    static inline V P##_mask_##NAME(V s, K k, V a, V b) { return xpavx::merge<T>(k, P##_##NAME(a, b), s); }            \
    static inline V P##_maskz_##NAME(K k, V a, V b) { return xpavx::merge<T>(k, P##_##NAME(a, b), V{}); }
// A fused multiply-add: mask_ keeps a, mask3_ keeps c.
#define XP_FUSED(P, V, K, NAME, T, ...)                                                                                                \
    static inline V P##_##NAME(V a, V b, V c) { return xpavx::zip3<T>(a, b, c, [](T x, T y, T z) { return __VA_ARGS__; }); }           \
    static inline V P##_mask_##NAME(V a, K k, V b, V c) { return xpavx::merge<T>(k, P##_##NAME(a, b, c), a); }                         \
    static inline V P##_mask3_##NAME(V a, V b, V c, K k) { return xpavx::merge<T>(k, P##_##NAME(a, b, c), c); }                        \
    static inline V P##_maskz_##NAME(K k, V a, V b, V c) { return xpavx::merge<T>(k, P##_##NAME(a, b, c), V{}); }
// mask_ and maskz_ forms of an operation that exists already.
#define XP_MASKED1(P, V, K, NAME, T)                                                                    \
    static inline V P##_mask_##NAME(V s, K k, V a) { return xpavx::merge<T>(k, P##_##NAME(a), s); }     \
    static inline V P##_maskz_##NAME(K k, V a) { return xpavx::merge<T>(k, P##_##NAME(a), V{}); }
#define XP_MASKED2(P, V, K, NAME, T)                                                                                 \
    static inline V P##_mask_##NAME(V s, K k, V a, V b) { return xpavx::merge<T>(k, P##_##NAME(a, b), s); }          \
    static inline V P##_maskz_##NAME(K k, V a, V b) { return xpavx::merge<T>(k, P##_##NAME(a, b), V{}); }
