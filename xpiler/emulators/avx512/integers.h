// Integer arithmetic, shifts, comparisons, logic and the dot products.
#pragma once

#include "lanes.h"

#define XP_INTEGERS(EACH, B)                                                                                   \
    EACH(XP_BINARY, add_epi##B, uint##B##_t, x + y)                                                            \
    EACH(XP_BINARY, sub_epi##B, uint##B##_t, x - y)                                                            \
    EACH(XP_BINARY, min_epi##B, int##B##_t, x < y ? x : y)                                                     \
    EACH(XP_BINARY, max_epi##B, int##B##_t, x > y ? x : y)                                                     \
    EACH(XP_BINARY, min_epu##B, uint##B##_t, x < y ? x : y)                                                    \
    EACH(XP_BINARY, max_epu##B, uint##B##_t, x > y ? x : y)                                                    \
    EACH(XP_UNARY, abs_epi##B, int##B##_t, static_cast<int##B##_t>(x < 0 ? uint##B##_t(0) - uint##B##_t(x) : uint##B##_t(x))) \
    EACH(XP_INT_COMPARE, epi##B, int##B##_t)                                                                   \
    EACH(XP_INT_COMPARE, epu##B, uint##B##_t)                                                                  \
    EACH(XP_INT_TEST, epi##B, uint##B##_t)                                                                     \
    EACH(XP_INT_BLEND, epi##B, uint##B##_t)

#define XP_INT_COMPARE(P, V, K, S, T)                                                                                                        \
    static inline K P##_cmp_##S##_mask(V a, V b, _MM_CMPINT_ENUM p) {                                                                        \
        return static_cast<K>(xpavx::test<T>(a, b, [p](T x, T y) { return xpavx::compare_integers(x, y, p); }));                             \
    }                                                                                                                                        \
    static inline K P##_mask_cmp_##S##_mask(K k, V a, V b, _MM_CMPINT_ENUM p) { return k & P##_cmp_##S##_mask(a, b, p); }                    \
    static inline K P##_cmpeq_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, 0); }                                                   \
    static inline K P##_cmplt_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, 1); }                                                   \
    static inline K P##_cmple_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, 2); }                                                   \
    static inline K P##_cmpneq_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, 4); }                                                  \
    static inline K P##_cmpge_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, 5); }                                                   \
    static inline K P##_cmpgt_##S##_mask(V a, V b) { return P##_cmp_##S##_mask(a, b, 6); }                                                   \
    static inline K P##_mask_cmpeq_##S##_mask(K k, V a, V b) { return k & P##_cmp_##S##_mask(a, b, 0); }                                     \
    static inline K P##_mask_cmplt_##S##_mask(K k, V a, V b) { return k & P##_cmp_##S##_mask(a, b, 1); }                                     \
    static inline K P##_mask_cmple_##S##_mask(K k, V a, V b) { return k & P##_cmp_##S##_mask(a, b, 2); }                                     \
    static inline K P##_mask_cmpneq_##S##_mask(K k, V a, V b) { return k & P##_cmp_##S##_mask(a, b, 4); }                                    \
    static inline K P##_mask_cmpge_##S##_mask(K k, V a, V b) { return k & P##_cmp_##S##_mask(a, b, 5); }                                     \
    static inline K P##_mask_cmpgt_##S##_mask(K k, V a, V b) { return k & P##_cmp_##S##_mask(a, b, 6); }
#define XP_INT_TEST(P, V, K, S, T)                                                                                                                                 \
    static inline K P##_test_##S##_mask(V a, V b) { return static_cast<K>(xpavx::test<T>(a, b, [](T x, T y) { return (x & y) != 0; })); }                          \
    static inline K P##_testn_##S##_mask(V a, V b) { return static_cast<K>(xpavx::test<T>(a, b, [](T x, T y) { return (x & y) == 0; })); }                         \
    static inline K P##_mask_test_##S##_mask(K k, V a, V b) { return k & P##_test_##S##_mask(a, b); }
#define XP_INT_BLEND(P, V, K, S, T)                                                                                \
    static inline V P##_mask_blend_##S(K k, V a, V b) { return xpavx::merge<T>(k, b, a); }                         \
    static inline V P##_mask_mov_##S(V s, K k, V a) { return xpavx::merge<T>(k, a, s); }                           \
    static inline V P##_maskz_mov_##S(K k, V a) { return xpavx::merge<T>(k, a, V{}); }

XP_INTEGERS(XP_I8, 8)
XP_INTEGERS(XP_I16, 16)
XP_INTEGERS(XP_I32, 32)
XP_INTEGERS(XP_I64, 64)

XP_I16(XP_BINARY, mullo_epi16, uint16_t, static_cast<unsigned>(x) * y)
XP_I32(XP_BINARY, mullo_epi32, uint32_t, x* y)
XP_I64(XP_BINARY, mullo_epi64, uint64_t, x* y)
XP_I16(XP_BINARY, mulhi_epi16, int16_t, (x * y) >> 16)
XP_I16(XP_BINARY, mulhi_epu16, uint16_t, (static_cast<unsigned>(x) * y) >> 16)
XP_I16(XP_BINARY, mulhrs_epi16, int16_t, ((x * y >> 14) + 1) >> 1)
XP_I8(XP_BINARY, sign_epi8, int8_t, y < 0 ? static_cast<int8_t>(-x) : y == 0 ? int8_t(0) : x)
XP_I16(XP_BINARY, sign_epi16, int16_t, y < 0 ? static_cast<int16_t>(-x) : y == 0 ? int16_t(0) : x)
XP_I32(XP_BINARY, sign_epi32, int32_t, y < 0 ? static_cast<int32_t>(0u - static_cast<uint32_t>(x)) : y == 0 ? 0 : x)
XP_I64(XP_BINARY, mul_epi32, int64_t, static_cast<int64_t>(static_cast<int32_t>(x)) * static_cast<int32_t>(y))
XP_I64(XP_BINARY, mul_epu32, uint64_t, (x & 0xffffffffu) * (y & 0xffffffffu))
XP_I8(XP_BINARY, adds_epi8, int8_t, xpavx::clamp<int8_t>(x + y))
XP_I8(XP_BINARY, subs_epi8, int8_t, xpavx::clamp<int8_t>(x - y))
XP_I8(XP_BINARY, adds_epu8, uint8_t, xpavx::clamp<uint8_t>(x + y))
XP_I8(XP_BINARY, subs_epu8, uint8_t, xpavx::clamp<uint8_t>(x - y))
XP_I16(XP_BINARY, adds_epi16, int16_t, xpavx::clamp<int16_t>(x + y))
XP_I16(XP_BINARY, subs_epi16, int16_t, xpavx::clamp<int16_t>(x - y))
XP_I16(XP_BINARY, adds_epu16, uint16_t, xpavx::clamp<uint16_t>(x + y))
XP_I16(XP_BINARY, subs_epu16, uint16_t, xpavx::clamp<uint16_t>(x - y))
XP_I8(XP_BINARY, avg_epu8, uint8_t, (x + y + 1) >> 1)
XP_I16(XP_BINARY, avg_epu16, uint16_t, (x + y + 1) >> 1)
XP_I32(XP_BINARY, and_epi32, uint32_t, x& y)
XP_I32(XP_BINARY, or_epi32, uint32_t, x | y)
XP_I32(XP_BINARY, xor_epi32, uint32_t, x ^ y)
XP_I32(XP_BINARY, andnot_epi32, uint32_t, ~x & y)
XP_I64(XP_BINARY, and_epi64, uint64_t, x& y)
XP_I64(XP_BINARY, or_epi64, uint64_t, x | y)
XP_I64(XP_BINARY, xor_epi64, uint64_t, x ^ y)
XP_I64(XP_BINARY, andnot_epi64, uint64_t, ~x & y)
XP_I32(XP_UNARY, popcnt_epi32, uint32_t, __builtin_popcount(x))
XP_I64(XP_UNARY, popcnt_epi64, uint64_t, __builtin_popcountll(x))
XP_I8(XP_UNARY, popcnt_epi8, uint8_t, __builtin_popcount(x))
XP_I16(XP_UNARY, popcnt_epi16, uint16_t, __builtin_popcount(x))
XP_I32(XP_UNARY, lzcnt_epi32, uint32_t, x ? __builtin_clz(x) : 32)
XP_I64(XP_UNARY, lzcnt_epi64, uint64_t, x ? __builtin_clzll(x) : 64)

// Shifts by a lane's count, by an immediate and by the low 64 bits of a vector; too large a count empties the lane.
#define XP_SHIFTS(EACH, B)                                                                                                   \
    EACH(XP_BINARY, sllv_epi##B, uint##B##_t, y < B ? static_cast<uint##B##_t>(x << y) : 0)                                  \
    EACH(XP_BINARY, srlv_epi##B, uint##B##_t, y < B ? x >> y : 0)                                                            \
    EACH(XP_BINARY, srav_epi##B, int##B##_t, x >> (static_cast<uint##B##_t>(y) < B ? y : B - 1))                             \
    EACH(XP_SHIFT_BY, slli_epi##B, unsigned, sllv_epi##B, uint##B##_t, uint##B##_t(n > 255 ? 255 : n))                       \
    EACH(XP_SHIFT_BY, srli_epi##B, unsigned, srlv_epi##B, uint##B##_t, uint##B##_t(n > 255 ? 255 : n))                       \
    EACH(XP_SHIFT_BY, srai_epi##B, unsigned, srav_epi##B, uint##B##_t, uint##B##_t(n > B - 1 ? B - 1 : n))                   \
    EACH(XP_SHIFT_BY, sll_epi##B, __m128i, sllv_epi##B, uint##B##_t, uint##B##_t(uint64_t(n[0]) > 255 ? 255 : n[0]))         \
    EACH(XP_SHIFT_BY, srl_epi##B, __m128i, srlv_epi##B, uint##B##_t, uint##B##_t(uint64_t(n[0]) > 255 ? 255 : n[0]))         \
    EACH(XP_SHIFT_BY, sra_epi##B, __m128i, srav_epi##B, uint##B##_t, uint##B##_t(uint64_t(n[0]) > B - 1 ? B - 1 : n[0]))
#define XP_SHIFT_BY(P, V, K, NAME, N, VARIABLE, T, COUNT)                                                                     \
    static inline V P##_##NAME(V a, N n) { return P##_##VARIABLE(a, xpavx::build<T, V>([&](int) { return COUNT; })); }        \
    static inline V P##_mask_##NAME(V s, K k, V a, N n) { return xpavx::merge<T>(k, P##_##NAME(a, n), s); }                   \
    static inline V P##_maskz_##NAME(K k, V a, N n) { return xpavx::merge<T>(k, P##_##NAME(a, n), V{}); }
XP_SHIFTS(XP_I16, 16)
XP_SHIFTS(XP_I32, 32)
XP_SHIFTS(XP_I64, 64)
#define XP_ROTATES(EACH, B)                                                                                                  \
    EACH(XP_BINARY, rolv_epi##B, uint##B##_t, (x << (y % B)) | (x >> ((B - y % B) % B)))                                     \
    EACH(XP_BINARY, rorv_epi##B, uint##B##_t, (x >> (y % B)) | (x << ((B - y % B) % B)))                                     \
    EACH(XP_SHIFT_BY, rol_epi##B, int, rolv_epi##B, uint##B##_t, uint##B##_t(n))                                             \
    EACH(XP_SHIFT_BY, ror_epi##B, int, rorv_epi##B, uint##B##_t, uint##B##_t(n))
XP_ROTATES(XP_I32, 32)
XP_ROTATES(XP_I64, 64)

// Whole-register logic and the SSE/AVX comparisons that give vectors.
#define XP_WHOLE(P, V, W)                                                     \
    static inline V P##_and_si##W(V a, V b) { return a & b; }                 \
    static inline V P##_or_si##W(V a, V b) { return a | b; }                  \
    static inline V P##_xor_si##W(V a, V b) { return a ^ b; }                 \
    static inline V P##_andnot_si##W(V a, V b) { return ~a & b; }
XP_WHOLE(_mm512, __m512i, 512)
XP_WHOLE(_mm256, __m256i, 256)
XP_WHOLE(_mm, __m128i, 128)
#define XP_VECTOR_COMPARE(P, V, B)                                                                                                  \
    static inline V P##_cmpeq_epi##B(V a, V b) { return xpavx::zip<int##B##_t>(a, b, [](int##B##_t x, int##B##_t y) { return -(x == y); }); } \
    static inline V P##_cmpgt_epi##B(V a, V b) { return xpavx::zip<int##B##_t>(a, b, [](int##B##_t x, int##B##_t y) { return -(x > y); }); }
XP_VECTOR_COMPARE(_mm256, __m256i, 8)
XP_VECTOR_COMPARE(_mm256, __m256i, 16)
XP_VECTOR_COMPARE(_mm256, __m256i, 32)
XP_VECTOR_COMPARE(_mm256, __m256i, 64)
XP_VECTOR_COMPARE(_mm, __m128i, 8)
XP_VECTOR_COMPARE(_mm, __m128i, 16)
XP_VECTOR_COMPARE(_mm, __m128i, 32)
XP_VECTOR_COMPARE(_mm, __m128i, 64)
static inline int _mm256_movemask_epi8(__m256i a) { return static_cast<int>(xpavx::test<int8_t>(a, a, [](int8_t x, int8_t) { return x < 0; })); }
static inline int _mm_movemask_epi8(__m128i a) { return static_cast<int>(xpavx::test<int8_t>(a, a, [](int8_t x, int8_t) { return x < 0; })); }

#define XP_TERNARY(P, V, K, B)                                                                                                      \
    static inline V P##_ternarylogic_epi##B(V a, V b, V c, int imm) {                                                               \
        return xpavx::zip3<uint##B##_t>(a, b, c, [imm](uint##B##_t x, uint##B##_t y, uint##B##_t z) {                               \
            uint##B##_t r = 0;                                                                                                      \
            for (int i = 0; i < 8; ++i)                                                                                             \
                if (imm >> i & 1) r |= (i & 4 ? x : ~x) & (i & 2 ? y : ~y) & (i & 1 ? z : ~z);                                      \
            return r;                                                                                                               \
        });                                                                                                                         \
    }                                                                                                                               \
    static inline V P##_mask_ternarylogic_epi##B(V a, K k, V b, V c, int imm) { return xpavx::merge<uint##B##_t>(k, P##_ternarylogic_epi##B(a, b, c, imm), a); }
XP_I32(XP_TERNARY, 32)
XP_I64(XP_TERNARY, 64)

#define XP_CONFLICT(P, V, K, B)                                                     \
    static inline V P##_conflict_epi##B(V a) {                                      \
        auto x = xpavx::lanes<uint##B##_t>(a);                                      \
        return xpavx::build<uint##B##_t, V>([&](int i) {                            \
            uint##B##_t r = 0;                                                      \
            for (int j = 0; j < i; ++j) r |= uint##B##_t(x.at[j] == x.at[i]) << j;  \
            return r;                                                               \
        });                                                                         \
    }
XP_I32(XP_CONFLICT, 32)
XP_I64(XP_CONFLICT, 64)

// Sums of neighbouring products.
namespace xpavx {
// N elements of A and B into one lane of T; the sum is exact, then taken modulo 2^32 or clamped.
template <class A, class B, int N, bool Saturate, class V>
static inline V dot(V src, V a, V b) {
    const auto s = lanes<int32_t>(src);
    const auto x = lanes<A>(a);
    const auto y = lanes<B>(b);
    return build<int32_t, V>([&](int i) {
        int64_t sum = s.at[i];
        for (int e = 0; e < N; ++e) sum += static_cast<int64_t>(x.at[N * i + e]) * y.at[N * i + e];
        return Saturate ? clamp<int32_t>(sum) : static_cast<int32_t>(static_cast<uint32_t>(sum));
    });
}
}  // namespace xpavx
#define XP_DOT(P, V, K, NAME, A, B, N, SATURATE)                                                                                       \
    static inline V P##_##NAME##_epi32(V s, V a, V b) { return xpavx::dot<A, B, N, SATURATE>(s, a, b); }                               \
    static inline V P##_mask_##NAME##_epi32(V s, K k, V a, V b) { return xpavx::merge<int32_t>(k, P##_##NAME##_epi32(s, a, b), s); }   \
    static inline V P##_maskz_##NAME##_epi32(K k, V s, V a, V b) { return xpavx::merge<int32_t>(k, P##_##NAME##_epi32(s, a, b), V{}); }
XP_I32(XP_DOT, dpbusd, uint8_t, int8_t, 4, false)
XP_I32(XP_DOT, dpbusds, uint8_t, int8_t, 4, true)
XP_I32(XP_DOT, dpwssd, int16_t, int16_t, 2, false)
XP_I32(XP_DOT, dpwssds, int16_t, int16_t, 2, true)
#define XP_DOT_AVX(NAME)                                                                                                        \
    static inline __m256i _mm256_##NAME##_avx_epi32(__m256i s, __m256i a, __m256i b) { return _mm256_##NAME##_epi32(s, a, b); } \
    static inline __m128i _mm_##NAME##_avx_epi32(__m128i s, __m128i a, __m128i b) { return _mm_##NAME##_epi32(s, a, b); }
XP_DOT_AVX(dpbusd)
XP_DOT_AVX(dpbusds)
XP_DOT_AVX(dpwssd)
XP_DOT_AVX(dpwssds)

#define XP_PAIRS(P, V, K, UNUSED)                                                                                                      \
    static inline V P##_madd_epi16(V a, V b) { return xpavx::dot<int16_t, int16_t, 2, false>(V{}, a, b); }                             \
    static inline V P##_maddubs_epi16(V a, V b) {                                                                                      \
        auto x = xpavx::lanes<uint8_t>(a);                                                                                             \
        auto y = xpavx::lanes<int8_t>(b);                                                                                              \
        return xpavx::build<int16_t, V>([&](int i) { return xpavx::clamp<int16_t>(x.at[2 * i] * y.at[2 * i] + x.at[2 * i + 1] * y.at[2 * i + 1]); }); \
    }                                                                                                                                  \
    static inline V P##_sad_epu8(V a, V b) {                                                                                           \
        auto x = xpavx::lanes<uint8_t>(a), y = xpavx::lanes<uint8_t>(b);                                                               \
        return xpavx::build<uint64_t, V>([&](int i) {                                                                                  \
            uint64_t sum = 0;                                                                                                          \
            for (int e = 8 * i; e < 8 * i + 8; ++e) sum += static_cast<uint64_t>(x.at[e] > y.at[e] ? x.at[e] - y.at[e] : y.at[e] - x.at[e]); \
            return sum;                                                                                                                \
        });                                                                                                                            \
    }
XP_I32(XP_PAIRS, 0)

// bf16: odd element first, each step rounded; subnormals count as zero.
#define XP_BF16(P, V, H, K)                                                                                                            \
    static inline V P##_dpbf16_ps(V src, H a, H b) {                                                                                   \
        auto s = xpavx::lanes<float>(src);                                                                                             \
        auto x = xpavx::lanes<uint16_t>(a), y = xpavx::lanes<uint16_t>(b);                                                             \
        return xpavx::build<float, V>([&](int i) {                                                                                     \
            float t = xpavx::flush(s.at[i]);                                                                                           \
            for (int e = 1; e >= 0; --e)                                                                                               \
                t = xpavx::flush(static_cast<float>(std::fma(static_cast<double>(xpavx::flush(xpavx::bfloat_to_float(x.at[2 * i + e]))),         \
                                                             static_cast<double>(xpavx::flush(xpavx::bfloat_to_float(y.at[2 * i + e]))), \
                                                             static_cast<double>(t))));                                                \
            return t;                                                                                                                  \
        });                                                                                                                            \
    }                                                                                                                                  \
    static inline V P##_mask_dpbf16_ps(V s, K k, H a, H b) { return xpavx::merge<float>(k, P##_dpbf16_ps(s, a, b), s); }               \
    static inline V P##_maskz_dpbf16_ps(K k, V s, H a, H b) { return xpavx::merge<float>(k, P##_dpbf16_ps(s, a, b), V{}); }            \
    static inline H P##_cvtne2ps_pbh(V a, V b) {                                                                                       \
        auto x = xpavx::lanes<float>(a), y = xpavx::lanes<float>(b);                                                                   \
        constexpr int n = xpavx::count<float, V>;                                                                                      \
        return xpavx::build<uint16_t, H>([&](int i) { return xpavx::float_to_bfloat(i < n ? y.at[i] : x.at[i - n]); });                \
    }
XP_BF16(_mm512, __m512, __m512bh, __mmask16)
XP_BF16(_mm256, __m256, __m256bh, __mmask8)
XP_BF16(_mm, __m128, __m128bh, __mmask8)

// Masks.
#define XP_MASK_OPS(W, K)                                                                    \
    static inline K _kand_mask##W(K a, K b) { return a & b; }                                \
    static inline K _kor_mask##W(K a, K b) { return a | b; }                                 \
    static inline K _kxor_mask##W(K a, K b) { return a ^ b; }                                \
    static inline K _kxnor_mask##W(K a, K b) { return static_cast<K>(~(a ^ b)); }            \
    static inline K _kandn_mask##W(K a, K b) { return static_cast<K>(~a & b); }              \
    static inline K _knot_mask##W(K a) { return static_cast<K>(~a); }                        \
    static inline K _kshiftli_mask##W(K a, unsigned n) { return n < W ? static_cast<K>(a << n) : K(0); } \
    static inline K _kshiftri_mask##W(K a, unsigned n) { return n < W ? static_cast<K>(a >> n) : K(0); } \
    static inline K _kadd_mask##W(K a, K b) { return static_cast<K>(a + b); }                \
    static inline unsigned char _kortestz_mask##W##_u8(K a, K b) { return static_cast<K>(a | b) == 0; }  \
    static inline unsigned char _kortestc_mask##W##_u8(K a, K b) { return static_cast<K>(a | b) == static_cast<K>(~K(0)); } \
    static inline K _load_mask##W(const K* p) { return *p; }                                 \
    static inline void _store_mask##W(K* p, K a) { *p = a; }
XP_MASK_OPS(8, __mmask8)
XP_MASK_OPS(16, __mmask16)
XP_MASK_OPS(32, __mmask32)
XP_MASK_OPS(64, __mmask64)
static inline unsigned _cvtmask8_u32(__mmask8 a) { return a; }
static inline unsigned _cvtmask16_u32(__mmask16 a) { return a; }
static inline unsigned _cvtmask32_u32(__mmask32 a) { return a; }
static inline unsigned long long _cvtmask64_u64(__mmask64 a) { return a; }
static inline __mmask8 _cvtu32_mask8(unsigned a) { return static_cast<__mmask8>(a); }
static inline __mmask16 _cvtu32_mask16(unsigned a) { return static_cast<__mmask16>(a); }
static inline __mmask32 _cvtu32_mask32(unsigned a) { return a; }
static inline __mmask64 _cvtu64_mask64(unsigned long long a) { return a; }
static inline __mmask16 _mm512_kand(__mmask16 a, __mmask16 b) { return a & b; }
static inline __mmask16 _mm512_kor(__mmask16 a, __mmask16 b) { return a | b; }
static inline __mmask16 _mm512_kxor(__mmask16 a, __mmask16 b) { return a ^ b; }
static inline __mmask16 _mm512_kandn(__mmask16 a, __mmask16 b) { return static_cast<__mmask16>(~a & b); }
static inline __mmask16 _mm512_knot(__mmask16 a) { return static_cast<__mmask16>(~a); }
static inline __mmask16 _mm512_int2mask(int a) { return static_cast<__mmask16>(a); }
static inline int _mm512_mask2int(__mmask16 a) { return a; }
static inline __mmask16 _mm512_kunpackb(__mmask16 a, __mmask16 b) { return static_cast<__mmask16>(a << 8 | (b & 255)); }
static inline __mmask16 _kunpackb_mask16(__mmask8 a, __mmask8 b) { return static_cast<__mmask16>(a << 8 | b); }
static inline __mmask32 _kunpackw_mask32(__mmask16 a, __mmask16 b) { return static_cast<__mmask32>(a) << 16 | b; }
static inline __mmask64 _kunpackd_mask64(__mmask32 a, __mmask32 b) { return static_cast<__mmask64>(a) << 32 | b; }
#define XP_BIT_TEST(P, V, W)                                                                                                     \
    static inline int P##_testz_si##W(V a, V b) { return !xpavx::test<int64_t>(a, b, [](int64_t x, int64_t y) { return (x & y) != 0; }); } \
    static inline int P##_testc_si##W(V a, V b) { return !xpavx::test<int64_t>(a, b, [](int64_t x, int64_t y) { return (~x & y) != 0; }); }
XP_BIT_TEST(_mm, __m128i, 128)
XP_BIT_TEST(_mm256, __m256i, 256)
static inline int _mm_test_all_zeros(__m128i a, __m128i b) { return _mm_testz_si128(a, b); }
static inline int _mm512_kortestc(__mmask16 a, __mmask16 b) { return static_cast<__mmask16>(a | b) == 0xffff; }
static inline int _mm512_kortestz(__mmask16 a, __mmask16 b) { return !(a | b); }
#define XP_MASK_VECTOR(P, V, K, B)                                                                                                                               \
    static inline K P##_movepi##B##_mask(V a) { return static_cast<K>(xpavx::test<int##B##_t>(a, a, [](int##B##_t x, int##B##_t) { return x < 0; })); }          \
    static inline V P##_movm_epi##B(K k) { return xpavx::build<int##B##_t, V>([k](int i) { return -static_cast<int>(static_cast<uint64_t>(k) >> i & 1); }); }
XP_I8(XP_MASK_VECTOR, 8)
XP_I16(XP_MASK_VECTOR, 16)
XP_I32(XP_MASK_VECTOR, 32)
XP_I64(XP_MASK_VECTOR, 64)
