// Device math and integer intrinsics in the global namespace, beside those of <math.h>.
#pragma once

#include <math.h>
#include <stdlib.h>

#include <cfenv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "rounding.hpp"
#include "runtime.hpp"

// ------------------------------------------------------------------------------------------- min and max
#define XPEMU_MIN_MAX(A, B, R)                                                             \
    inline R min(A a, B b) { return static_cast<R>(b) < static_cast<R>(a) ? static_cast<R>(b) : static_cast<R>(a); } \
    inline R max(A a, B b) { return static_cast<R>(a) < static_cast<R>(b) ? static_cast<R>(b) : static_cast<R>(a); }
XPEMU_MIN_MAX(int, int, int)
XPEMU_MIN_MAX(unsigned, unsigned, unsigned)
XPEMU_MIN_MAX(int, unsigned, unsigned)
XPEMU_MIN_MAX(unsigned, int, unsigned)
XPEMU_MIN_MAX(long, long, long)
XPEMU_MIN_MAX(unsigned long, unsigned long, unsigned long)
XPEMU_MIN_MAX(long, unsigned long, unsigned long)
XPEMU_MIN_MAX(unsigned long, long, unsigned long)
XPEMU_MIN_MAX(long long, long long, long long)
XPEMU_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
XPEMU_MIN_MAX(long long, unsigned long long, unsigned long long)
XPEMU_MIN_MAX(unsigned long long, long long, unsigned long long)
#undef XPEMU_MIN_MAX
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline double min(float a, double b) { return fmin(a, b); }
inline double max(float a, double b) { return fmax(a, b); }
inline double min(double a, float b) { return fmin(a, b); }
inline double max(double a, float b) { return fmax(a, b); }
inline unsigned umin(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned umax(unsigned a, unsigned b) { return a < b ? b : a; }
inline long long llmin(long long a, long long b) { return a < b ? a : b; }
inline long long llmax(long long a, long long b) { return a < b ? b : a; }
inline unsigned long long ullmin(unsigned long long a, unsigned long long b) { return a < b ? a : b; }
inline unsigned long long ullmax(unsigned long long a, unsigned long long b) { return a < b ? b : a; }

// -------------------------------------------------------------------------------------------- functions
namespace xpemu {
constexpr double pi = 3.14159265358979323846264338327950288;

template <class F>
inline F nearest_rounding(int mode, F (*f)(F, F, F), F a, F b, F c) {
    const int old = std::fegetround();
    std::fesetround(mode);
    volatile F x = a, y = b, z = c;
    volatile F result = f(x, y, z);
    std::fesetround(old);
    return result;
}
template <class F>
__attribute__((noinline)) inline F op_add(F a, F b, F) {
    volatile F x = a, y = b;
    return x + y;
}
template <class F>
__attribute__((noinline)) inline F op_sub(F a, F b, F) {
    volatile F x = a, y = b;
    return x - y;
}
template <class F>
__attribute__((noinline)) inline F op_mul(F a, F b, F) {
    volatile F x = a, y = b;
    return x * y;
}
template <class F>
__attribute__((noinline)) inline F op_div(F a, F b, F) {
    volatile F x = a, y = b;
    return x / y;
}
template <class F>
__attribute__((noinline)) inline F op_sqrt(F a, F, F) {
    volatile F x = a;
    return std::is_same_v<F, float> ? static_cast<F>(__builtin_sqrtf(static_cast<float>(x))) : static_cast<F>(__builtin_sqrt(x));
}
template <class F>
__attribute__((noinline)) inline F op_fma(F a, F b, F c) {
    volatile F x = a, y = b, z = c;
    return std::fma(static_cast<F>(x), static_cast<F>(y), static_cast<F>(z));
}
}  // namespace xpemu

#define XPEMU_ROUNDED(SUFFIX, MODE)                                                                                                    \
    inline float __fadd_##SUFFIX(float a, float b) { return xpemu::nearest_rounding<float>(MODE, xpemu::op_add<float>, a, b, 0); }      \
    inline float __fsub_##SUFFIX(float a, float b) { return xpemu::nearest_rounding<float>(MODE, xpemu::op_sub<float>, a, b, 0); }      \
    inline float __fmul_##SUFFIX(float a, float b) { return xpemu::nearest_rounding<float>(MODE, xpemu::op_mul<float>, a, b, 0); }      \
    inline float __fdiv_##SUFFIX(float a, float b) { return xpemu::nearest_rounding<float>(MODE, xpemu::op_div<float>, a, b, 0); }      \
    inline float __frcp_##SUFFIX(float a) { return xpemu::nearest_rounding<float>(MODE, xpemu::op_div<float>, 1, a, 0); }               \
    inline float __fsqrt_##SUFFIX(float a) { return xpemu::nearest_rounding<float>(MODE, xpemu::op_sqrt<float>, a, 0, 0); }             \
    inline float __fmaf_##SUFFIX(float a, float b, float c) { return xpemu::nearest_rounding<float>(MODE, xpemu::op_fma<float>, a, b, c); } \
    inline double __dadd_##SUFFIX(double a, double b) { return xpemu::nearest_rounding<double>(MODE, xpemu::op_add<double>, a, b, 0); } \
    inline double __dsub_##SUFFIX(double a, double b) { return xpemu::nearest_rounding<double>(MODE, xpemu::op_sub<double>, a, b, 0); } \
    inline double __dmul_##SUFFIX(double a, double b) { return xpemu::nearest_rounding<double>(MODE, xpemu::op_mul<double>, a, b, 0); } \
    inline double __ddiv_##SUFFIX(double a, double b) { return xpemu::nearest_rounding<double>(MODE, xpemu::op_div<double>, a, b, 0); } \
    inline double __drcp_##SUFFIX(double a) { return xpemu::nearest_rounding<double>(MODE, xpemu::op_div<double>, 1, a, 0); }           \
    inline double __dsqrt_##SUFFIX(double a) { return xpemu::nearest_rounding<double>(MODE, xpemu::op_sqrt<double>, a, 0, 0); }         \
    inline double __fma_##SUFFIX(double a, double b, double c) { return xpemu::nearest_rounding<double>(MODE, xpemu::op_fma<double>, a, b, c); }
XPEMU_ROUNDED(rz, FE_TOWARDZERO)
XPEMU_ROUNDED(ru, FE_UPWARD)
XPEMU_ROUNDED(rd, FE_DOWNWARD)
#undef XPEMU_ROUNDED

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __frsqrt_rn(float a) { return static_cast<float>(1.0 / ::sqrt(static_cast<double>(a))); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fmaf_ieee_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __drcp_rn(double a) { return 1.0 / a; }
inline double __dsqrt_rn(double a) { return ::sqrt(a); }
inline double __fma_rn(double a, double b, double c) { return ::fma(a, b, c); }

inline float rsqrtf(float x) { return static_cast<float>(1.0 / ::sqrt(static_cast<double>(x))); }
inline double rsqrt(double x) { return 1.0 / ::sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float rcbrtf(float x) { return static_cast<float>(1.0 / ::cbrt(static_cast<double>(x))); }
inline double rcbrt(double x) { return 1.0 / ::cbrt(x); }
inline float fdividef(float a, float b) { return a / b; }
inline double fdivide(double a, double b) { return a / b; }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return static_cast<float>(::pow(10.0, static_cast<double>(x))); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __log10f(float x) { return log10f(x); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanf(float x) { return tanf(x); }
inline float __tanhf(float x) { return tanhf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline void __sincosf(float x, float* s, float* c) {
    *s = sinf(x);
    *c = cosf(x);
}
#if XPEMU_WARP == 64
inline float __saturatef(float x) { return x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x; }
#else
inline float __saturatef(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }  // NaN becomes +0
#endif
inline double sinpi(double x) {
    double r = ::fmod(x, 2.0);
    return r == ::floor(r) ? ::copysign(0.0, x) : ::sin(xpemu::pi * r);
}
inline double cospi(double x) {
    double r = ::fabs(::fmod(x, 2.0));
    return r == 0.5 || r == 1.5 ? 0.0 : ::cos(xpemu::pi * r);
}
inline float sinpif(float x) { return static_cast<float>(sinpi(static_cast<double>(x))); }
inline float cospif(float x) { return static_cast<float>(cospi(static_cast<double>(x))); }
inline void sincospi(double x, double* s, double* c) {
    *s = sinpi(x);
    *c = cospi(x);
}
inline void sincospif(float x, float* s, float* c) {
    *s = sinpif(x);
    *c = cospif(x);
}
inline double normcdf(double x) { return 0.5 * ::erfc(-x * 0.70710678118654752440); }
inline float normcdff(float x) { return static_cast<float>(normcdf(static_cast<double>(x))); }
inline double erfcx(double x) { return x < 25 ? ::exp(x * x) * ::erfc(x) : 1.0 / (x * ::sqrt(xpemu::pi)) * (1 - 0.5 / (x * x)); }
inline float erfcxf(float x) { return static_cast<float>(erfcx(static_cast<double>(x))); }
inline double erfinv(double y) {
    if (y <= -1 || y >= 1) return y == 1 ? HUGE_VAL : y == -1 ? -HUGE_VAL : NAN;
    double w = ::log((1 - y) * (1 + y)), t = 2 / (xpemu::pi * 0.147) + w / 2;
    double x = ::copysign(::sqrt(::sqrt(t * t - w / 0.147) - t), y);
    for (int i = 0; i < 4; ++i) x -= (::erf(x) - y) / (1.12837916709551257390 * ::exp(-x * x));
    return x;
}
inline float erfinvf(float y) { return static_cast<float>(erfinv(static_cast<double>(y))); }
inline double normcdfinv(double p) { return 1.41421356237309504880 * erfinv(2 * p - 1); }
inline float normcdfinvf(float p) { return static_cast<float>(normcdfinv(static_cast<double>(p))); }
inline double rhypot(double a, double b) { return 1.0 / ::hypot(a, b); }
inline float rhypotf(float a, float b) { return static_cast<float>(1.0 / ::hypot(static_cast<double>(a), static_cast<double>(b))); }
inline double norm3d(double a, double b, double c) { return ::sqrt(a * a + b * b + c * c); }
inline double rnorm3d(double a, double b, double c) { return 1.0 / norm3d(a, b, c); }
inline double norm4d(double a, double b, double c, double d) { return ::sqrt(a * a + b * b + c * c + d * d); }
inline float norm3df(float a, float b, float c) { return static_cast<float>(norm3d(a, b, c)); }
inline float rnorm3df(float a, float b, float c) { return static_cast<float>(rnorm3d(a, b, c)); }
inline float norm4df(float a, float b, float c, float d) { return static_cast<float>(norm4d(a, b, c, d)); }

// --------------------------------------------------------------------------------- bit casts and conversions
namespace xpemu {
template <class To, class From>
inline To bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}
// Clamps to the target's range; NaN gives 0 for 32-bit targets of float, else 0x80.... What is clamped is raised as
// invalid, as C++'s own conversion of it is: `runner.cpp` can be told to end there.
template <class To, class From>
inline To convert(From rounded) {
    constexpr From end = static_cast<From>(std::numeric_limits<To>::max() / 2 + 1) * 2;
    if (!(rounded >= static_cast<From>(std::numeric_limits<To>::min()) && rounded < end)) std::feraiseexcept(FE_INVALID);
    if (rounded != rounded) return sizeof(To) == 8 || sizeof(From) == 8 ? static_cast<To>(std::uint64_t{1} << (8 * sizeof(To) - 1)) : To{0};
    constexpr To low = std::numeric_limits<To>::min(), high = std::numeric_limits<To>::max();
    if (rounded <= static_cast<From>(low)) return low;
    if (rounded >= static_cast<From>(high)) return high;
    return static_cast<To>(rounded);
}
}  // namespace xpemu

inline int __float_as_int(float x) { return xpemu::bits<int>(x); }
inline unsigned __float_as_uint(float x) { return xpemu::bits<unsigned>(x); }
inline float __int_as_float(int x) { return xpemu::bits<float>(x); }
inline float __uint_as_float(unsigned x) { return xpemu::bits<float>(x); }
inline long long __double_as_longlong(double x) { return xpemu::bits<long long>(x); }
inline double __longlong_as_double(long long x) { return xpemu::bits<double>(x); }
inline int __double2hiint(double x) { return static_cast<int>(xpemu::bits<std::uint64_t>(x) >> 32); }
inline int __double2loint(double x) { return static_cast<int>(xpemu::bits<std::uint64_t>(x)); }
inline double __hiloint2double(int hi, int lo) {
    return xpemu::bits<double>(static_cast<std::uint64_t>(static_cast<unsigned>(hi)) << 32 | static_cast<unsigned>(lo));
}

#define XPEMU_TO_INT(NAME, TO, FROM)                                                            \
    inline TO NAME##_rn(FROM x) { return xpemu::convert<TO, FROM>(xpemu::round_even(x)); }    \
    inline TO NAME##_rz(FROM x) { return xpemu::convert<TO, FROM>(::trunc(x)); }                \
    inline TO NAME##_ru(FROM x) { return xpemu::convert<TO, FROM>(::ceil(x)); }                 \
    inline TO NAME##_rd(FROM x) { return xpemu::convert<TO, FROM>(::floor(x)); }
XPEMU_TO_INT(__float2int, int, float)
XPEMU_TO_INT(__float2uint, unsigned, float)
XPEMU_TO_INT(__float2ll, long long, float)
XPEMU_TO_INT(__float2ull, unsigned long long, float)
XPEMU_TO_INT(__double2int, int, double)
XPEMU_TO_INT(__double2uint, unsigned, double)
XPEMU_TO_INT(__double2ll, long long, double)
XPEMU_TO_INT(__double2ull, unsigned long long, double)
#undef XPEMU_TO_INT

#define XPEMU_TO_FLOAT(NAME, TO, FROM)                              \
    inline TO NAME##_rn(FROM x) { return static_cast<TO>(x); }      \
    inline TO NAME##_rz(FROM x) {                                   \
        TO y = static_cast<TO>(x);                                  \
        return ::fabsl(static_cast<long double>(y)) > ::fabsl(static_cast<long double>(x)) ? std::nextafter(y, TO{0}) : y; \
    }                                                               \
    inline TO NAME##_ru(FROM x) {                                   \
        TO y = static_cast<TO>(x);                                  \
        return static_cast<long double>(y) < static_cast<long double>(x) ? std::nextafter(y, std::numeric_limits<TO>::infinity()) : y; \
    }                                                               \
    inline TO NAME##_rd(FROM x) {                                   \
        TO y = static_cast<TO>(x);                                  \
        return static_cast<long double>(y) > static_cast<long double>(x) ? std::nextafter(y, -std::numeric_limits<TO>::infinity()) : y; \
    }
XPEMU_TO_FLOAT(__int2float, float, int)
XPEMU_TO_FLOAT(__uint2float, float, unsigned)
XPEMU_TO_FLOAT(__ll2float, float, long long)
XPEMU_TO_FLOAT(__ull2float, float, unsigned long long)
XPEMU_TO_FLOAT(__double2float, float, double)
XPEMU_TO_FLOAT(__ll2double, double, long long)
XPEMU_TO_FLOAT(__ull2double, double, unsigned long long)
XPEMU_TO_FLOAT(__int2double, double, int)
XPEMU_TO_FLOAT(__uint2double, double, unsigned)
#undef XPEMU_TO_FLOAT

// ------------------------------------------------------------------------------------ integer intrinsics
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll(static_cast<unsigned long long>(x)) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; ++i) r |= (x >> i & 1u) << (31 - i);
    return r;
}
inline unsigned long long __brevll(unsigned long long x) {
    return static_cast<unsigned long long>(__brev(static_cast<unsigned>(x))) << 32 | __brev(static_cast<unsigned>(x >> 32));
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned s) {
    const unsigned long long both = static_cast<unsigned long long>(y) << 32 | x;
    unsigned r = 0;
    for (int i = 0; i < 4; ++i) {
        const unsigned selector = s >> (4 * i) & 0xf;
        unsigned byte = static_cast<unsigned>(both >> (8 * (selector & 7))) & 0xff;
        if (selector & 8) byte = byte & 0x80 ? 0xff : 0;
        r |= byte << (8 * i);
    }
    return r;
}
inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned s) {
    return static_cast<unsigned>((static_cast<unsigned long long>(hi) << 32 | lo) << (s & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned s) {
    return static_cast<unsigned>((static_cast<unsigned long long>(hi) << 32 | lo) >> (s & 31));
}
inline unsigned __funnelshift_lc(unsigned lo, unsigned hi, unsigned s) { return s >= 32 ? lo : __funnelshift_l(lo, hi, s); }
inline unsigned __funnelshift_rc(unsigned lo, unsigned hi, unsigned s) { return s >= 32 ? hi : __funnelshift_r(lo, hi, s); }
inline int __mulhi(int a, int b) { return static_cast<int>(static_cast<long long>(a) * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32); }
inline long long __mul64hi(long long a, long long b) { return static_cast<long long>(static_cast<__int128>(a) * b >> 64); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}
inline int __mul24(int a, int b) {
    return static_cast<int>(static_cast<unsigned>(static_cast<int>(static_cast<unsigned>(a) << 8) >> 8) *
                            static_cast<unsigned>(static_cast<int>(static_cast<unsigned>(b) << 8) >> 8));
}
inline unsigned __umul24(unsigned a, unsigned b) { return (a & 0xffffff) * (b & 0xffffff); }
inline int mul24(int a, int b) { return __mul24(a, b); }
inline unsigned umul24(unsigned a, unsigned b) { return __umul24(a, b); }
inline unsigned __sad(int a, int b, unsigned c) {
    return c + static_cast<unsigned>(a > b ? static_cast<long long>(a) - b : static_cast<long long>(b) - a);
}
inline unsigned __usad(unsigned a, unsigned b, unsigned c) { return c + (a > b ? a - b : b - a); }
inline int __hadd(int a, int b) { return static_cast<int>((static_cast<long long>(a) + b) >> 1); }
inline int __rhadd(int a, int b) { return static_cast<int>((static_cast<long long>(a) + b + 1) >> 1); }
inline unsigned __uhadd(unsigned a, unsigned b) { return static_cast<unsigned>((static_cast<unsigned long long>(a) + b) >> 1); }
inline unsigned __urhadd(unsigned a, unsigned b) { return static_cast<unsigned>((static_cast<unsigned long long>(a) + b + 1) >> 1); }
inline unsigned __fns(unsigned mask, unsigned base, int offset) {
    if (offset == 0) return mask >> base & 1 ? base : 0xffffffffu;
    const int step = offset > 0 ? 1 : -1;
    int left = offset > 0 ? offset : -offset;
    for (int at = static_cast<int>(base); at >= 0 && at < 32; at += step)
        if (mask >> at & 1 && --left == 0) return static_cast<unsigned>(at);
    return 0xffffffffu;
}

namespace xpemu {
template <class A, class B, class C>
inline C dot4(unsigned a, unsigned b, C c) {
    unsigned sum = static_cast<unsigned>(c);
    for (int i = 0; i < 4; ++i) sum += static_cast<unsigned>(static_cast<int>(static_cast<A>(a >> (8 * i))) * static_cast<int>(static_cast<B>(b >> (8 * i))));
    return static_cast<C>(sum);
}
template <class A, class B, class C>
inline C dot2(unsigned a, unsigned b, int high, C c) {
    unsigned sum = static_cast<unsigned>(c);
    for (int i = 0; i < 2; ++i) sum += static_cast<unsigned>(static_cast<int>(static_cast<A>(a >> (16 * i))) * static_cast<int>(static_cast<B>(b >> (8 * (i + 2 * high)))));
    return static_cast<C>(sum);
}
}  // namespace xpemu
inline int __dp4a(int a, int b, int c) { return xpemu::dot4<signed char, signed char>(static_cast<unsigned>(a), static_cast<unsigned>(b), c); }
inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) { return xpemu::dot4<unsigned char, unsigned char>(a, b, c); }
inline int __dp4a(char4 a, char4 b, int c) { return __dp4a(xpemu::bits<int>(a), xpemu::bits<int>(b), c); }
inline unsigned __dp4a(uchar4 a, uchar4 b, unsigned c) { return __dp4a(xpemu::bits<unsigned>(a), xpemu::bits<unsigned>(b), c); }
inline int __dp2a_lo(int a, int b, int c) { return xpemu::dot2<short, signed char>(static_cast<unsigned>(a), static_cast<unsigned>(b), 0, c); }
inline int __dp2a_hi(int a, int b, int c) { return xpemu::dot2<short, signed char>(static_cast<unsigned>(a), static_cast<unsigned>(b), 1, c); }
inline unsigned __dp2a_lo(unsigned a, unsigned b, unsigned c) { return xpemu::dot2<unsigned short, unsigned char>(a, b, 0, c); }
inline unsigned __dp2a_hi(unsigned a, unsigned b, unsigned c) { return xpemu::dot2<unsigned short, unsigned char>(a, b, 1, c); }

// --------------------------------------------------------------------------------- cached access and the rest
#define XPEMU_LOAD(NAME)            \
    template <class T>              \
    inline T NAME(const T* at) {    \
        return *at;                 \
    }
XPEMU_LOAD(__ldg)
XPEMU_LOAD(__ldcg)
XPEMU_LOAD(__ldca)
XPEMU_LOAD(__ldcs)
XPEMU_LOAD(__ldlu)
XPEMU_LOAD(__ldcv)
#undef XPEMU_LOAD
#define XPEMU_STORE(NAME)                                                 \
    template <class T>                                                    \
    inline void NAME(T* at, typename std::enable_if<true, T>::type value) { \
        *at = value;                                                      \
    }
XPEMU_STORE(__stwb)
XPEMU_STORE(__stcg)
XPEMU_STORE(__stcs)
XPEMU_STORE(__stwt)
#undef XPEMU_STORE

inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) { xpemu::spin(); }
inline void __prof_trigger(int) {}
[[noreturn]] inline void __trap() { xpemu::fatal("trap", "__trap"); }
inline void __brkpt() {}
inline long long clock64() { return static_cast<long long>(xpemu::host_milliseconds() * 1e6); }
inline long long wall_clock64() { return clock64(); }
inline unsigned __isGlobal(const void*) { return 1; }
inline unsigned __isShared(const void*) { return 0; }
inline std::size_t __cvta_generic_to_shared(const void* p) { return reinterpret_cast<std::size_t>(p); }
inline std::size_t __cvta_generic_to_global(const void* p) { return reinterpret_cast<std::size_t>(p); }
