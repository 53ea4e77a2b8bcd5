// nvcuda::wmma: fragments spread over the 32 lanes in the sm_80 layout, mma_sync as an operation of the whole warp.
#pragma once

#include <cstdint>
#include <type_traits>

#include "half.hpp"
#include "runtime.hpp"

namespace nvcuda {
namespace wmma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
enum layout_t { mem_row_major = 0, mem_col_major = 1 };

namespace precision {
struct tf32;
}
namespace experimental {
namespace precision {
struct u4;
struct s4;
struct b1;
}  // namespace precision
enum bmmaBitOp { bmmaBitOpXOR = 1, bmmaBitOpAND = 2 };
enum bmmaAccumulateOp { bmmaAccumulateOpPOPC = 1 };
}  // namespace experimental

}  // namespace wmma
}  // namespace nvcuda

namespace xpemu {

namespace w = nvcuda::wmma;

template <class T>
struct FragmentElement {
    using storage = T;
};
template <>
struct FragmentElement<w::precision::tf32> {
    using storage = float;
};

constexpr bool big_shape(int m, int n, int k) {
    return k == 16 && ((m == 16 && n == 16) || (m == 32 && n == 8) || (m == 8 && n == 32));
}
template <class Use, int M, int N, int K, class T>
constexpr bool valid_fragment() {
    constexpr bool acc = std::is_same_v<Use, w::accumulator>;
    if (std::is_same_v<T, __half>) return big_shape(M, N, K);
    if (std::is_same_v<T, __nv_bfloat16> || std::is_same_v<T, signed char> || std::is_same_v<T, unsigned char>) return !acc && big_shape(M, N, K);
    if (std::is_same_v<T, char>) return false;
    if (std::is_same_v<T, float>) return acc && (big_shape(M, N, K) || (M == 16 && N == 16 && K == 8));
    if (std::is_same_v<T, int>) return acc && (big_shape(M, N, K) || (M == 8 && N == 8 && (K == 32 || K == 128)));
    if (std::is_same_v<T, w::precision::tf32>) return !acc && M == 16 && N == 16 && K == 8;
    if (std::is_same_v<T, double>) return M == 8 && N == 8 && K == 4;
    return false;
}

// Rows, columns and elements of a lane. Half A/B hold every element twice, as the hardware does.
template <class Use, int M, int N, int K, class T>
struct FragmentShape {
    static constexpr bool is_a = std::is_same_v<Use, w::matrix_a>, is_b = std::is_same_v<Use, w::matrix_b>;
    static constexpr int rows = is_b ? K : M, columns = is_a ? K : N;
    static constexpr int unique = rows * columns / 32;
    static constexpr int elements = std::is_same_v<T, __half> && (is_a || is_b) ? 16 : unique;
};

struct Cell {
    int row, column;
};
// Where element x of lane l lies in the tile: the sm_80 maps where they are known, else elements in lane order.
template <class Use, int M, int N, int K, class T>
constexpr Cell fragment_cell(int lane, int x) {
    using S = FragmentShape<Use, M, N, K, T>;
    const int g = lane / 4, t = lane % 4;
    x %= S::unique;
    if constexpr (M == 16 && N == 16 && K == 16 && (std::is_same_v<T, __half> || std::is_same_v<T, __nv_bfloat16> || !(S::is_a || S::is_b))) {
        const int b0 = x & 1, b1 = x >> 1 & 1, b2 = x >> 2 & 1;
        if constexpr (S::is_b) return Cell{2 * t + b0 + 8 * b1, g + 8 * b2};
        else return Cell{g + 8 * b1, 2 * t + b0 + 8 * b2};
    } else if constexpr (M == 16 && N == 16 && K == 8) {
        const int b0 = x & 1, b1 = x >> 1 & 1, b2 = x >> 2 & 1;
        if constexpr (S::is_a) return Cell{g + 8 * b0, t + 4 * b1};
        else if constexpr (S::is_b) return Cell{t + 4 * b0, g + 8 * b1};
        else return Cell{g + 8 * b1, 2 * t + b0 + 8 * b2};
    } else if constexpr (std::is_same_v<T, double>) {
        if constexpr (S::is_a) return Cell{g, t};
        else if constexpr (S::is_b) return Cell{t, g};
        else return Cell{g, 2 * t + x};
    } else {
        const int index = x * 32 + lane;
        return Cell{index / S::columns, index % S::columns};
    }
}

template <class F>
void check_tile_pointer(const F*, const void* pointer, std::size_t bytes_of_ldm, const char* what, int site) {
    if (reinterpret_cast<std::uintptr_t>(pointer) % 16)
        fatal("oob", "%s in line %d: the pointer is not aligned to 16 bytes (CUDA asks for 32)", what, line_of(site));
    if (bytes_of_ldm % 16) fatal("oob", "%s in line %d: the leading dimension is %zu bytes, not a multiple of 16", what, line_of(site), bytes_of_ldm);
}

}  // namespace xpemu

