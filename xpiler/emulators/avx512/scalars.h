// What these headers have besides vectors: the bits of an integer (POPCNT, LZCNT, BMI1 and BMI2).
#pragma once

#define XP_BITS(B, T, L)                                                                                                    \
    static inline T _bzhi_u##B(T a, unsigned n) { return (n & 255) >= B ? a : a & ((static_cast<T>(1) << (n & 255)) - 1); } \
    static inline T _blsr_u##B(T a) { return a & (a - 1); }                                                                 \
    static inline T _blsi_u##B(T a) { return a & -a; }                                                                      \
    static inline T _blsmsk_u##B(T a) { return a ^ (a - 1); }                                                               \
    static inline T _andn_u##B(T a, T b) { return ~a & b; }                                                                 \
    static inline T _tzcnt_u##B(T a) { return a == 0 ? B : static_cast<T>(__builtin_ctz##L(a)); }                           \
    static inline T _lzcnt_u##B(T a) { return a == 0 ? B : static_cast<T>(__builtin_clz##L(a)); }
XP_BITS(32, unsigned, )
XP_BITS(64, unsigned long long, ll)
#undef XP_BITS

static inline int _mm_popcnt_u32(unsigned a) { return __builtin_popcount(a); }
static inline long long _mm_popcnt_u64(unsigned long long a) { return __builtin_popcountll(a); }
static inline int _popcnt32(int a) { return __builtin_popcount(static_cast<unsigned>(a)); }
static inline int _popcnt64(long long a) { return __builtin_popcountll(static_cast<unsigned long long>(a)); }
