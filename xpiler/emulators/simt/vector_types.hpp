// Vector types of CUDA and HIP: float4, uint3, dim3 and their make_ functions, with the platforms' alignment.
#pragma once

#define XPEMU_VECTOR(T, NAME, A2, A4)                                                                          \
    struct NAME##1 { T x; };                                                                                   \
    struct alignas(A2) NAME##2 { T x, y; };                                                                    \
    struct NAME##3 { T x, y, z; };                                                                             \
    struct alignas(A4) NAME##4 { T x, y, z, w; };                                                              \
    inline NAME##1 make_##NAME##1(T x) { return NAME##1{x}; }                                                  \
    inline NAME##2 make_##NAME##2(T x, T y) { return NAME##2{x, y}; }                                          \
    inline NAME##3 make_##NAME##3(T x, T y, T z) { return NAME##3{x, y, z}; }                                  \
    inline NAME##4 make_##NAME##4(T x, T y, T z, T w) { return NAME##4{x, y, z, w}; }

XPEMU_VECTOR(signed char, char, 2, 4)
XPEMU_VECTOR(unsigned char, uchar, 2, 4)
XPEMU_VECTOR(short, short, 4, 8)
XPEMU_VECTOR(unsigned short, ushort, 4, 8)
XPEMU_VECTOR(int, int, 8, 16)
XPEMU_VECTOR(unsigned int, uint, 8, 16)
XPEMU_VECTOR(long, long, 16, 16)
XPEMU_VECTOR(unsigned long, ulong, 16, 16)
XPEMU_VECTOR(long long, longlong, 16, 16)
XPEMU_VECTOR(unsigned long long, ulonglong, 16, 16)
XPEMU_VECTOR(float, float, 8, 16)
XPEMU_VECTOR(double, double, 16, 16)
#undef XPEMU_VECTOR

struct dim3 {
    unsigned int x, y, z;
    constexpr dim3(unsigned int x_ = 1, unsigned int y_ = 1, unsigned int z_ = 1) : x(x_), y(y_), z(z_) {}
    constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
    constexpr operator uint3() const { return uint3{x, y, z}; }
};