namespace nvcuda {
namespace wmma {

template <class Use, int M, int N, int K, class T, class Layout = void>
class fragment {
    static_assert(xpemu::valid_fragment<Use, M, N, K, T>(), "wmma has no fragment of this use, shape and type");
    static_assert(std::is_same_v<Use, accumulator> == std::is_void_v<Layout>, "matrix_a and matrix_b need a layout, accumulators have none");

  public:
    using element_type = T;
    using storage_element_type = typename xpemu::FragmentElement<T>::storage;
    static constexpr int num_elements = xpemu::FragmentShape<Use, M, N, K, T>::elements;
    static constexpr int num_storage_elements = num_elements;
    storage_element_type x[num_elements];
};

template <class Use, int M, int N, int K, class T, class Layout, class V>
inline void fill_fragment(fragment<Use, M, N, K, T, Layout>& f, const V& value) {
    for (auto& e : f.x) e = static_cast<std::decay_t<decltype(e)>>(value);
}

template <class Use, int M, int N, int K, class T, class Layout, class P>
inline void load_matrix_sync(fragment<Use, M, N, K, T, Layout>& f, const P* p, unsigned ldm, XPEMU_SITE(site)) {
    static_assert(!std::is_void_v<Layout>, "an accumulator is loaded with a layout argument");
    xpemu::check_tile_pointer(&f, p, ldm * sizeof(P), "load_matrix_sync", site);
    xpemu::meet("load_matrix_sync", site, 0xffffffffu, nullptr, nullptr);  // what the lanes stored before is there
    const int lane = xpemu::lane_of_current();
    for (int e = 0; e < f.num_elements; ++e) {
        const auto c = xpemu::fragment_cell<Use, M, N, K, T>(lane, e);
        f.x[e] = std::is_same_v<Layout, row_major> ? p[c.row * ldm + c.column] : p[c.column * ldm + c.row];
    }
}
template <int M, int N, int K, class T>
inline void load_matrix_sync(fragment<accumulator, M, N, K, T>& f, const T* p, unsigned ldm, layout_t layout, XPEMU_SITE(site)) {
    xpemu::check_tile_pointer(&f, p, ldm * sizeof(T), "load_matrix_sync", site);
    xpemu::meet("load_matrix_sync", site, 0xffffffffu, nullptr, nullptr);  // what the lanes stored before is there
    const int lane = xpemu::lane_of_current();
    for (int e = 0; e < f.num_elements; ++e) {
        const auto c = xpemu::fragment_cell<accumulator, M, N, K, T>(lane, e);
        f.x[e] = layout == mem_row_major ? p[c.row * ldm + c.column] : p[c.column * ldm + c.row];
    }
}
// A store is visible to the other lanes of the warp when it returns: it meets the warp.
template <int M, int N, int K, class T>
inline void store_matrix_sync(T* p, const fragment<accumulator, M, N, K, T>& f, unsigned ldm, layout_t layout, XPEMU_SITE(site)) {
    xpemu::check_tile_pointer(&f, p, ldm * sizeof(T), "store_matrix_sync", site);
    const int lane = xpemu::lane_of_current();
    for (int e = 0; e < f.num_elements; ++e) {
        const auto c = xpemu::fragment_cell<accumulator, M, N, K, T>(lane, e);
        (layout == mem_row_major ? p[c.row * ldm + c.column] : p[c.column * ldm + c.row]) = f.x[e];
    }
    xpemu::meet("store_matrix_sync", site, 0xffffffffu, nullptr, nullptr);
}

}  // namespace wmma
}  // namespace nvcuda

