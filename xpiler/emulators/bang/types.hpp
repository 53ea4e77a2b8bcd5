// The types of BANG C: half, bfloat16_t, the short integer names, and the enumerations of the intrinsics.
#pragma once

#include <cstddef>
#include <cstdint>

#define XPEMU_HALF half
#define XPEMU_BFLOAT bfloat16_t
#include "rounding.hpp"
#include "small_float.hpp"

typedef bfloat16_t bfloat16;
typedef std::int8_t int8;
typedef std::int16_t int16;
typedef std::int32_t int32;
typedef std::uint8_t uint8;
typedef std::uint16_t uint16;
typedef std::uint32_t uint32;
typedef std::int8_t fix8;
typedef std::int8_t fix8_t;
struct int4x2_t {  // two signed 4-bit integers, the first in the low bits
    std::int8_t data;
};

enum mluMemcpyDirection_t {
    GDRAM2NRAM, NRAM2GDRAM, LDRAM2NRAM, NRAM2LDRAM, GDRAM2WRAM, WRAM2GDRAM, LDRAM2WRAM, WRAM2LDRAM,
    NRAM2NRAM, NRAM2WRAM, WRAM2NRAM, GDRAM2SRAM, SRAM2GDRAM, LDRAM2SRAM, SRAM2LDRAM, SRAM2NRAM,
    NRAM2SRAM, SRAM2WRAM, WRAM2SRAM, GDRAM2GDRAM, GDRAM2LDRAM, LDRAM2GDRAM, LDRAM2LDRAM, SRAM2SRAM,
};
typedef mluMemcpyDirection_t mluMemcpyDirection;
enum CompareMode { CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE };
enum mluFusionOpCode { FUSION_FMA, FUSION_FMS, FUSION_FAM, FUSION_FSM, FUSION_FAA, FUSION_FAS, FUSION_FSS, FUSION_FSA };
enum mluPoolBPOverlap { OVERLAP_ACC, OVERLAP_COVER };

#define MAX_HALF_VALUE 65504.0f
#define MIN_HALF_VALUE (-65504.0f)
#define HALF_MAX 65504.0f
#define HALF_MIN (-65504.0f)

namespace xpemu {

enum class Type : std::uint8_t { i8, u8, i16, u16, i32, u32, i64, u64, f16, bf16, f32, f64, i4x2 };

template <class T>
constexpr Type type_of() {
    if constexpr (std::is_same_v<T, half>) return Type::f16;
    else if constexpr (std::is_same_v<T, bfloat16_t>) return Type::bf16;
    else if constexpr (std::is_same_v<T, float>) return Type::f32;
    else if constexpr (std::is_same_v<T, double>) return Type::f64;
    else if constexpr (std::is_same_v<T, int4x2_t>) return Type::i4x2;
    else if constexpr (std::is_same_v<T, bool>) return Type::u8;
    else {
        static_assert(std::is_integral_v<T> || std::is_enum_v<T>, "no element type of BANG C");
        constexpr bool is_signed = std::is_same_v<T, char> || std::is_signed_v<T>;
        if constexpr (sizeof(T) == 1) return is_signed ? Type::i8 : Type::u8;
        else if constexpr (sizeof(T) == 2) return is_signed ? Type::i16 : Type::u16;
        else if constexpr (sizeof(T) == 4) return is_signed ? Type::i32 : Type::u32;
        else return is_signed ? Type::i64 : Type::u64;
    }
}

constexpr std::size_t size_of(Type t) {
    switch (t) {
        case Type::i8: case Type::u8: case Type::i4x2: return 1;
        case Type::i16: case Type::u16: case Type::f16: case Type::bf16: return 2;
        case Type::i64: case Type::u64: case Type::f64: return 8;
        default: return 4;
    }
}
constexpr bool is_float(Type t) { return t == Type::f16 || t == Type::bf16 || t == Type::f32 || t == Type::f64; }

template <class T>
struct Identity {
    using type = T;
};
template <class T>
using Same = typename Identity<T>::type;  // a parameter that takes no part in deduction

// What may stand for a scalar operand.
template <class T>
constexpr bool is_scalar = std::is_arithmetic_v<T> || std::is_enum_v<T> || is_small<T>;
template <class T>
using IfScalar = std::enable_if_t<is_scalar<T>>;

}  // namespace xpemu
