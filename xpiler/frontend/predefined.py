"""Macros that a text finds defined: the compiler's own, and constants of system headers."""

from __future__ import annotations

from itertools import product

from xpiler.frontend.predefined_bang import BANG
from xpiler.platforms.registry import PLATFORMS

# What a compiler for an NVIDIA GPU of compute capability 8.0 defines while it compiles device code. The
# device side is taken because kernels are what is translated; host functions seldom ask.
_CUDA = {
    "__CUDACC__": "1",
    "__NVCC__": "1",
    "__CUDA_ARCH__": "800",
    "__CUDACC_VER_MAJOR__": "12",
    "__CUDACC_VER_MINOR__": "4",
    "CUDA_VERSION": "12040",
    "CUDART_VERSION": "12040",
}
_INDICES = {"ThreadIdx": "threadIdx", "BlockIdx": "blockIdx", "BlockDim": "blockDim", "GridDim": "gridDim"}
_HIP = {
    "__HIP__": "1",
    "__HIPCC__": "1",
    "__HIP_PLATFORM_AMD__": "1",
    "__HIP_PLATFORM_HCC__": "1",
    "__HIP_DEVICE_COMPILE__": "1",
    "__HIP_ARCH__": "908",
    "__gfx90a__": "1",
    "HIP_VERSION": "50221153",
    "HIP_VERSION_MAJOR": "5",
    "HIP_VERSION_MINOR": "2",
    "__AMDGCN__": "1",
    "__AMDGCN_WAVEFRONT_SIZE": "64",
    "__AMDGCN_WAVEFRONT_SIZE__": "64",
    "HIP_DYNAMIC_SHARED(type, name)": "extern __shared__ type name[];",
    "HIP_KERNEL_NAME(...)": "__VA_ARGS__",
    "HIP_SYMBOL(name)": "name",
    **{f"hip{dim}_{axis}": f"{name}.{axis}" for dim, name in _INDICES.items() for axis in "xyz"},
}
_COMMON = {
    "__cplusplus": "201703L",
    "__STDC__": "1",
    "__STDC_HOSTED__": "1",
    "__GNUC__": "12",
    "__GNUC_MINOR__": "2",
    "__linux__": "1",
    "__x86_64__": "1",
    "__LP64__": "1",
    "__SIZEOF_POINTER__": "8",
    "__CHAR_BIT__": "8",
}

