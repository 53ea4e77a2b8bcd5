// __bang_<from>2<to>[_<mode>]: without a mode, integers truncate and floats round to nearest even.
#pragma once

#include "vectors.hpp"

#define XPEMU_CONVERT_AS(NAME, TO, FROM, MODE, SIGN)                                                                                        \
    inline void NAME(TO* dst, const FROM* src, XPEMU_COUNT n, int position = 0, XPEMU_AT) {                                                 \
        xpemu::convert(XPEMU_CALL(NAME), xpemu::type_of<TO>(), xpemu::type_of<FROM>(), xpemu::Rounding::MODE, SIGN position, dst, src,      \
                       static_cast<std::size_t>(n), 0, 0, 1);                                                                               \
    }
#define XPEMU_STRIDED_AS(NAME, TO, FROM, MODE)                                                                                              \
    inline void NAME(TO* dst, const FROM* src, XPEMU_COUNT n, XPEMU_AT) {                                                                   \
        xpemu::convert(XPEMU_CALL(NAME), xpemu::type_of<TO>(), xpemu::type_of<FROM>(), xpemu::Rounding::MODE, 0, dst, src,                  \
                       static_cast<std::size_t>(n), 0, 0, 1);                                                                               \
    }                                                                                                                                       \
    inline void NAME(TO* dst, const FROM* src, XPEMU_COUNT n, long dst_stride, long src_stride, unsigned segnum, XPEMU_AT) {                \
        xpemu::convert(XPEMU_CALL(NAME), xpemu::type_of<TO>(), xpemu::type_of<FROM>(), xpemu::Rounding::MODE, 0, dst, src,                  \
                       static_cast<std::size_t>(n), dst_stride, src_stride, segnum + 1ul);                                                  \
    }
