// Copies, fills, synchronisation, gathers and atomics as kernels spell them.
#pragma once

#include "runtime.hpp"

namespace xpemu {
inline Walk line_of(void* p, std::size_t size) { return Walk{p, size, {0, 0}, {1, 1}}; }
inline Walk walk(const void* p, std::size_t size, long s0, unsigned long n0, long s1 = 0, unsigned long n1 = 0) {
    return Walk{const_cast<void*>(p), size, {s0, s1}, {n0 + 1, n1 + 1}};
}
}  // namespace xpemu

// ---------------------------------------------------------------------------------------------------- copies
#define XPEMU_COPY(NAME, ASYNC)                                                                                                           \
    inline void NAME(void* dst, const void* src, unsigned size, mluMemcpyDirection_t dir, XPEMU_AT) {                                     \
        xpemu::transfer({#NAME, at.value}, xpemu::walk(dst, size, 0, 0), xpemu::walk(src, size, 0, 0), dir, ASYNC, -1);                   \
    }                                                                                                                                     \
    inline void NAME(void* dst, const void* src, unsigned size, mluMemcpyDirection_t dir, unsigned cluster, XPEMU_AT) {                   \
        xpemu::transfer({#NAME, at.value}, xpemu::walk(dst, size, 0, 0), xpemu::walk(src, size, 0, 0), dir, ASYNC, static_cast<int>(cluster)); \
    }                                                                                                                                     \
    inline void NAME(void* dst, const void* src, unsigned size, mluMemcpyDirection_t dir, long dst_stride, long src_stride, long segnum, XPEMU_AT) { \
        if (segnum < 0) xpemu::violation_of_count({#NAME, at.value}, segnum);                                                             \
        if (segnum > 0 && dst_stride < 0) xpemu::violation_of_stride({#NAME, at.value}, dst_stride);                                      \
        xpemu::transfer({#NAME, at.value}, xpemu::walk(dst, size, dst_stride, static_cast<unsigned long>(segnum)),                        \
                        xpemu::walk(src, size, src_stride, static_cast<unsigned long>(segnum)), dir, ASYNC, -1);                          \
    }                                                                                                                                     \
    inline void NAME(void* dst, const void* src, unsigned size, mluMemcpyDirection_t dir, long dst_stride, long src_stride, long segnum,  \
                     unsigned cluster, XPEMU_AT) {                                                                                        \
        if (segnum > 0 && dst_stride < 0) xpemu::violation_of_stride({#NAME, at.value}, dst_stride);                                      \
        xpemu::transfer({#NAME, at.value}, xpemu::walk(dst, size, dst_stride, static_cast<unsigned long>(segnum)),                        \
                        xpemu::walk(src, size, src_stride, static_cast<unsigned long>(segnum)), dir, ASYNC, static_cast<int>(cluster));   \
    }                                                                                                                                     \
    inline void NAME(void* dst, const void* src, unsigned size, mluMemcpyDirection_t dir, long dst_stride0, unsigned dst_segnum1,         \
                     long dst_stride1, unsigned dst_segnum2, long src_stride0, unsigned src_segnum1, long src_stride1,                    \
                     unsigned src_segnum2, XPEMU_AT) {                                                                                    \
        xpemu::transfer({#NAME, at.value}, xpemu::walk(dst, size, dst_stride0, dst_segnum1, dst_stride1, dst_segnum2),                    \
                        xpemu::walk(src, size, src_stride0, src_segnum1, src_stride1, src_segnum2), dir, ASYNC, -1);                      \
    }
namespace xpemu {
[[noreturn]] XPEMU_LOCAL void violation_of_count(const Call&, long segnum);
[[noreturn]] XPEMU_LOCAL void violation_of_stride(const Call&, long dst_stride);
}
XPEMU_COPY(__memcpy, false)
XPEMU_COPY(__memcpy_async, true)
#undef XPEMU_COPY

inline void __bang_move(void* dst, const void* src, unsigned size, XPEMU_AT) {
    xpemu::move_on_chip({"__bang_move", at.value}, xpemu::walk(dst, size, 0, 0), xpemu::walk(src, size, 0, 0));
}
inline void __bang_move(void* dst, const void* src, unsigned size, long dst_stride, long src_stride, unsigned segnum, XPEMU_AT) {
    xpemu::move_on_chip({"__bang_move", at.value}, xpemu::walk(dst, size, dst_stride, segnum), xpemu::walk(src, size, src_stride, segnum));
}
inline void __bang_move(void* dst, const void* src, unsigned size, long dst_stride0, unsigned dst_segnum1, long dst_stride1, unsigned dst_segnum2,
                        long src_stride0, unsigned src_segnum1, long src_stride1, unsigned src_segnum2, XPEMU_AT) {
    xpemu::move_on_chip({"__bang_move", at.value}, xpemu::walk(dst, size, dst_stride0, dst_segnum1, dst_stride1, dst_segnum2),
                        xpemu::walk(src, size, src_stride0, src_segnum1, src_stride1, src_segnum2));
}

// ----------------------------------------------------------------------------------------------------- fills
// The value's type sets the element width; a double stands for a float.
#define XPEMU_FILL(NAME, SPACE, ASYNC)                                                                                                  \
    template <class T, class = xpemu::IfScalar<T>>                                                                                      \
    inline void NAME(void* dst, unsigned n, T value, XPEMU_AT) {                                                                        \
        using V = std::conditional_t<std::is_same_v<T, double>, float, T>;                                                              \
        const V v = static_cast<V>(value);                                                                                              \
        xpemu::fill({#NAME, at.value}, xpemu::walk(dst, n * sizeof(V), 0, 0), &v, sizeof(V), xpemu::Space::SPACE, ASYNC);                \
    }                                                                                                                                   \
    template <class T, class = xpemu::IfScalar<T>>                                                                                      \
    inline void NAME(void* dst, unsigned n, T value, long stride, unsigned segnum, XPEMU_AT) {                                          \
        using V = std::conditional_t<std::is_same_v<T, double>, float, T>;                                                              \
        const V v = static_cast<V>(value);                                                                                              \
        xpemu::fill({#NAME, at.value}, xpemu::walk(dst, n * sizeof(V), stride, segnum), &v, sizeof(V), xpemu::Space::SPACE, ASYNC);      \
    }                                                                                                                                   \
    template <class T, class = xpemu::IfScalar<T>>                                                                                      \
    inline void NAME(void* dst, unsigned n, T value, long stride0, unsigned segnum1, long stride1, unsigned segnum2, XPEMU_AT) {        \
        using V = std::conditional_t<std::is_same_v<T, double>, float, T>;                                                              \
        const V v = static_cast<V>(value);                                                                                              \
        xpemu::fill({#NAME, at.value}, xpemu::walk(dst, n * sizeof(V), stride0, segnum1, stride1, segnum2), &v, sizeof(V), xpemu::Space::SPACE, ASYNC); \
    }
XPEMU_FILL(__bang_write_value, nram, false)
XPEMU_FILL(__memset_nram, nram, false)
XPEMU_FILL(__nramset, nram, false)
XPEMU_FILL(__nramset_async, nram, true)
XPEMU_FILL(__gdramset, gdram, false)
XPEMU_FILL(__gdramset_async, gdram, true)
XPEMU_FILL(__ldramset, ldram, false)
XPEMU_FILL(__ldramset_async, ldram, true)
XPEMU_FILL(__sramset, sram, false)
XPEMU_FILL(__sramset_async, sram, true)
#undef XPEMU_FILL
template <class T>
inline void __bang_write_zero(T* dst, unsigned n, XPEMU_AT) {
    const T zero{};
    xpemu::fill({"__bang_write_zero", at.value}, xpemu::walk(dst, n * sizeof(T), 0, 0), &zero, sizeof(T), xpemu::Space::nram, false);
}
inline void __nramset_half(half* dst, unsigned n, half value, XPEMU_AT) { __nramset(dst, n, value, at); }
inline void __nramset_float(float* dst, unsigned n, float value, XPEMU_AT) { __nramset(dst, n, value, at); }
inline void __nramset_int(int* dst, unsigned n, int value, XPEMU_AT) { __nramset(dst, n, value, at); }
inline void __nramset_short(short* dst, unsigned n, short value, XPEMU_AT) { __nramset(dst, n, value, at); }

// --------------------------------------------------------------------------------------------------- barriers
inline void __sync(XPEMU_AT) { xpemu::synchronize({"__sync", at.value}, xpemu::all_streams); }
inline void __sync_io(XPEMU_AT) { xpemu::synchronize({"__sync_io", at.value}, xpemu::stream_io); }
inline void __sync_move(XPEMU_AT) { xpemu::synchronize({"__sync_move", at.value}, xpemu::stream_move); }
inline void __sync_compute(XPEMU_AT) { xpemu::synchronize({"__sync_compute", at.value}, xpemu::stream_compute); }
// Later work of the consumers waits for earlier work of the producers.
inline void __sync_io_move_compute(bool io_p = true, bool move_p = true, bool compute_p = true, bool io_c = true, bool move_c = true, bool compute_c = true,
                                   XPEMU_AT) {
    const auto streams = [](bool io, bool move, bool compute) {
        return (io ? xpemu::stream_io : 0) | (move ? xpemu::stream_move : 0) | (compute ? xpemu::stream_compute : 0);
    };
    xpemu::synchronize({"__sync_io_move_compute", at.value}, streams(io_p, move_p, compute_p), streams(io_c, move_c, compute_c));
}
inline void __sync_cluster(XPEMU_AT) { xpemu::barrier({"__sync_cluster", at.value}, xpemu::Barrier::cluster); }
inline void __sync_all(XPEMU_AT) { xpemu::barrier({"__sync_all", at.value}, xpemu::Barrier::all); }
inline void __sync_all_ipu(XPEMU_AT) { xpemu::barrier({"__sync_all_ipu", at.value}, xpemu::Barrier::all_ipu); }
inline void __sync_all_mpu(XPEMU_AT) { xpemu::barrier({"__sync_all_mpu", at.value}, xpemu::Barrier::all_mpu); }
inline void __sync_all_ipu_within_cluster(XPEMU_AT) { xpemu::barrier({"__sync_all_ipu_within_cluster", at.value}, xpemu::Barrier::cluster_ipu); }
inline void __sync_cluster_arrive(int id, int count, XPEMU_AT) { xpemu::arrive({"__sync_cluster_arrive", at.value}, false, id, count); }
inline void __sync_cluster_wait(int id, int count, XPEMU_AT) { xpemu::await({"__sync_cluster_wait", at.value}, false, id, count); }
inline void __sync_all_arrive(int id, int count, XPEMU_AT) { xpemu::arrive({"__sync_all_arrive", at.value}, true, id, count); }
inline void __sync_all_wait(int id, int count, XPEMU_AT) { xpemu::await({"__sync_all_wait", at.value}, true, id, count); }

// --------------------------------------------------------------------------------------------------- gathers
#define XPEMU_GATHER(NAME, SCATTERS, ASYNC)                                                                                                  \
    template <class O, class = std::enable_if_t<std::is_integral_v<O>>>                                                                      \
    inline void NAME(void* dst, const void* src, const O* offset, unsigned size, mluMemcpyDirection_t dir, long stride, unsigned num, XPEMU_AT) { \
        xpemu::gather({#NAME, at.value}, SCATTERS, dst, src, offset, sizeof(O), nullptr, size, dir, stride, num, ASYNC);                     \
    }                                                                                                                                        \
    template <class O, class = std::enable_if_t<std::is_integral_v<O>>>                                                                      \
    inline void NAME(void* dst, const void* src, const O* offset, const void* mask, unsigned size, mluMemcpyDirection_t dir, long stride,    \
                     unsigned num, XPEMU_AT) {                                                                                               \
        xpemu::gather({#NAME, at.value}, SCATTERS, dst, src, offset, sizeof(O), mask, size, dir, stride, num, ASYNC);                        \
    }
XPEMU_GATHER(__gather, false, false)
XPEMU_GATHER(__gather_async, false, true)
XPEMU_GATHER(__scatter, true, false)
XPEMU_GATHER(__scatter_async, true, true)
#undef XPEMU_GATHER
inline void __bang_gather_async(void* dst, const void* src, const unsigned* offset, const void* mask, unsigned size, long stride, unsigned num, XPEMU_AT) {
    xpemu::gather({"__bang_gather_async", at.value}, false, dst, src, offset, 4, mask, size, GDRAM2NRAM, stride, num, true);
}

// --------------------------------------------------------------------------------------------------- atomics
#define XPEMU_ATOMIC(NAME, OP)                                                                                                      \
    template <class T, class S, class = xpemu::IfScalar<S>>                                                                         \
    inline void __bang_atomic_##NAME(T* dst, T* cell, S value, unsigned n = 1, XPEMU_AT) {                                          \
        const T v = static_cast<T>(value);                                                                                          \
        xpemu::atomic({"__bang_atomic_" #NAME, at.value}, xpemu::Atomic::OP, xpemu::type_of<T>(), dst, cell, &v, true, nullptr, n); \
    }                                                                                                                               \
    template <class T>                                                                                                              \
    inline void __bang_atomic_##NAME(T* dst, T* cell, const T* value, unsigned n = 1, XPEMU_AT) {                                   \
        xpemu::atomic({"__bang_atomic_" #NAME, at.value}, xpemu::Atomic::OP, xpemu::type_of<T>(), dst, cell, value, false, nullptr, n); \
    }                                                                                                                               \
    template <class T, class S, class = xpemu::IfScalar<S>>                                                                         \
    inline void __bang_atomic_reduce_##NAME(T* cell, S value, unsigned n = 1, XPEMU_AT) {                                           \
        const T v = static_cast<T>(value);                                                                                          \
        xpemu::atomic({"__bang_atomic_reduce_" #NAME, at.value}, xpemu::Atomic::OP, xpemu::type_of<T>(), nullptr, cell, &v, true, nullptr, n); \
    }                                                                                                                               \
    template <class T>                                                                                                              \
    inline void __bang_atomic_reduce_##NAME(T* cell, const T* value, unsigned n = 1, XPEMU_AT) {                                    \
        xpemu::atomic({"__bang_atomic_reduce_" #NAME, at.value}, xpemu::Atomic::OP, xpemu::type_of<T>(), nullptr, cell, value, false, nullptr, n); \
    }                                                                                                                               \
    template <class T>                                                                                                              \
    inline void __bang_atomic_reduce_##NAME(T* cell, const T* value, unsigned n, unsigned segnum1, unsigned segnum2, long to0, long to1, long from0, \
                                            long from1, XPEMU_AT) {                                                                 \
        for (unsigned j = 0; j <= segnum2; ++j)                                                                                     \
            for (unsigned i = 0; i <= segnum1; ++i)                                                                                 \
                xpemu::atomic({"__bang_atomic_reduce_" #NAME, at.value}, xpemu::Atomic::OP, xpemu::type_of<T>(), nullptr,           \
                              reinterpret_cast<char*>(cell) + i * to0 + j * to1, reinterpret_cast<const char*>(value) + i * from0 + j * from1, false, \
                              nullptr, n);                                                                                          \
    }
// The asynchronous twins are done at once: that is one of the times at which they may happen.
XPEMU_ATOMIC(add, add)
XPEMU_ATOMIC(add_async, add)
XPEMU_ATOMIC(and, band)
XPEMU_ATOMIC(and_async, band)
XPEMU_ATOMIC(or, bor)
XPEMU_ATOMIC(or_async, bor)
XPEMU_ATOMIC(xor, bxor)
XPEMU_ATOMIC(xor_async, bxor)
XPEMU_ATOMIC(max, max)
XPEMU_ATOMIC(max_async, max)
XPEMU_ATOMIC(min, min)
XPEMU_ATOMIC(min_async, min)
XPEMU_ATOMIC(nan_max, nan_max)
XPEMU_ATOMIC(nan_max_async, nan_max)
XPEMU_ATOMIC(nan_min, nan_min)
XPEMU_ATOMIC(nan_min_async, nan_min)
XPEMU_ATOMIC(number_max, number_max)
XPEMU_ATOMIC(number_max_async, number_max)
XPEMU_ATOMIC(number_min, number_min)
XPEMU_ATOMIC(number_min_async, number_min)
XPEMU_ATOMIC(exch, exch)
XPEMU_ATOMIC(exch_async, exch)
XPEMU_ATOMIC(inc, inc)
XPEMU_ATOMIC(inc_async, inc)
XPEMU_ATOMIC(dec, dec)
XPEMU_ATOMIC(dec_async, dec)
#undef XPEMU_ATOMIC
#define XPEMU_CAS(NAME)                                                                                                             \
    template <class T>                                                                                                              \
    inline void __bang_atomic_##NAME(T* dst, T* cell, xpemu::Same<T> compare, xpemu::Same<T> value, XPEMU_AT) {                     \
        xpemu::atomic({"__bang_atomic_" #NAME, at.value}, xpemu::Atomic::cas, xpemu::type_of<T>(), dst, cell, &value, true, &compare, 1); \
    }                                                                                                                               \
    template <class T>                                                                                                              \
    inline void __bang_atomic_reduce_##NAME(T* cell, xpemu::Same<T> compare, xpemu::Same<T> value, XPEMU_AT) {                      \
        xpemu::atomic({"__bang_atomic_reduce_" #NAME, at.value}, xpemu::Atomic::cas, xpemu::type_of<T>(), nullptr, cell, &value, true, &compare, 1); \
    }
XPEMU_CAS(cas)
XPEMU_CAS(cas_async)
#undef XPEMU_CAS
