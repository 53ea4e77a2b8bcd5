// __half, __nv_bfloat16, their pairs and their intrinsics: every operation rounds once, to nearest even.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "atomics.hpp"
#include "math.hpp"

#define XPEMU_HALF __half
#define XPEMU_BFLOAT __nv_bfloat16
#include "small_float.hpp"

typedef __half half;

namespace xpemu {
template <class T>
constexpr bool is_pair = false;
}

struct alignas(4) __half2 {
    __half x, y;
    __half2() = default;
    __half2(__half a, __half b) : x(a), y(b) {}
};
typedef __half2 half2;
struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
    __nv_bfloat162() = default;
    __nv_bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) : x(a), y(b) {}
};
typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;
#if XPEMU_WARP == 64
typedef __nv_bfloat16 hip_bfloat16;
typedef __nv_bfloat16 __hip_bfloat16;
typedef __nv_bfloat162 __hip_bfloat162;
#endif
namespace xpemu {
template <>
inline constexpr bool is_pair<__half2> = true;
template <>
inline constexpr bool is_pair<__nv_bfloat162> = true;
template <class H>
using Pair = std::conditional_t<std::is_same_v<H, __half>, __half2, __nv_bfloat162>;
}  // namespace xpemu
inline __half2 make_half2(__half a, __half b) { return __half2(a, b); }
inline __nv_bfloat162 make_bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return __nv_bfloat162(a, b); }

#define XPEMU_PAIR_OPERATOR(OP)                                                       \
    template <class P, class = std::enable_if_t<xpemu::is_pair<P>>, class = void>     \
    inline P operator OP(const P& a, const P& b) {                                    \
        return P(a.x OP b.x, a.y OP b.y);                                             \
    }                                                                                 \
    template <class P, class = std::enable_if_t<xpemu::is_pair<P>>, class = void>     \
    inline P& operator OP##=(P & a, const P & b) {                                    \
        return a = P(a.x OP b.x, a.y OP b.y);                                         \
    }
XPEMU_PAIR_OPERATOR(+)
XPEMU_PAIR_OPERATOR(-)
XPEMU_PAIR_OPERATOR(*)
XPEMU_PAIR_OPERATOR(/)
#undef XPEMU_PAIR_OPERATOR
template <class P, class = std::enable_if_t<xpemu::is_pair<P>>>
inline P operator-(const P& a) {
    return P(-a.x, -a.y);
}
template <class P, class = std::enable_if_t<xpemu::is_pair<P>>, class = void>
inline bool operator==(const P& a, const P& b) {
    return a.x == b.x && a.y == b.y;
}
template <class P, class = std::enable_if_t<xpemu::is_pair<P>>, class = void>
inline bool operator!=(const P& a, const P& b) {
    return a.x != b.x && a.y != b.y;
}

// ------------------------------------------------------------- arithmetic, the same names for both formats
namespace xpemu {
template <class H>
inline H saturate(H v) {
    const float f = v;
    return f >= 0.0f ? (f > 1.0f ? H(1.0f) : v) : H(0.0f);
}
template <class H>
inline H fused(H a, H b, H c) {
    return H(std::fma(static_cast<double>(float(a)), static_cast<double>(float(b)), static_cast<double>(float(c))));
}
template <class H>
inline H relu(H v) {
    return float(v) > 0.0f || float(v) != float(v) ? v : H(0.0f);
}
template <class H>
inline H least(H a, H b) {
    return H(fminf(a, b));
}
template <class H>
inline H greatest(H a, H b) {
    return H(fmaxf(a, b));
}
template <class H>
inline H least_nan(H a, H b) {
    return float(a) != float(a) || float(b) != float(b) ? H(NAN) : H(fminf(a, b));
}
template <class H>
inline H greatest_nan(H a, H b) {
    return float(a) != float(a) || float(b) != float(b) ? H(NAN) : H(fmaxf(a, b));
}
}  // namespace xpemu

#define XPEMU_BINARY(H, P, NAME, EXPRESSION)                             \
    inline H NAME(H a, H b) { return EXPRESSION; }                       \
    inline P NAME##2(P a, P b) { return P(NAME(a.x, b.x), NAME(a.y, b.y)); }
#define XPEMU_UNARY(H, P, NAME, NAME2, EXPRESSION)  \
    inline H NAME(H a) { return EXPRESSION; }       \
    inline P NAME2(P a) { return P(NAME(a.x), NAME(a.y)); }
