"""Vector functions that generated AVX-512 code may call, each emitted only where used.

All work on 16 lanes of 32 bits;
    8-lane code widens its operands. Polynomials are minimax fits on the reduced range
(Cephes for exp, log and erf), 1-2 ulp against a correctly rounded result.
"""

from __future__ import annotations

from xpiler.backend.c_helpers import registry

_TEXTS: tuple[str, ...] = (
    # ---------------------------------------------------------------------- operands of dot products
    """\
// 4 bytes at any address.
static inline int load_word(const void *p) {
    int word;
    memcpy(&word, p, sizeof word);
    return word;
}""",
    """\
// The low bytes of x0 ... x3 side by side in each lane.
static inline __m512i pack_bytes(__m512i x0, __m512i x1, __m512i x2, __m512i x3) {
    x0 = _mm512_mask_mov_epi8(x0, 0x2222222222222222ull, _mm512_slli_epi32(x1, 8));
    x0 = _mm512_mask_mov_epi8(x0, 0x4444444444444444ull, _mm512_slli_epi32(x2, 16));
    return _mm512_mask_mov_epi8(x0, 0x8888888888888888ull, _mm512_slli_epi32(x3, 24));
}""",
    """\
static inline __m512i pack_words(__m512i x0, __m512i x1) {
    return _mm512_mask_mov_epi16(x0, 0xaaaaaaaa, _mm512_slli_epi32(x1, 16));
}""",
    """\
// Floats that are bfloat16 values, as pairs of those in each lane.
static inline __m512i pack_bfloat16(__m512 x0, __m512 x1) {
    const __m512i low = _mm512_srli_epi32(_mm512_castps_si512(x0), 16);
    return _mm512_mask_mov_epi16(low, 0xaaaaaaaa, _mm512_castps_si512(x1));
}""",
    """\
// c plus 4 products of signed bytes in each lane. The instruction wants the first ones unsigned: with the top
// bit flipped they are 128 more.
static inline __m512i dot_4_bytes_epi32(__m512i a, __m512i b, __m512i c) {
    const __m512i top = _mm512_set1_epi32((int)0x80808080u);
    const __m512i excess = _mm512_dpbusd_epi32(_mm512_setzero_si512(), top, b);
    return _mm512_sub_epi32(_mm512_dpbusd_epi32(c, _mm512_xor_si512(a, top), b), excess);
}""",
    """\
// c plus 4 products of unsigned bytes. The instruction wants the second ones signed: with the top bit flipped
// they are 128 less.
static inline __m512i dot_4_bytes_epu32(__m512i a, __m512i b, __m512i c) {
    const __m512i top = _mm512_set1_epi32((int)0x80808080u);
    const __m512i missing = _mm512_dpbusd_epi32(_mm512_setzero_si512(), a, top);
    return _mm512_sub_epi32(_mm512_dpbusd_epi32(c, a, _mm512_xor_si512(b, top)), missing);
}""",
    # ---------------------------------------------------------------------- conversions
    """\
// float to int as on GPUs: toward zero, clamped, NaN gives 0.
static inline __m512i truncate_epi32(__m512 x) {
    __m512i r = _mm512_cvttps_epi32(x);
    r = _mm512_mask_set1_epi32(r, _mm512_cmp_ps_mask(x, _mm512_set1_ps(2147483648.0f), _CMP_GE_OQ),
        0x7fffffff);
    return _mm512_mask_set1_epi32(r, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), 0);
}""",
    """\
// float to unsigned as on GPUs: toward zero, clamped, NaN gives 0.
static inline __m512i truncate_epu32(__m512 x) {
    __mmask16 positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ);
    return _mm512_maskz_cvttps_epu32(positive, x);
}""",
    """\
static inline __m256i truncate_pd_epi32(__m512d x) {
    __m256i r = _mm512_cvttpd_epi32(x);
    return _mm256_mask_set1_epi32(r, _mm512_cmp_pd_mask(x, _mm512_set1_pd(2147483647.0), _CMP_GE_OQ),
        0x7fffffff);
}""",
    """\
static inline __m256i truncate_pd_epu32(__m512d x) {
    __m256i r = _mm512_maskz_cvttpd_epu32(_mm512_cmp_pd_mask(x, _mm512_setzero_pd(), _CMP_GT_OQ), x);
    return _mm256_mask_set1_epi32(r, _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q), (int)0x80000000u);
}""",
    """\
static inline __m512i truncate_pd_epi64(__m512d x) {
    __m512i r = _mm512_cvttpd_epi64(x);
    __mmask8 high = _mm512_cmp_pd_mask(x, _mm512_set1_pd(9223372036854775808.0), _CMP_GE_OQ);
    return _mm512_mask_set1_epi64(r, high, 0x7fffffffffffffffll);
}""",
    """\
static inline __m512i truncate_pd_epu64(__m512d x) {
    __m512i r = _mm512_maskz_cvttpd_epu64(_mm512_cmp_pd_mask(x, _mm512_setzero_pd(), _CMP_GT_OQ), x);
    return _mm512_mask_set1_epi64(r, _mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q), (long long)(1ull << 63));
}""",
    """\
static inline __m256i float_to_half_ps(__m512 x) {
    return _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}""",
    """\
static inline __m512 round_to_half_ps(__m512 x) {
    return _mm512_cvtph_ps(float_to_half_ps(x));
}""",
    """\
static inline __m512 round_to_bfloat16_ps(__m512 x) {
    __m512i bits = _mm512_castps_si512(x);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    bits = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    bits = _mm512_and_si512(bits, _mm512_set1_epi32((int)0xffff0000u));
    return _mm512_mask_mov_ps(_mm512_castsi512_ps(bits), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}""",
    """\
static inline __m256i float_to_bfloat16_ps(__m512 x) {
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(round_to_bfloat16_ps(x)), 16));
}""",
    """\
static inline __m512 bfloat16_to_float_ps(__m256i x) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}""",
    """\
// float with an odd last bit unless exact, so that rounding again to 16 bits rounds only once.
static inline __m256 round_to_odd_pd(__m512d x) {
    __m256 toward_zero = _mm512_cvt_roundpd_ps(x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    __mmask8 inexact = _mm512_cmp_pd_mask(_mm512_cvtps_pd(toward_zero), x, _CMP_NEQ_OQ);
    __m256i bits = _mm256_castps_si256(toward_zero);
    return _mm256_castsi256_ps(_mm256_mask_or_epi32(bits, inexact, bits, _mm256_set1_epi32(1)));
}""",
    """\
// a * b + c of 16-bit floats, to be rounded to 16 bits once.
static inline __m512 fma_narrow_ps(__m512 a, __m512 b, __m512 c) {
    __m512d low = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(a)),
        _mm512_cvtps_pd(_mm512_castps512_ps256(b)),
                                  _mm512_cvtps_pd(_mm512_castps512_ps256(c)));
    __m512d high =
        _mm512_fmadd_pd(_mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)),
            _mm512_cvtps_pd(_mm512_extractf32x8_ps(b, 1)),
                        _mm512_cvtps_pd(_mm512_extractf32x8_ps(c, 1)));
    return _mm512_insertf32x8(_mm512_castps256_ps512(round_to_odd_pd(low)), round_to_odd_pd(high), 1);
}""",
    # ---------------------------------------------------------------------- min, max, division
    """\
// The smaller; of a number and a NaN the number.
static inline __m512 min_number_ps(__m512 a, __m512 b) {
    return _mm512_range_ps(a, b, 4);
}""",
    """\
// The larger; of a number and a NaN the number.
static inline __m512 max_number_ps(__m512 a, __m512 b) {
    return _mm512_range_ps(a, b, 5);
}""",
    """\
static inline __m512d min_number_pd(__m512d a, __m512d b) {
    return _mm512_range_pd(a, b, 4);
}""",
    """\
static inline __m512d max_number_pd(__m512d a, __m512d b) {
    return _mm512_range_pd(a, b, 5);
}""",
    """\
// 32-bit integer division by way of double, which is exact.
static inline __m512i divide_epi32(__m512i a, __m512i b) {
    __m512d low = _mm512_div_pd(_mm512_cvtepi32_pd(_mm512_castsi512_si256(a)),
        _mm512_cvtepi32_pd(_mm512_castsi512_si256(b)));
    __m512d high = _mm512_div_pd(_mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(a, 1)),
                                 _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(b, 1)));
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvttpd_epi32(low)), _mm512_cvttpd_epi32(high), 1);
}""",
    """\
// By a number whose reciprocal is factor / 2^(32 + shift), toward zero.
static inline __m512i divide_by_epi32(__m512i a, int factor, unsigned shift) {
    const __m512i by = _mm512_set1_epi32(factor);
    const __m512i even = _mm512_srli_epi64(_mm512_mul_epi32(a, by), 32);
    const __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(a, 32), by);
    __m512i high = _mm512_mask_mov_epi32(even, 0xaaaa, odd);
    if (factor < 0) high = _mm512_add_epi32(high, a);
    return _mm512_add_epi32(_mm512_srav_epi32(high, _mm512_set1_epi32((int)shift)), _mm512_srli_epi32(a, 31));
}""",
    """\
static inline __m512i divide_epu32(__m512i a, __m512i b) {
    __m512d low = _mm512_div_pd(_mm512_cvtepu32_pd(_mm512_castsi512_si256(a)),
        _mm512_cvtepu32_pd(_mm512_castsi512_si256(b)));
    __m512d high = _mm512_div_pd(_mm512_cvtepu32_pd(_mm512_extracti64x4_epi64(a, 1)),
                                 _mm512_cvtepu32_pd(_mm512_extracti64x4_epi64(b, 1)));
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvttpd_epu32(low)), _mm512_cvttpd_epu32(high), 1);
}""",
    # ---------------------------------------------------------------------- lanes one by one
    """\
template <class F>
static inline __m512 map_lanes(F f, __m512 a) {
    alignas(64) float x[16];
    _mm512_store_ps(x, a);
    for (int i = 0; i < 16; ++i) x[i] = f(x[i]);
    return _mm512_load_ps(x);
}""",
    """\
template <class F>
static inline __m512 map_lanes_2(F f, __m512 a, __m512 b) {
    alignas(64) float x[16], y[16];
    _mm512_store_ps(x, a);
    _mm512_store_ps(y, b);
    for (int i = 0; i < 16; ++i) x[i] = f(x[i], y[i]);
    return _mm512_load_ps(x);
}""",
    """\
template <class F>
static inline __m512d map_lanes_pd(F f, __m512d a) {
    alignas(64) double x[8];
    _mm512_store_pd(x, a);
    for (int i = 0; i < 8; ++i) x[i] = f(x[i]);
    return _mm512_load_pd(x);
}""",
    """\
template <class F>
static inline __m512d map_lanes_pd_2(F f, __m512d a, __m512d b) {
    alignas(64) double x[8], y[8];
    _mm512_store_pd(x, a);
    _mm512_store_pd(y, b);
    for (int i = 0; i < 8; ++i) x[i] = f(x[i], y[i]);
    return _mm512_load_pd(x);
}""",
    """\
template <class T, class F>
static inline __m512i map_lanes_int(F f, __m512i a) {
    alignas(64) T x[64 / sizeof(T)];
    _mm512_store_si512(x, a);
    for (T &v : x) v = (T)f(v);
    return _mm512_load_si512(x);
}""",
    """\
template <class T, class F>
static inline __m512i map_lanes_int_2(F f, __m512i a, __m512i b) {
    alignas(64) T x[64 / sizeof(T)], y[64 / sizeof(T)];
    _mm512_store_si512(x, a);
    _mm512_store_si512(y, b);
    for (unsigned i = 0; i < 64 / sizeof(T); ++i) x[i] = (T)f(x[i], y[i]);
    return _mm512_load_si512(x);
}""",
    """\
template <class T, class F>
static inline __m512i map_lanes_int_3(F f, __m512i a, __m512i b, __m512i c) {
    alignas(64) T x[64 / sizeof(T)], y[64 / sizeof(T)], z[64 / sizeof(T)];
    _mm512_store_si512(x, a);
    _mm512_store_si512(y, b);
    _mm512_store_si512(z, c);
    for (unsigned i = 0; i < 64 / sizeof(T); ++i) x[i] = (T)f(x[i], y[i], z[i]);
    return _mm512_load_si512(x);
}""",
    """\
// Elements that lie `step` apart, in the lanes given; others are 0 and not touched. Those a few
// apart are taken out of whole registers: 16 elements one by one take much longer.
static inline __m512 load_step_ps(__mmask16 lanes, const float *from, int step) {
    if (step == 1) return _mm512_maskz_loadu_ps(lanes, from);
    if (step == 2) {
        uint32_t both = lanes;
        both = (both | both << 8) & 0x00ff00ffu;
        both = (both | both << 4) & 0x0f0f0f0fu;
        both = (both | both << 2) & 0x33333333u;
        both = (both | both << 1) & 0x55555555u;
        const __m512 low = _mm512_maskz_loadu_ps((__mmask16)(both & 0xffffu), from);
        const __m512 high = _mm512_maskz_loadu_ps((__mmask16)(both >> 16), from + 16);
        const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
        return _mm512_permutex2var_ps(low, even, high);
    }
    if (step == 3 && lanes == 0xffff) {
        const __m512i ab = _mm512_set_epi32(0, 0, 0, 0, 0, 30, 27, 24, 21, 18, 15, 12, 9, 6, 3, 0);
        const __m512i abc = _mm512_set_epi32(29, 26, 23, 20, 17, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        const __m512 low = _mm512_permutex2var_ps(_mm512_loadu_ps(from), ab, _mm512_loadu_ps(from + 16));
        return _mm512_permutex2var_ps(low, abc, _mm512_maskz_loadu_ps(0x3fff, from + 32));
    }
    if (step == 4 && lanes == 0xffff) {
        const __m512i fourth = _mm512_set_epi32(28, 24, 20, 16, 12, 8, 4, 0, 28, 24, 20, 16, 12, 8, 4, 0);
        const __m512 low = _mm512_permutex2var_ps(_mm512_loadu_ps(from), fourth, _mm512_loadu_ps(from + 16));
        const __m512 high = _mm512_permutex2var_ps(_mm512_loadu_ps(from + 32), fourth,
            _mm512_maskz_loadu_ps(0x1fff, from + 48));
        return _mm512_mask_mov_ps(low, 0xff00, high);
    }
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i at = _mm512_mullo_epi32(lane, _mm512_set1_epi32(step));
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), lanes, at, from, 4);
}""",
    """\
// Masks of the first bytes, and of the first halves, of the words that lanes have.
static inline __mmask64 fourths_of(__mmask16 lanes) {
    uint64_t each = lanes;
    each = (each | each << 24) & 0x000000ff000000ffull;
    each = (each | each << 12) & 0x000f000f000f000full;
    each = (each | each << 6) & 0x0303030303030303ull;
    return (each | each << 3) & 0x1111111111111111ull;
}""",
    """\
static inline __mmask32 halves_of(__mmask16 lanes) {
    uint32_t each = lanes;
    each = (each | each << 8) & 0x00ff00ffu;
    each = (each | each << 4) & 0x0f0f0f0fu;
    each = (each | each << 2) & 0x33333333u;
    return (each | each << 1) & 0x55555555u;
}""",
    """\
// Every fourth byte, or every second half of a word, as 32 bits; nothing else is touched.
static inline __m512i load_fourths_epu8(__mmask16 lanes, const uint8_t *from) {
    return _mm512_maskz_loadu_epi8(fourths_of(lanes), from);
}""",
    """\
static inline __m512i load_fourths_epi8(__mmask16 lanes, const int8_t *from) {
    const __m512i bytes = _mm512_maskz_loadu_epi8(fourths_of(lanes), from);
    return _mm512_srai_epi32(_mm512_slli_epi32(bytes, 24), 24);
}""",
    """\
static inline __m512i load_halves_epu16(__mmask16 lanes, const uint16_t *from) {
    return _mm512_maskz_loadu_epi16(halves_of(lanes), from);
}""",
    """\
static inline __m512i load_halves_epi16(__mmask16 lanes, const int16_t *from) {
    const __m512i halves = _mm512_maskz_loadu_epi16(halves_of(lanes), from);
    return _mm512_srai_epi32(_mm512_slli_epi32(halves, 16), 16);
}""",
    """\
static inline void store_fourths_epi8(void *to, __mmask16 lanes, __m512i x) {
    _mm512_mask_storeu_epi8(to, fourths_of(lanes), x);
}""",
    """\
static inline void store_halves_epi16(void *to, __mmask16 lanes, __m512i x) {
    _mm512_mask_storeu_epi16(to, halves_of(lanes), x);
}""",
    """\
// Elements of 8 or 16 bits at array[index], widened to 32 bits.
template <class T>
static inline __m512i gather_narrow(unsigned lanes, __m512i index, const T *array) {
    alignas(64) int at[16], x[16] = {};
    _mm512_store_si512(at, index);
    for (; lanes; lanes &= lanes - 1) {
        int i = __builtin_ctz(lanes);
        x[i] = array[at[i]];
    }
    return _mm512_load_si512(x);
}""",
    """\
// array[index] = value for elements of 8 or 16 bits, the last lane last.
template <class T>
static inline void scatter_narrow(T *array, unsigned lanes, __m512i index, __m512i value) {
    alignas(64) int at[16], x[16];
    _mm512_store_si512(at, index);
    _mm512_store_si512(x, value);
    for (; lanes; lanes &= lanes - 1) {
        int i = __builtin_ctz(lanes);
        array[at[i]] = (T)x[i];
    }
}""",
    # ---------------------------------------------------------------------- registers
    """\
// x in a register: what is loaded once and used often, GCC would load again for every use.
static inline __m512 kept(__m512 x) {
#if defined(__OPTIMIZE__) && defined(__AVX512F__)
    __asm__("" : "+v"(x));
#endif
    return x;
}""",
    # ---------------------------------------------------------------------- matrices
    """\
// to[16 * c + r] = from[step * r + c]: up to 16 rows turned into columns, 16 x 16 elements at a time.
static inline void turn_ps(float *to, const float *from, int64_t step, int64_t rows, int64_t columns) {
    for (int64_t c = 0; c < columns; c += 16) {
        const __mmask16 live = columns - c < 16 ? (__mmask16)((1u << (columns - c)) - 1u) : 0xffff;
        __m512 x[16], y[16];
        for (int i = 0; i < 16; ++i) {
            x[i] = i < rows ? _mm512_maskz_loadu_ps(live, from + i * step + c) : _mm512_setzero_ps();
        }
        for (int i = 0; i < 16; i += 2) {
            y[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
            y[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
        }
        for (int i = 0; i < 16; i += 4) {  // x[i + j]: columns j, 4 + j, 8 + j and 12 + j of 4 rows
            for (int j = 0; j < 2; ++j) {
                x[i + 2 * j] = _mm512_shuffle_ps(y[i + j], y[i + j + 2], 0x44);
                x[i + 2 * j + 1] = _mm512_shuffle_ps(y[i + j], y[i + j + 2], 0xee);
            }
        }
        for (int j = 0; j < 4; ++j) {
            const __m512 a = _mm512_shuffle_f32x4(x[j], x[4 + j], 0x44);
            const __m512 b = _mm512_shuffle_f32x4(x[j], x[4 + j], 0xee);
            const __m512 d = _mm512_shuffle_f32x4(x[8 + j], x[12 + j], 0x44);
            const __m512 e = _mm512_shuffle_f32x4(x[8 + j], x[12 + j], 0xee);
            y[j] = _mm512_shuffle_f32x4(a, d, 0x88);
            y[4 + j] = _mm512_shuffle_f32x4(a, d, 0xdd);
            y[8 + j] = _mm512_shuffle_f32x4(b, e, 0x88);
            y[12 + j] = _mm512_shuffle_f32x4(b, e, 0xdd);
        }
        for (int j = 0; j < 16; ++j) {
            if (c + j < columns) _mm512_storeu_ps(to + (c + j) * 16, y[j]);
        }
    }
}""",
    # ---------------------------------------------------------------------- functions
    """\
static inline __m512 exp_ps(__m512 x) {
    const __m512 clamped = _mm512_min_ps(_mm512_set1_ps(90.0f), _mm512_max_ps(_mm512_set1_ps(-106.0f), x));
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(clamped, _mm512_set1_ps(1.44269504f)), 8);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), clamped);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
    __m512 p = _mm512_set1_ps(1.9875691500e-4f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
    p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r);
    return _mm512_scalef_ps(_mm512_add_ps(p, _mm512_set1_ps(1.0f)), n);  // NaN has come through as it is
}""",
    """\
static inline __m512 exp2_ps(__m512 x) {
    const __m512 n = _mm512_roundscale_ps(x, 8);
    const __m512 inside = _mm512_min_ps(_mm512_set1_ps(200.0f), _mm512_max_ps(_mm512_set1_ps(-200.0f), n));
    const __m512 r = _mm512_mask_mov_ps(_mm512_sub_ps(x, n), _mm512_cmp_ps_mask(n, inside, _CMP_NEQ_UQ),
        _mm512_setzero_ps());
    __m512 p = _mm512_set1_ps(1.535336188319500e-4f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.339887440266574e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(9.618437357674640e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.550332471162809e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.402264791363012e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.931472028550421e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_mask_mov_ps(_mm512_scalef_ps(p, inside), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}""",
    """\
static inline __m512 log_ps(__m512 x) {
    const __m512 sqrt_half = _mm512_set1_ps(0.707106781186547524f), one = _mm512_set1_ps(1.0f);
    __m512 m = _mm512_getmant_ps(x, _MM_MANT_NORM_p5_1, _MM_MANT_SIGN_src);
    __m512 e = _mm512_add_ps(_mm512_getexp_ps(x), one);
    const __mmask16 low = _mm512_cmp_ps_mask(m, sqrt_half, _CMP_LT_OQ);
    e = _mm512_mask_sub_ps(e, low, e, one);
    m = _mm512_sub_ps(_mm512_mask_add_ps(m, low, m, m), one);
    const __m512 z = _mm512_mul_ps(m, m);
    __m512 p = _mm512_set1_ps(7.0376836292e-2f);
    p = _mm512_fmadd_ps(p, m, _mm512_set1_ps(-1.1514610310e-1f));
    p = _mm512_fmadd_ps(p, m, _mm512_set1_ps(1.1676998740e-1f));
    p = _mm512_fmadd_ps(p, m, _mm512_set1_ps(-1.2420140846e-1f));
    p = _mm512_fmadd_ps(p, m, _mm512_set1_ps(1.4249322787e-1f));
    p = _mm512_fmadd_ps(p, m, _mm512_set1_ps(-1.6668057665e-1f));
    p = _mm512_fmadd_ps(p, m, _mm512_set1_ps(2.0000714765e-1f));
    p = _mm512_fmadd_ps(p, m, _mm512_set1_ps(-2.4999993993e-1f));
    p = _mm512_fmadd_ps(p, m, _mm512_set1_ps(3.3333331174e-1f));
    __m512 y = _mm512_mul_ps(_mm512_mul_ps(p, m), z);
    y = _mm512_fmadd_ps(e, _mm512_set1_ps(-2.12194440e-4f), y);
    y = _mm512_fnmadd_ps(_mm512_set1_ps(0.5f), z, y);
    y = _mm512_fmadd_ps(e, _mm512_set1_ps(0.693359375f), _mm512_add_ps(m, y));
    y = _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, _mm512_set1_ps(INFINITY), _CMP_EQ_OQ), x);
    y = _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_EQ_OQ),
        _mm512_set1_ps(-INFINITY));
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NGE_UQ),
        _mm512_set1_ps(NAN));
}""",
    """\
static inline __m512 tanh_ps(__m512 x) {
    // x times a quotient of polynomials in x^2; from 8.3 on it is nearest to 1
    const __m512 c = _mm512_min_ps(_mm512_set1_ps(7.905311f), _mm512_max_ps(_mm512_set1_ps(-7.905311f), x));
    const __m512 z = _mm512_mul_ps(c, c);
    __m512 p = _mm512_set1_ps(-2.76076847742355e-16f);
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(2.00018790482477e-13f));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(-8.60467152213735e-11f));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(5.12229709037114e-08f));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(1.48572235717979e-05f));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(6.37261928875436e-04f));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(4.89352455891786e-03f));
    __m512 q = _mm512_set1_ps(1.19825839466702e-06f);
    q = _mm512_fmadd_ps(q, z, _mm512_set1_ps(1.18534705686654e-04f));
    q = _mm512_fmadd_ps(q, z, _mm512_set1_ps(2.26843463243900e-03f));
    q = _mm512_fmadd_ps(q, z, _mm512_set1_ps(4.89352518554385e-03f));
    const __mmask16 far = _mm512_cmp_ps_mask(_mm512_abs_ps(x), _mm512_set1_ps(8.3f), _CMP_GT_OQ);
    const __m512 end = _mm512_or_ps(_mm512_set1_ps(1.0f), _mm512_and_ps(x, _mm512_set1_ps(-0.0f)));
    return _mm512_mask_mov_ps(_mm512_mul_ps(c, _mm512_div_ps(p, q)), far, end);
}""",
    """\
static inline __m512 rsqrt_ps(__m512 x) {
    return _mm512_div_ps(_mm512_set1_ps(1.0f), _mm512_sqrt_ps(x));
}""",
    """\
// erf by its Taylor-like odd polynomial below 1, else 1 - exp(-x^2) * polynomial(1 / (1 + p x)).
static inline __m512 erf_ps(__m512 x) {
    const __m512 a = _mm512_abs_ps(x), one = _mm512_set1_ps(1.0f);
    const __m512 z = _mm512_mul_ps(x, x);
    __m512 p = _mm512_set1_ps(7.853861353153693e-5f);
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(-8.010193625184903e-4f));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(5.188327685732524e-3f));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(-2.685381193529856e-2f));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(1.128358514861418e-1f));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(-3.761262582423300e-1f));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(1.128379165726710f));
    const __m512 small = _mm512_mul_ps(x, p);
    // erfc(a) = exp(-a^2) / a * polynomial(1 / a^2), in two ranges
    const __m512 q = _mm512_div_ps(one, _mm512_max_ps(a, one)), y = _mm512_mul_ps(q, q);
    __m512 near = _mm512_set1_ps(2.326819970068386e-2f);
    near = _mm512_fmadd_ps(near, y, _mm512_set1_ps(-1.387039388740657e-1f));
    near = _mm512_fmadd_ps(near, y, _mm512_set1_ps(3.687424674597105e-1f));
    near = _mm512_fmadd_ps(near, y, _mm512_set1_ps(-5.824733027278666e-1f));
    near = _mm512_fmadd_ps(near, y, _mm512_set1_ps(6.210004621745983e-1f));
    near = _mm512_fmadd_ps(near, y, _mm512_set1_ps(-4.944515323274145e-1f));
    near = _mm512_fmadd_ps(near, y, _mm512_set1_ps(3.404879937665872e-1f));
    near = _mm512_fmadd_ps(near, y, _mm512_set1_ps(-2.741127028184656e-1f));
    near = _mm512_fmadd_ps(near, y, _mm512_set1_ps(5.638259427386472e-1f));
    __m512 far = _mm512_set1_ps(-1.047766399936249e+1f);
    far = _mm512_fmadd_ps(far, y, _mm512_set1_ps(1.297719955372516e+1f));
    far = _mm512_fmadd_ps(far, y, _mm512_set1_ps(-7.495518717768503f));
    far = _mm512_fmadd_ps(far, y, _mm512_set1_ps(2.921019019210786f));
    far = _mm512_fmadd_ps(far, y, _mm512_set1_ps(-1.015265279202700f));
    far = _mm512_fmadd_ps(far, y, _mm512_set1_ps(4.218463358204948e-1f));
    far = _mm512_fmadd_ps(far, y, _mm512_set1_ps(-2.820767439740514e-1f));
    far = _mm512_fmadd_ps(far, y, _mm512_set1_ps(5.641895067754075e-1f));
    const __m512 tail = _mm512_mask_mov_ps(near, _mm512_cmp_ps_mask(a, _mm512_set1_ps(2.0f), _CMP_GE_OQ),
        far);
    const __m512 complement = _mm512_mul_ps(_mm512_mul_ps(exp_ps(_mm512_sub_ps(_mm512_setzero_ps(), z)),
        q), tail);
    __m512 large = _mm512_sub_ps(one, complement);
    large = _mm512_or_ps(large, _mm512_and_ps(x, _mm512_set1_ps(-0.0f)));
    return _mm512_mask_mov_ps(large, _mm512_cmp_ps_mask(a, one, _CMP_NGE_UQ), small);
}""",
    """\
static inline __m512 saturate_ps(__m512 x) {
    return _mm512_min_ps(_mm512_max_ps(x, _mm512_setzero_ps()), _mm512_set1_ps(1.0f));
}""",
    # sine and cosine: Cody-Waite reduction by pi/2 below 2^13, per lane beyond
    """\
static inline __m512 sin_quadrants(__m512 x, int quadrant) {
    const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(0.636619772f)), 8);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.5703125f), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(4.837512969970703125e-4f), r);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(7.549789948768648e-8f), r);
    const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(quadrant));
    const __m512 z = _mm512_mul_ps(r, r);
    __m512 s = _mm512_set1_ps(-1.9515295891e-4f);
    s = _mm512_fmadd_ps(s, z, _mm512_set1_ps(8.3321608736e-3f));
    s = _mm512_fmadd_ps(s, z, _mm512_set1_ps(-1.6666654611e-1f));
    s = _mm512_fmadd_ps(_mm512_mul_ps(s, z), r, r);
    __m512 c = _mm512_set1_ps(2.443315711809948e-5f);
    c = _mm512_fmadd_ps(c, z, _mm512_set1_ps(-1.388731625493765e-3f));
    c = _mm512_fmadd_ps(c, z, _mm512_set1_ps(4.166664568298827e-2f));
    c = _mm512_fmadd_ps(_mm512_mul_ps(c, z), z, _mm512_fnmadd_ps(_mm512_set1_ps(0.5f), z,
        _mm512_set1_ps(1.0f)));
    __m512 y = _mm512_mask_mov_ps(s, _mm512_test_epi32_mask(q, _mm512_set1_epi32(1)), c);
    return _mm512_mask_sub_ps(y, _mm512_test_epi32_mask(q, _mm512_set1_epi32(2)), _mm512_set1_ps(-0.0f), y);
}""",
    """\
static inline __m512 sin_ps(__m512 x) {
    if (_mm512_cmp_ps_mask(_mm512_abs_ps(x), _mm512_set1_ps(8192.0f), _CMP_NLT_UQ)) return map_lanes(sinf, x);
    return sin_quadrants(x, 0);
}""",
    """\
static inline __m512 cos_ps(__m512 x) {
    if (_mm512_cmp_ps_mask(_mm512_abs_ps(x), _mm512_set1_ps(8192.0f), _CMP_NLT_UQ)) return map_lanes(cosf, x);
    return sin_quadrants(x, 1);
}""",
)

HELPERS: dict[str, str] = registry(_TEXTS)
