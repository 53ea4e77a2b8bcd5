// Floating-point arithmetic, comparison and reduction.
#pragma once

#include "lanes.h"

#define XP_FLOATS(EACH, S, T)                                                                              \
    EACH(XP_BINARY, add_##S, T, x + y)                                                                     \
    EACH(XP_BINARY, sub_##S, T, x - y)                                                                     \
    EACH(XP_BINARY, mul_##S, T, x* y)                                                                      \
    EACH(XP_BINARY, div_##S, T, x / y)                                                                     \
    EACH(XP_BINARY, min_##S, T, x < y ? x : y)                                                             \
    EACH(XP_BINARY, max_##S, T, x > y ? x : y)                                                             \
    EACH(XP_UNARY, sqrt_##S, T, std::sqrt(x))                                                              \
    EACH(XP_UNARY, rcp14_##S, T, T(1) / x)                                                                 \
    EACH(XP_UNARY, rsqrt14_##S, T, T(1) / std::sqrt(x))                                                    \
    EACH(XP_UNARY, getexp_##S, T, x != x ? x : x == 0 ? -std::numeric_limits<T>::infinity() : std::isinf(x) ? std::fabs(x) : T(std::ilogb(x))) \
    EACH(XP_BINARY, scalef_##S, T, xpavx::scale(x, y))                                                     \
    EACH(XP_FUSED, fmadd_##S, T, std::fma(x, y, z))                                                        \
    EACH(XP_FUSED, fmsub_##S, T, std::fma(x, y, -z))                                                       \
    EACH(XP_FUSED, fnmadd_##S, T, std::fma(-x, y, z))                                                      \
    EACH(XP_FUSED, fnmsub_##S, T, std::fma(-x, y, -z))                                                     \
    EACH(XP_ALTERNATING, S, T)                                                                             \
    EACH(XP_FLOAT_REST, S, T)

namespace xpavx {
template <class T>
static inline T scale(T x, T y) {
    if (x != x || y != y) return x + y;
    if (std::isinf(y)) return y > 0 ? (x == 0 ? std::numeric_limits<T>::quiet_NaN() : std::copysign(y, x)) : std::isinf(x) ? std::numeric_limits<T>::quiet_NaN() : std::copysign(T(0), x);
    const T n = std::floor(y);
    return std::ldexp(x, n > 100000 ? 100000 : n < -100000 ? -100000 : static_cast<int>(n));
}
template <class T>
static inline T round_scale(T x, int imm) {
    const int digits = imm >> 4 & 15;
    if (!std::isfinite(x)) return x;
    const T scaled = std::ldexp(x, digits);
    return std::isfinite(scaled) ? std::copysign(std::ldexp(rounded(scaled, imm), -digits), x) : x;
}
// `range` with the sign of the result: the smaller (4) or the larger (5), of a number and a NaN the number.
template <class T>
static inline T range(T x, T y, int imm) {
    if (imm != 4 && imm != 5) std::abort();
    if (x != x || y != y) return x != x ? y : x;
    if (x == y) return std::signbit(x) == (imm == 4) ? x : y;
    return (x < y) == (imm == 4) ? x : y;
}
template <class T>
static inline T mantissa(T x, int interval, int sign) {
    if (x != x) return x;
    const bool negative = std::signbit(x);
    if (negative && sign & 2) return std::numeric_limits<T>::quiet_NaN();
    T m = x == 0 || std::isinf(x) ? T(1) : std::ldexp(std::fabs(x), -std::ilogb(x));
    if (x != 0 && !std::isinf(x)) {
        if (interval == 1 && std::ilogb(x) % 2) m /= 2;
        if (interval == 2) m /= 2;
        if (interval == 3 && m >= T(1.5)) m /= 2;
    } else if (interval == 2 && false) {
        m /= 2;
    }
    return negative && !(sign & 1) ? -m : m;
}
// Whether a number with these bits is of one of `classes`, the bits of fpclass.
template <class T, class U>
static inline bool is_of_class(U bits, int classes) {
    const int digits = std::numeric_limits<T>::digits - 1, top = static_cast<int>(sizeof(U)) * 8 - 1;
    const U ones = (U(1) << (top - digits)) - 1, exponent = bits >> digits & ones, fraction = bits & ((U(1) << digits) - 1);
    const bool negative = bits >> top, quiet = fraction >> (digits - 1);
    int found = 0;
    if (exponent == ones) {
        found = fraction ? (quiet ? 0x01 : 0x80) : (negative ? 0x10 : 0x08);
    } else if (exponent == 0 && fraction == 0) {
        found = negative ? 0x04 : 0x02;
    } else {
        found = (exponent == 0 ? 0x20 : 0) | (negative ? 0x40 : 0);
    }
    return (found & classes) != 0;
}
}  // namespace xpavx

#define XP_ALTERNATING(P, V, K, S, T)                                                                                      \
    static inline V P##_fmaddsub_##S(V a, V b, V c) {                                                                     \
        auto x = xpavx::lanes<T>(a), y = xpavx::lanes<T>(b), z = xpavx::lanes<T>(c);                                      \
        return xpavx::build<T, V>([&](int i) { return std::fma(x.at[i], y.at[i], i % 2 ? z.at[i] : -z.at[i]); });         \
    }                                                                                                                     \
    static inline V P##_fmsubadd_##S(V a, V b, V c) {                                                                     \
        auto x = xpavx::lanes<T>(a), y = xpavx::lanes<T>(b), z = xpavx::lanes<T>(c);                                      \
        return xpavx::build<T, V>([&](int i) { return std::fma(x.at[i], y.at[i], i % 2 ? -z.at[i] : z.at[i]); });         \
    }                                                                                                                     \
    static inline V P##_addsub_##S(V a, V b) {                                                                            \
        auto x = xpavx::lanes<T>(a), y = xpavx::lanes<T>(b);                                                              \
        return xpavx::build<T, V>([&](int i) { return i % 2 ? x.at[i] + y.at[i] : x.at[i] - y.at[i]; });                  \
    }
#define XP_FLOAT_REST(P, V, K, S, T)                                                                                       \
    static inline V P##_roundscale_##S(V a, int imm) { return xpavx::map<T>(a, [imm](T x) { return xpavx::round_scale(x, imm); }); } \
    static inline V P##_mask_roundscale_##S(V s, K k, V a, int imm) { return xpavx::merge<T>(k, P##_roundscale_##S(a, imm), s); }    \
    static inline V P##_maskz_roundscale_##S(K k, V a, int imm) { return xpavx::merge<T>(k, P##_roundscale_##S(a, imm), V{}); }      \
    static inline V P##_range_##S(V a, V b, int imm) { return xpavx::zip<T>(a, b, [imm](T x, T y) { return xpavx::range(x, y, imm); }); } \
    static inline V P##_mask_range_##S(V s, K k, V a, V b, int imm) { return xpavx::merge<T>(k, P##_range_##S(a, b, imm), s); }      \
    static inline V P##_maskz_range_##S(K k, V a, V b, int imm) { return xpavx::merge<T>(k, P##_range_##S(a, b, imm), V{}); }        \
    static inline V P##_reduce_##S(V a, int imm) { return xpavx::map<T>(a, [imm](T x) { return std::isinf(x) ? T(0) : x - xpavx::round_scale(x, imm); }); } \
    static inline V P##_getmant_##S(V a, _MM_MANTISSA_NORM_ENUM n, _MM_MANTISSA_SIGN_ENUM s) {                            \
        return xpavx::map<T>(a, [n, s](T x) { return xpavx::mantissa(x, n, s); });                                        \
    }                                                                                                                     \
    static inline K P##_cmp_##S##_mask(V a, V b, int p) { return static_cast<K>(xpavx::test<T>(a, b, [p](T x, T y) { return xpavx::compare(x, y, p); })); } \
    static inline K P##_mask_cmp_##S##_mask(K k, V a, V b, int p) { return k & P##_cmp_##S##_mask(a, b, p); }             \
    static inline K P##_cmpeq_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, _CMP_EQ_OQ); }                       \
    static inline K P##_cmplt_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, _CMP_LT_OS); }                       \
    static inline K P##_cmple_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, _CMP_LE_OS); }                       \
    static inline K P##_cmpneq_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, _CMP_NEQ_UQ); }                     \
    static inline K P##_cmpnlt_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, _CMP_NLT_US); }                     \
    static inline K P##_cmpnle_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, _CMP_NLE_US); }                     \
    static inline K P##_cmpunord_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, _CMP_UNORD_Q); }                  \
    static inline K P##_cmpord_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, _CMP_ORD_Q); }

XP_FLOATS(XP_PS, ps, float)
XP_FLOATS(XP_PD, pd, double)

// Bitwise operations on floats work on their patterns.
#define XP_FLOAT_BITS(P, V, K, S, T, U)                                                                                               \
    static inline V P##_and_##S(V a, V b) { return xpavx::zip<U>(a, b, [](U x, U y) { return x & y; }); }                             \
    static inline V P##_or_##S(V a, V b) { return xpavx::zip<U>(a, b, [](U x, U y) { return x | y; }); }                              \
    static inline V P##_xor_##S(V a, V b) { return xpavx::zip<U>(a, b, [](U x, U y) { return x ^ y; }); }                             \
    static inline V P##_andnot_##S(V a, V b) { return xpavx::zip<U>(a, b, [](U x, U y) { return ~x & y; }); }                         \
    static inline K P##_fpclass_##S##_mask(V a, int classes) {                                                                        \
        return static_cast<K>(xpavx::test<U>(a, a, [classes](U x, U) { return xpavx::is_of_class<T, U>(x, classes); }));              \
    }                                                                                                                                 \
    static inline K P##_mask_fpclass_##S##_mask(K k, V a, int classes) { return k & P##_fpclass_##S##_mask(a, classes); }             \
    XP_MASKED2(P, V, K, and_##S, T)                                                                                                   \
    XP_MASKED2(P, V, K, or_##S, T)                                                                                                    \
    XP_MASKED2(P, V, K, xor_##S, T)                                                                                                   \
    XP_MASKED2(P, V, K, andnot_##S, T)
XP_PS(XP_FLOAT_BITS, ps, float, uint32_t)
XP_PD(XP_FLOAT_BITS, pd, double, uint64_t)

static inline __m512 _mm512_abs_ps(__m512 a) { return xpavx::map<float>(a, [](float x) { return std::fabs(x); }); }
static inline __m512d _mm512_abs_pd(__m512d a) { return xpavx::map<double>(a, [](double x) { return std::fabs(x); }); }
static inline __m512 _mm512_mask_abs_ps(__m512 s, __mmask16 k, __m512 a) { return xpavx::merge<float>(k, _mm512_abs_ps(a), s); }
static inline __m512 _mm512_floor_ps(__m512 a) { return xpavx::map<float>(a, [](float x) { return std::floor(x); }); }
static inline __m512 _mm512_ceil_ps(__m512 a) { return xpavx::map<float>(a, [](float x) { return std::ceil(x); }); }
static inline __m512d _mm512_floor_pd(__m512d a) { return xpavx::map<double>(a, [](double x) { return std::floor(x); }); }
static inline __m512d _mm512_ceil_pd(__m512d a) { return xpavx::map<double>(a, [](double x) { return std::ceil(x); }); }

#define XP_REDUCE(V, K, S, T, W)                                                                                                \
    static inline T _mm512_reduce_add_##S(V a) { return xpavx::reduce<T>(a, [](T x, T y) { return static_cast<T>(W(x) + W(y)); }); } \
    static inline T _mm512_reduce_mul_##S(V a) { return xpavx::reduce<T>(a, [](T x, T y) { return static_cast<T>(W(x) * W(y)); }); } \
    static inline T _mm512_mask_reduce_add_##S(K k, V a) { return _mm512_reduce_add_##S(xpavx::merge<T>(k, a, V{})); }          \
    static inline T _mm512_mask_reduce_mul_##S(K k, V a) { return _mm512_reduce_mul_##S(xpavx::merge<T>(k, a, xpavx::build<T, V>([](int) { return static_cast<T>(1); }))); }
#define XP_REDUCE_ORDER(V, K, S, T)                                                                                             \
    static inline T _mm512_reduce_min_##S(V a) { return xpavx::reduce<T>(a, [](T x, T y) { return x < y ? x : y; }); }          \
    static inline T _mm512_reduce_max_##S(V a) { return xpavx::reduce<T>(a, [](T x, T y) { return x > y ? x : y; }); }          \
    static inline T _mm512_mask_reduce_min_##S(K k, V a) {                                                                      \
        constexpr T top = std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max(); \
        return _mm512_reduce_min_##S(xpavx::merge<T>(k, a, xpavx::build<T, V>([](int) { return top; })));                       \
    }                                                                                                                           \
    static inline T _mm512_mask_reduce_max_##S(K k, V a) {                                                                      \
        constexpr T low = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest(); \
        return _mm512_reduce_max_##S(xpavx::merge<T>(k, a, xpavx::build<T, V>([](int) { return low; })));                       \
    }
XP_REDUCE(__m512, __mmask16, ps, float, float)
XP_REDUCE(__m512d, __mmask8, pd, double, double)
XP_REDUCE(__m512i, __mmask16, epi32, int, uint32_t)
XP_REDUCE(__m512i, __mmask8, epi64, long long, uint64_t)
XP_REDUCE_ORDER(__m512, __mmask16, ps, float)
XP_REDUCE_ORDER(__m512d, __mmask8, pd, double)
XP_REDUCE_ORDER(__m512i, __mmask16, epi32, int)
XP_REDUCE_ORDER(__m512i, __mmask16, epu32, unsigned)
XP_REDUCE_ORDER(__m512i, __mmask8, epi64, long long)
XP_REDUCE_ORDER(__m512i, __mmask8, epu64, unsigned long long)
static inline int _mm512_reduce_and_epi32(__m512i a) { return xpavx::reduce<int>(a, [](int x, int y) { return x & y; }); }
static inline int _mm512_reduce_or_epi32(__m512i a) { return xpavx::reduce<int>(a, [](int x, int y) { return x | y; }); }
static inline long long _mm512_reduce_and_epi64(__m512i a) { return xpavx::reduce<long long>(a, [](long long x, long long y) { return x & y; }); }
static inline long long _mm512_reduce_or_epi64(__m512i a) { return xpavx::reduce<long long>(a, [](long long x, long long y) { return x | y; }); }

// 128- and 256-bit forms of SSE and AVX.
static inline __m256 _mm256_floor_ps(__m256 a) { return xpavx::map<float>(a, [](float x) { return std::floor(x); }); }
static inline __m256 _mm256_ceil_ps(__m256 a) { return xpavx::map<float>(a, [](float x) { return std::ceil(x); }); }
static inline __m256 _mm256_round_ps(__m256 a, int mode) { return xpavx::map<float>(a, [mode](float x) { return xpavx::rounded(x, mode); }); }
static inline __m128 _mm_floor_ps(__m128 a) { return xpavx::map<float>(a, [](float x) { return std::floor(x); }); }
static inline __m128 _mm_ceil_ps(__m128 a) { return xpavx::map<float>(a, [](float x) { return std::ceil(x); }); }
static inline __m128 _mm_round_ps(__m128 a, int mode) { return xpavx::map<float>(a, [mode](float x) { return xpavx::rounded(x, mode); }); }
static inline __m256 _mm256_rcp_ps(__m256 a) { return xpavx::map<float>(a, [](float x) { return 1.0f / x; }); }
static inline __m256 _mm256_rsqrt_ps(__m256 a) { return xpavx::map<float>(a, [](float x) { return 1.0f / std::sqrt(x); }); }
static inline __m128 _mm_rcp_ps(__m128 a) { return xpavx::map<float>(a, [](float x) { return 1.0f / x; }); }
static inline __m128 _mm_rsqrt_ps(__m128 a) { return xpavx::map<float>(a, [](float x) { return 1.0f / std::sqrt(x); }); }
#define XP_CMP_VECTOR(P, V, S, T, U) \
    static inline V P##_cmp_##S(V a, V b, int p) { return xpavx::join<V>(xpavx::lanes<U>(xpavx::zip<T>(a, b, [p](T x, T y) { return xpavx::bits<T>(xpavx::compare(x, y, p) ? ~U(0) : U(0)); }))); }
XP_CMP_VECTOR(_mm256, __m256, ps, float, uint32_t)
XP_CMP_VECTOR(_mm256, __m256d, pd, double, uint64_t)
XP_CMP_VECTOR(_mm, __m128, ps, float, uint32_t)
XP_CMP_VECTOR(_mm, __m128d, pd, double, uint64_t)
#define XP_HORIZONTAL(P, V, S, T, NAME, OP)                                                                                 \
    static inline V P##_##NAME##_##S(V a, V b) { /* within 128 bits: pairs of a, then pairs of b */                        \
        constexpr int h = static_cast<int>(8 / sizeof(T));                                                                 \
        auto x = xpavx::lanes<T>(a), y = xpavx::lanes<T>(b);                                                               \
        return xpavx::build<T, V>([&](int i) {                                                                             \
            const int base = i / (2 * h) * (2 * h), r = i % (2 * h), at = base + 2 * (r % h);                              \
            return r < h ? x.at[at] OP x.at[at + 1] : y.at[at] OP y.at[at + 1];                                            \
        });                                                                                                                \
    }
XP_HORIZONTAL(_mm256, __m256, ps, float, hadd, +)
XP_HORIZONTAL(_mm256, __m256d, pd, double, hadd, +)
XP_HORIZONTAL(_mm, __m128, ps, float, hadd, +)
XP_HORIZONTAL(_mm, __m128d, pd, double, hadd, +)
XP_HORIZONTAL(_mm256, __m256, ps, float, hsub, -)
XP_HORIZONTAL(_mm, __m128, ps, float, hsub, -)
XP_HORIZONTAL(_mm256, __m256d, pd, double, hsub, -)
XP_HORIZONTAL(_mm, __m128d, pd, double, hsub, -)
XP_HORIZONTAL(_mm256, __m256i, epi32, uint32_t, hadd, +)
XP_HORIZONTAL(_mm, __m128i, epi32, uint32_t, hadd, +)
XP_HORIZONTAL(_mm256, __m256i, epi32, uint32_t, hsub, -)
XP_HORIZONTAL(_mm, __m128i, epi32, uint32_t, hsub, -)
XP_HORIZONTAL(_mm256, __m256i, epi16, uint16_t, hadd, +)
XP_HORIZONTAL(_mm, __m128i, epi16, uint16_t, hadd, +)
XP_HORIZONTAL(_mm256, __m256i, epi16, uint16_t, hsub, -)
XP_HORIZONTAL(_mm, __m128i, epi16, uint16_t, hsub, -)
#define XP_SCALAR(NAME, OP)                                                                              \
    static inline __m128 _mm_##NAME##_ss(__m128 a, __m128 b) {                                           \
        a[0] = a[0] OP b[0];                                                                             \
        return a;                                                                                        \
    }
XP_SCALAR(add, +)
XP_SCALAR(sub, -)
XP_SCALAR(mul, *)
XP_SCALAR(div, /)
static inline __m128 _mm_max_ss(__m128 a, __m128 b) {
    a[0] = a[0] > b[0] ? a[0] : b[0];
    return a;
}
static inline __m128 _mm_min_ss(__m128 a, __m128 b) {
    a[0] = a[0] < b[0] ? a[0] : b[0];
    return a;
}
static inline __m128 _mm_sqrt_ss(__m128 a) {
    a[0] = std::sqrt(a[0]);
    return a;
}
static inline int _mm256_movemask_ps(__m256 a) { return static_cast<int>(xpavx::test<int>(a, a, [](int x, int) { return x < 0; })); }
static inline int _mm_movemask_ps(__m128 a) { return static_cast<int>(xpavx::test<int>(a, a, [](int x, int) { return x < 0; })); }
