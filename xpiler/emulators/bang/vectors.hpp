// Vector instructions as kernels spell them: thin wrappers that name the operation, the type and the line.
#pragma once

#include "runtime.hpp"

#define XPEMU_CALL(NAME) \
    ::xpemu::Call { #NAME, at.value }
#define XPEMU_COUNT long

// ------------------------------------------------------------------------------------- two vectors, one result
#define XPEMU_BINARY(NAME, OP)                                                                                                            \
    template <class T>                                                                                                                    \
    inline void NAME(T* dst, const T* src0, const T* src1, XPEMU_COUNT n, XPEMU_AT) {                                                     \
        xpemu::elementwise(XPEMU_CALL(NAME), xpemu::Op::OP, xpemu::type_of<T>(), dst, src0, src1, xpemu::Second::vector, n, 0);           \
    }
#define XPEMU_SCALAR(NAME, OP)                                                                                                            \
    template <class T, class S, class = xpemu::IfScalar<S>>                                                                               \
    inline void NAME(T* dst, const T* src, S value, XPEMU_COUNT n, XPEMU_AT) {                                                            \
        const T v = static_cast<T>(value);                                                                                                \
        xpemu::elementwise(XPEMU_CALL(NAME), xpemu::Op::OP, xpemu::type_of<T>(), dst, src, &v, xpemu::Second::scalar, n, 0);              \
    }
#define XPEMU_CYCLE(NAME, OP)                                                                                                             \
    template <class T>                                                                                                                    \
    inline void NAME(T* dst, const T* src, const T* seg, XPEMU_COUNT src_n, XPEMU_COUNT seg_n, XPEMU_AT) {                                \
        xpemu::elementwise(XPEMU_CALL(NAME), xpemu::Op::OP, xpemu::type_of<T>(), dst, src, seg, xpemu::Second::cyclic, src_n, seg_n);     \
    }
#define XPEMU_UNARY(NAME, OP)                                                                                                             \
    template <class T>                                                                                                                    \
    inline void NAME(T* dst, const T* src, XPEMU_COUNT n, XPEMU_AT) {                                                                     \
        xpemu::elementwise(XPEMU_CALL(NAME), xpemu::Op::OP, xpemu::type_of<T>(), dst, src, nullptr, xpemu::Second::none, n, 0);           \
    }
#define XPEMU_FAMILY(NAME, OP)            \
    XPEMU_BINARY(__bang_##NAME, OP)       \
    XPEMU_SCALAR(__bang_##NAME##_scalar, OP) \
    XPEMU_CYCLE(__bang_cycle_##NAME, OP)

XPEMU_FAMILY(add, add)
XPEMU_FAMILY(sub, sub)
XPEMU_FAMILY(mul, mul)
XPEMU_BINARY(__bang_adds, adds)
XPEMU_BINARY(__bang_subs, subs)
XPEMU_BINARY(__bang_mulh, mulh)
XPEMU_FAMILY(eq, eq)
XPEMU_FAMILY(ne, ne)
XPEMU_FAMILY(lt, lt)
XPEMU_FAMILY(le, le)
XPEMU_FAMILY(gt, gt)
XPEMU_FAMILY(ge, ge)
XPEMU_FAMILY(and, logic_and)
XPEMU_FAMILY(or, logic_or)
XPEMU_FAMILY(xor, logic_xor)
XPEMU_FAMILY(maxequal, max)
XPEMU_FAMILY(minequal, min)
XPEMU_SCALAR(__bang_maxeq_scalar, max)
XPEMU_SCALAR(__bang_mineq_scalar, min)
XPEMU_FAMILY(maximum, maximum)
XPEMU_FAMILY(minimum, minimum)
XPEMU_FAMILY(nan_maximum, nan_maximum)
XPEMU_FAMILY(nan_minimum, nan_minimum)
// Deprecated spellings of the scalar forms.
XPEMU_SCALAR(__bang_add_const, add)
XPEMU_SCALAR(__bang_sub_const, sub)
XPEMU_SCALAR(__bang_mul_const, mul)
XPEMU_BINARY(__bang_div, div)
XPEMU_SCALAR(__bang_div, div)
XPEMU_SCALAR(__bang_div_scalar, div)
XPEMU_CYCLE(__bang_cycle_div, div)
XPEMU_BINARY(__bang_rem, rem)
XPEMU_SCALAR(__bang_rem, rem)
// The deprecated form with a scratch vector, which is left undefined.
template <class T>
inline void __bang_div(T* dst, const T* src0, const T* src1, T* scratch, XPEMU_COUNT n, XPEMU_AT) {
    (void)scratch;
    xpemu::elementwise(XPEMU_CALL(__bang_div), xpemu::Op::div, xpemu::type_of<T>(), dst, src0, src1, xpemu::Second::vector, n, 0);
}
XPEMU_SCALAR(__bang_sll, sll)
XPEMU_SCALAR(__bang_srl, srl)
XPEMU_SCALAR(__bang_sra, sra)

XPEMU_UNARY(__bang_not, logic_not)
XPEMU_UNARY(__bang_abs, abs)
XPEMU_UNARY(__bang_neg, neg)
XPEMU_UNARY(__bang_square, square)
XPEMU_UNARY(__bang_recip, recip)
XPEMU_UNARY(__bang_sqrt, sqrt)
XPEMU_UNARY(__bang_rsqrt, rsqrt)
XPEMU_UNARY(__bang_sin, sin)
XPEMU_UNARY(__bang_cos, cos)
XPEMU_UNARY(__bang_tanh, tanh)
XPEMU_UNARY(__bang_pow2, pow2)
XPEMU_UNARY(__bang_log, log2)  // base 2, whatever its name says
XPEMU_UNARY(__bang_log2, log2)
XPEMU_UNARY(__bang_floor, floor)
XPEMU_UNARY(__bang_ceil, ceil)
XPEMU_UNARY(__bang_trunc, trunc)
XPEMU_UNARY(__bang_round, round)
XPEMU_UNARY(__bang_nearbyint, nearbyint)
XPEMU_UNARY(__bang_relu, relu)
XPEMU_UNARY(__bang_sigmoid, sigmoid)
XPEMU_UNARY(__bang_active_abs, abs)
XPEMU_UNARY(__bang_active_relu, relu)
XPEMU_UNARY(__bang_active_sign, sign)
XPEMU_UNARY(__bang_active_exp, exp)
XPEMU_UNARY(__bang_active_exphp, exp)
XPEMU_UNARY(__bang_active_exp_less_0, exp)
XPEMU_UNARY(__bang_active_sigmoid, sigmoid)
XPEMU_UNARY(__bang_active_tanh, tanh)
XPEMU_UNARY(__bang_active_sin, sin)
XPEMU_UNARY(__bang_active_cos, cos)
XPEMU_UNARY(__bang_active_gelu, gelu)
XPEMU_UNARY(__bang_active_gelup, gelu)
XPEMU_UNARY(__bang_active_log, ln)
XPEMU_UNARY(__bang_active_loghp, ln)
XPEMU_UNARY(__bang_active_pow2, pow2)
XPEMU_UNARY(__bang_active_recip, recip)
XPEMU_UNARY(__bang_active_reciphp, recip)
XPEMU_UNARY(__bang_active_recip_greater_1, recip)
XPEMU_UNARY(__bang_active_sqrt, sqrt)
XPEMU_UNARY(__bang_active_sqrthp, sqrt)
XPEMU_UNARY(__bang_active_rsqrt, rsqrt)
XPEMU_UNARY(__bang_active_rsqrthp, rsqrt)
#define XPEMU_TAYLOR(NAME, OP)                                                                                                       \
    template <class T>                                                                                                               \
    inline void NAME(T* dst, const T* src, T* aux1, T* aux2, XPEMU_COUNT n, XPEMU_AT) {                                              \
        (void)aux1, (void)aux2;                                                                                                      \
        xpemu::elementwise(XPEMU_CALL(NAME), xpemu::Op::OP, xpemu::type_of<T>(), dst, src, nullptr, xpemu::Second::none, n, 0);      \
    }
XPEMU_TAYLOR(__bang_taylor3_sin, sin)
XPEMU_TAYLOR(__bang_taylor3_cos, cos)
XPEMU_TAYLOR(__bang_taylor3_tanh, tanh)
XPEMU_TAYLOR(__bang_taylor3_sigmoid, sigmoid)
XPEMU_TAYLOR(__bang_taylor3_softplus, softplus)
XPEMU_TAYLOR(__bang_taylor4_sin, sin)
XPEMU_TAYLOR(__bang_taylor4_cos, cos)
XPEMU_TAYLOR(__bang_taylor4_tanh, tanh)
XPEMU_TAYLOR(__bang_taylor4_sigmoid, sigmoid)
XPEMU_TAYLOR(__bang_taylor4_softplus, softplus)
#undef XPEMU_TAYLOR

template <class T>
inline void __bang_relun(T* dst, const T* src, XPEMU_COUNT n, xpemu::Same<T> most, XPEMU_AT) {
    xpemu::elementwise(XPEMU_CALL(__bang_relun), xpemu::Op::relu, xpemu::type_of<T>(), dst, src, nullptr, xpemu::Second::none, n, 0);
    xpemu::elementwise(XPEMU_CALL(__bang_relun), xpemu::Op::min, xpemu::type_of<T>(), dst, dst, &most, xpemu::Second::scalar, n, 0);
}
inline void __bang_square(int* dst, const short* src, XPEMU_COUNT n, XPEMU_AT) {
    xpemu::widening_square(XPEMU_CALL(__bang_square), xpemu::Type::i32, xpemu::Type::i16, dst, src, n);
}
inline void __bang_square(short* dst, const signed char* src, XPEMU_COUNT n, XPEMU_AT) {
    xpemu::widening_square(XPEMU_CALL(__bang_square), xpemu::Type::i16, xpemu::Type::i8, dst, src, n);
}
inline void __bang_square(short* dst, const char* src, XPEMU_COUNT n, XPEMU_AT) {
    xpemu::widening_square(XPEMU_CALL(__bang_square), xpemu::Type::i16, xpemu::Type::i8, dst, src, n);
}

// The vendor's math library: the count comes first.
inline void __cn_vector_sin_f32(int n, float* dst, const float* src, XPEMU_AT) { __bang_sin(dst, src, n, at); }
inline void __cn_vector_cos_f32(int n, float* dst, const float* src, XPEMU_AT) { __bang_cos(dst, src, n, at); }
inline void __cn_vector_hypot_f32(int n, float* dst, const float* x, const float* y, XPEMU_AT) {
    xpemu::elementwise(XPEMU_CALL(__cn_vector_hypot_f32), xpemu::Op::hypot, xpemu::Type::f32, dst, x, y, xpemu::Second::vector, n, 0);
}

// ------------------------------------------------------------------------------------------------------ bits
// The operands of band and its kin are bytes (n of them); the deprecated short and int forms count elements.
#define XPEMU_BITS(NAME, OP)                                                                                                                   \
    template <class T, class U, class V>                                                                                                       \
    inline void NAME(T* dst, const U* src0, const V* src1, XPEMU_COUNT n, XPEMU_AT) {                                                          \
        static_assert(sizeof(T) == sizeof(U) && sizeof(U) == sizeof(V), "operands of one width");                                              \
        xpemu::elementwise(XPEMU_CALL(NAME), xpemu::Op::OP, xpemu::Type::u8, dst, src0, src1, xpemu::Second::vector, n * sizeof(T), 0);        \
    }
#define XPEMU_BITS_CYCLE(NAME, OP)                                                                                                             \
    template <class T, class U, class V>                                                                                                       \
    inline void NAME(T* dst, const U* src, const V* seg, XPEMU_COUNT src_n, XPEMU_COUNT seg_n, XPEMU_AT) {                                     \
        xpemu::elementwise(XPEMU_CALL(NAME), xpemu::Op::OP, xpemu::Type::u8, dst, src, seg, xpemu::Second::cyclic, src_n * sizeof(T), seg_n * sizeof(T)); \
    }
#define XPEMU_BITS_SCALAR(NAME, OP)                                                                                                            \
    template <class T, class S, class = xpemu::IfScalar<S>>                                                                                    \
    inline void NAME(T* dst, const T* src, S value, XPEMU_COUNT n, XPEMU_AT) {                                                                 \
        const T v = static_cast<T>(value);                                                                                                     \
        constexpr xpemu::Type type = sizeof(T) == 1 ? xpemu::Type::u8 : sizeof(T) == 2 ? xpemu::Type::u16 : xpemu::Type::u32;                  \
        xpemu::elementwise(XPEMU_CALL(NAME), xpemu::Op::OP, type, dst, src, &v, xpemu::Second::scalar, n, 0);                                  \
    }
XPEMU_BITS(__bang_band, band)
XPEMU_BITS(__bang_bor, bor)
XPEMU_BITS(__bang_bxor, bxor)
XPEMU_BITS_CYCLE(__bang_cycle_band, band)
XPEMU_BITS_CYCLE(__bang_cycle_bor, bor)
XPEMU_BITS_CYCLE(__bang_cycle_bxor, bxor)
XPEMU_BITS_SCALAR(__bang_band_scalar, band)
XPEMU_BITS_SCALAR(__bang_bor_scalar, bor)
XPEMU_BITS_SCALAR(__bang_bxor_scalar, bxor)
template <class T, class U>
inline void __bang_bnot(T* dst, const U* src, XPEMU_COUNT n, XPEMU_AT) {
    static_assert(sizeof(T) == sizeof(U), "operands of one width");
    xpemu::elementwise(XPEMU_CALL(__bang_bnot), xpemu::Op::bnot, xpemu::Type::u8, dst, src, nullptr, xpemu::Second::none, n * sizeof(T), 0);
}
#undef XPEMU_BITS
#undef XPEMU_BITS_CYCLE
#undef XPEMU_BITS_SCALAR

#define XPEMU_BIT_INDEX(NAME, OP)                                                                                              \
    template <class T>                                                                                                         \
    inline void NAME(void* dst, const T* src0, const T* src1, XPEMU_COUNT n, XPEMU_AT) {                                       \
        xpemu::bit_index(XPEMU_CALL(NAME), xpemu::Op::OP, xpemu::type_of<T>(), dst, src0, src1, n);                            \
    }
XPEMU_BIT_INDEX(__bang_eq_bitindex, eq)
XPEMU_BIT_INDEX(__bang_ne_bitindex, ne)
XPEMU_BIT_INDEX(__bang_lt_bitindex, lt)
XPEMU_BIT_INDEX(__bang_le_bitindex, le)
XPEMU_BIT_INDEX(__bang_gt_bitindex, gt)
XPEMU_BIT_INDEX(__bang_ge_bitindex, ge)
#undef XPEMU_BIT_INDEX

// ---------------------------------------------------------------------------------------- selections, tables
inline void __bang_maskmove(void* dst, const void* src, const void* mask, XPEMU_COUNT bytes, XPEMU_AT) {
    xpemu::mask_move(XPEMU_CALL(__bang_maskmove), dst, src, mask, bytes);
}
template <class T>
inline void __bang_maskmove(T* dst, const T* src, const T* mask, XPEMU_COUNT n, XPEMU_AT) {
    xpemu::mask_move(XPEMU_CALL(__bang_maskmove), dst, src, mask, n * sizeof(T));
}
template <class T>
inline unsigned __bang_filter(T* dst, const T* src, const T* index, XPEMU_COUNT n, XPEMU_AT) {
    return xpemu::compress(XPEMU_CALL(__bang_filter), xpemu::type_of<T>(), dst, src, index, false, n, 0);
}
template <class T>
inline unsigned __bang_filter_bitindex(T* dst, const T* src, const void* mask, XPEMU_COUNT n, XPEMU_AT) {
    return xpemu::compress(XPEMU_CALL(__bang_filter_bitindex), xpemu::type_of<T>(), dst, src, mask, true, n, 0);
}
template <class T>
inline void __bang_collect(T* dst, const T* src, const T* mask, XPEMU_COUNT n, XPEMU_AT) {
    xpemu::compress(XPEMU_CALL(__bang_collect), xpemu::type_of<T>(), dst, src, mask, false, n, 0);
}
template <class T>
inline void __bang_collect_bitindex(T* dst, const T* src, const void* mask, XPEMU_COUNT n, XPEMU_AT) {
    xpemu::compress(XPEMU_CALL(__bang_collect_bitindex), xpemu::type_of<T>(), dst, src, mask, true, n, 0);
}
template <class T>
inline void __bang_select(T* dst, const T* src, const T* index, XPEMU_COUNT n, XPEMU_AT) {
    xpemu::compress(XPEMU_CALL(__bang_select), xpemu::type_of<T>(), dst, src, index, false, n, 128);
}
template <class T>
inline void __bang_select_bitindex(T* dst, const T* src, const void* index, XPEMU_COUNT n, XPEMU_AT) {
    xpemu::compress(XPEMU_CALL(__bang_select_bitindex), xpemu::type_of<T>(), dst, src, index, true, n, 128);
}
template <class T>
inline void __bang_fcmpfilter(CompareMode mode, T* dst, const T* src0, const T* src1, XPEMU_COUNT n, XPEMU_AT) {
    xpemu::compare_filter(XPEMU_CALL(__bang_fcmpfilter), mode, xpemu::type_of<T>(), dst, src0, src1, false, n);
}
template <class T, class S, class = xpemu::IfScalar<S>>
inline void __bang_fcmpfilter(CompareMode mode, T* dst, const T* src0, S value, XPEMU_COUNT n, XPEMU_AT) {
    const T v = static_cast<T>(value);
    xpemu::compare_filter(XPEMU_CALL(__bang_fcmpfilter), mode, xpemu::type_of<T>(), dst, src0, &v, true, n);
}
template <class T, class I>
inline void __bang_lut(T* dst, const I* index, const T* table, XPEMU_COUNT n, XPEMU_COUNT table_length, XPEMU_AT) {
    static_assert(sizeof(T) == sizeof(I), "index and table entries of one width");
    xpemu::look_up(XPEMU_CALL(__bang_lut), xpemu::type_of<std::make_unsigned_t<I>>(), dst, index, table, n, table_length, sizeof(T));
}
template <class D, class T>
inline void __bang_histogram(D* dst, const T* src, XPEMU_COUNT n, XPEMU_COUNT bins, XPEMU_AT) {
    static_assert(sizeof(D) == 4, "bins of 4 bytes");
    xpemu::histogram(XPEMU_CALL(__bang_histogram), xpemu::type_of<T>(), dst, src, n, bins);
}
template <class T>
inline void __bang_incseq(T* dst, XPEMU_COUNT n, XPEMU_AT) {
    xpemu::sequence(XPEMU_CALL(__bang_incseq), xpemu::type_of<T>(), dst, n);
}

// ------------------------------------------------------------------------------------------------ reductions
template <class T>
inline void __bang_reduce_sum(T* dst, const T* src, XPEMU_COUNT n, XPEMU_AT) {
    xpemu::reduce_sum(XPEMU_CALL(__bang_reduce_sum), xpemu::type_of<T>(), dst, src, n);
}
template <class T>
inline T __bang_sum(const T* src, XPEMU_COUNT n, XPEMU_AT) {
    return static_cast<T>(xpemu::total(XPEMU_CALL(__bang_sum), xpemu::type_of<T>(), src, n));
}
#define XPEMU_EXTREME(NAME, LARGEST)                                                                      \
    template <class T>                                                                                    \
    inline void NAME(T* dst, const T* src, XPEMU_COUNT n, XPEMU_AT) {                                     \
        xpemu::extreme(XPEMU_CALL(NAME), xpemu::type_of<T>(), LARGEST, dst, src, n);                      \
    }
XPEMU_EXTREME(__bang_argmax, true)
XPEMU_EXTREME(__bang_argmin, false)
XPEMU_EXTREME(__bang_max, true)
XPEMU_EXTREME(__bang_min, false)
#undef XPEMU_EXTREME
template <class T>
inline unsigned __bang_count(const T* src, XPEMU_COUNT n, XPEMU_AT) {
    return xpemu::count_nonzero(XPEMU_CALL(__bang_count), xpemu::type_of<T>(), src, n);
}
template <class T>
inline void __bang_count(unsigned* dst, const T* src, XPEMU_COUNT n, XPEMU_AT) {
    const unsigned hits = xpemu::count_nonzero(XPEMU_CALL(__bang_count), xpemu::type_of<T>(), src, n);
    if (!xpemu::on_memory_core()) *dst = hits;
}
template <class T>
inline unsigned __bang_findfirst1(const T* src, XPEMU_COUNT n, XPEMU_AT) {
    return xpemu::find_nonzero(XPEMU_CALL(__bang_findfirst1), xpemu::type_of<T>(), true, src, n);
}
template <class T>
inline unsigned __bang_findlast1(const T* src, XPEMU_COUNT n, XPEMU_AT) {
    return xpemu::find_nonzero(XPEMU_CALL(__bang_findlast1), xpemu::type_of<T>(), false, src, n);
}
template <class T>
inline unsigned __bang_popcnt(const T* src, XPEMU_COUNT n, XPEMU_AT) {
    return xpemu::population(XPEMU_CALL(__bang_popcnt), src, n * sizeof(T));
}

// ---------------------------------------------------------------------------------------------------- fusion
namespace xpemu {
template <class T, class B, class C>
inline void fuse_operands(const Call& call, mluFusionOpCode code, T* dst, const T* a, const B& b, const C& c, long n, long period) {
    const void *second, *third;
    T y{}, z{};
    if constexpr (is_scalar<B>) second = &(y = static_cast<T>(b));
    else second = b;
    if constexpr (is_scalar<C>) third = &(z = static_cast<T>(c));
    else third = c;
    fuse(call, code, type_of<T>(), dst, a, second, is_scalar<B>, third, is_scalar<C>, static_cast<std::size_t>(n), static_cast<std::size_t>(period));
}
}  // namespace xpemu
template <class T, class B, class C>
inline void __bang_fusion(mluFusionOpCode code, T* dst, const T* src0, B src1, C src2, XPEMU_COUNT n, XPEMU_AT) {
    xpemu::fuse_operands(XPEMU_CALL(__bang_fusion), code, dst, src0, src1, src2, n, 0);
}
template <class T, class B, class C>
inline void __bang_fusion(mluFusionOpCode code, T* dst, const T* src0, B src1, C src2, XPEMU_COUNT n, XPEMU_COUNT seg_n, XPEMU_AT) {
    xpemu::fuse_operands(XPEMU_CALL(__bang_fusion), code, dst, src0, src1, src2, n, seg_n);
}

#undef XPEMU_BINARY
#undef XPEMU_SCALAR
#undef XPEMU_CYCLE
#undef XPEMU_UNARY
#undef XPEMU_FAMILY
