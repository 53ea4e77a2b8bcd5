// Conversions between types and widths, and everything that moves lanes.
#pragma once

#include "lanes.h"
#include "memory.h"

// ------------------------------------------------------------------------------------------ reinterpretation
#define XP_CAST(NAME, TO, FROM) \
    static inline TO NAME(FROM a) { return xpavx::bits<TO>(a); }
#define XP_CASTS(P, F, D, I, W)                       \
    XP_CAST(P##_castps_pd, D, F)                      \
    XP_CAST(P##_castpd_ps, F, D)                      \
    XP_CAST(P##_castps_si##W, I, F)                   \
    XP_CAST(P##_castpd_si##W, I, D)                   \
    XP_CAST(P##_castsi##W##_ps, F, I)                 \
    XP_CAST(P##_castsi##W##_pd, D, I)
XP_CASTS(_mm512, __m512, __m512d, __m512i, 512)
XP_CASTS(_mm256, __m256, __m256d, __m256i, 256)
XP_CASTS(_mm, __m128, __m128d, __m128i, 128)

namespace xpavx {
template <class To, class From>
static inline To resize(From a) {  // upper part zero
    To r{};
    memcpy(&r, &a, sizeof(To) < sizeof(From) ? sizeof(To) : sizeof(From));
    return r;
}
template <class Part, class V>
static inline Part extract(V a, int n) {
    Part p;
    memcpy(&p, reinterpret_cast<const char*>(&a) + static_cast<size_t>(n) % (sizeof(V) / sizeof(Part)) * sizeof(Part), sizeof p);
    return p;
}
template <class V, class Part>
static inline V insert(V a, Part p, int n) {
    memcpy(reinterpret_cast<char*>(&a) + static_cast<size_t>(n) % (sizeof(V) / sizeof(Part)) * sizeof(Part), &p, sizeof p);
    return a;
}
template <class V, class Part>
static inline V repeat(Part p) {
    V v;
    for (size_t i = 0; i < sizeof(V) / sizeof(Part); ++i) memcpy(reinterpret_cast<char*>(&v) + i * sizeof(Part), &p, sizeof p);
    return v;
}
}  // namespace xpavx
#define XP_RESIZE(NAME, TO, FROM) \
    static inline TO NAME(FROM a) { return xpavx::resize<TO>(a); }
#define XP_RESIZES(S, Z, Y, X, ZW, YW, XW)                        \
    XP_RESIZE(_mm512_cast##S##ZW##_##S##YW, Y, Z)                 \
    XP_RESIZE(_mm512_cast##S##ZW##_##S##XW, X, Z)                 \
    XP_RESIZE(_mm256_cast##S##YW##_##S##XW, X, Y)                 \
    XP_RESIZE(_mm512_cast##S##YW##_##S##ZW, Z, Y)                 \
    XP_RESIZE(_mm512_cast##S##XW##_##S##ZW, Z, X)                 \
    XP_RESIZE(_mm256_cast##S##XW##_##S##YW, Y, X)                 \
    XP_RESIZE(_mm512_zext##S##YW##_##S##ZW, Z, Y)                 \
    XP_RESIZE(_mm512_zext##S##XW##_##S##ZW, Z, X)                 \
    XP_RESIZE(_mm256_zext##S##XW##_##S##YW, Y, X)
XP_RESIZES(ps, __m512, __m256, __m128, 512, 256, 128)
XP_RESIZES(pd, __m512d, __m256d, __m128d, 512, 256, 128)
XP_RESIZES(si, __m512i, __m256i, __m128i, 512, 256, 128)

#define XP_PARTS(NAME, V, PART, K, T)                                                                                                          \
    static inline PART _mm512_extract##NAME(V a, int n) { return xpavx::extract<PART>(a, n); }                                                 \
    static inline PART _mm512_mask_extract##NAME(PART s, __mmask8 k, V a, int n) { return xpavx::merge<T>(k, xpavx::extract<PART>(a, n), s); } \
    static inline PART _mm512_maskz_extract##NAME(__mmask8 k, V a, int n) { return xpavx::merge<T>(k, xpavx::extract<PART>(a, n), PART{}); }
XP_PARTS(f32x4_ps, __m512, __m128, __mmask8, float)
XP_PARTS(f32x8_ps, __m512, __m256, __mmask8, float)
XP_PARTS(f64x4_pd, __m512d, __m256d, __mmask8, double)
XP_PARTS(f64x2_pd, __m512d, __m128d, __mmask8, double)
XP_PARTS(i32x4_epi32, __m512i, __m128i, __mmask8, int)
XP_PARTS(i32x8_epi32, __m512i, __m256i, __mmask8, int)
XP_PARTS(i64x4_epi64, __m512i, __m256i, __mmask8, long long)
XP_PARTS(i64x2_epi64, __m512i, __m128i, __mmask8, long long)
#define XP_INSERT(P, NAME, V, PART) \
    static inline V P##_insert##NAME(V a, PART p, int n) { return xpavx::insert(a, p, n); }
XP_INSERT(_mm512, f32x4, __m512, __m128)
XP_INSERT(_mm512, f32x8, __m512, __m256)
XP_INSERT(_mm512, f64x4, __m512d, __m256d)
XP_INSERT(_mm512, f64x2, __m512d, __m128d)
XP_INSERT(_mm512, i32x4, __m512i, __m128i)
XP_INSERT(_mm512, i32x8, __m512i, __m256i)
XP_INSERT(_mm512, i64x4, __m512i, __m256i)
XP_INSERT(_mm512, i64x2, __m512i, __m128i)
XP_INSERT(_mm256, f128_ps, __m256, __m128)
XP_INSERT(_mm256, f128_pd, __m256d, __m128d)
XP_INSERT(_mm256, f128_si256, __m256i, __m128i)
XP_INSERT(_mm256, i128_si256, __m256i, __m128i)
static inline __m128 _mm256_extractf128_ps(__m256 a, int n) { return xpavx::extract<__m128>(a, n); }
static inline __m128d _mm256_extractf128_pd(__m256d a, int n) { return xpavx::extract<__m128d>(a, n); }
static inline __m128i _mm256_extractf128_si256(__m256i a, int n) { return xpavx::extract<__m128i>(a, n); }
static inline __m128i _mm256_extracti128_si256(__m256i a, int n) { return xpavx::extract<__m128i>(a, n); }
static inline int _mm_extract_epi32(__m128i a, int n) { return xpavx::extract<int>(a, n); }
static inline long long _mm_extract_epi64(__m128i a, int n) { return xpavx::extract<long long>(a, n); }
static inline int _mm_extract_epi8(__m128i a, int n) { return xpavx::extract<uint8_t>(a, n); }
static inline int _mm_extract_epi16(__m128i a, int n) { return xpavx::extract<uint16_t>(a, n); }
static inline int _mm256_extract_epi32(__m256i a, int n) { return xpavx::extract<int>(a, n); }
static inline __m256 _mm256_set_m128(__m128 hi, __m128 lo) { return xpavx::insert(xpavx::resize<__m256>(lo), hi, 1); }
static inline __m256i _mm256_set_m128i(__m128i hi, __m128i lo) { return xpavx::insert(xpavx::resize<__m256i>(lo), hi, 1); }

#define XP_REPEAT(P, NAME, V, PART) \
    static inline V P##_broadcast##NAME(PART a) { return xpavx::repeat<V>(a); }
XP_REPEAT(_mm512, _f32x4, __m512, __m128)
XP_REPEAT(_mm512, _f32x8, __m512, __m256)
XP_REPEAT(_mm512, _f64x4, __m512d, __m256d)
XP_REPEAT(_mm512, _f64x2, __m512d, __m128d)
XP_REPEAT(_mm512, _i32x4, __m512i, __m128i)
XP_REPEAT(_mm512, _i32x8, __m512i, __m256i)
XP_REPEAT(_mm512, _i64x4, __m512i, __m256i)
XP_REPEAT(_mm512, _i64x2, __m512i, __m128i)
XP_REPEAT(_mm256, si128_si256, __m256i, __m128i)
#define XP_FIRST(P, NAME, V, X, T)                                                                                                                            \
    static inline V P##_broadcast##NAME(X a) { T v = xpavx::lanes<T>(a).at[0]; return xpavx::build<T, V>([v](int) { return v; }); }
XP_FIRST(_mm512, ss_ps, __m512, __m128, float)
XP_FIRST(_mm512, sd_pd, __m512d, __m128d, double)
XP_FIRST(_mm512, b_epi8, __m512i, __m128i, int8_t)
XP_FIRST(_mm512, w_epi16, __m512i, __m128i, int16_t)
XP_FIRST(_mm512, d_epi32, __m512i, __m128i, int32_t)
XP_FIRST(_mm512, q_epi64, __m512i, __m128i, int64_t)
XP_FIRST(_mm256, ss_ps, __m256, __m128, float)
XP_FIRST(_mm256, b_epi8, __m256i, __m128i, int8_t)
XP_FIRST(_mm256, w_epi16, __m256i, __m128i, int16_t)
XP_FIRST(_mm256, d_epi32, __m256i, __m128i, int32_t)
XP_FIRST(_mm256, q_epi64, __m256i, __m128i, int64_t)
XP_FIRST(_mm, ss_ps, __m128, __m128, float)
XP_FIRST(_mm, d_epi32, __m128i, __m128i, int32_t)

// ----------------------------------------------------------------------------------------------- conversions
namespace xpavx {
// A result with fewer lanes than its register holds zeroes in the others, whatever the mask says.
template <class From, class V>
static inline uint64_t beyond(uint64_t k) {
    return count<From, V> < 64 ? k | ~uint64_t(0) << (count<From, V> % 64) : k;
}
}  // namespace xpavx
// NAME(V) -> VTO, with the mask_ and maskz_ forms; the formula is over x of type FROM, the mask counts TO lanes.
#define XP_CONVERT(P, NAME, VTO, TO, V, FROM, K, ...)                                                                                     \
    static inline VTO P##_##NAME(V a) { return xpavx::convert<FROM, TO, VTO>(a, [](FROM x) { return __VA_ARGS__; }); }                    \
    static inline VTO P##_mask_##NAME(VTO s, K k, V a) { return xpavx::merge<TO>(xpavx::beyond<FROM, V>(k), P##_##NAME(a), s); }          \
    static inline VTO P##_maskz_##NAME(K k, V a) { return xpavx::merge<TO>(k, P##_##NAME(a), VTO{}); }
// Narrower or wider integers; the narrow side of a small vector uses the low part of a 128-bit register.
#define XP_WIDEN(NAME, TO, FROM, Z, Y, X, KZ, KY, KX)                       \
    XP_CONVERT(_mm512, NAME, __m512i, TO, Z, FROM, KZ, x)                   \
    XP_CONVERT(_mm256, NAME, __m256i, TO, Y, FROM, KY, x)                   \
    XP_CONVERT(_mm, NAME, __m128i, TO, X, FROM, KX, x)
XP_WIDEN(cvtepi8_epi16, int16_t, int8_t, __m256i, __m128i, __m128i, __mmask32, __mmask16, __mmask8)
XP_WIDEN(cvtepu8_epi16, int16_t, uint8_t, __m256i, __m128i, __m128i, __mmask32, __mmask16, __mmask8)
XP_WIDEN(cvtepi8_epi32, int32_t, int8_t, __m128i, __m128i, __m128i, __mmask16, __mmask8, __mmask8)
XP_WIDEN(cvtepu8_epi32, int32_t, uint8_t, __m128i, __m128i, __m128i, __mmask16, __mmask8, __mmask8)
XP_WIDEN(cvtepi8_epi64, int64_t, int8_t, __m128i, __m128i, __m128i, __mmask8, __mmask8, __mmask8)
XP_WIDEN(cvtepu8_epi64, int64_t, uint8_t, __m128i, __m128i, __m128i, __mmask8, __mmask8, __mmask8)
XP_WIDEN(cvtepi16_epi32, int32_t, int16_t, __m256i, __m128i, __m128i, __mmask16, __mmask8, __mmask8)
XP_WIDEN(cvtepu16_epi32, int32_t, uint16_t, __m256i, __m128i, __m128i, __mmask16, __mmask8, __mmask8)
XP_WIDEN(cvtepi16_epi64, int64_t, int16_t, __m128i, __m128i, __m128i, __mmask8, __mmask8, __mmask8)
XP_WIDEN(cvtepu16_epi64, int64_t, uint16_t, __m128i, __m128i, __m128i, __mmask8, __mmask8, __mmask8)
XP_WIDEN(cvtepi32_epi64, int64_t, int32_t, __m256i, __m128i, __m128i, __mmask8, __mmask8, __mmask8)
XP_WIDEN(cvtepu32_epi64, int64_t, uint32_t, __m256i, __m128i, __m128i, __mmask8, __mmask8, __mmask8)
#define XP_NARROW(SUFFIX, TO, FROM, U, S, Z, Y, X, KZ, KY, KX)                                                      \
    XP_CONVERT(_mm512, cvtep##SUFFIX, Z, TO, __m512i, FROM, KZ, static_cast<TO>(x))                                 \
    XP_CONVERT(_mm512, cvtsep##SUFFIX, Z, TO, __m512i, FROM, KZ, xpavx::clamp<S>(x))                                \
    XP_CONVERT(_mm512, cvtusep##SUFFIX, Z, TO, __m512i, U, KZ, x > std::numeric_limits<std::make_unsigned_t<TO>>::max() ? std::numeric_limits<std::make_unsigned_t<TO>>::max() : x) \
    XP_CONVERT(_mm256, cvtep##SUFFIX, Y, TO, __m256i, FROM, KY, static_cast<TO>(x))                                 \
    XP_CONVERT(_mm256, cvtsep##SUFFIX, Y, TO, __m256i, FROM, KY, xpavx::clamp<S>(x))                                \
    XP_CONVERT(_mm256, cvtusep##SUFFIX, Y, TO, __m256i, U, KY, x > std::numeric_limits<std::make_unsigned_t<TO>>::max() ? std::numeric_limits<std::make_unsigned_t<TO>>::max() : x) \
    XP_CONVERT(_mm, cvtep##SUFFIX, X, TO, __m128i, FROM, KX, static_cast<TO>(x))                                    \
    XP_CONVERT(_mm, cvtsep##SUFFIX, X, TO, __m128i, FROM, KX, xpavx::clamp<S>(x))                                   \
    XP_CONVERT(_mm, cvtusep##SUFFIX, X, TO, __m128i, U, KX, x > std::numeric_limits<std::make_unsigned_t<TO>>::max() ? std::numeric_limits<std::make_unsigned_t<TO>>::max() : x)
XP_NARROW(i16_epi8, int8_t, int16_t, uint16_t, int8_t, __m256i, __m128i, __m128i, __mmask32, __mmask16, __mmask8)
XP_NARROW(i32_epi8, int8_t, int32_t, uint32_t, int8_t, __m128i, __m128i, __m128i, __mmask16, __mmask8, __mmask8)
XP_NARROW(i32_epi16, int16_t, int32_t, uint32_t, int16_t, __m256i, __m128i, __m128i, __mmask16, __mmask8, __mmask8)
XP_NARROW(i64_epi8, int8_t, int64_t, uint64_t, int8_t, __m128i, __m128i, __m128i, __mmask8, __mmask8, __mmask8)
XP_NARROW(i64_epi16, int16_t, int64_t, uint64_t, int16_t, __m128i, __m128i, __m128i, __mmask8, __mmask8, __mmask8)
XP_NARROW(i64_epi32, int32_t, int64_t, uint64_t, int32_t, __m256i, __m128i, __m128i, __mmask8, __mmask8, __mmask8)
// The converted lanes that the mask selects, to memory.
#define XP_STORE_NARROW(P, V, K, FORM, FROM, TO)                                                                     \
    static inline void P##_mask_##FORM##FROM##_storeu_epi##TO(void* p, K k, V a) {                                   \
        const auto narrow = P##_##FORM##FROM##_epi##TO(a);                                                           \
        for (unsigned i = 0; i < sizeof(V) * 8 / FROM; ++i)                                                          \
            if (static_cast<uint64_t>(k) >> i & 1)                                                                   \
                memcpy(static_cast<char*>(p) + i * (TO / 8), reinterpret_cast<const char*>(&narrow) + i * (TO / 8), TO / 8); \
    }
#define XP_STORE_NARROWS(FROM, TO, KZ, KY, KX)         \
    XP_STORE_NARROW(_mm512, __m512i, KZ, cvtepi, FROM, TO)  \
    XP_STORE_NARROW(_mm512, __m512i, KZ, cvtsepi, FROM, TO) \
    XP_STORE_NARROW(_mm512, __m512i, KZ, cvtusepi, FROM, TO) \
    XP_STORE_NARROW(_mm256, __m256i, KY, cvtepi, FROM, TO)  \
    XP_STORE_NARROW(_mm256, __m256i, KY, cvtsepi, FROM, TO) \
    XP_STORE_NARROW(_mm256, __m256i, KY, cvtusepi, FROM, TO) \
    XP_STORE_NARROW(_mm, __m128i, KX, cvtepi, FROM, TO)     \
    XP_STORE_NARROW(_mm, __m128i, KX, cvtsepi, FROM, TO)    \
    XP_STORE_NARROW(_mm, __m128i, KX, cvtusepi, FROM, TO)
XP_STORE_NARROWS(16, 8, __mmask32, __mmask16, __mmask8)
XP_STORE_NARROWS(32, 8, __mmask16, __mmask8, __mmask8)
XP_STORE_NARROWS(32, 16, __mmask16, __mmask8, __mmask8)
XP_STORE_NARROWS(64, 8, __mmask8, __mmask8, __mmask8)
XP_STORE_NARROWS(64, 16, __mmask8, __mmask8, __mmask8)
XP_STORE_NARROWS(64, 32, __mmask8, __mmask8, __mmask8)

#define XP_FLOAT_INT(P, F, D, I, H, K)                                                                          \
    XP_CONVERT(P, cvtepi32_ps, F, float, I, int32_t, K, x)                                                      \
    XP_CONVERT(P, cvtepu32_ps, F, float, I, uint32_t, K, x)                                                     \
    XP_CONVERT(P, cvtps_epi32, I, int32_t, F, float, K, xpavx::to_integer<int32_t>(x, 0))                       \
    XP_CONVERT(P, cvttps_epi32, I, int32_t, F, float, K, xpavx::to_integer<int32_t>(x, 3))                      \
    XP_CONVERT(P, cvtps_epu32, I, uint32_t, F, float, K, xpavx::to_integer<uint32_t>(x, 0))                     \
    XP_CONVERT(P, cvttps_epu32, I, uint32_t, F, float, K, xpavx::to_integer<uint32_t>(x, 3))                    \
    XP_CONVERT(P, cvtepi64_pd, D, double, I, int64_t, __mmask8, x)                                              \
    XP_CONVERT(P, cvtepu64_pd, D, double, I, uint64_t, __mmask8, x)                                             \
    XP_CONVERT(P, cvtpd_epi64, I, int64_t, D, double, __mmask8, xpavx::to_integer<int64_t>(x, 0))               \
    XP_CONVERT(P, cvttpd_epi64, I, int64_t, D, double, __mmask8, xpavx::to_integer<int64_t>(x, 3))              \
    XP_CONVERT(P, cvttpd_epu64, I, uint64_t, D, double, __mmask8, xpavx::to_integer<uint64_t>(x, 3))            \
    XP_CONVERT(P, cvtpd_ps, H, float, D, double, __mmask8, x)
XP_FLOAT_INT(_mm512, __m512, __m512d, __m512i, __m256, __mmask16)
XP_FLOAT_INT(_mm256, __m256, __m256d, __m256i, __m128, __mmask8)
XP_FLOAT_INT(_mm, __m128, __m128d, __m128i, __m128, __mmask8)
#define XP_DOUBLE_INT(P, D, I, H)                                                                               \
    XP_CONVERT(P, cvtepi32_pd, D, double, I, int32_t, __mmask8, x)                                              \
    XP_CONVERT(P, cvtepu32_pd, D, double, I, uint32_t, __mmask8, x)                                             \
    XP_CONVERT(P, cvtps_pd, D, double, H, float, __mmask8, x)                                                   \
    XP_CONVERT(P, cvtpd_epi32, I, int32_t, D, double, __mmask8, xpavx::to_integer<int32_t>(x, 0))               \
    XP_CONVERT(P, cvttpd_epi32, I, int32_t, D, double, __mmask8, xpavx::to_integer<int32_t>(x, 3))              \
    XP_CONVERT(P, cvtpd_epu32, I, uint32_t, D, double, __mmask8, xpavx::to_integer<uint32_t>(x, 0))             \
    XP_CONVERT(P, cvttpd_epu32, I, uint32_t, D, double, __mmask8, xpavx::to_integer<uint32_t>(x, 3))
XP_DOUBLE_INT(_mm512, __m512d, __m256i, __m256)
XP_DOUBLE_INT(_mm256, __m256d, __m128i, __m128)
XP_DOUBLE_INT(_mm, __m128d, __m128i, __m128)
XP_CONVERT(_mm512, cvtepi64_ps, __m256, float, __m512i, int64_t, __mmask8, x)
XP_CONVERT(_mm512, cvtepu64_ps, __m256, float, __m512i, uint64_t, __mmask8, x)
XP_CONVERT(_mm512, cvtps_epi64, __m512i, int64_t, __m256, float, __mmask8, xpavx::to_integer<int64_t>(x, 0))
XP_CONVERT(_mm512, cvttps_epi64, __m512i, int64_t, __m256, float, __mmask8, xpavx::to_integer<int64_t>(x, 3))

XP_CONVERT(_mm512, cvtph_ps, __m512, float, __m256i, uint16_t, __mmask16, xpavx::half_to_float(x))
XP_CONVERT(_mm256, cvtph_ps, __m256, float, __m128i, uint16_t, __mmask8, xpavx::half_to_float(x))
XP_CONVERT(_mm, cvtph_ps, __m128, float, __m128i, uint16_t, __mmask8, xpavx::half_to_float(x))
#define XP_TO_HALF(P, H, F, K)                                                                                                                  \
    static inline H P##_cvtps_ph(F a, int m) { return xpavx::convert<float, uint16_t, H>(a, [m](float x) { return xpavx::float_to_half(x, m); }); } \
    static inline H P##_mask_cvtps_ph(H s, K k, F a, int m) { return xpavx::merge<uint16_t>(k, P##_cvtps_ph(a, m), s); }                        \
    static inline H P##_maskz_cvtps_ph(K k, F a, int m) { return xpavx::merge<uint16_t>(k, P##_cvtps_ph(a, m), H{}); }
XP_TO_HALF(_mm512, __m256i, __m512, __mmask16)
XP_TO_HALF(_mm256, __m128i, __m256, __mmask8)
XP_TO_HALF(_mm, __m128i, __m128, __mmask8)
static inline __m256i _mm512_cvt_roundps_ph(__m512 a, int m) { return _mm512_cvtps_ph(a, m); }
static inline float _cvtsh_ss(unsigned short h) { return xpavx::half_to_float(h); }
static inline unsigned short _cvtss_sh(float f, int m) { return xpavx::float_to_half(f, m); }
XP_CONVERT(_mm512, cvtneps_pbh, __m256bh, uint16_t, __m512, float, __mmask16, xpavx::float_to_bfloat(x))
XP_CONVERT(_mm256, cvtneps_pbh, __m128bh, uint16_t, __m256, float, __mmask8, xpavx::float_to_bfloat(x))
XP_CONVERT(_mm, cvtneps_pbh, __m128bh, uint16_t, __m128, float, __mmask8, xpavx::float_to_bfloat(x))
XP_CONVERT(_mm512, cvtpbh_ps, __m512, float, __m256bh, uint16_t, __mmask16, xpavx::bfloat_to_float(x))
XP_CONVERT(_mm256, cvtpbh_ps, __m256, float, __m128bh, uint16_t, __mmask8, xpavx::bfloat_to_float(x))
static inline __m512i _mm512_cvt_roundps_epi32(__m512 a, int m) { return xpavx::convert<float, int32_t, __m512i>(a, [m](float x) { return xpavx::to_integer<int32_t>(x, m); }); }
static inline __m256 _mm512_cvt_roundpd_ps(__m512d a, int m) {
    return xpavx::convert<double, float, __m256>(a, [m](double x) {
        float y = static_cast<float>(x);
        const int mode = m & 7;
        const bool down = mode == 1 || (mode == 3 && x > 0), up = mode == 2 || (mode == 3 && x < 0);
        if (down && static_cast<double>(y) > x) y = std::nextafter(y, -INFINITY);
        if (up && static_cast<double>(y) < x) y = std::nextafter(y, INFINITY);
        return y;
    });
}

// ---------------------------------------------------------------------------------------------- permutations
// Across the whole register, by an index vector: idx is the first operand of permutexvar.
#define XP_PERMUTE(P, V, K, S, T, X, I)                                                                                                \
    static inline V P##_permutexvar_##S(X idx, V a) {                                                                                  \
        auto j = xpavx::lanes<I>(idx);                                                                                                 \
        auto x = xpavx::lanes<T>(a);                                                                                                   \
        constexpr unsigned n = xpavx::count<T, V>;                                                                                     \
        return xpavx::build<T, V>([&](int i) { return x.at[j.at[i] % n]; });                                                           \
    }                                                                                                                                  \
    static inline V P##_mask_permutexvar_##S(V s, K k, X idx, V a) { return xpavx::merge<T>(k, P##_permutexvar_##S(idx, a), s); }      \
    static inline V P##_maskz_permutexvar_##S(K k, X idx, V a) { return xpavx::merge<T>(k, P##_permutexvar_##S(idx, a), V{}); }        \
    XP_PERMUTE2(P, V, K, S, T, X, I)
#define XP_PERMUTE2(P, V, K, S, T, X, I)                                                                                               \
    static inline V P##_permutex2var_##S(V a, X idx, V b) {                                                                            \
        auto j = xpavx::lanes<I>(idx);                                                                                                 \
        auto x = xpavx::lanes<T>(a), y = xpavx::lanes<T>(b);                                                                           \
        constexpr unsigned n = xpavx::count<T, V>;                                                                                     \
        return xpavx::build<T, V>([&](int i) { return (j.at[i] & n ? y : x).at[j.at[i] % n]; });                                       \
    }                                                                                                                                  \
    static inline V P##_mask_permutex2var_##S(V a, K k, X idx, V b) { return xpavx::merge<T>(k, P##_permutex2var_##S(a, idx, b), a); }
XP_PERMUTE(_mm512, __m512, __mmask16, ps, float, __m512i, uint32_t)
XP_PERMUTE(_mm512, __m512d, __mmask8, pd, double, __m512i, uint64_t)
XP_PERMUTE(_mm512, __m512i, __mmask64, epi8, uint8_t, __m512i, uint8_t)
XP_PERMUTE(_mm512, __m512i, __mmask32, epi16, uint16_t, __m512i, uint16_t)
XP_PERMUTE(_mm512, __m512i, __mmask16, epi32, uint32_t, __m512i, uint32_t)
XP_PERMUTE(_mm512, __m512i, __mmask8, epi64, uint64_t, __m512i, uint64_t)
XP_PERMUTE(_mm256, __m256, __mmask8, ps, float, __m256i, uint32_t)
XP_PERMUTE(_mm256, __m256i, __mmask16, epi16, uint16_t, __m256i, uint16_t)
XP_PERMUTE(_mm256, __m256i, __mmask8, epi32, uint32_t, __m256i, uint32_t)
XP_PERMUTE(_mm256, __m256i, __mmask8, epi64, uint64_t, __m256i, uint64_t)
static inline __m256 _mm256_permutevar8x32_ps(__m256 a, __m256i idx) { return _mm256_permutexvar_ps(idx, a); }
static inline __m256i _mm256_permutevar8x32_epi32(__m256i a, __m256i idx) { return _mm256_permutexvar_epi32(idx, a); }

// Within each 128 bits, by an immediate or an index vector. `at(i, base)` is the source lane.
#define XP_LOCAL(P, V, K, NAME, T, ARGUMENT, AT)                                                                                    \
    static inline V P##_##NAME(V a, ARGUMENT n) {                                                                                   \
        auto x = xpavx::lanes<T>(a);                                                                                                \
        constexpr int g = static_cast<int>(16 / sizeof(T));                                                                         \
        return xpavx::build<T, V>([&](int i) { const int base = i / g * g, r = i % g; (void)base; (void)r; return x.at[AT]; });     \
    }                                                                                                                               \
    static inline V P##_mask_##NAME(V s, K k, V a, ARGUMENT n) { return xpavx::merge<T>(k, P##_##NAME(a, n), s); }                  \
    static inline V P##_maskz_##NAME(K k, V a, ARGUMENT n) { return xpavx::merge<T>(k, P##_##NAME(a, n), V{}); }
XP_PS(XP_LOCAL, permute_ps, float, int, base + (n >> (2 * r) & 3))
XP_PD(XP_LOCAL, permute_pd, double, int, base + (n >> i & 1))
XP_I32(XP_LOCAL, shuffle_epi32, int32_t, int, base + (n >> (2 * r) & 3))
XP_I16(XP_LOCAL, shufflelo_epi16, int16_t, int, r < 4 ? base + (n >> (2 * r) & 3) : i)
XP_I16(XP_LOCAL, shufflehi_epi16, int16_t, int, r < 4 ? i : base + 4 + (n >> (2 * (r - 4)) & 3))
static inline __m512i _mm512_permutex_epi64(__m512i a, int n) {
    auto x = xpavx::lanes<int64_t>(a);
    return xpavx::build<int64_t, __m512i>([&](int i) { return x.at[i / 4 * 4 + (n >> (2 * (i % 4)) & 3)]; });
}
static inline __m512d _mm512_permutex_pd(__m512d a, int n) {
    auto x = xpavx::lanes<double>(a);
    return xpavx::build<double, __m512d>([&](int i) { return x.at[i / 4 * 4 + (n >> (2 * (i % 4)) & 3)]; });
}
static inline __m256i _mm256_permute4x64_epi64(__m256i a, int n) {
    auto x = xpavx::lanes<int64_t>(a);
    return xpavx::build<int64_t, __m256i>([&](int i) { return x.at[n >> (2 * i) & 3]; });
}
static inline __m256d _mm256_permute4x64_pd(__m256d a, int n) {
    auto x = xpavx::lanes<double>(a);
    return xpavx::build<double, __m256d>([&](int i) { return x.at[n >> (2 * i) & 3]; });
}
#define XP_MOVE(P, V, K, NAME, T, AT)                                                            \
    static inline V P##_##NAME(V a) {                                                            \
        auto x = xpavx::lanes<T>(a);                                                             \
        return xpavx::build<T, V>([&](int i) { return x.at[AT]; });                              \
    }
XP_PS(XP_MOVE, moveldup_ps, float, i & ~1)
XP_PS(XP_MOVE, movehdup_ps, float, i | 1)
XP_PD(XP_MOVE, movedup_pd, double, i & ~1)

#define XP_INTERLEAVE(P, V, K, NAME, T, HIGH)                                                                            \
    static inline V P##_##NAME(V a, V b) {                                                                               \
        auto x = xpavx::lanes<T>(a), y = xpavx::lanes<T>(b);                                                             \
        constexpr int g = static_cast<int>(16 / sizeof(T));                                                              \
        return xpavx::build<T, V>([&](int i) { return (i % 2 ? y : x).at[i / g * g + i % g / 2 + HIGH * g / 2]; });      \
    }                                                                                                                    \
    XP_MASKED2(P, V, K, NAME, T)
XP_PS(XP_INTERLEAVE, unpacklo_ps, float, 0)
XP_PS(XP_INTERLEAVE, unpackhi_ps, float, 1)
XP_PD(XP_INTERLEAVE, unpacklo_pd, double, 0)
XP_PD(XP_INTERLEAVE, unpackhi_pd, double, 1)
XP_I8(XP_INTERLEAVE, unpacklo_epi8, int8_t, 0)
XP_I8(XP_INTERLEAVE, unpackhi_epi8, int8_t, 1)
XP_I16(XP_INTERLEAVE, unpacklo_epi16, int16_t, 0)
XP_I16(XP_INTERLEAVE, unpackhi_epi16, int16_t, 1)
XP_I32(XP_INTERLEAVE, unpacklo_epi32, int32_t, 0)
XP_I32(XP_INTERLEAVE, unpackhi_epi32, int32_t, 1)
XP_I64(XP_INTERLEAVE, unpacklo_epi64, int64_t, 0)
XP_I64(XP_INTERLEAVE, unpackhi_epi64, int64_t, 1)

#define XP_PACK(P, V, K, NAME, TO, FROM, ...)                                                                                                        \
    static inline V P##_##NAME(V a, V b) {                                                                                                           \
        auto x = xpavx::lanes<FROM>(a), y = xpavx::lanes<FROM>(b);                                                                                   \
        constexpr int g = static_cast<int>(16 / sizeof(TO));                                                                                         \
        return xpavx::build<TO, V>([&](int i) { const int r = i % g; return xpavx::clamp<TO>((r < g / 2 ? x : y).at[i / g * (g / 2) + r % (g / 2)]); }); \
    }                                                                                                                                                \
    XP_MASKED2(P, V, K, NAME, TO)
XP_I16(XP_PACK, packs_epi32, int16_t, int32_t)
XP_I16(XP_PACK, packus_epi32, uint16_t, int32_t)
XP_I8(XP_PACK, packs_epi16, int8_t, int16_t)
XP_I8(XP_PACK, packus_epi16, uint8_t, int16_t)

#define XP_BYTES(P, V, K, UNUSED)                                                                                                      \
    static inline V P##_shuffle_epi8(V a, V idx) {                                                                                     \
        auto x = xpavx::lanes<uint8_t>(a), j = xpavx::lanes<uint8_t>(idx);                                                             \
        return xpavx::build<uint8_t, V>([&](int i) { return j.at[i] & 0x80 ? 0 : x.at[i / 16 * 16 + (j.at[i] & 15)]; });               \
    }                                                                                                                                  \
    XP_MASKED2(P, V, K, shuffle_epi8, uint8_t)                                                                                         \
    static inline V P##_alignr_epi8(V a, V b, int n) {                                                                                 \
        auto x = xpavx::lanes<uint8_t>(a), y = xpavx::lanes<uint8_t>(b);                                                               \
        return xpavx::build<uint8_t, V>([&](int i) {                                                                                   \
            const int at = i % 16 + (n & 255), base = i / 16 * 16;                                                                     \
            return at < 16 ? y.at[base + at] : at < 32 ? x.at[base + at - 16] : 0;                                                     \
        });                                                                                                                            \
    }                                                                                                                                  \
    static inline V P##_bslli_epi128(V a, int n) { return P##_alignr_epi8(a, V{}, n > 16 ? 0 : 16 - n); }                              \
    static inline V P##_bsrli_epi128(V a, int n) { return P##_alignr_epi8(V{}, a, n > 16 ? 16 : n); }
XP_I8(XP_BYTES, 0)
static inline __m256i _mm256_slli_si256(__m256i a, int n) { return _mm256_bslli_epi128(a, n); }
static inline __m256i _mm256_srli_si256(__m256i a, int n) { return _mm256_bsrli_epi128(a, n); }
static inline __m128i _mm_slli_si128(__m128i a, int n) { return _mm_bslli_epi128(a, n); }
static inline __m128i _mm_srli_si128(__m128i a, int n) { return _mm_bsrli_epi128(a, n); }
#define XP_ALIGN(P, V, K, NAME, T)                                                                                             \
    static inline V P##_##NAME(V a, V b, int n) {                                                                              \
        auto x = xpavx::lanes<T>(a), y = xpavx::lanes<T>(b);                                                                   \
        constexpr int g = xpavx::count<T, V>;                                                                                  \
        return xpavx::build<T, V>([&](int i) { const int at = i + n % g; return at < g ? y.at[at] : x.at[at - g]; });          \
    }
XP_I32(XP_ALIGN, alignr_epi32, int32_t)
XP_I64(XP_ALIGN, alignr_epi64, int64_t)

// Two elements from a, two from b.
#define XP_SHUFFLE_PS(P, V, K, UNUSED)                                                                                         \
    static inline V P##_shuffle_ps(V a, V b, int n) {                                                                          \
        auto x = xpavx::lanes<float>(a), y = xpavx::lanes<float>(b);                                                           \
        return xpavx::build<float, V>([&](int i) { return (i % 4 < 2 ? x : y).at[i / 4 * 4 + (n >> (2 * (i % 4)) & 3)]; });    \
    }
XP_PS(XP_SHUFFLE_PS, 0)
#define XP_SHUFFLE_PD(P, V, K, UNUSED)                                                                                         \
    static inline V P##_shuffle_pd(V a, V b, int n) {                                                                          \
        auto x = xpavx::lanes<double>(a), y = xpavx::lanes<double>(b);                                                         \
        return xpavx::build<double, V>([&](int i) { return (i % 2 ? y : x).at[i / 2 * 2 + (n >> i & 1)]; });                   \
    }
XP_PD(XP_SHUFFLE_PD, 0)
// 128-bit lanes: 0 and 1 of the result from a, 2 and 3 from b.
#define XP_SHUFFLE_PARTS(NAME, V, PART)                                                                                        \
    static inline V _mm512_shuffle_##NAME(V a, V b, int n) {                                                                   \
        V r;                                                                                                                   \
        for (int i = 0; i < 4; ++i) r = xpavx::insert(i ? r : a, xpavx::extract<PART>(i < 2 ? a : b, n >> (2 * i) & 3), i);    \
        return r;                                                                                                              \
    }
XP_SHUFFLE_PARTS(f32x4, __m512, __m128)
XP_SHUFFLE_PARTS(f64x2, __m512d, __m128d)
XP_SHUFFLE_PARTS(i32x4, __m512i, __m128i)
XP_SHUFFLE_PARTS(i64x2, __m512i, __m128i)
#define XP_PERMUTE_PARTS(NAME, V, PART)                                                                                        \
    static inline V _mm256_permute2##NAME(V a, V b, int n) {                                                                   \
        V r{};                                                                                                                 \
        for (int i = 0; i < 2; ++i) {                                                                                          \
            const int s = n >> (4 * i) & 15;                                                                                   \
            if (!(s & 8)) r = xpavx::insert(r, xpavx::extract<PART>(s & 2 ? b : a, s & 1), i);                                 \
        }                                                                                                                      \
        return r;                                                                                                              \
    }
XP_PERMUTE_PARTS(f128_ps, __m256, __m128)
XP_PERMUTE_PARTS(f128_pd, __m256d, __m128d)
XP_PERMUTE_PARTS(f128_si256, __m256i, __m128i)
XP_PERMUTE_PARTS(x128_si256, __m256i, __m128i)

#define XP_BLEND(P, V, S, T, I)                                                                                                                       \
    static inline V P##_blendv_##S(V a, V b, V m) { return xpavx::merge<T>(xpavx::test<I>(m, m, [](I x, I) { return x < 0; }), b, a); }
XP_BLEND(_mm256, __m256, ps, float, int32_t)
XP_BLEND(_mm256, __m256d, pd, double, int64_t)
XP_BLEND(_mm256, __m256i, epi8, int8_t, int8_t)
XP_BLEND(_mm, __m128, ps, float, int32_t)
XP_BLEND(_mm, __m128i, epi8, int8_t, int8_t)
static inline __m256 _mm256_blend_ps(__m256 a, __m256 b, int n) { return xpavx::merge<float>(static_cast<uint64_t>(n), b, a); }
static inline __m128 _mm_blend_ps(__m128 a, __m128 b, int n) { return xpavx::merge<float>(static_cast<uint64_t>(n), b, a); }
static inline __m256i _mm256_blend_epi32(__m256i a, __m256i b, int n) { return xpavx::merge<int32_t>(static_cast<uint64_t>(n), b, a); }
static inline __m128 _mm_movehl_ps(__m128 a, __m128 b) { return __m128{b[2], b[3], a[2], a[3]}; }
static inline __m128 _mm_movelh_ps(__m128 a, __m128 b) { return __m128{a[0], a[1], b[0], b[1]}; }
static inline __m128 _mm_move_ss(__m128 a, __m128 b) { return __m128{b[0], a[1], a[2], a[3]}; }
static inline __m128i _mm_insert_epi32(__m128i a, int v, int n) { return xpavx::insert(a, v, n & 3); }
static inline __m128i _mm_insert_epi64(__m128i a, long long v, int n) { return xpavx::insert(a, v, n & 1); }
