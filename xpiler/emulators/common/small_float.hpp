// The two 16-bit floats of a platform, under the names that it gives them: XPEMU_HALF and XPEMU_BFLOAT. Every
// operation rounds once, to nearest even.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace xpemu {

template <class To, class From>
inline To bits_of(From from) {
    static_assert(sizeof(To) == sizeof(From), "");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

enum class Round { nearest, zero, up, down };

// The bits of `value` in a format of `E` exponent and `M` mantissa bits (IEEE: subnormals, infinities, NaN).
template <int E, int M>
inline std::uint16_t narrow(double value, Round mode = Round::nearest) {
    constexpr int bias = (1 << (E - 1)) - 1;
    constexpr std::uint16_t infinity = ((1 << E) - 1) << M, largest = infinity - 1;
    const auto raw = bits_of<std::uint64_t>(value);
    const std::uint16_t sign = static_cast<std::uint16_t>(raw >> 63 << (E + M));
    if (value != value) return E == 5 ? 0x7fff : 0x7fff;
    const double size = std::fabs(value);
    const bool away = (mode == Round::up && !sign) || (mode == Round::down && sign);
    const bool toward = mode != Round::nearest && !away;
    int exponent = static_cast<int>(raw >> 52 & 0x7ff) - 1023;
    if (exponent < 1 - bias) exponent = 1 - bias;  // subnormals share the smallest exponent
    if (exponent > bias) return sign | (toward && size != HUGE_VAL ? largest : infinity);
    const double units = std::ldexp(size, M - exponent);  // exact: the unit of the last place is 1
    double whole = std::floor(units);
    const double rest = units - whole;
    if (mode == Round::nearest ? rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2.0) == 1.0) : away && rest > 0) whole += 1;
    // Normal numbers carry their implicit bit into the exponent field; an overflow becomes infinity by itself.
    const auto base = static_cast<unsigned>(exponent - (1 - bias)) << M;
    const unsigned result = base + static_cast<unsigned>(whole);
    return sign | static_cast<std::uint16_t>(result > infinity ? infinity : result);
}

inline float half_to_float(std::uint16_t h) {
#if defined(__F16C__)
    return _cvtsh_ss(h);
#else
    const int exponent = h >> 10 & 31, mantissa = h & 1023;
    float size = exponent == 31 ? (mantissa ? NAN : INFINITY) : exponent ? std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25)
                                                                        : std::ldexp(static_cast<float>(mantissa), -24);
    return h & 0x8000 ? -size : size;
#endif
}
inline std::uint16_t half_from_float(float f) {
#if defined(__F16C__)
    return f != f ? std::uint16_t{0x7fff} : static_cast<std::uint16_t>(_cvtss_sh(f, 0));
#else
    return narrow<5, 10>(static_cast<double>(f));
#endif
}
inline float bfloat_to_float(std::uint16_t b) { return bits_of<float>(static_cast<std::uint32_t>(b) << 16); }
inline std::uint16_t bfloat_from_float(float f) {
    if (f != f) return 0x7fff;
    const auto raw = bits_of<std::uint32_t>(f);
    return static_cast<std::uint16_t>((raw + 0x7fff + (raw >> 16 & 1)) >> 16);
}

}  // namespace xpemu

struct __half_raw {
    unsigned short x;
};

#define XPEMU_SMALL_FLOAT(NAME, TO_FLOAT, FROM_FLOAT, FROM_DOUBLE)                                                      \
    struct alignas(2) NAME {                                                                                            \
        union {                                                                                                         \
            unsigned short __x;                                                                                         \
            unsigned short data;                                                                                        \
            unsigned short x;                                                                                           \
        };                                                                                                              \
        NAME() = default;                                                                                               \
        NAME(float v) : __x(FROM_FLOAT(v)) {}                                                                           \
        NAME(double v) : __x(FROM_DOUBLE(v)) {}                                                                         \
        NAME(__half_raw r) : __x(r.x) {}                                                                                \
        template <class T, class = std::enable_if_t<std::is_integral_v<T>>, class = void>                               \
        NAME(T v) : __x(FROM_DOUBLE(static_cast<double>(v))) {}                                                         \
        operator float() const { return TO_FLOAT(__x); }                                                                \
        explicit operator double() const { return TO_FLOAT(__x); }                                                      \
        operator __half_raw() const { return __half_raw{__x}; }                                                         \
        static NAME from_bits(unsigned short b) {                                                                       \
            NAME r;                                                                                                     \
            r.__x = b;                                                                                                  \
            return r;                                                                                                   \
        }                                                                                                               \
        NAME& operator++() { return *this = NAME(float(*this) + 1.0f); }                                                \
        NAME& operator--() { return *this = NAME(float(*this) - 1.0f); }                                                \
        NAME operator++(int) {                                                                                          \
            NAME old = *this;                                                                                           \
            ++*this;                                                                                                    \
            return old;                                                                                                 \
        }                                                                                                               \
        NAME operator--(int) {                                                                                          \
            NAME old = *this;                                                                                           \
            --*this;                                                                                                    \
            return old;                                                                                                 \
        }                                                                                                               \
        NAME operator+() const { return *this; }                                                                        \
        NAME operator-() const { return from_bits(__x ^ 0x8000); }                                                      \
        NAME& operator+=(const NAME& b) { return *this = NAME(float(*this) + float(b)); }                               \
        NAME& operator-=(const NAME& b) { return *this = NAME(float(*this) - float(b)); }                               \
        NAME& operator*=(const NAME& b) { return *this = NAME(float(*this) * float(b)); }                               \
        NAME& operator/=(const NAME& b) { return *this = NAME(float(*this) / float(b)); }                               \
    };

