// Complex numbers: those of cuComplex.h and of hip/hip_complex.h differ only in their names.
#pragma once

#include <cmath>

#include "vector.hpp"

#define XPEMU_COMPLEX_OF(P, TYPE, VECTOR, REAL, MAKE, F)                                                           \
    typedef VECTOR TYPE;                                                                                           \
    inline TYPE MAKE(REAL x, REAL y) { return make_##VECTOR(x, y); }                                               \
    inline REAL P##Creal##F(TYPE a) { return a.x; }                                                                \
    inline REAL P##Cimag##F(TYPE a) { return a.y; }                                                                \
    inline TYPE P##Conj##F(TYPE a) { return MAKE(a.x, -a.y); }                                                     \
    inline TYPE P##Cadd##F(TYPE a, TYPE b) { return MAKE(a.x + b.x, a.y + b.y); }                                  \
    inline TYPE P##Csub##F(TYPE a, TYPE b) { return MAKE(a.x - b.x, a.y - b.y); }                                  \
    inline TYPE P##Cmul##F(TYPE a, TYPE b) { return MAKE(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x); }          \
    inline TYPE P##Cfma##F(TYPE a, TYPE b, TYPE c) { return P##Cadd##F(P##Cmul##F(a, b), c); }                     \
    inline REAL P##Cabs##F(TYPE a) { return std::hypot(a.x, a.y); }                                                \
    inline TYPE P##Cdiv##F(TYPE a, TYPE b) {                                                                       \
        const REAL s = std::fabs(b.x) + std::fabs(b.y), scale = REAL{1} / s;                                       \
        const REAL ar = a.x * scale, ai = a.y * scale, br = b.x * scale, bi = b.y * scale;                         \
        const REAL inverse = REAL{1} / (br * br + bi * bi);                                                        \
        return MAKE((ar * br + ai * bi) * inverse, (ai * br - ar * bi) * inverse);                                 \
    }
#if XPEMU_WARP == 64
XPEMU_COMPLEX_OF(hip, hipFloatComplex, float2, float, make_hipFloatComplex, f)
XPEMU_COMPLEX_OF(hip, hipDoubleComplex, double2, double, make_hipDoubleComplex, )
typedef hipFloatComplex hipComplex;
inline hipComplex make_hipComplex(float x, float y) { return make_hipFloatComplex(x, y); }
#else
XPEMU_COMPLEX_OF(cu, cuFloatComplex, float2, float, make_cuFloatComplex, f)
XPEMU_COMPLEX_OF(cu, cuDoubleComplex, double2, double, make_cuDoubleComplex, )
typedef cuFloatComplex cuComplex;
inline cuComplex make_cuComplex(float x, float y) { return make_cuFloatComplex(x, y); }
#endif
#undef XPEMU_COMPLEX_OF
