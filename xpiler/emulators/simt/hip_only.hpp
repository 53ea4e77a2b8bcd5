// Facilities that only HIP has: vector operators, wave builtins, thread-index functions and macros.
#pragma once

#include <cstdint>
#include <type_traits>

#include "warp.hpp"

namespace xpemu {
template <class V>
constexpr int hip_size = 0;
}  // namespace xpemu

// HIP's vectors have element-wise operators; CUDA's have none.
#define XPEMU_HIP_EACH(NAME)                                   \
    template <>                                                \
    inline constexpr int xpemu::hip_size<NAME##1> = 1;         \
    template <>                                                \
    inline constexpr int xpemu::hip_size<NAME##2> = 2;         \
    template <>                                                \
    inline constexpr int xpemu::hip_size<NAME##3> = 3;         \
    template <>                                                \
    inline constexpr int xpemu::hip_size<NAME##4> = 4;
XPEMU_HIP_EACH(char)
XPEMU_HIP_EACH(uchar)
XPEMU_HIP_EACH(short)
XPEMU_HIP_EACH(ushort)
XPEMU_HIP_EACH(int)
XPEMU_HIP_EACH(uint)
XPEMU_HIP_EACH(long)
XPEMU_HIP_EACH(ulong)
XPEMU_HIP_EACH(longlong)
XPEMU_HIP_EACH(ulonglong)
XPEMU_HIP_EACH(float)
XPEMU_HIP_EACH(double)
#undef XPEMU_HIP_EACH

namespace xpemu {
template <class V, class F>
inline V each(const V& a, const V& b, F f) {
    V r;
    r.x = f(a.x, b.x);
    if constexpr (hip_size<V> > 1) r.y = f(a.y, b.y);
    if constexpr (hip_size<V> > 2) r.z = f(a.z, b.z);
    if constexpr (hip_size<V> > 3) r.w = f(a.w, b.w);
    return r;
}
template <class V>
inline V splat(decltype(V::x) v) {
    V r;
    r.x = v;
    if constexpr (hip_size<V> > 1) r.y = v;
    if constexpr (hip_size<V> > 2) r.z = v;
    if constexpr (hip_size<V> > 3) r.w = v;
    return r;
}
}  // namespace xpemu

#define XPEMU_HIP_OPERATOR(OP)                                                                                        \
    template <class V, class = std::enable_if_t<(xpemu::hip_size<V> > 0)>, class = void, class = void>                \
    inline V operator OP(const V& a, const V& b) {                                                                    \
        return xpemu::each(a, b, [](auto x, auto y) { return static_cast<decltype(x)>(x OP y); });                    \
    }                                                                                                                 \
    template <class V, class T, class = std::enable_if_t<(xpemu::hip_size<V> > 0) && std::is_arithmetic_v<T>>, class = void> \
    inline V operator OP(const V& a, T b) {                                                                           \
        return a OP xpemu::splat<V>(static_cast<decltype(V::x)>(b));                                                  \
    }                                                                                                                 \
    template <class V, class T, class = std::enable_if_t<(xpemu::hip_size<V> > 0) && std::is_arithmetic_v<T>>, class = void> \
    inline V operator OP(T a, const V& b) {                                                                           \
        return xpemu::splat<V>(static_cast<decltype(V::x)>(a)) OP b;                                                  \
    }                                                                                                                 \
    template <class V, class T, class = std::enable_if_t<(xpemu::hip_size<V> > 0)>, class = void, class = void>       \
    inline V& operator OP##=(V & a, const T & b) {                                                                    \
        return a = a OP b;                                                                                            \
    }
XPEMU_HIP_OPERATOR(+)
XPEMU_HIP_OPERATOR(-)
XPEMU_HIP_OPERATOR(*)
XPEMU_HIP_OPERATOR(/)
#undef XPEMU_HIP_OPERATOR