inline std::uint16_t xpemu_half_from_double(double v) { return xpemu::narrow<5, 10>(v); }
inline std::uint16_t xpemu_bfloat_from_double(double v) { return xpemu::narrow<8, 7>(v); }
XPEMU_SMALL_FLOAT(XPEMU_HALF, xpemu::half_to_float, xpemu::half_from_float, xpemu_half_from_double)
XPEMU_SMALL_FLOAT(XPEMU_BFLOAT, xpemu::bfloat_to_float, xpemu::bfloat_from_float, xpemu_bfloat_from_double)
#undef XPEMU_SMALL_FLOAT

namespace xpemu {
template <class T>
constexpr bool is_small = std::is_same_v<T, XPEMU_HALF> || std::is_same_v<T, XPEMU_BFLOAT>;
// half with float gives float, with double double, with an integer half.
template <class H, class T>
using Mixed = std::conditional_t<std::is_integral_v<T>, H, T>;
}  // namespace xpemu

#define XPEMU_OPERATOR(OP)                                                                                   \
    template <class H, class = std::enable_if_t<xpemu::is_small<H>>>                                         \
    inline H operator OP(const H& a, const H& b) {                                                           \
        return H(float(a) OP float(b));                                                                      \
    }                                                                                                        \
    template <class H, class T, class = std::enable_if_t<xpemu::is_small<H> && std::is_arithmetic_v<T>>>     \
    inline xpemu::Mixed<H, T> operator OP(const H& a, T b) {                                                 \
        if constexpr (std::is_integral_v<T>) return H(float(a) OP float(H(b)));                              \
        else return static_cast<T>(float(a)) OP b;                                                           \
    }                                                                                                        \
    template <class H, class T, class = std::enable_if_t<xpemu::is_small<H> && std::is_arithmetic_v<T>>>     \
    inline xpemu::Mixed<H, T> operator OP(T a, const H& b) {                                                 \
        if constexpr (std::is_integral_v<T>) return H(float(H(a)) OP float(b));                              \
        else return a OP static_cast<T>(float(b));                                                           \
    }
XPEMU_OPERATOR(+)
XPEMU_OPERATOR(-)
XPEMU_OPERATOR(*)
XPEMU_OPERATOR(/)
#undef XPEMU_OPERATOR
#define XPEMU_COMPARE(OP)                                                                                    \
    template <class H, class = std::enable_if_t<xpemu::is_small<H>>>                                         \
    inline bool operator OP(const H& a, const H& b) {                                                        \
        return float(a) OP float(b);                                                                         \
    }                                                                                                        \
    template <class H, class T, class = std::enable_if_t<xpemu::is_small<H> && std::is_arithmetic_v<T>>>     \
    inline bool operator OP(const H& a, T b) {                                                               \
        return float(a) OP b;                                                                                \
    }                                                                                                        \
    template <class H, class T, class = std::enable_if_t<xpemu::is_small<H> && std::is_arithmetic_v<T>>>     \
    inline bool operator OP(T a, const H& b) {                                                               \
        return a OP float(b);                                                                                \
    }
XPEMU_COMPARE(==)
XPEMU_COMPARE(!=)
XPEMU_COMPARE(<)
XPEMU_COMPARE(>)
XPEMU_COMPARE(<=)
XPEMU_COMPARE(>=)
#undef XPEMU_COMPARE
