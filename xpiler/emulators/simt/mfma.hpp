// AMD matrix-core builtins on waves of 64 lanes, in their register layouts.
//
// One law covers all of them: D = C + A*B for each block, with the element maps below. The operands may be of any
// vector type of the right size (the class above, vector_size vectors, plain scalars): they are read as bytes.
#pragma once

#include <cstdint>
#include <cstring>

#include "half.hpp"
#include "runtime.hpp"
#include "vector.hpp"

namespace xpemu {
namespace mfma {

struct Shape {
    int m, n, k, blocks;
};
struct Place {
    int row, column, block;
};

// A: row i, column k. B has the same map with j in place of i.
constexpr Place place_input(const Shape& s, bool is_double, int lane, int e) {
    const int per_lane = s.m * s.k * s.blocks / 64;
    if (is_double && s.m == 16) return {lane % 16, lane / 16, 0};
    if (is_double) return {lane % 4, lane / 16, lane / 4 % 4};
    if (s.blocks == 1) return {lane % s.m, per_lane * (lane / s.m) + e, 0};
    return {lane % s.m, e, lane / s.m};
}
constexpr Place place_output(const Shape& s, bool is_double, int lane, int r) {
    if (is_double && s.m == 16) return {4 * r + lane / 16, lane % 16, 0};
    if (is_double) return {lane / 16, lane % 4, lane / 4 % 4};
    if (s.m == 32) return {8 * (r / 4 % 4) + 4 * (lane / 32) + r % 4, lane % 32, r / 16};
    if (s.m == 16) return {4 * (lane / 16) + r % 4, lane % 16, r / 4};
    return {r, lane % 4, lane / 4};
}
constexpr int pattern_lane(int blgp, int lane) {
    switch (blgp) {
        case 1: return lane % 32;
        case 2: return lane % 32 + 32;
        case 3: return (lane + 16) % 64;
        case 4:
        case 5:
        case 6:
        case 7: return lane % 16 + 16 * (blgp - 4);
        default: return lane;
    }
}

struct F16 {
    static constexpr std::size_t bytes = 2;
    static double read(const unsigned char* p) {
        std::uint16_t b;
        std::memcpy(&b, p, 2);
        return half_to_float(b);
    }
};
struct BF16 {
    static constexpr std::size_t bytes = 2;
    static double read(const unsigned char* p) {
        std::uint16_t b;
        std::memcpy(&b, p, 2);
        return bfloat_to_float(b);
    }
};
struct F32 {
    static constexpr std::size_t bytes = 4;
    static double read(const unsigned char* p) {
        float f;
        std::memcpy(&f, p, 4);
        return f;
    }
};
struct F64 {
    static constexpr std::size_t bytes = 8;
    static double read(const unsigned char* p) {
        double f;
        std::memcpy(&f, p, 8);
        return f;
    }
};
struct I8 {
    static constexpr std::size_t bytes = 1;
    static double read(const unsigned char* p) { return static_cast<signed char>(*p); }
};
// FNUZ formats of gfx940: bias 8 (e4m3) and 16 (e5m2), one NaN (0x80), no negative zero.
template <int M, int Bias>
struct FNUZ {
    static constexpr std::size_t bytes = 1;
    static double read(const unsigned char* p) {
        if (*p == 0x80) return NAN;
        const int mantissa = *p & ((1 << M) - 1), exponent = (*p & 0x7f) >> M;
        const double size = exponent ? std::ldexp(mantissa + (1 << M), exponent - Bias - M) : std::ldexp(mantissa, 1 - Bias - M);
        return *p & 0x80 ? -size : size;
    }
};
using FP8 = FNUZ<3, 8>;
using BF8 = FNUZ<2, 16>;

struct Slot {
    const unsigned char *a, *b, *c;
    unsigned char* d;
    int cbsz, abid, blgp, site;
};

template <int M, int N, int K, int Blocks, class TA, class TB, class TD>
void finish(void* const* slots, Lanes members, void*) {
    constexpr Shape shape{M, N, K, Blocks};
    constexpr bool is_double = TA::bytes == 8;
    constexpr int inputs = M * K * Blocks / 64, outputs = M * N * Blocks / 64;
    const Slot& any = *static_cast<Slot*>(slots[__builtin_ctzll(members)]);
    // Matrix instructions ignore the execution mask. Lanes that the block never had may be off: their registers hold
    // anything (poison here). Lanes that merely wait elsewhere would have live registers overwritten: an error.
    if (members != existing_lanes())
        fatal("inactive_lane", "MFMA in line %d: only lanes 0x%llx of the wave take part", xpemu::line_of(any.site), static_cast<unsigned long long>(members));
    static unsigned char poison[256], nowhere[256];
    std::memset(poison, 0xff, sizeof poison);
    const Slot absent{poison, poison, poison, nowhere, any.cbsz, any.abid, any.blgp, any.site};
    const auto slot_of = [&](int lane) -> const Slot& { return members >> lane & 1 ? *static_cast<Slot*>(slots[lane]) : absent; };
    static double a[Blocks * M * K], b[Blocks * K * N], d[Blocks * M * N];
    for (int lane = 0; lane < 64; ++lane) {
        const Slot& s = slot_of(lane);
        const Slot& from = is_double ? s : slot_of(pattern_lane(any.blgp, lane));
        for (int e = 0; e < inputs; ++e) {
            const Place at = place_input(shape, is_double, lane, e);
            a[(at.block * M + at.row) * K + at.column] = TA::read(s.a + e * TA::bytes) * (is_double && any.blgp & 1 ? -1 : 1);
            b[(at.block * K + at.column) * N + at.row] = TB::read(from.b + e * TB::bytes) * (is_double && any.blgp & 2 ? -1 : 1);
        }
        for (int r = 0; r < outputs; ++r) {
            const Place at = place_output(shape, is_double, lane, r);
            TD value;
            std::memcpy(&value, s.c + r * sizeof(TD), sizeof(TD));
            d[(at.block * M + at.row) * N + at.column] = static_cast<double>(value) * (is_double && any.blgp & 4 ? -1 : 1);
        }
    }
    for (int block = 0; block < Blocks; ++block) {
        const int source = (block >> any.cbsz << any.cbsz) + any.abid;
        multiply_tiles(M, N, K, a + (any.cbsz ? source : block) * M * K, b + block * K * N, d + block * M * N);
    }
    for (int lane = 0; lane < 64; ++lane) {
        const Slot& s = slot_of(lane);
        for (int r = 0; r < outputs; ++r) {
            const Place at = place_output(shape, is_double, lane, r);
            const double v = d[(at.block * M + at.row) * N + at.column];
            TD value;
            if constexpr (std::is_same_v<TD, int>) value = static_cast<int>(static_cast<unsigned>(static_cast<unsigned long long>(static_cast<long long>(v))));
            else value = static_cast<TD>(v);
            std::memcpy(s.d + r * sizeof(TD), &value, sizeof(TD));
        }
    }
}

template <int M, int N, int K, int Blocks, class TA, class TB, class TD, class A, class B, class C>
inline C run(const char* name, const A& a, const B& b, const C& c, int cbsz, int abid, int blgp, int site) {
    static_assert(sizeof(A) == M * K * Blocks / 64 * TA::bytes && sizeof(B) == N * K * Blocks / 64 * TB::bytes,
                  "MFMA: the A or B operand has the wrong number of elements for a lane");
    static_assert(sizeof(C) == M * N * Blocks / 64 * sizeof(TD), "MFMA: the accumulator has the wrong number of elements for a lane");
    C d = c;
    Slot slot{reinterpret_cast<const unsigned char*>(&a), reinterpret_cast<const unsigned char*>(&b), reinterpret_cast<const unsigned char*>(&c),
              reinterpret_cast<unsigned char*>(&d), cbsz, abid, blgp, site};
    meet(name, site, ~Lanes{0}, &slot, finish<M, N, K, Blocks, TA, TB, TD>);
    return d;
}

}  // namespace mfma
}  // namespace xpemu