// ------------------------------------------------------------------------------------- waves and barriers
inline void xpemu_wave_barrier(XPEMU_LINE) { xpemu::meet("wave_barrier", xpemu_site, 0, nullptr, nullptr); }
inline unsigned __lane_id() { return static_cast<unsigned>(xpemu::lane_of_current()); }
inline int xpemu_permute(int address, int value, int site) {
    return xpemu::shuffle<int>("ds_bpermute", xpemu::Shuffle::index, 0, value, address >> 2 & 63, 64, site);
}
// Registers moved between lanes by a control word: rows of 16 lanes shift, rotate, mirror and broadcast.
inline int xpemu_dpp(int old, int value, int control, int rows, int banks, bool bound, int site) {
    const int lane = xpemu::lane_of_current();
    int source = lane, row = lane & ~15, in_row = lane & 15, n = control & 15;
    bool valid = true;
    if (control <= 0xff) source = (lane & ~3) | (control >> 2 * (lane & 3) & 3);
    else if (control >> 4 == 0x10) { source = lane + n; valid = in_row + n < 16; }
    else if (control >> 4 == 0x11) { source = lane - n; valid = in_row >= n; }
    else if (control >> 4 == 0x12) source = row | ((in_row - n) & 15);
    else if (control == 0x130) { source = lane + 1; valid = lane < 63; }
    else if (control == 0x134) source = (lane + 1) & 63;
    else if (control == 0x138) { source = lane - 1; valid = lane > 0; }
    else if (control == 0x13c) source = (lane - 1) & 63;
    else if (control == 0x140) source = row | (15 - in_row);
    else if (control == 0x141) source = (lane & ~7) | (7 - (lane & 7));
    else if (control == 0x142) { source = row - 1; valid = lane >= 16; }
    else if (control == 0x143) { source = 31; valid = lane >= 32; }
    else xpemu::fatal("trap", "DPP control %#x in line %d", control, xpemu::line_of(site));
    const int moved = xpemu::shuffle<int>("dpp", xpemu::Shuffle::index, 0, value, valid ? source : lane, 64, site);
    if (!(rows >> lane / 16 & 1) || !(banks >> (lane & 15) / 4 & 1)) return old;
    return valid ? moved : bound ? 0 : old;
}
inline int xpemu_swizzle(int value, int pattern, int site) {
    const int lane = xpemu::lane_of_current(), in = lane & 31;
    const int source = pattern & 0x8000 ? (in & ~3) | (pattern >> 2 * (in & 3) & 3)
                                        : ((in & pattern & 31) | (pattern >> 5 & 31)) ^ (pattern >> 10 & 31);
    return xpemu::shuffle<int>("ds_swizzle", xpemu::Shuffle::index, 0, value, (lane & 32) | source, 64, site);
}
#define __builtin_amdgcn_update_dpp(old, value, control, rows, banks, bound) xpemu_dpp(old, value, control, rows, banks, bound, __LINE__ << 11)
#define __builtin_amdgcn_mov_dpp(value, control, rows, banks, bound) xpemu_dpp(0, value, control, rows, banks, bound, __LINE__ << 11)
#define __builtin_amdgcn_ds_swizzle(value, pattern) xpemu_swizzle(value, pattern, __LINE__ << 11)
#define __builtin_amdgcn_wave_barrier() xpemu_wave_barrier(__LINE__ << 11)
#define __builtin_amdgcn_s_barrier() __syncthreads(__LINE__ << 11)
#define __builtin_amdgcn_fence(...) static_cast<void>(0)
#define __builtin_amdgcn_s_waitcnt(...) static_cast<void>(0)
#define __builtin_amdgcn_sched_barrier(...) static_cast<void>(0)
#define __builtin_amdgcn_s_sleep(...) xpemu::spin()
#define __builtin_amdgcn_ds_bpermute(address, value) xpemu_permute(address, value, __LINE__ << 11)
#define __builtin_amdgcn_readfirstlane(value) __shfl(value, __ffsll(__ballot(1, __LINE__ << 11)) - 1, 64, __LINE__ << 11)
#define __builtin_amdgcn_readlane(value, lane) __shfl(value, lane, 64, __LINE__ << 11)
#define __builtin_amdgcn_ballot_w64(predicate) static_cast<unsigned long long>(__ballot(predicate, __LINE__ << 11))
#define __builtin_amdgcn_uballot(predicate) __builtin_amdgcn_ballot_w64(predicate)
#define __builtin_amdgcn_wavefrontsize() 64
#define __builtin_amdgcn_mbcnt_lo(mask, base) ((base) + __popc(static_cast<unsigned>(mask) & static_cast<unsigned>((1ull << xpemu::lane_of_current()) - 1)))
#define __builtin_amdgcn_mbcnt_hi(mask, base) ((base) + __popc(static_cast<unsigned>(mask) & static_cast<unsigned>(((1ull << xpemu::lane_of_current()) - 1) >> 32)))
#define __builtin_amdgcn_workitem_id_x() threadIdx.x
#define __builtin_amdgcn_workitem_id_y() threadIdx.y
#define __builtin_amdgcn_workitem_id_z() threadIdx.z
#define __builtin_amdgcn_workgroup_id_x() blockIdx.x
#define __builtin_amdgcn_workgroup_id_y() blockIdx.y
#define __builtin_amdgcn_workgroup_id_z() blockIdx.z
#define __builtin_amdgcn_rcpf(x) (1.0f / (x))
#define __builtin_amdgcn_rsqf(x) rsqrtf(x)
#define __builtin_amdgcn_exp2f(x) exp2f(x)
#define __builtin_amdgcn_logf(x) log2f(x)
#define __builtin_amdgcn_sqrtf(x) sqrtf(x)
#define __builtin_amdgcn_fmed3f(a, b, c) fmaxf(fminf(a, b), fminf(fmaxf(a, b), c))
template <class P, class Q>
inline float xpemu_fdot2(const P& a, const Q& b, float c, bool) {
    return c + static_cast<float>(a[0]) * static_cast<float>(b[0]) + static_cast<float>(a[1]) * static_cast<float>(b[1]);
}
#define __builtin_amdgcn_fdot2(...) xpemu_fdot2(__VA_ARGS__)
#define __builtin_amdgcn_sdot4(a, b, c, clamp) __dp4a(static_cast<int>(a), static_cast<int>(b), static_cast<int>(c))
#define __builtin_amdgcn_udot4(a, b, c, clamp) __dp4a(static_cast<unsigned>(a), static_cast<unsigned>(b), static_cast<unsigned>(c))

#define hipThreadIdx_x threadIdx.x
#define hipThreadIdx_y threadIdx.y
#define hipThreadIdx_z threadIdx.z
#define hipBlockIdx_x blockIdx.x
#define hipBlockIdx_y blockIdx.y
#define hipBlockIdx_z blockIdx.z
#define hipBlockDim_x blockDim.x
#define hipBlockDim_y blockDim.y
#define hipBlockDim_z blockDim.z
#define hipGridDim_x gridDim.x
#define hipGridDim_y gridDim.y
#define hipGridDim_z gridDim.z