# Values of <climits>, <cfloat>, <cmath>, <cstdint> and <math_constants.h>, on every platform here. Decimal
# floating literals are written so that they read back to the exact value.
_CONSTANTS = {
    "CHAR_BIT": "8",
    "SCHAR_MAX": "127",
    "SCHAR_MIN": "(-127 - 1)",
    "UCHAR_MAX": "255",
    "CHAR_MAX": "127",
    "CHAR_MIN": "(-127 - 1)",
    "SHRT_MAX": "32767",
    "SHRT_MIN": "(-32767 - 1)",
    "USHRT_MAX": "65535",
    "INT_MAX": "2147483647",
    "INT_MIN": "(-2147483647 - 1)",
    "UINT_MAX": "4294967295U",
    "LONG_MAX": "9223372036854775807L",
    "LONG_MIN": "(-9223372036854775807L - 1L)",
    "ULONG_MAX": "18446744073709551615UL",
    "LLONG_MAX": "9223372036854775807LL",
    "LLONG_MIN": "(-9223372036854775807LL - 1LL)",
    "ULLONG_MAX": "18446744073709551615ULL",
    "SIZE_MAX": "18446744073709551615UL",
    "INT8_MAX": "127",
    "INT8_MIN": "(-127 - 1)",
    "UINT8_MAX": "255",
    "INT16_MAX": "32767",
    "INT16_MIN": "(-32767 - 1)",
    "UINT16_MAX": "65535",
    "INT32_MAX": "2147483647",
    "INT32_MIN": "(-2147483647 - 1)",
    "UINT32_MAX": "4294967295U",
    "INT64_MAX": "9223372036854775807L",
    "INT64_MIN": "(-9223372036854775807L - 1L)",
    "UINT64_MAX": "18446744073709551615UL",
    **{f"INT{bits}_C(number)": "number" for bits in (8, 16, 32)},
    **{f"UINT{bits}_C(number)": "number" for bits in (8, 16)},
    "UINT32_C(number)": "number##U",
    "INT64_C(number)": "number##L",
    "UINT64_C(number)": "number##UL",
    "FLT_MAX": "3.40282346638528859812e+38F",
    "FLT_MIN": "1.17549435082228750797e-38F",
    "FLT_TRUE_MIN": "1.40129846432481707092e-45F",
    "FLT_EPSILON": "1.19209289550781250000e-7F",
    "FLT_DIG": "6",
    "FLT_MANT_DIG": "24",
    "DBL_MAX": "1.79769313486231570815e+308",
    "DBL_MIN": "2.22507385850720138309e-308",
    "DBL_EPSILON": "2.22044604925031308085e-16",
    "DBL_DIG": "15",
    "DBL_MANT_DIG": "53",
    "M_E": "2.7182818284590452354",
    "M_LOG2E": "1.4426950408889634074",
    "M_LOG10E": "0.43429448190325182765",
    "M_LN2": "0.69314718055994530942",
    "M_LN10": "2.30258509299404568402",
    "M_PI": "3.14159265358979323846",
    "M_PI_2": "1.57079632679489661923",
    "M_PI_4": "0.78539816339744830962",
    "M_1_PI": "0.31830988618379067154",
    "M_2_PI": "0.63661977236758134308",
    "M_2_SQRTPI": "1.12837916709551257390",
    "M_SQRT2": "1.41421356237309504880",
    "M_SQRT1_2": "0.70710678118654752440",
    "INFINITY": "__builtin_inff()",
    "HUGE_VALF": "__builtin_inff()",
    "HUGE_VAL": "__builtin_inf()",
    "NAN": '__builtin_nanf("")',
    "CUDART_INF_F": "__builtin_inff()",
    "CUDART_NAN_F": '__builtin_nanf("")',
    "CUDART_MIN_DENORM_F": "1.40129846432481707092e-45F",
    "CUDART_MAX_NORMAL_F": "3.40282346638528859812e+38F",
    "CUDART_NEG_ZERO_F": "(-0.0f)",
    "CUDART_ZERO_F": "0.0f",
    "CUDART_ONE_F": "1.0f",
    "CUDART_SQRT_HALF_F": "0.707106781f",
    "CUDART_SQRT_TWO_F": "1.414213562f",
    "CUDART_THIRD_F": "0.333333333f",
    "CUDART_PIO4_F": "0.785398163f",
    "CUDART_PIO2_F": "1.570796327f",
    "CUDART_3PIO4_F": "2.356194490f",
    "CUDART_2_OVER_PI_F": "0.636619772f",
    "CUDART_SQRT_2_OVER_PI_F": "0.797884561f",
    "CUDART_PI_F": "3.141592654f",
    "CUDART_L2E_F": "1.442695041f",
    "CUDART_L2T_F": "3.321928094f",
    "CUDART_LG2_F": "0.301029996f",
    "CUDART_LGE_F": "0.434294482f",
    "CUDART_LN2_F": "0.693147181f",
    "CUDART_LNT_F": "2.302585093f",
    "CUDART_LNPI_F": "1.144729886f",
    "CUDART_TWO_TO_M126_F": "1.175494351e-38f",
    "CUDART_TWO_TO_126_F": "8.507059173e37f",
    "CUDART_NORM_HUGE_F": "3.402823466e38f",
    "CUDART_TWO_TO_23_F": "8388608.0f",
    "CUDART_TWO_TO_24_F": "16777216.0f",
    "CUDART_TWO_TO_31_F": "2147483648.0f",
    "CUDART_TWO_TO_32_F": "4294967296.0f",
    "CUDART_INF": "__builtin_inf()",
    "CUDART_NAN": '__builtin_nan("")',
    "CUDART_PI": "3.1415926535897931e+0",
    "CUDART_PIO2": "1.5707963267948966e+0",
    "CUDART_PIO4": "7.8539816339744828e-1",
    "CUDART_ZERO": "0.0",
    "CUDART_NEG_ZERO": "(-0.0)",
    "CUDART_ONE": "1.0",
    "CUDART_THIRD": "3.3333333333333333e-1",
    "CUDART_TWOTHIRD": "6.6666666666666667e-1",
    "CUDART_3PIO4": "2.3561944901923448e+0",
    "CUDART_2_OVER_PI": "6.3661977236758138e-1",
    "CUDART_SQRT_2PI": "2.5066282746310007e+0",
    "CUDART_SQRT_2OPI": "7.9788456080286536e-1",
    "CUDART_L2T": "3.3219280948873622e+0",
    "CUDART_LG2": "3.0102999566398120e-1",
    "CUDART_LGE": "4.3429448190325182e-1",
    "CUDART_LNT": "2.3025850929940459e+0",
    "CUDART_LNPI": "1.1447298858494002e+0",
    "CUDART_LN2": "6.9314718055994529e-1",
    "CUDART_L2E": "1.4426950408889634e+0",
    "CUDART_SQRT_TWO": "1.4142135623730951e+0",
    "CUDART_SQRT_HALF": "7.0710678118654757e-1",
    "EXIT_SUCCESS": "0",
    "EXIT_FAILURE": "1",
}