// Macros, not functions: the compilers reserve the names, and the vector class converts scalars only when asked.
#define XPEMU_MFMA(M, N, K, B, TA, TB, TD, NAME, a, b, c, ...) \
    ::xpemu::mfma::run<M, N, K, B, ::xpemu::mfma::TA, ::xpemu::mfma::TB, TD>(NAME, a, b, c, __VA_ARGS__, __LINE__ << 11)
#define __builtin_amdgcn_mfma_f32_32x32x1f32(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 1, 2, F32, F32, float, "mfma_f32_32x32x1f32", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x1f32(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 1, 4, F32, F32, float, "mfma_f32_16x16x1f32", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_4x4x1f32(a, b, c, x, y, z) XPEMU_MFMA(4, 4, 1, 16, F32, F32, float, "mfma_f32_4x4x1f32", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x2f32(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 2, 1, F32, F32, float, "mfma_f32_32x32x2f32", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x4f32(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 4, 1, F32, F32, float, "mfma_f32_16x16x4f32", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x4f16(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 4, 2, F16, F16, float, "mfma_f32_32x32x4f16", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x4f16(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 4, 4, F16, F16, float, "mfma_f32_16x16x4f16", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_4x4x4f16(a, b, c, x, y, z) XPEMU_MFMA(4, 4, 4, 16, F16, F16, float, "mfma_f32_4x4x4f16", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x8f16(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 8, 1, F16, F16, float, "mfma_f32_32x32x8f16", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x16f16(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 16, 1, F16, F16, float, "mfma_f32_16x16x16f16", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_32x32x4i8(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 4, 2, I8, I8, int, "mfma_i32_32x32x4i8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_16x16x4i8(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 4, 4, I8, I8, int, "mfma_i32_16x16x4i8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_4x4x4i8(a, b, c, x, y, z) XPEMU_MFMA(4, 4, 4, 16, I8, I8, int, "mfma_i32_4x4x4i8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_32x32x8i8(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 8, 1, I8, I8, int, "mfma_i32_32x32x8i8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_16x16x16i8(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 16, 1, I8, I8, int, "mfma_i32_16x16x16i8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_32x32x16_i8(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 16, 1, I8, I8, int, "mfma_i32_32x32x16_i8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_i32_16x16x32_i8(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 32, 1, I8, I8, int, "mfma_i32_16x16x32_i8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x2bf16(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 2, 2, BF16, BF16, float, "mfma_f32_32x32x2bf16", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x2bf16(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 2, 4, BF16, BF16, float, "mfma_f32_16x16x2bf16", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_4x4x2bf16(a, b, c, x, y, z) XPEMU_MFMA(4, 4, 2, 16, BF16, BF16, float, "mfma_f32_4x4x2bf16", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x4bf16(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 4, 1, BF16, BF16, float, "mfma_f32_32x32x4bf16", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x8bf16(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 8, 1, BF16, BF16, float, "mfma_f32_16x16x8bf16", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x4bf16_1k(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 4, 2, BF16, BF16, float, "mfma_f32_32x32x4bf16_1k", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x4bf16_1k(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 4, 4, BF16, BF16, float, "mfma_f32_16x16x4bf16_1k", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_4x4x4bf16_1k(a, b, c, x, y, z) XPEMU_MFMA(4, 4, 4, 16, BF16, BF16, float, "mfma_f32_4x4x4bf16_1k", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x8bf16_1k(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 8, 1, BF16, BF16, float, "mfma_f32_32x32x8bf16_1k", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x16bf16_1k(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 16, 1, BF16, BF16, float, "mfma_f32_16x16x16bf16_1k", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f64_16x16x4f64(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 4, 1, F64, F64, double, "mfma_f64_16x16x4f64", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f64_4x4x4f64(a, b, c, x, y, z) XPEMU_MFMA(4, 4, 4, 4, F64, F64, double, "mfma_f64_4x4x4f64", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x8_xf32(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 8, 1, F32, F32, float, "mfma_f32_16x16x8_xf32", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x4_xf32(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 4, 1, F32, F32, float, "mfma_f32_32x32x4_xf32", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x32_fp8_fp8(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 32, 1, FP8, FP8, float, "mfma_f32_16x16x32_fp8_fp8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x32_fp8_bf8(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 32, 1, FP8, BF8, float, "mfma_f32_16x16x32_fp8_bf8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x32_bf8_fp8(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 32, 1, BF8, FP8, float, "mfma_f32_16x16x32_bf8_fp8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_16x16x32_bf8_bf8(a, b, c, x, y, z) XPEMU_MFMA(16, 16, 32, 1, BF8, BF8, float, "mfma_f32_16x16x32_bf8_bf8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x16_fp8_fp8(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 16, 1, FP8, FP8, float, "mfma_f32_32x32x16_fp8_fp8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x16_fp8_bf8(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 16, 1, FP8, BF8, float, "mfma_f32_32x32x16_fp8_bf8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x16_bf8_fp8(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 16, 1, BF8, FP8, float, "mfma_f32_32x32x16_bf8_fp8", a, b, c, x, y, z)
#define __builtin_amdgcn_mfma_f32_32x32x16_bf8_bf8(a, b, c, x, y, z) XPEMU_MFMA(32, 32, 16, 1, BF8, BF8, float, "mfma_f32_32x32x16_bf8_bf8", a, b, c, x, y, z)
