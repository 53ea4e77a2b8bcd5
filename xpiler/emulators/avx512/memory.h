// Loads, stores, constants, gathers and scatters.
#pragma once

#include "lanes.h"

#define XP_FLOAT_MEMORY(P, V, K, S, T)                                                                                     \
    static inline V P##_load_##S(const void* p) { return xpavx::load_aligned<V>(p); }                                      \
    static inline V P##_loadu_##S(const void* p) { return xpavx::load<V>(p); }                                             \
    static inline void P##_store_##S(void* p, V a) { xpavx::store_aligned(p, a); }                                         \
    static inline void P##_storeu_##S(void* p, V a) { xpavx::store(p, a); }                                                \
    static inline void P##_stream_##S(void* p, V a) { xpavx::store_aligned(p, a); }                                        \
    static inline V P##_set1_##S(T v) { return xpavx::build<T, V>([v](int) { return v; }); }                               \
    static inline V P##_setzero_##S() { return V{}; }                                                                      \
    static inline V P##_undefined_##S() { return V{}; }                                                                    \
    static inline V P##_mask_blend_##S(K k, V a, V b) { return xpavx::merge<T>(k, b, a); }                                 \
    static inline V P##_mask_mov_##S(V s, K k, V a) { return xpavx::merge<T>(k, a, s); }                                   \
    static inline V P##_maskz_mov_##S(K k, V a) { return xpavx::merge<T>(k, a, V{}); }                                     \
    XP_MASKED_MEMORY(P, V, K, S, T)                                                                                        \
    static inline V P##_mask_load_##S(V s, K k, const void* p) { return xpavx::masked_load<T>(k, p, s); }                  \
    static inline V P##_maskz_load_##S(K k, const void* p) { return xpavx::masked_load<T>(k, p, V{}); }                    \
    static inline void P##_mask_store_##S(void* p, K k, V a) { xpavx::masked_store<T>(p, k, a); }
#define XP_MASKED_MEMORY(P, V, K, S, T)                                                                                    \
    static inline V P##_mask_loadu_##S(V s, K k, const void* p) { return xpavx::masked_load<T>(k, p, s); }                 \
    static inline V P##_maskz_loadu_##S(K k, const void* p) { return xpavx::masked_load<T>(k, p, V{}); }                   \
    static inline void P##_mask_storeu_##S(void* p, K k, V a) { xpavx::masked_store<T>(p, k, a); }                         \
    static inline V P##_mask_compress_##S(V s, K k, V a) {                                                                 \
        auto x = xpavx::lanes<T>(a), r = xpavx::lanes<T>(s);                                                               \
        for (int i = 0, n = 0; i < xpavx::count<T, V>; ++i)                                                                \
            if (static_cast<uint64_t>(k) >> i & 1) r.at[n++] = x.at[i];                                                    \
        return xpavx::join<V>(r);                                                                                          \
    }                                                                                                                      \
    static inline V P##_maskz_compress_##S(K k, V a) { return P##_mask_compress_##S(V{}, k, a); }                          \
    static inline void P##_mask_compressstoreu_##S(void* p, K k, V a) {                                                    \
        const int n = __builtin_popcountll(static_cast<uint64_t>(k));                                                      \
        V packed = P##_maskz_compress_##S(k, a);                                                                           \
        memcpy(p, &packed, static_cast<size_t>(n) * sizeof(T));                                                            \
    }                                                                                                                      \
    static inline V P##_mask_expand_##S(V s, K k, V a) {                                                                   \
        auto x = xpavx::lanes<T>(a), r = xpavx::lanes<T>(s);                                                               \
        for (int i = 0, n = 0; i < xpavx::count<T, V>; ++i)                                                                \
            if (static_cast<uint64_t>(k) >> i & 1) r.at[i] = x.at[n++];                                                    \
        return xpavx::join<V>(r);                                                                                          \
    }                                                                                                                      \
    static inline V P##_maskz_expand_##S(K k, V a) { return P##_mask_expand_##S(V{}, k, a); }
XP_PS(XP_FLOAT_MEMORY, ps, float)
XP_PD(XP_FLOAT_MEMORY, pd, double)