#define XPEMU_TEST(H, P, NAME, OP)                                                                  \
    inline bool __h##NAME(H a, H b) { return float(a) OP float(b); }                                \
    inline bool __h##NAME##u(H a, H b) {                                                            \
        return float(a) != float(a) || float(b) != float(b) || float(a) OP float(b);                \
    }                                                                                               \
    inline P __h##NAME##2(P a, P b) { return P(H(float(__h##NAME(a.x, b.x))), H(float(__h##NAME(a.y, b.y)))); } \
    inline P __h##NAME##u2(P a, P b) { return P(H(float(__h##NAME##u(a.x, b.x))), H(float(__h##NAME##u(a.y, b.y)))); } \
    inline bool __hb##NAME##2(P a, P b) { return __h##NAME(a.x, b.x) && __h##NAME(a.y, b.y); }      \
    inline bool __hb##NAME##u2(P a, P b) { return __h##NAME##u(a.x, b.x) && __h##NAME##u(a.y, b.y); } \
    inline unsigned __h##NAME##2_mask(P a, P b) { return (__h##NAME(a.x, b.x) ? 0xffffu : 0u) | (__h##NAME(a.y, b.y) ? 0xffff0000u : 0u); }

#define XPEMU_ARITHMETIC(H, P)                                                                                  \
    XPEMU_BINARY(H, P, __hadd, a + b)                                                                           \
    XPEMU_BINARY(H, P, __hsub, a - b)                                                                           \
    XPEMU_BINARY(H, P, __hmul, a* b)                                                                            \
    XPEMU_BINARY(H, P, __hdiv, a / b)                                                                           \
    inline P __h2div(P a, P b) { return P(a.x / b.x, a.y / b.y); }                                              \
    inline H __hadd_rn(H a, H b) { return a + b; }                                                              \
    inline H __hsub_rn(H a, H b) { return a - b; }                                                              \
    inline H __hmul_rn(H a, H b) { return a * b; }                                                              \
    inline P __hadd2_rn(P a, P b) { return __hadd2(a, b); }                                                     \
    inline P __hsub2_rn(P a, P b) { return __hsub2(a, b); }                                                     \
    inline P __hmul2_rn(P a, P b) { return __hmul2(a, b); }                                                     \
    inline H __hadd_sat(H a, H b) { return xpemu::saturate(a + b); }                                            \
    inline H __hsub_sat(H a, H b) { return xpemu::saturate(a - b); }                                            \
    inline H __hmul_sat(H a, H b) { return xpemu::saturate(a * b); }                                            \
    inline P __hadd2_sat(P a, P b) { return P(__hadd_sat(a.x, b.x), __hadd_sat(a.y, b.y)); }                    \
    inline P __hsub2_sat(P a, P b) { return P(__hsub_sat(a.x, b.x), __hsub_sat(a.y, b.y)); }                    \
    inline P __hmul2_sat(P a, P b) { return P(__hmul_sat(a.x, b.x), __hmul_sat(a.y, b.y)); }                    \
    inline H __hfma(H a, H b, H c) { return xpemu::fused(a, b, c); }                                            \
    inline H __hfma_sat(H a, H b, H c) { return xpemu::saturate(xpemu::fused(a, b, c)); }                       \
    inline H __hfma_relu(H a, H b, H c) { return xpemu::relu(xpemu::fused(a, b, c)); }                          \
    inline P __hfma2(P a, P b, P c) { return P(__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)); }                 \
    inline P __hfma2_sat(P a, P b, P c) { return P(__hfma_sat(a.x, b.x, c.x), __hfma_sat(a.y, b.y, c.y)); }     \
    inline P __hfma2_relu(P a, P b, P c) { return P(__hfma_relu(a.x, b.x, c.x), __hfma_relu(a.y, b.y, c.y)); }  \
    inline P __hcmadd(P a, P b, P c) {                                                                          \
        H re = xpemu::fused(a.x, b.x, c.x), im = xpemu::fused(a.x, b.y, c.y);                                   \
        return P(xpemu::fused(-a.y, b.y, re), xpemu::fused(a.y, b.x, im));                                      \
    }                                                                                                           \
    XPEMU_UNARY(H, P, __hneg, __hneg2, -a)                                                                      \
    XPEMU_UNARY(H, P, __habs, __habs2, H::from_bits(a.__x & 0x7fff))                                            \
    XPEMU_BINARY(H, P, __hmin, xpemu::least(a, b))                                                              \
    XPEMU_BINARY(H, P, __hmax, xpemu::greatest(a, b))                                                           \
    inline H __hmin_nan(H a, H b) { return xpemu::least_nan(a, b); }                                            \
    inline H __hmax_nan(H a, H b) { return xpemu::greatest_nan(a, b); }                                         \
    inline P __hmin2_nan(P a, P b) { return P(__hmin_nan(a.x, b.x), __hmin_nan(a.y, b.y)); }                    \
    inline P __hmax2_nan(P a, P b) { return P(__hmax_nan(a.x, b.x), __hmax_nan(a.y, b.y)); }                    \
    XPEMU_TEST(H, P, eq, ==)                                                                                    \
    XPEMU_TEST(H, P, ne, !=)                                                                                    \
    XPEMU_TEST(H, P, lt, <)                                                                                     \
    XPEMU_TEST(H, P, le, <=)                                                                                    \
    XPEMU_TEST(H, P, gt, >)                                                                                     \
    XPEMU_TEST(H, P, ge, >=)                                                                                    \
    inline bool __hisnan(H a) { return float(a) != float(a); }                                                  \
    inline int __hisinf(H a) { return std::isinf(float(a)) ? (float(a) > 0 ? 1 : -1) : 0; }                     \
    inline P __hisnan2(P a) { return P(H(float(__hisnan(a.x))), H(float(__hisnan(a.y)))); }                     \
    XPEMU_UNARY(H, P, hceil, h2ceil, H(ceilf(a)))                                                               \
    XPEMU_UNARY(H, P, hfloor, h2floor, H(floorf(a)))                                                            \
    XPEMU_UNARY(H, P, htrunc, h2trunc, H(truncf(a)))                                                            \
    XPEMU_UNARY(H, P, hrint, h2rint, H(rintf(a)))                                                               \
    XPEMU_UNARY(H, P, hsqrt, h2sqrt, H(sqrtf(a)))                                                               \
    XPEMU_UNARY(H, P, hrsqrt, h2rsqrt, H(1.0 / ::sqrt(static_cast<double>(float(a)))))                          \
    XPEMU_UNARY(H, P, hrcp, h2rcp, H(1.0f / float(a)))                                                          \
    XPEMU_UNARY(H, P, hexp, h2exp, H(expf(a)))                                                                  \
    XPEMU_UNARY(H, P, hexp2, h2exp2, H(exp2f(a)))                                                               \
    XPEMU_UNARY(H, P, hexp10, h2exp10, H(__exp10f(a)))                                                          \
    XPEMU_UNARY(H, P, hlog, h2log, H(logf(a)))                                                                  \
    XPEMU_UNARY(H, P, hlog2, h2log2, H(log2f(a)))                                                               \
    XPEMU_UNARY(H, P, hlog10, h2log10, H(log10f(a)))                                                            \
    XPEMU_UNARY(H, P, hsin, h2sin, H(sinf(a)))                                                                  \
    XPEMU_UNARY(H, P, hcos, h2cos, H(cosf(a)))                                                                  \
    XPEMU_UNARY(H, P, htanh, h2tanh, H(tanhf(a)))                                                               \
    XPEMU_UNARY(H, P, htanh_approx, h2tanh_approx, H(tanhf(a)))                                                 \
    inline float __low2float(P a) { return a.x; }                                                               \
    inline float __high2float(P a) { return a.y; }                                                              \
    inline P __lowhigh2highlow(P a) { return P(a.y, a.x); }
