// rocwmma: fragments spread over the 64 lanes of a wave, every element held once, in an order of the emulator's own.
#pragma once

#include <cstdint>
#include <type_traits>

#include "half.hpp"
#include "runtime.hpp"

namespace rocwmma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t : std::uint32_t { mem_row_major = 0, mem_col_major = 1 };
using float16_t = __half;
using hfloat16_t = __half;
using bfloat16_t = __nv_bfloat16;
using float32_t = float;
using float64_t = double;
using int8_t = std::int8_t;
using int32_t = std::int32_t;
using uint8_t = std::uint8_t;
using uint32_t = std::uint32_t;
struct Constants {
    static constexpr std::uint32_t AMDGCN_WAVE_SIZE = 64;
};

constexpr bool is_power_of_two(int n) { return n > 0 && !(n & (n - 1)); }

template <class Use, std::uint32_t M, std::uint32_t N, std::uint32_t K, class T, class Layout = void>
class fragment {
    static_assert(M == N && (M == 16 || M == 32), "rocwmma has tiles of 16x16 and 32x32");
    static_assert(is_power_of_two(K), "the depth of a rocwmma tile is a power of two");

  public:
    static constexpr bool is_a = std::is_same_v<Use, matrix_a>, is_b = std::is_same_v<Use, matrix_b>;
    static constexpr int rows = is_b ? K : M, columns = is_a ? K : N;
    static_assert(rows * columns >= 64, "the tile has fewer elements than the wave has lanes");
    using element_type = T;
    static constexpr std::uint32_t num_elements = rows * columns / 64;
    T x[num_elements];
    static constexpr std::uint32_t size() { return num_elements; }
};

namespace detail {
inline int row_of(int columns, int e) { return (e * 64 + xpemu::lane_of_current()) / columns; }
inline int column_of(int columns, int e) { return (e * 64 + xpemu::lane_of_current()) % columns; }
template <class F, class P>
void load(F& f, const P* p, std::uint32_t ldm, bool rows_first, int site) {
    xpemu::meet("rocwmma::load_matrix_sync", site, ~xpemu::Lanes{0}, nullptr, nullptr);
    for (int e = 0; e < static_cast<int>(F::num_elements); ++e) {
        const int row = row_of(F::columns, e), column = column_of(F::columns, e);
        f.x[e] = rows_first ? p[row * ldm + column] : p[column * ldm + row];
    }
}
}  // namespace detail

template <class Use, std::uint32_t M, std::uint32_t N, std::uint32_t K, class T, class Layout, class V>
inline void fill_fragment(fragment<Use, M, N, K, T, Layout>& f, V value) {
    for (T& e : f.x) e = static_cast<T>(value);
}
template <class Use, std::uint32_t M, std::uint32_t N, std::uint32_t K, class T, class Layout>
inline void load_matrix_sync(fragment<Use, M, N, K, T, Layout>& f, const T* p, std::uint32_t ldm, XPEMU_SITE(site)) {
    static_assert(!std::is_void_v<Layout>, "a fragment without a layout is loaded with a layout argument");
    detail::load(f, p, ldm, std::is_same_v<Layout, row_major>, site);
}
template <std::uint32_t M, std::uint32_t N, std::uint32_t K, class T>
inline void load_matrix_sync(fragment<accumulator, M, N, K, T>& f, const T* p, std::uint32_t ldm, layout_t layout, XPEMU_SITE(site)) {
    detail::load(f, p, ldm, layout == mem_row_major, site);
}
namespace detail {
template <class F, class P>
void store(P* p, const F& f, std::uint32_t ldm, bool rows_first, int site) {
    for (int e = 0; e < static_cast<int>(F::num_elements); ++e) {
        const int row = row_of(F::columns, e), column = column_of(F::columns, e);
        (rows_first ? p[row * ldm + column] : p[column * ldm + row]) = f.x[e];
    }
    xpemu::meet("rocwmma::store_matrix_sync", site, ~xpemu::Lanes{0}, nullptr, nullptr);
}
}  // namespace detail
template <class Use, std::uint32_t M, std::uint32_t N, std::uint32_t K, class T, class Layout>
inline void store_matrix_sync(T* p, const fragment<Use, M, N, K, T, Layout>& f, std::uint32_t ldm, XPEMU_SITE(site)) {
    static_assert(!std::is_void_v<Layout>, "a fragment without a layout is stored with a layout argument");
    detail::store(p, f, ldm, std::is_same_v<Layout, row_major>, site);
}
template <std::uint32_t M, std::uint32_t N, std::uint32_t K, class T>
inline void store_matrix_sync(T* p, const fragment<accumulator, M, N, K, T>& f, std::uint32_t ldm, layout_t layout, XPEMU_SITE(site)) {
    detail::store(p, f, ldm, layout == mem_row_major, site);
}