#define XP_INT_MEMORY(P, V, K, B)                                                                                          \
    XP_MASKED_MEMORY(P, V, K, epi##B, int##B##_t)                                                                          \
    static inline V P##_loadu_epi##B(const void* p) { return xpavx::load<V>(p); }                                          \
    static inline void P##_storeu_epi##B(void* p, V a) { xpavx::store(p, a); }                                             \
    XP_BROADCAST(P, V, K, set1_epi##B, int##B##_t)
#define XP_BROADCAST(P, V, K, NAME, T)                                                                                     \
    static inline V P##_mask_##NAME(V s, K k, T v) { return xpavx::merge<T>(k, xpavx::build<T, V>([v](int) { return v; }), s); } \
    static inline V P##_maskz_##NAME(K k, T v) { return xpavx::merge<T>(k, xpavx::build<T, V>([v](int) { return v; }), V{}); }
XP_I8(XP_INT_MEMORY, 8)
XP_I16(XP_INT_MEMORY, 16)
XP_I32(XP_INT_MEMORY, 32)
XP_I64(XP_INT_MEMORY, 64)
#define XP_INT_ALIGNED(P, V, K, B)                                                                                         \
    static inline V P##_load_epi##B(const void* p) { return xpavx::load_aligned<V>(p); }                                   \
    static inline void P##_store_epi##B(void* p, V a) { xpavx::store_aligned(p, a); }                                      \
    static inline V P##_mask_load_epi##B(V s, K k, const void* p) { return xpavx::masked_load<int##B##_t>(k, p, s); }      \
    static inline V P##_maskz_load_epi##B(K k, const void* p) { return xpavx::masked_load<int##B##_t>(k, p, V{}); }        \
    static inline void P##_mask_store_epi##B(void* p, K k, V a) { xpavx::masked_store<int##B##_t>(p, k, a); }
XP_I32(XP_INT_ALIGNED, 32)
XP_I64(XP_INT_ALIGNED, 64)
#define XP_WHOLE_MEMORY(P, V, W)                                                                                           \
    static inline V P##_load_si##W(const void* p) { return xpavx::load_aligned<V>(p); }                                    \
    static inline V P##_loadu_si##W(const void* p) { return xpavx::load<V>(p); }                                           \
    static inline void P##_store_si##W(void* p, V a) { xpavx::store_aligned(p, a); }                                       \
    static inline void P##_storeu_si##W(void* p, V a) { xpavx::store(p, a); }                                              \
    static inline void P##_stream_si##W(void* p, V a) { xpavx::store_aligned(p, a); }                                      \
    static inline V P##_setzero_si##W() { return V{}; }
XP_WHOLE_MEMORY(_mm512, __m512i, 512)
XP_WHOLE_MEMORY(_mm256, __m256i, 256)
XP_WHOLE_MEMORY(_mm, __m128i, 128)
static inline __m512i _mm512_setzero_epi32() { return __m512i{}; }
static inline __m512 _mm512_setzero() { return __m512{}; }
static inline __m512i _mm512_undefined_epi32() { return __m512i{}; }
static inline __m256i _mm256_lddqu_si256(const __m256i* p) { return xpavx::load<__m256i>(p); }
static inline __m128i _mm_loadl_epi64(const void* p) {
    __m128i r{};
    memcpy(&r, p, 8);
    return r;
}
static inline void _mm_storel_epi64(void* p, __m128i a) { memcpy(p, &a, 8); }
static inline __m128i _mm_loadu_si32(const void* p) {
    __m128i r{};
    memcpy(&r, p, 4);
    return r;
}
static inline __m128i _mm_loadu_si64(const void* p) { return _mm_loadl_epi64(p); }
static inline __m128 _mm_load_ss(const float* p) { return __m128{*p, 0, 0, 0}; }
static inline __m128 _mm_load1_ps(const float* p) { return __m128{*p, *p, *p, *p}; }
static inline __m128 _mm_broadcast_ss(const float* p) { return _mm_load1_ps(p); }
static inline __m256 _mm256_broadcast_ss(const float* p) { return _mm256_set1_ps(*p); }
static inline __m256d _mm256_broadcast_sd(const double* p) { return _mm256_set1_pd(*p); }
static inline void _mm_store_ss(float* p, __m128 a) { *p = a[0]; }
static inline void _mm_store_sd(double* p, __m128d a) { *p = a[0]; }
static inline __m128d _mm_load_sd(const double* p) { return __m128d{*p, 0}; }
static inline __m128 _mm_set_ss(float v) { return __m128{v, 0, 0, 0}; }
static inline __m128d _mm_set_sd(double v) { return __m128d{v, 0}; }
static inline float _mm_cvtss_f32(__m128 a) { return a[0]; }
static inline float _mm256_cvtss_f32(__m256 a) { return a[0]; }
static inline float _mm512_cvtss_f32(__m512 a) { return a[0]; }
static inline double _mm_cvtsd_f64(__m128d a) { return a[0]; }
static inline double _mm256_cvtsd_f64(__m256d a) { return a[0]; }
static inline double _mm512_cvtsd_f64(__m512d a) { return a[0]; }
static inline int _mm_cvtsi128_si32(__m128i a) { return static_cast<int>(a[0]); }
static inline int _mm256_cvtsi256_si32(__m256i a) { return static_cast<int>(a[0]); }
static inline int _mm512_cvtsi512_si32(__m512i a) { return static_cast<int>(a[0]); }
static inline long long _mm_cvtsi128_si64(__m128i a) { return a[0]; }
static inline __m128i _mm_cvtsi32_si128(int v) { return __m128i{static_cast<long long>(static_cast<unsigned>(v)), 0}; }
static inline __m128i _mm_cvtsi64_si128(long long v) { return __m128i{v, 0}; }

#define XP_SET1(P, V, NAME, T) \
    static inline V P##_##NAME(T v) { return xpavx::build<T, V>([v](int) { return v; }); }
XP_SET1(_mm512, __m512i, set1_epi8, char)
XP_SET1(_mm512, __m512i, set1_epi16, short)
XP_SET1(_mm512, __m512i, set1_epi32, int)
XP_SET1(_mm512, __m512i, set1_epi64, long long)
XP_SET1(_mm256, __m256i, set1_epi8, char)
XP_SET1(_mm256, __m256i, set1_epi16, short)
XP_SET1(_mm256, __m256i, set1_epi32, int)
XP_SET1(_mm256, __m256i, set1_epi64x, long long)
XP_SET1(_mm, __m128i, set1_epi8, char)
XP_SET1(_mm, __m128i, set1_epi16, short)
XP_SET1(_mm, __m128i, set1_epi32, int)
XP_SET1(_mm, __m128i, set1_epi64x, long long)

namespace xpavx {
// set_ takes the highest lane first, setr_ the lowest.
template <class V, class T, class... U>
static inline V in_order(U... values) {
    static_assert(sizeof...(U) == count<T, V>);
    return join<V>(Array<T, count<T, V>>{{static_cast<T>(values)...}});
}
template <class V, class T, class... U>
static inline V reversed(U... values) {
    const T given[] = {static_cast<T>(values)...};
    return build<T, V>([&](int i) { return given[count<T, V> - 1 - i]; });
}
}  // namespace xpavx
#define XP_SET(P, V, S, T)                                                                       \
    template <class... U>                                                                        \
    static inline V P##_set_##S(U... v) { return xpavx::reversed<V, T>(v...); }                  \
    template <class... U>                                                                        \
    static inline V P##_setr_##S(U... v) { return xpavx::in_order<V, T>(v...); }
XP_SET(_mm512, __m512, ps, float)
XP_SET(_mm512, __m512d, pd, double)
XP_SET(_mm512, __m512i, epi8, int8_t)
XP_SET(_mm512, __m512i, epi16, int16_t)
XP_SET(_mm512, __m512i, epi32, int)
XP_SET(_mm512, __m512i, epi64, long long)
XP_SET(_mm256, __m256, ps, float)
XP_SET(_mm256, __m256d, pd, double)
XP_SET(_mm256, __m256i, epi8, int8_t)
XP_SET(_mm256, __m256i, epi16, int16_t)
XP_SET(_mm256, __m256i, epi32, int)
XP_SET(_mm256, __m256i, epi64x, long long)
XP_SET(_mm, __m128, ps, float)
XP_SET(_mm, __m128d, pd, double)
XP_SET(_mm, __m128i, epi8, int8_t)
XP_SET(_mm, __m128i, epi16, int16_t)
XP_SET(_mm, __m128i, epi32, int)
XP_SET(_mm, __m128i, epi64x, long long)

namespace xpavx {
template <class T, class V, class I, class X>
static inline V gather(V otherwise, uint64_t k, X index, const void* base, int scale) {
    const auto at = lanes<I>(index);
    auto r = lanes<T>(otherwise);
    for (int i = 0; i < count<T, V> && i < count<I, X>; ++i)
        if (k >> i & 1) memcpy(&r.at[i], static_cast<const char*>(base) + static_cast<int64_t>(at.at[i]) * scale, sizeof(T));
    return join<V>(r);
}
template <class T, class V, class I, class X>
static inline void scatter(void* base, uint64_t k, X index, V v, int scale) {
    const auto at = lanes<I>(index);
    const auto x = lanes<T>(v);
    for (int i = 0; i < count<T, V> && i < count<I, X>; ++i)  // the highest lane wins
        if (k >> i & 1) memcpy(static_cast<char*>(base) + static_cast<int64_t>(at.at[i]) * scale, &x.at[i], sizeof(T));
}
}  // namespace xpavx
#define XP_GATHER(NAME, V, K, T, X, I)                                                                                                     \
    static inline V _mm512_##NAME(X i, const void* p, int scale) { return xpavx::gather<T, V, I>(V{}, ~0ull, i, p, scale); }               \
    static inline V _mm512_mask_##NAME(V s, K k, X i, const void* p, int scale) { return xpavx::gather<T, V, I>(s, k, i, p, scale); }
XP_GATHER(i32gather_ps, __m512, __mmask16, float, __m512i, int32_t)
XP_GATHER(i32gather_epi32, __m512i, __mmask16, int32_t, __m512i, int32_t)
XP_GATHER(i32gather_pd, __m512d, __mmask8, double, __m256i, int32_t)
XP_GATHER(i32gather_epi64, __m512i, __mmask8, int64_t, __m256i, int32_t)
XP_GATHER(i64gather_ps, __m256, __mmask8, float, __m512i, int64_t)
XP_GATHER(i64gather_epi32, __m256i, __mmask8, int32_t, __m512i, int64_t)
XP_GATHER(i64gather_pd, __m512d, __mmask8, double, __m512i, int64_t)
XP_GATHER(i64gather_epi64, __m512i, __mmask8, int64_t, __m512i, int64_t)
#define XP_SCATTER(NAME, V, K, T, X, I)                                                                                                 \
    static inline void _mm512_##NAME(void* p, X i, V a, int scale) { xpavx::scatter<T, V, I>(p, ~0ull, i, a, scale); }                  \
    static inline void _mm512_mask_##NAME(void* p, K k, X i, V a, int scale) { xpavx::scatter<T, V, I>(p, k, i, a, scale); }
XP_SCATTER(i32scatter_ps, __m512, __mmask16, float, __m512i, int32_t)
XP_SCATTER(i32scatter_epi32, __m512i, __mmask16, int32_t, __m512i, int32_t)
XP_SCATTER(i32scatter_pd, __m512d, __mmask8, double, __m256i, int32_t)
XP_SCATTER(i64scatter_ps, __m256, __mmask8, float, __m512i, int64_t)
XP_SCATTER(i64scatter_epi32, __m256i, __mmask8, int32_t, __m512i, int64_t)
XP_SCATTER(i64scatter_pd, __m512d, __mmask8, double, __m512i, int64_t)
XP_SCATTER(i64scatter_epi64, __m512i, __mmask8, int64_t, __m512i, int64_t)
XP_SCATTER(i32scatter_epi64, __m512i, __mmask8, int64_t, __m256i, int32_t)
#define XP_SCATTER_VL(P, NAME, V, T, X, I)                                                                                              \
    static inline void P##_##NAME(void* p, X i, V a, int scale) { xpavx::scatter<T, V, I>(p, ~0ull, i, a, scale); }                     \
    static inline void P##_mask_##NAME(void* p, __mmask8 k, X i, V a, int scale) { xpavx::scatter<T, V, I>(p, k, i, a, scale); }
XP_SCATTER_VL(_mm256, i32scatter_ps, __m256, float, __m256i, int32_t)
XP_SCATTER_VL(_mm256, i32scatter_epi32, __m256i, int32_t, __m256i, int32_t)
XP_SCATTER_VL(_mm256, i32scatter_pd, __m256d, double, __m128i, int32_t)
XP_SCATTER_VL(_mm256, i32scatter_epi64, __m256i, int64_t, __m128i, int32_t)
XP_SCATTER_VL(_mm256, i64scatter_pd, __m256d, double, __m256i, int64_t)
XP_SCATTER_VL(_mm256, i64scatter_epi64, __m256i, int64_t, __m256i, int64_t)
XP_SCATTER_VL(_mm, i32scatter_ps, __m128, float, __m128i, int32_t)
XP_SCATTER_VL(_mm, i32scatter_epi32, __m128i, int32_t, __m128i, int32_t)
static inline __m256 _mm256_i32gather_ps(const float* p, __m256i i, int scale) { return xpavx::gather<float, __m256, int32_t>(__m256{}, ~0ull, i, p, scale); }
static inline __m256i _mm256_i32gather_epi32(const int* p, __m256i i, int scale) { return xpavx::gather<int32_t, __m256i, int32_t>(__m256i{}, ~0ull, i, p, scale); }
#define XP_GATHER_VL(P, V, S, T, X, I)                                                                                                  \
    static inline V P##_mmask_i32gather_##S(V s, __mmask8 k, X i, const void* p, int scale) { return xpavx::gather<T, V, I>(s, k, i, p, scale); }
XP_GATHER_VL(_mm256, __m256, ps, float, __m256i, int32_t)
XP_GATHER_VL(_mm256, __m256i, epi32, int32_t, __m256i, int32_t)
XP_GATHER_VL(_mm256, __m256d, pd, double, __m128i, int32_t)
XP_GATHER_VL(_mm256, __m256i, epi64, int64_t, __m128i, int32_t)
XP_GATHER_VL(_mm, __m128, ps, float, __m128i, int32_t)
XP_GATHER_VL(_mm, __m128i, epi32, int32_t, __m128i, int32_t)

// Where the sign bit selects.
#define XP_SIGN_MASK(P, V, M, S, T, I)                                                                                                                    \
    static inline V P##_maskload_##S(const T* p, M m) {                                                                                                   \
        return xpavx::masked_load<T>(xpavx::test<I>(m, m, [](I x, I) { return x < 0; }), p, V{});                                                         \
    }                                                                                                                                                     \
    static inline void P##_maskstore_##S(T* p, M m, V a) { xpavx::masked_store<T>(p, xpavx::test<I>(m, m, [](I x, I) { return x < 0; }), a); }
XP_SIGN_MASK(_mm256, __m256, __m256i, ps, float, int32_t)
XP_SIGN_MASK(_mm256, __m256d, __m256i, pd, double, int64_t)
XP_SIGN_MASK(_mm256, __m256i, __m256i, epi32, int, int32_t)
XP_SIGN_MASK(_mm, __m128, __m128i, ps, float, int32_t)

static inline void* _mm_malloc(size_t bytes, size_t align) {
    void* p = nullptr;
    return posix_memalign(&p, align < sizeof(void*) ? sizeof(void*) : align, bytes) ? nullptr : p;
}
static inline void _mm_free(void* p) { free(p); }
template <class P>
static inline void _mm_prefetch(const P* p, int) { __builtin_prefetch(p); }
#define _mm_sfence() __sync_synchronize()
#define _mm_mfence() __sync_synchronize()
#define _mm_lfence() __sync_synchronize()
#define _mm_pause() static_cast<void>(0)
static inline void _mm256_zeroupper() {}
static inline void _mm256_zeroall() {}