# Decorations and pragmas that the headers of widely used libraries define; without them a text that uses
# such a header would not parse. They stand for what the library makes of them in device code.
_LIBRARIES = {
    "CUTLASS_DEVICE": "__forceinline__ __device__",
    "CUTLASS_HOST_DEVICE": "__forceinline__ __device__ __host__",
    "CUTLASS_HOST": "__host__",
    "CUTLASS_GLOBAL": "__global__ static",
    "CUTLASS_PRAGMA_UNROLL": '_Pragma("unroll")',
    "CUTLASS_PRAGMA_NO_UNROLL": '_Pragma("unroll 1")',
    "CUTLASS_GRID_CONSTANT": "__grid_constant__",
    "CUTE_DEVICE": "__forceinline__ __device__",
    "CUTE_HOST_DEVICE": "__forceinline__ __host__ __device__",
    "CUTE_HOST": "__forceinline__ __host__",
    "CUTE_UNROLL": '_Pragma("unroll")',
    "CUTE_NO_UNROLL": '_Pragma("unroll 1")',
    "CUTE_GRID_CONSTANT": "__grid_constant__",
    "CUB_RUNTIME_FUNCTION": "__host__",
    "C10_DEVICE": "__device__",
    "C10_HOST": "__host__",
    "C10_HOST_DEVICE": "__host__ __device__",
    "C10_LAUNCH_BOUNDS_0": "__launch_bounds__(256, 4)",
    "C10_LAUNCH_BOUNDS_1(n)": "__launch_bounds__(n)",
    "C10_LAUNCH_BOUNDS_2(n, m)": "__launch_bounds__(n, m)",
    "C10_RESTRICT": "__restrict__",
    "GPU_LAMBDA": "__host__ __device__",
    "AT_DEVICE": "__device__",
    "AT_HOST_DEVICE": "__host__ __device__",
    "TORCH_API": "",
    "EIGEN_DEVICE_FUNC": "__host__ __device__",
    "EIGEN_STRONG_INLINE": "__forceinline__",
    "__HOST_DEVICE__": "__host__ __device__",
}


_PREDICATES = (
    "EQ_OQ LT_OS LE_OS UNORD_Q NEQ_UQ NLT_US NLE_US ORD_Q "
    "EQ_UQ NGE_US NGT_US FALSE_OQ NEQ_OQ GE_OS GT_OS TRUE_UQ "
    "EQ_OS LT_OQ LE_OQ UNORD_S NEQ_US NLT_UQ NLE_UQ ORD_S "
    "EQ_US NGE_UQ NGT_UQ FALSE_OS NEQ_OS GE_OQ GT_OQ TRUE_US"
).split()
# What <immintrin.h> defines beside functions and types.
_AVX512 = {
    **{f"_CMP_{name}": str(number) for number, name in enumerate(_PREDICATES)},
    **{f"_MM_CMPINT_{name}": str(number) for number, name in enumerate("EQ LT LE UNUSED NE NLT NLE".split())},
    "_MM_CMPINT_GE": "5",
    "_MM_CMPINT_GT": "6",
    "_MM_SHUFFLE(z, y, x, w)": "(((z) << 6) | ((y) << 4) | ((x) << 2) | (w))",
    "_MM_FROUND_TO_NEAREST_INT": "0",
    "_MM_FROUND_TO_NEG_INF": "1",
    **{f"_MM_MANT_NORM_{name}": str(n) for n, name in enumerate(("1_2", "p5_2", "p5_1", "p75_1p5"))},
    **{f"_MM_MANT_SIGN_{name}": str(n) for n, name in enumerate(("src", "zero", "nan"))},
    "_MM_FROUND_TO_POS_INF": "2",
    "_MM_FROUND_TO_ZERO": "3",
    "_MM_FROUND_CUR_DIRECTION": "4",
    "_MM_FROUND_RAISE_EXC": "0",
    "_MM_FROUND_NO_EXC": "8",
    "_MM_FROUND_NINT": "0",
    "_MM_FROUND_FLOOR": "1",
    "_MM_FROUND_CEIL": "2",
    "_MM_FROUND_TRUNC": "3",
    "_MM_FROUND_RINT": "4",
    "_MM_FROUND_NEARBYINT": "12",
    "_MM_HINT_T0": "3",
    "_MM_HINT_T1": "2",
    "_MM_HINT_T2": "1",
    "_MM_HINT_NTA": "0",
    "_MM_HINT_ET0": "7",
    "_MM_HINT_ET1": "6",
    "_MM_HINT_ET2": "5",
    "_MM_PERM_ENUM": "int",
    "_MM_CMPINT_ENUM": "int",
    **{
        f"_MM_PERM_{''.join(letters)}": str(
            sum("ABCD".index(c) << 2 * (3 - i) for i, c in enumerate(letters))
        )
        for letters in product("ABCD", repeat=4)
    },
    **{
        f"__{name}__": "1"
        for name in "SSE2 SSE4_1 AVX AVX2 FMA F16C AVX512F AVX512BW AVX512VL AVX512DQ AVX512CD AVX512VNNI "
        "AVX512BF16 AVX512VBMI".split()
    },
}


def predefined(platform: str) -> dict[str, str]:
    """Name -> replacement of all macros defined before the first line of a text for a platform."""
    if PLATFORMS[platform].model == "serial":
        return {**_COMMON, **_AVX512, **_CONSTANTS}
    own = {"hip": _HIP, "bang": BANG}.get(platform, _CUDA)
    return {**_COMMON, **own, **_CONSTANTS, **_LIBRARIES}