namespace detail {
template <class D, class A, class B, class C>
struct Slot {
    D* d;
    const A* a;
    const B* b;
    const C* c;
    int site;
};
template <class D, class A, class B, class C>
void finish(void* const* slots, xpemu::Lanes members, void*) {
    using S = Slot<D, A, B, C>;
    if (members != ~xpemu::Lanes{0})
        xpemu::fatal("inactive_lane", "rocwmma::mma_sync: only lanes 0x%llx of the wave take part", static_cast<unsigned long long>(members));
    constexpr int m = A::rows, k = A::columns, n = B::columns;
    static double a[m * k], b[k * n], d[m * n];
    for (int lane = 0; lane < 64; ++lane) {
        const S& s = *static_cast<S*>(slots[lane]);
        for (std::uint32_t e = 0; e < A::num_elements; ++e) a[e * 64 + lane] = static_cast<double>(s.a->x[e]);
        for (std::uint32_t e = 0; e < B::num_elements; ++e) b[e * 64 + lane] = static_cast<double>(s.b->x[e]);
        for (std::uint32_t e = 0; e < C::num_elements; ++e) d[e * 64 + lane] = static_cast<double>(s.c->x[e]);
    }
    xpemu::multiply_tiles(m, n, k, a, b, d);
    for (int lane = 0; lane < 64; ++lane) {
        const S& s = *static_cast<S*>(slots[lane]);
        for (std::uint32_t e = 0; e < D::num_elements; ++e) {
            using T = typename D::element_type;
            if constexpr (std::is_same_v<T, std::int32_t>)
                s.d->x[e] = static_cast<int>(static_cast<unsigned>(static_cast<unsigned long long>(static_cast<long long>(d[e * 64 + lane]))));
            else s.d->x[e] = static_cast<T>(d[e * 64 + lane]);
        }
    }
}
}  // namespace detail

template <std::uint32_t M, std::uint32_t N, std::uint32_t K, class T, class LA, class LB, class TD, class LD, class TC, class LC>
inline void mma_sync(fragment<accumulator, M, N, K, TD, LD>& d, const fragment<matrix_a, M, N, K, T, LA>& a,
                     const fragment<matrix_b, M, N, K, T, LB>& b, const fragment<accumulator, M, N, K, TC, LC>& c, XPEMU_SITE(site)) {
    using D = fragment<accumulator, M, N, K, TD, LD>;
    using A = fragment<matrix_a, M, N, K, T, LA>;
    using B = fragment<matrix_b, M, N, K, T, LB>;
    using C = fragment<accumulator, M, N, K, TC, LC>;
    detail::Slot<D, A, B, C> slot{&d, &a, &b, &c, site};
    xpemu::meet("rocwmma::mma_sync", site, ~xpemu::Lanes{0}, &slot, detail::finish<D, A, B, C>);
}
inline void synchronize_workgroup(XPEMU_SITE(site)) { __syncthreads(site); }

}  // namespace rocwmma
