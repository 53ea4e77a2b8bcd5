// Atomics. One thread runs at a time and switches only at barriers, so a plain read-modify-write is atomic.
#pragma once

#include <type_traits>

#include "runtime.hpp"

namespace xpemu {
template <class T>
struct Identity {
    using type = T;
};
template <class T>
using Same = typename Identity<T>::type;

template <class T, class F>
inline T update(T* at, F f) {
    T old = *static_cast<volatile T*>(at);
    *at = f(old);
    return old;
}
template <class T>
inline T wrapping_add(T a, T b) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) + static_cast<std::make_unsigned_t<T>>(b));
    else return a + b;
}
template <class T>
inline T wrapping_subtract(T a, T b) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) - static_cast<std::make_unsigned_t<T>>(b));
    else return a - b;
}
}  // namespace xpemu

#define XPEMU_ATOMIC(NAME, CONDITION, EXPRESSION)                                     \
    template <class T, class = std::enable_if_t<CONDITION>>                           \
    inline T NAME(T* at, xpemu::Same<T> value) {                                       \
        T old = *at;                                                                  \
        *at = EXPRESSION;                                                             \
        return old;                                                                   \
    }                                                                                 \
    template <class T, class = std::enable_if_t<CONDITION>>                           \
    inline T NAME##_block(T* at, xpemu::Same<T> value) {                               \
        return NAME(at, value);                                                       \
    }                                                                                 \
    template <class T, class = std::enable_if_t<CONDITION>>                           \
    inline T NAME##_system(T* at, xpemu::Same<T> value) {                              \
        return NAME(at, value);                                                       \
    }

XPEMU_ATOMIC(atomicAdd, !std::is_pointer_v<T>, xpemu::wrapping_add(old, value))
XPEMU_ATOMIC(atomicSub, std::is_arithmetic_v<T>, xpemu::wrapping_subtract(old, value))
XPEMU_ATOMIC(atomicExch, true, value)
XPEMU_ATOMIC(atomicAnd, std::is_integral_v<T>, static_cast<T>(old & value))
XPEMU_ATOMIC(atomicOr, std::is_integral_v<T>, static_cast<T>(old | value))
XPEMU_ATOMIC(atomicXor, std::is_integral_v<T>, static_cast<T>(old ^ value))
#if XPEMU_WARP == 64
XPEMU_ATOMIC(atomicMin, std::is_arithmetic_v<T>, value < old ? value : old)
XPEMU_ATOMIC(atomicMax, std::is_arithmetic_v<T>, value > old ? value : old)
XPEMU_ATOMIC(unsafeAtomicAdd, std::is_floating_point_v<T>, old + value)
XPEMU_ATOMIC(safeAtomicAdd, std::is_floating_point_v<T>, old + value)
#else
XPEMU_ATOMIC(atomicMin, std::is_integral_v<T>, value < old ? value : old)
XPEMU_ATOMIC(atomicMax, std::is_integral_v<T>, value > old ? value : old)
#endif
XPEMU_ATOMIC(atomicInc, (std::is_same_v<T, unsigned>), old >= value ? 0u : old + 1u)
XPEMU_ATOMIC(atomicDec, (std::is_same_v<T, unsigned>), old == 0 || old > value ? value : old - 1u)
#undef XPEMU_ATOMIC

template <class T>
inline T atomicCAS(T* at, xpemu::Same<T> compare, xpemu::Same<T> value) {
    T old = *at;
    if (old == compare) *at = value;
    else xpemu::spin();
    return old;
}
template <class T>
inline T atomicCAS_block(T* at, xpemu::Same<T> compare, xpemu::Same<T> value) {
    return atomicCAS(at, compare, value);
}
template <class T>
inline T atomicCAS_system(T* at, xpemu::Same<T> compare, xpemu::Same<T> value) {
    return atomicCAS(at, compare, value);
}