namespace xpemu {

template <class D, class A, class B, class C>
struct MmaSlot {
    D* d;
    const A* a;
    const B* b;
    const C* c;
    bool saturate;
    int site;
};

template <int M, int N, int K, class TA, class TD, class TC, class Slot>
void finish_mma(void* const* slots, Lanes members, void*) {
    const Slot& any = *static_cast<Slot*>(slots[__builtin_ctzll(members)]);
    if (members != 0xffffffffu) fatal("inactive_lane", "mma_sync in line %d: only lanes 0x%llx of the warp take part", xpemu::line_of(any.site), static_cast<unsigned long long>(members));
    double a[M * K], b[K * N], d[M * N];
    for (int lane = 0; lane < 32; ++lane) {
        const Slot& s = *static_cast<Slot*>(slots[lane]);
        for (int e = 0; e < s.a->num_elements; ++e) {
            const Cell at = fragment_cell<w::matrix_a, M, N, K, TA>(lane, e);
            a[at.row * K + at.column] = static_cast<double>(s.a->x[e]);
        }
        for (int e = 0; e < s.b->num_elements; ++e) {
            const Cell at = fragment_cell<w::matrix_b, M, N, K, TA>(lane, e);
            b[at.row * N + at.column] = static_cast<double>(s.b->x[e]);
        }
        for (int e = 0; e < s.c->num_elements; ++e) {
            const Cell at = fragment_cell<w::accumulator, M, N, K, TC>(lane, e);
            d[at.row * N + at.column] = static_cast<double>(s.c->x[e]);
        }
    }
    multiply_tiles(M, N, K, a, b, d);
    for (int lane = 0; lane < 32; ++lane) {
        const Slot& s = *static_cast<Slot*>(slots[lane]);
        for (int e = 0; e < s.d->num_elements; ++e) {
            const Cell at = fragment_cell<w::accumulator, M, N, K, TD>(lane, e);
            const double v = d[at.row * N + at.column];
            if constexpr (std::is_same_v<TD, int>) {
                const auto wide = static_cast<long long>(v);
                s.d->x[e] = s.saturate ? (wide > 2147483647 ? 2147483647 : wide < -2147483647 - 1 ? -2147483647 - 1 : static_cast<int>(wide))
                                       : static_cast<int>(static_cast<unsigned>(static_cast<unsigned long long>(wide)));
            } else {
                s.d->x[e] = static_cast<TD>(v);
            }
        }
    }
}

}  // namespace xpemu

namespace nvcuda {
namespace wmma {

template <int M, int N, int K, class T, class LA, class LB, class TD, class TC>
inline void mma_sync(fragment<accumulator, M, N, K, TD>& d, const fragment<matrix_a, M, N, K, T, LA>& a,
                     const fragment<matrix_b, M, N, K, T, LB>& b, const fragment<accumulator, M, N, K, TC>& c, bool satf = false,
                     XPEMU_SITE(site)) {
    using Slot = xpemu::MmaSlot<fragment<accumulator, M, N, K, TD>, fragment<matrix_a, M, N, K, T, LA>, fragment<matrix_b, M, N, K, T, LB>,
                                fragment<accumulator, M, N, K, TC>>;
    Slot slot{&d, &a, &b, &c, satf, site};
    xpemu::meet("mma_sync", site, 0xffffffffu, &slot, xpemu::finish_mma<M, N, K, T, TD, TC, Slot>);
}

inline float __float_to_tf32(float v) { return ::__float_to_tf32(v); }

}  // namespace wmma
}  // namespace nvcuda
