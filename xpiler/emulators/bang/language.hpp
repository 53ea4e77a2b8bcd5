// The words of the language: qualifiers, built-in names, scalar functions, and the storage behind __nram__ and its kin.
#pragma once

#include <cfenv>

#include "runtime.hpp"

#define __BANG__ 1
#define __MLU__ 1
#define __BANG_ARCH__ XPEMU_ARCH
#define __CNCC__ 1
#if XPEMU_ARCH == 372
#define __MLU_NRAM_SIZE__ 768
#define __MLU_WRAM_SIZE__ 1024
#define __MLU_SRAM_SIZE__ 4096
#elif XPEMU_ARCH == 270
#define __MLU_NRAM_SIZE__ 512
#define __MLU_WRAM_SIZE__ 1024
#define __MLU_SRAM_SIZE__ 2048
#else
#define __MLU_NRAM_SIZE__ 512
#define __MLU_WRAM_SIZE__ 512
#define __MLU_SRAM_SIZE__ 2048
#endif

#define __mlu_entry__
#define __mlu_global__
#define __mlu_func__
#define __mlu_device__
#define __mlu_host__
#define __mlu_builtin__
#define __mlu_const__
// Declarations of variables are rewritten before; what remains are parameters and pointers.
#define __nram__
#define __wram__
#define __mlu_shared__
#define __ldram__

namespace xpemu {

// Behind a declaration: T (&name)[n] = *(T (*)[n]) storage(...).
inline void* storage(Variable& v, std::size_t bytes) { return declare(v, bytes); }

inline void* file_scope(const char* name, int line, Space space, std::size_t bytes, const void* initial = nullptr) {
    return declare(*new Variable{name, line, space, bytes, true, initial, nullptr}, bytes);
}

}  // namespace xpemu

inline bool __is_mpu() { return xpemu::on_memory_core(); }
inline bool __is_ipu() { return !xpemu::on_memory_core(); }
inline bool __is_nram(const void* p) { return xpemu::is_in(p, xpemu::Space::nram); }
inline bool __is_wram(const void* p) { return xpemu::is_in(p, xpemu::Space::wram); }
inline bool __is_sram(const void* p) { return xpemu::is_in(p, xpemu::Space::sram); }
inline bool __is_dram(const void* p) { return xpemu::is_in(p, xpemu::Space::gdram); }

// ------------------------------------------------------------------------------------------ scalar functions
#define XPEMU_MIN_MAX(T)                                   \
    inline T min(T a, T b) { return b < a ? b : a; }       \
    inline T max(T a, T b) { return a < b ? b : a; }
XPEMU_MIN_MAX(int)
XPEMU_MIN_MAX(unsigned)
XPEMU_MIN_MAX(long)
XPEMU_MIN_MAX(unsigned long)
XPEMU_MIN_MAX(long long)
XPEMU_MIN_MAX(float)
XPEMU_MIN_MAX(double)
inline half min(half a, half b) { return float(b) < float(a) ? b : a; }
inline half max(half a, half b) { return float(a) < float(b) ? b : a; }
#undef XPEMU_MIN_MAX
template <class A, class B, class = std::enable_if_t<std::is_arithmetic_v<A> && std::is_arithmetic_v<B> && !std::is_same_v<A, B>>>
inline std::common_type_t<A, B> min(A a, B b) {
    using C = std::common_type_t<A, B>;
    return static_cast<C>(b) < static_cast<C>(a) ? static_cast<C>(b) : static_cast<C>(a);
}
template <class A, class B, class = std::enable_if_t<std::is_arithmetic_v<A> && std::is_arithmetic_v<B> && !std::is_same_v<A, B>>>
inline std::common_type_t<A, B> max(A a, B b) {
    using C = std::common_type_t<A, B>;
    return static_cast<C>(a) < static_cast<C>(b) ? static_cast<C>(b) : static_cast<C>(a);
}

#define XPEMU_ACCESS(NAME, SPACE)                                                                                       \
    template <class T>                                                                                                  \
    inline T __load_##NAME(const T* p) {                                                                                \
        return *p;                                                                                                      \
    }                                                                                                                   \
    template <class T>                                                                                                  \
    inline void __store_##NAME(T* p, ::xpemu::Same<T> value) {                                                          \
        *p = value;                                                                                                     \
    }
XPEMU_ACCESS(nram, nram)
XPEMU_ACCESS(sram, sram)
XPEMU_ACCESS(gdram, gdram)
XPEMU_ACCESS(ldram, ldram)
#undef XPEMU_ACCESS

