// Elements of untyped memory as values.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "types.hpp"

namespace xpemu {

inline const unsigned char* bytes_of(const void* p) { return static_cast<const unsigned char*>(p); }
inline unsigned char* bytes_of(void* p) { return static_cast<unsigned char*>(p); }

inline double load_float(Type t, const void* at) {
    switch (t) {
        case Type::f16: {
            std::uint16_t b;
            std::memcpy(&b, at, 2);
            return half_to_float(b);
        }
        case Type::bf16: {
            std::uint16_t b;
            std::memcpy(&b, at, 2);
            return bfloat_to_float(b);
        }
        case Type::f32: {
            float f;
            std::memcpy(&f, at, 4);
            return f;
        }
        default: {
            double d;
            std::memcpy(&d, at, 8);
            return d;
        }
    }
}

inline void store_float(Type t, void* at, double v) {
    switch (t) {
        case Type::f16: {
            const std::uint16_t b = narrow<5, 10>(v);
            std::memcpy(at, &b, 2);
            break;
        }
        case Type::bf16: {
            const std::uint16_t b = narrow<8, 7>(v);
            std::memcpy(at, &b, 2);
            break;
        }
        case Type::f32: {
            const float f = static_cast<float>(v);
            std::memcpy(at, &f, 4);
            break;
        }
        default: std::memcpy(at, &v, 8);
    }
}

template <class T>
inline std::int64_t load_as(const void* at) {
    T v;
    std::memcpy(&v, at, sizeof v);
    return static_cast<std::int64_t>(v);
}

inline std::int64_t load_int(Type t, const void* at) {
    switch (t) {
        case Type::i8: case Type::i4x2: return load_as<std::int8_t>(at);
        case Type::u8: return load_as<std::uint8_t>(at);
        case Type::i16: return load_as<std::int16_t>(at);
        case Type::u16: return load_as<std::uint16_t>(at);
        case Type::i32: return load_as<std::int32_t>(at);
        case Type::u32: return load_as<std::uint32_t>(at);
        default: return load_as<std::int64_t>(at);
    }
}

inline void store_int(Type t, void* at, std::int64_t v) { std::memcpy(at, &v, size_of(t)); }  // little endian, wraps

// The smallest and largest values of an integer type.
inline double lowest(Type t) {
    switch (t) {
        case Type::i8: return -128;
        case Type::i16: return -32768;
        case Type::i32: return -2147483648.0;
        case Type::i64: return -9223372036854775808.0;
        default: return 0;
    }
}
inline double highest(Type t) {
    switch (t) {
        case Type::i8: return 127;
        case Type::u8: return 255;
        case Type::i16: return 32767;
        case Type::u16: return 65535;
        case Type::i32: return 2147483647.0;
        case Type::u32: return 4294967295.0;
        default: return 9223372036854774784.0;
    }
}

// Runs of elements as float (all floating types of the device) or as 64-bit integers.
inline void load_floats(Type t, const void* from, std::size_t n, float* to) {
    if (t == Type::f32) std::memcpy(to, from, n * 4);
    else if (t == Type::f64)
        for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<float>(static_cast<const double*>(from)[i]);
    else {
        auto* bits = static_cast<const std::uint16_t*>(from);
        if (t == Type::f16)
            for (std::size_t i = 0; i < n; ++i) to[i] = half_to_float(bits[i]);
        else
            for (std::size_t i = 0; i < n; ++i) to[i] = bfloat_to_float(bits[i]);
    }
}
inline void store_floats(Type t, void* to, std::size_t n, const float* from) {
    if (t == Type::f32) std::memcpy(to, from, n * 4);
    else if (t == Type::f64)
        for (std::size_t i = 0; i < n; ++i) static_cast<double*>(to)[i] = from[i];
    else {
        auto* bits = static_cast<std::uint16_t*>(to);
        if (t == Type::f16)
            for (std::size_t i = 0; i < n; ++i) bits[i] = half_from_float(from[i]);
        else
            for (std::size_t i = 0; i < n; ++i) bits[i] = bfloat_from_float(from[i]);
    }
}
template <class T>
inline void widen(const void* from, std::size_t n, std::int64_t* to) {
    for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<std::int64_t>(static_cast<const T*>(from)[i]);
}
template <class T>
inline void shorten(void* to, std::size_t n, const std::int64_t* from) {
    for (std::size_t i = 0; i < n; ++i) static_cast<T*>(to)[i] = static_cast<T>(from[i]);
}
inline void load_ints(Type t, const void* from, std::size_t n, std::int64_t* to) {
    switch (t) {
        case Type::i8: case Type::i4x2: return widen<std::int8_t>(from, n, to);
        case Type::u8: return widen<std::uint8_t>(from, n, to);
        case Type::i16: return widen<std::int16_t>(from, n, to);
        case Type::u16: return widen<std::uint16_t>(from, n, to);
        case Type::i32: return widen<std::int32_t>(from, n, to);
        case Type::u32: return widen<std::uint32_t>(from, n, to);
        default: return widen<std::int64_t>(from, n, to);
    }
}
inline void store_ints(Type t, void* to, std::size_t n, const std::int64_t* from) {
    switch (size_of(t)) {
        case 1: return shorten<std::int8_t>(to, n, from);
        case 2: return shorten<std::int16_t>(to, n, from);
        case 4: return shorten<std::int32_t>(to, n, from);
        default: return shorten<std::int64_t>(to, n, from);
    }
}

}  // namespace xpemu