XPEMU_ARITHMETIC(__half, __half2)
XPEMU_ARITHMETIC(__nv_bfloat16, __nv_bfloat162)
#undef XPEMU_ARITHMETIC
#undef XPEMU_TEST
#undef XPEMU_UNARY
#undef XPEMU_BINARY

// ------------------------------------------------------------------------------------------- conversions
#define XPEMU_FROM(NAME, H, T, E, M)                                                                                       \
    inline H NAME##_rn(T v) { return H::from_bits(xpemu::narrow<E, M>(static_cast<double>(v))); }                          \
    inline H NAME##_rz(T v) { return H::from_bits(xpemu::narrow<E, M>(static_cast<double>(v), xpemu::Round::zero)); }      \
    inline H NAME##_ru(T v) { return H::from_bits(xpemu::narrow<E, M>(static_cast<double>(v), xpemu::Round::up)); }        \
    inline H NAME##_rd(T v) { return H::from_bits(xpemu::narrow<E, M>(static_cast<double>(v), xpemu::Round::down)); }
#define XPEMU_TO(NAME, H, T)                                                                          \
    inline T NAME##_rn(H v) { return xpemu::convert<T, float>(xpemu::round_even(v)); }             \
    inline T NAME##_rz(H v) { return xpemu::convert<T, float>(::truncf(v)); }                         \
    inline T NAME##_ru(H v) { return xpemu::convert<T, float>(::ceilf(v)); }                          \
    inline T NAME##_rd(H v) { return xpemu::convert<T, float>(::floorf(v)); }