#define XPEMU_MODES(AS, NAME, TO, FROM, ...)         \
    AS(NAME##_tz, TO, FROM, tz, ##__VA_ARGS__)       \
    AS(NAME##_oz, TO, FROM, oz, ##__VA_ARGS__)       \
    AS(NAME##_up, TO, FROM, up, ##__VA_ARGS__)       \
    AS(NAME##_dn, TO, FROM, dn, ##__VA_ARGS__)       \
    AS(NAME##_rd, TO, FROM, rd, ##__VA_ARGS__)       \
    AS(NAME##_rn, TO, FROM, rn, ##__VA_ARGS__)       \
    AS(NAME##_rm, TO, FROM, rm, ##__VA_ARGS__)       \
    AS(NAME##_sr, TO, FROM, sr, ##__VA_ARGS__)

XPEMU_MODES(XPEMU_STRIDED_AS, __bang_float2half, half, float)
XPEMU_STRIDED_AS(__bang_float2half, half, float, rn)
XPEMU_STRIDED_AS(__bang_half2float, float, half, rn)
XPEMU_MODES(XPEMU_STRIDED_AS, __bang_float2bfloat16, bfloat16_t, float)
XPEMU_STRIDED_AS(__bang_float2bfloat16, bfloat16_t, float, rn)
XPEMU_STRIDED_AS(__bang_bfloat162float, float, bfloat16_t, rn)
XPEMU_MODES(XPEMU_STRIDED_AS, __bang_half2bfloat16, bfloat16_t, half)
XPEMU_STRIDED_AS(__bang_half2bfloat16, bfloat16_t, half, rn)
XPEMU_MODES(XPEMU_STRIDED_AS, __bang_bfloat162half, half, bfloat16_t)
XPEMU_STRIDED_AS(__bang_bfloat162half, half, bfloat16_t, rn)
XPEMU_STRIDED_AS(__bang_float2tf32, float, float, rn)

// To integers: dst = round(src / 2^position); from integers: dst = src * 2^position.
#define XPEMU_INTEGER(NAME, I)                                                        \
    XPEMU_MODES(XPEMU_CONVERT_AS, __bang_float2##NAME, I, float, -)                   \
    XPEMU_CONVERT_AS(__bang_float2##NAME, I, float, tz, -)                            \
    XPEMU_MODES(XPEMU_CONVERT_AS, __bang_half2##NAME, I, half, -)                     \
    XPEMU_CONVERT_AS(__bang_half2##NAME, I, half, tz, -)                              \
    XPEMU_MODES(XPEMU_CONVERT_AS, __bang_bfloat162##NAME, I, bfloat16_t, -)           \
    XPEMU_CONVERT_AS(__bang_bfloat162##NAME, I, bfloat16_t, tz, -)                    \
    XPEMU_MODES(XPEMU_CONVERT_AS, __bang_##NAME##2float, float, I, +)                 \
    XPEMU_CONVERT_AS(__bang_##NAME##2float, float, I, rn, +)                          \
    XPEMU_MODES(XPEMU_CONVERT_AS, __bang_##NAME##2half, half, I, +)                   \
    XPEMU_CONVERT_AS(__bang_##NAME##2half, half, I, rn, +)                            \
    XPEMU_MODES(XPEMU_CONVERT_AS, __bang_##NAME##2bfloat16, bfloat16_t, I, +)         \
    XPEMU_CONVERT_AS(__bang_##NAME##2bfloat16, bfloat16_t, I, rn, +)
XPEMU_INTEGER(int8, signed char)
XPEMU_INTEGER(uint8, unsigned char)
XPEMU_INTEGER(int16, short)
XPEMU_INTEGER(int32, int)
XPEMU_INTEGER(uint32, unsigned)
// Older spellings.
XPEMU_INTEGER(char, signed char)
XPEMU_INTEGER(fix8, signed char)
XPEMU_INTEGER(uchar, unsigned char)
XPEMU_INTEGER(short, short)
XPEMU_INTEGER(int, int)
#undef XPEMU_INTEGER
// `char` lanes under the names of int8.
#define XPEMU_CHAR(NAME, FROM, MODE) XPEMU_CONVERT_AS(NAME, char, FROM, MODE, -)
XPEMU_CHAR(__bang_float2int8_tz, float, tz)
XPEMU_CHAR(__bang_float2int8_dn, float, dn)
XPEMU_CHAR(__bang_float2int8_up, float, up)
XPEMU_CHAR(__bang_float2int8_rd, float, rd)
XPEMU_CHAR(__bang_float2int8_rn, float, rn)
XPEMU_CHAR(__bang_half2int8_tz, half, tz)
XPEMU_CHAR(__bang_half2int8_dn, half, dn)
XPEMU_CHAR(__bang_half2int8_rd, half, rd)
XPEMU_CHAR(__bang_half2int8_rn, half, rn)
XPEMU_CONVERT_AS(__bang_int82float, float, char, rn, +)
XPEMU_CONVERT_AS(__bang_int82half, half, char, rn, +)
#undef XPEMU_CHAR

// Between integers: dst = src * 2^(src_position - dst_position).
#define XPEMU_RESCALE_AS(NAME, TO, FROM, MODE)                                                                                                   \
    inline void NAME(TO* dst, const FROM* src, XPEMU_COUNT n, int dst_position = 0, int src_position = 0, XPEMU_AT) {                            \
        xpemu::convert(XPEMU_CALL(NAME), xpemu::type_of<TO>(), xpemu::type_of<FROM>(), xpemu::Rounding::MODE, src_position - dst_position, dst, src, \
                       static_cast<std::size_t>(n), 0, 0, 1);                                                                                    \
    }
#define XPEMU_RESCALE(NAME, TO, FROM)            \
    XPEMU_MODES(XPEMU_RESCALE_AS, NAME, TO, FROM) \
    XPEMU_RESCALE_AS(NAME, TO, FROM, rd)
XPEMU_RESCALE(__bang_int322int16, short, int)
XPEMU_RESCALE(__bang_int322int8, signed char, int)
XPEMU_RESCALE(__bang_int162int32, int, short)
XPEMU_RESCALE(__bang_int162int8, signed char, short)
XPEMU_RESCALE(__bang_int82int16, short, signed char)
XPEMU_RESCALE(__bang_int82int32, int, signed char)
XPEMU_RESCALE(__bang_char2short, short, signed char)
XPEMU_RESCALE(__bang_short2int, int, short)
XPEMU_RESCALE(__bang_int2short, short, int)
XPEMU_RESCALE(__bang_int2char, signed char, int)
#undef XPEMU_RESCALE
#undef XPEMU_RESCALE_AS
#undef XPEMU_MODES
#undef XPEMU_STRIDED_AS
#undef XPEMU_CONVERT_AS

inline void __cn_vector_cast_f32_to_s32(int n, int* dst, const float* src, XPEMU_AT) { __bang_float2int32(dst, src, n, 0, at); }