// Scalar conversions: __float2half_rd(x) and so on.
namespace xpemu {
template <class To>
inline To rounded(double v, Rounding mode) {
    const double r = round_to(v, mode);
    constexpr double low = static_cast<double>(std::numeric_limits<To>::lowest()), high = static_cast<double>(std::numeric_limits<To>::max());
    if (!(r >= low && r <= high)) std::feraiseexcept(FE_INVALID);  // `runner.cpp` can be told to end there
    return v != v ? To(0) : static_cast<To>(r < low ? low : r > high ? high : r);
}
XPEMU_LOCAL double round_float(Type, double, Rounding);
}  // namespace xpemu
#define XPEMU_TO_INT(FROM, T, NAME)                                                                          \
    inline T __##NAME(FROM v) { return xpemu::rounded<T>(static_cast<double>(float(v)), xpemu::Rounding::tz); }      \
    inline T __##NAME##_tz(FROM v) { return xpemu::rounded<T>(static_cast<double>(float(v)), xpemu::Rounding::tz); } \
    inline T __##NAME##_oz(FROM v) { return xpemu::rounded<T>(static_cast<double>(float(v)), xpemu::Rounding::oz); } \
    inline T __##NAME##_up(FROM v) { return xpemu::rounded<T>(static_cast<double>(float(v)), xpemu::Rounding::up); } \
    inline T __##NAME##_dn(FROM v) { return xpemu::rounded<T>(static_cast<double>(float(v)), xpemu::Rounding::dn); } \
    inline T __##NAME##_rd(FROM v) { return xpemu::rounded<T>(static_cast<double>(float(v)), xpemu::Rounding::rd); } \
    inline T __##NAME##_rn(FROM v) { return xpemu::rounded<T>(static_cast<double>(float(v)), xpemu::Rounding::rn); } \
    inline T __##NAME##_rm(FROM v) { return xpemu::rounded<T>(static_cast<double>(float(v)), xpemu::Rounding::rm); }
XPEMU_TO_INT(float, int, float2int)
XPEMU_TO_INT(float, int, float2int32)
XPEMU_TO_INT(float, short, float2int16)
XPEMU_TO_INT(float, short, float2short)
XPEMU_TO_INT(float, signed char, float2int8)
XPEMU_TO_INT(float, signed char, float2char)
XPEMU_TO_INT(half, int, half2int)
XPEMU_TO_INT(half, int, half2int32)
XPEMU_TO_INT(half, short, half2int16)
XPEMU_TO_INT(half, short, half2short)
XPEMU_TO_INT(half, signed char, half2int8)
XPEMU_TO_INT(half, signed char, half2char)
#undef XPEMU_TO_INT
#define XPEMU_TO_SMALL(NAME, T, TYPE)                                                                                    \
    inline T __##NAME(float v) { return T(v); }                                                                          \
    inline T __##NAME##_rn(float v) { return T(v); }                                                                     \
    inline T __##NAME##_tz(float v) { return T(xpemu::round_float(xpemu::Type::TYPE, v, xpemu::Rounding::tz)); }         \
    inline T __##NAME##_oz(float v) { return T(xpemu::round_float(xpemu::Type::TYPE, v, xpemu::Rounding::oz)); }         \
    inline T __##NAME##_up(float v) { return T(xpemu::round_float(xpemu::Type::TYPE, v, xpemu::Rounding::up)); }         \
    inline T __##NAME##_dn(float v) { return T(xpemu::round_float(xpemu::Type::TYPE, v, xpemu::Rounding::dn)); }         \
    inline T __##NAME##_rd(float v) { return T(xpemu::round_float(xpemu::Type::TYPE, v, xpemu::Rounding::rd)); }
XPEMU_TO_SMALL(float2half, half, f16)
XPEMU_TO_SMALL(float2bfloat16, bfloat16_t, bf16)
#undef XPEMU_TO_SMALL
inline float __half2float(half v) { return v; }
inline float __bfloat162float(bfloat16_t v) { return v; }
inline float __int2float(int v) { return static_cast<float>(v); }
inline float __int322float(int v) { return static_cast<float>(v); }
inline float __short2float(short v) { return v; }
inline float __char2float(signed char v) { return v; }
inline half __int2half(int v) { return half(v); }
inline half __short2half(short v) { return half(v); }
inline half __char2half(signed char v) { return half(v); }
inline float __cn_scalar_sin_f32(float x) { return std::sin(x); }
inline float __cn_scalar_cos_f32(float x) { return std::cos(x); }
inline half __cn_scalar_sin_f16(half x) { return half(std::sin(float(x))); }
inline half __cn_scalar_cos_f16(half x) { return half(std::cos(float(x))); }

#define __bang_printf std::printf