#define XPEMU_INTEGERS(H, WORD, E, M)                            \
    XPEMU_FROM(__float2##WORD, H, float, E, M)                   \
    XPEMU_FROM(__int2##WORD, H, int, E, M)                       \
    XPEMU_FROM(__uint2##WORD, H, unsigned, E, M)                 \
    XPEMU_FROM(__short2##WORD, H, short, E, M)                   \
    XPEMU_FROM(__ushort2##WORD, H, unsigned short, E, M)         \
    XPEMU_FROM(__ll2##WORD, H, long long, E, M)                  \
    XPEMU_FROM(__ull2##WORD, H, unsigned long long, E, M)        \
    XPEMU_TO(__##WORD##2int, H, int)                             \
    XPEMU_TO(__##WORD##2uint, H, unsigned)                       \
    XPEMU_TO(__##WORD##2short, H, short)                         \
    XPEMU_TO(__##WORD##2ushort, H, unsigned short)               \
    XPEMU_TO(__##WORD##2ll, H, long long)                        \
    XPEMU_TO(__##WORD##2ull, H, unsigned long long)              \
    inline signed char __##WORD##2char_rz(H v) { return xpemu::convert<signed char, float>(::truncf(v)); }       \
    inline unsigned char __##WORD##2uchar_rz(H v) { return xpemu::convert<unsigned char, float>(::truncf(v)); }  \
    inline H __float2##WORD(float v) { return H(v); }            \
    inline H __double2##WORD(double v) { return H(v); }          \
    inline float __##WORD##2float(H v) { return v; }             \
    inline short __##WORD##_as_short(H v) { return static_cast<short>(v.__x); }            \
    inline unsigned short __##WORD##_as_ushort(H v) { return v.__x; }                      \
    inline H __short_as_##WORD(short v) { return H::from_bits(static_cast<unsigned short>(v)); } \
    inline H __ushort_as_##WORD(unsigned short v) { return H::from_bits(v); }
XPEMU_INTEGERS(__half, half, 5, 10)
XPEMU_INTEGERS(__nv_bfloat16, bfloat16, 8, 7)
#undef XPEMU_INTEGERS
#undef XPEMU_TO
#undef XPEMU_FROM

inline __half2 __float2half2_rn(float v) { return __half2(v, v); }
inline __half2 __floats2half2_rn(float a, float b) { return __half2(a, b); }
inline __half2 __float22half2_rn(float2 v) { return __half2(v.x, v.y); }
inline float2 __half22float2(__half2 v) { return float2{v.x, v.y}; }
inline __half2 __half2half2(__half v) { return __half2(v, v); }
inline __half2 __halves2half2(__half a, __half b) { return __half2(a, b); }
inline __half __low2half(__half2 v) { return v.x; }
inline __half __high2half(__half2 v) { return v.y; }
inline __half2 __low2half2(__half2 v) { return __half2(v.x, v.x); }
inline __half2 __high2half2(__half2 v) { return __half2(v.y, v.y); }
inline __half2 __lows2half2(__half2 a, __half2 b) { return __half2(a.x, b.x); }
inline __half2 __highs2half2(__half2 a, __half2 b) { return __half2(a.y, b.y); }
inline __nv_bfloat162 __float2bfloat162_rn(float v) { return __nv_bfloat162(v, v); }
inline __nv_bfloat162 __floats2bfloat162_rn(float a, float b) { return __nv_bfloat162(a, b); }
inline __nv_bfloat162 __float22bfloat162_rn(float2 v) { return __nv_bfloat162(v.x, v.y); }
inline float2 __bfloat1622float2(__nv_bfloat162 v) { return float2{v.x, v.y}; }
inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 v) { return __nv_bfloat162(v, v); }
inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 a, __nv_bfloat16 b) { return __nv_bfloat162(a, b); }
inline __nv_bfloat16 __low2bfloat16(__nv_bfloat162 v) { return v.x; }
inline __nv_bfloat16 __high2bfloat16(__nv_bfloat162 v) { return v.y; }
inline __nv_bfloat162 __low2bfloat162(__nv_bfloat162 v) { return __nv_bfloat162(v.x, v.x); }
inline __nv_bfloat162 __high2bfloat162(__nv_bfloat162 v) { return __nv_bfloat162(v.y, v.y); }
inline __nv_bfloat162 __lows2bfloat162(__nv_bfloat162 a, __nv_bfloat162 b) { return __nv_bfloat162(a.x, b.x); }
inline __nv_bfloat162 __highs2bfloat162(__nv_bfloat162 a, __nv_bfloat162 b) { return __nv_bfloat162(a.y, b.y); }

// tf32: nearest, ties away, 10 mantissa bits kept.
inline float __float_to_tf32(float v) {
    return v != v ? v : xpemu::bits<float>((xpemu::bits<std::uint32_t>(v) + 0x1000u) & 0xffffe000u);
}
