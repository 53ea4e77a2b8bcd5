"""Definitions for 16-bit floats that a translated file carries itself (see `hip_helpers`)."""

from __future__ import annotations

from xpiler.backend.hip_helper import Helper

_HD = "static __host__ __device__ inline"
_D = "static __device__ inline"


def _bf16_unary(name: str, expression: str) -> Helper:
    return Helper(f"{_D} hip_bf16 {name}(hip_bf16 x) {{ return hip_bf16({expression}); }}", ("hip_bf16",))


def _bf16_binary(name: str, expression: str, result: str = "hip_bf16") -> Helper:
    text = f"{_D} {result} {name}(hip_bf16 a, hip_bf16 b) {{ return {result}({expression}); }}"
    return Helper(text, ("hip_bf16",))


def _bf162_binary(name: str, scalar: str) -> Helper:
    text = (
        f"{_D} hip_bf162 {name}(hip_bf162 a, hip_bf162 b) {{\n"
        f"    return hip_bf162({scalar.format('a.x', 'b.x')}, {scalar.format('a.y', 'b.y')});\n}}"
    )
    return Helper(text, ("hip_bf162",))


def _conversion(signature: str, expression: str, needs: str = "hip_bf16") -> Helper:
    return Helper(f"{_HD} {signature} {{ return {expression}; }}", (needs,))


HALF_HELPERS: dict[str, Helper] = {
    "half_max": Helper(
        f"""// The larger of two halves; the number if one is NaN.
{_D} __half half_max(__half a, __half b) {{
    return __half2float(a) >= __half2float(b) || __hisnan(b) ? a : b;
}}"""
    ),
    "half_min": Helper(
        f"""// The smaller of two halves; the number if one is NaN.
{_D} __half half_min(__half a, __half b) {{
    return __half2float(a) <= __half2float(b) || __hisnan(b) ? a : b;
}}"""
    ),
    "half_max_nan": Helper(
        f"{_D} __half half_max_nan(__half a, __half b) {{\n"
        "    return __hisnan(a) || __half2float(a) >= __half2float(b) ? a : b;\n}"
    ),
    "half_min_nan": Helper(
        f"{_D} __half half_min_nan(__half a, __half b) {{\n"
        "    return __hisnan(a) || __half2float(a) <= __half2float(b) ? a : b;\n}"
    ),
    "half2_max": Helper(
        f"""{_D} __half2 half2_max(__half2 a, __half2 b) {{
    return __halves2half2(half_max(__low2half(a), __low2half(b)), half_max(__high2half(a), __high2half(b)));
}}""",
        ("half_max",),
    ),
    "half2_min": Helper(
        f"""{_D} __half2 half2_min(__half2 a, __half2 b) {{
    return __halves2half2(half_min(__low2half(a), __low2half(b)), half_min(__high2half(a), __high2half(b)));
}}""",
        ("half_min",),
    ),
    "half_fma_relu": Helper(
        f"""{_D} __half half_fma_relu(__half a, __half b, __half c) {{
    return half_max(__hfma(a, b, c), __float2half(0.0f));
}}""",
        ("half_max",),
    ),
    "half2_fma_relu": Helper(
        f"""{_D} __half2 half2_fma_relu(__half2 a, __half2 b, __half2 c) {{
    return half2_max(__hfma2(a, b, c), __float2half2_rn(0.0f));
}}""",
        ("half2_max",),
    ),
    "half2_parts": Helper(
        """// x and y of a half2 as halves (ROCm 5.2 declares them as integers); of anything else as they are.
#define HALF2_PART(part)                                                                            \\
    template <typename T>                                                                           \\
    static __host__ __device__ inline auto half2_##part(T&& v) -> decltype((v.part)) {              \\
        return v.part;                                                                              \\
    }                                                                                               \\
    static __host__ __device__ inline __half& half2_##part(__half2& v) {                            \\
        return reinterpret_cast<__half&>(v.part);                                                   \\
    }                                                                                               \\
    static __host__ __device__ inline __half half2_##part(const __half2& v) {                       \\
        return reinterpret_cast<const __half&>(v.part);                                             \\
    }                                                                                               \\
    static __host__ __device__ inline __half half2_##part(__half2&& v) {                            \\
        return reinterpret_cast<const __half&>(v.part);                                             \\
    }
HALF2_PART(x)
HALF2_PART(y)
#undef HALF2_PART"""
    ),
    "half_from_double": Helper(f"{_HD} __half half_from_double(double x) {{ return __half((_Float16)x); }}"),
    "half_tanh": Helper(
        f"{_D} __half half_tanh(__half x) {{ return __float2half(tanhf(__half2float(x))); }}"
    ),
    "half2_tanh": Helper(
        f"""{_D} __half2 half2_tanh(__half2 x) {{
    return __halves2half2(half_tanh(__low2half(x)), half_tanh(__high2half(x)));
}}""",
        ("half_tanh",),
    ),
    "hip_atomic_add": Helper(
        f"""// atomicAdd for every type that CUDA has it for; 16-bit floats by compare and swap.
template <typename T> struct hip_same {{ using type = T; }};
template <typename T>
{_D} T hip_atomic_add(T* address, typename hip_same<T>::type value) {{
    return atomicAdd(address, value);
}}
template <typename Bits, typename T>
{_D} T hip_atomic_add_by_swap(T* address, T value) {{
    static_assert(sizeof(Bits) == sizeof(T), "the bits of the value");
    Bits seen = *(volatile Bits*)address, next;
    T old, sum;
    do {{
        __builtin_memcpy(&old, &seen, sizeof(T));
        sum = old + value;
        __builtin_memcpy(&next, &sum, sizeof(T));
    }} while (!__atomic_compare_exchange_n((Bits*)address, &seen, next, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return old;
}}"""
    ),
    "hip_atomic_add_half": Helper(
        f"""{_D} __half hip_atomic_add(__half* address, __half value) {{
    return hip_atomic_add_by_swap<unsigned short>(address, value);
}}
{_D} __half2 hip_atomic_add(__half2* address, __half2 value) {{
    return hip_atomic_add_by_swap<unsigned>(address, value);
}}""",
        ("hip_atomic_add",),
    ),
    "hip_bf16": Helper(
        """// bfloat16: the upper half of a float. Operations are done in float and rounded to nearest even.
struct hip_bf16 {
    unsigned short bits;
    hip_bf16() = default;
    __host__ __device__ hip_bf16(float value) {
        unsigned word;
        __builtin_memcpy(&word, &value, sizeof(word));
        if ((word & 0x7fffffffu) > 0x7f800000u) {
            bits = 0x7fff;
        } else {
            bits = (unsigned short)((word + 0x7fffu + (word >> 16 & 1u)) >> 16);
        }
    }
    __host__ __device__ operator float() const {
        const unsigned word = (unsigned)bits << 16;
        float value;
        __builtin_memcpy(&value, &word, sizeof(value));
        return value;
    }
    __host__ __device__ hip_bf16& operator+=(hip_bf16 b) { return *this = hip_bf16((float)*this + (float)b); }
    __host__ __device__ hip_bf16& operator-=(hip_bf16 b) { return *this = hip_bf16((float)*this - (float)b); }
    __host__ __device__ hip_bf16& operator*=(hip_bf16 b) { return *this = hip_bf16((float)*this * (float)b); }
    __host__ __device__ hip_bf16& operator/=(hip_bf16 b) { return *this = hip_bf16((float)*this / (float)b); }
};
static __host__ __device__ inline hip_bf16 operator+(hip_bf16 a, hip_bf16 b) { return a += b; }
static __host__ __device__ inline hip_bf16 operator-(hip_bf16 a, hip_bf16 b) { return a -= b; }
static __host__ __device__ inline hip_bf16 operator*(hip_bf16 a, hip_bf16 b) { return a *= b; }
static __host__ __device__ inline hip_bf16 operator/(hip_bf16 a, hip_bf16 b) { return a /= b; }
static __host__ __device__ inline hip_bf16 operator-(hip_bf16 a) { return hip_bf16(-(float)a); }"""
    ),
    "hip_bf162": Helper(
        """struct alignas(4) hip_bf162 {
    hip_bf16 x, y;
    hip_bf162() = default;
    __host__ __device__ hip_bf162(hip_bf16 low, hip_bf16 high) : x(low), y(high) {}
};
static __host__ __device__ inline hip_bf162 operator+(hip_bf162 a, hip_bf162 b) {
    return hip_bf162(a.x + b.x, a.y + b.y);
}
static __host__ __device__ inline hip_bf162 operator-(hip_bf162 a, hip_bf162 b) {
    return hip_bf162(a.x - b.x, a.y - b.y);
}
static __host__ __device__ inline hip_bf162 operator*(hip_bf162 a, hip_bf162 b) {
    return hip_bf162(a.x * b.x, a.y * b.y);
}""",
        ("hip_bf16",),
    ),
    "hip_atomic_add_bf16": Helper(
        f"""{_D} hip_bf16 hip_atomic_add(hip_bf16* address, hip_bf16 value) {{
    return hip_atomic_add_by_swap<unsigned short>(address, value);
}}
{_D} hip_bf162 hip_atomic_add(hip_bf162* address, hip_bf162 value) {{
    return hip_atomic_add_by_swap<unsigned>(address, value);
}}""",
        ("hip_atomic_add", "hip_bf162"),
    ),
    "hip_float2bf16": _conversion("hip_bf16 hip_float2bf16(float x)", "hip_bf16(x)"),
    "hip_float2bf16_rn": _conversion("hip_bf16 hip_float2bf16_rn(float x)", "hip_bf16(x)"),
    "hip_double2bf16": _conversion("hip_bf16 hip_double2bf16(double x)", "hip_bf16((float)x)"),
    "hip_int2bf16_rn": _conversion("hip_bf16 hip_int2bf16_rn(int x)", "hip_bf16((float)x)"),
    "hip_bf162float": _conversion("float hip_bf162float(hip_bf16 x)", "(float)x"),
    "hip_bf162int_rz": _conversion("int hip_bf162int_rz(hip_bf16 x)", "(int)(float)x"),
    "hip_bf16_as_ushort": _conversion("unsigned short hip_bf16_as_ushort(hip_bf16 x)", "x.bits"),
    "hip_bf16_as_short": _conversion("short hip_bf16_as_short(hip_bf16 x)", "(short)x.bits"),
    "hip_ushort_as_bf16": Helper(
        f"{_HD} hip_bf16 hip_ushort_as_bf16(unsigned short bits) {{\n"
        "    hip_bf16 x;\n    x.bits = bits;\n    return x;\n}",
        ("hip_bf16",),
    ),
    "hip_bf162bf162": _conversion("hip_bf162 hip_bf162bf162(hip_bf16 x)", "hip_bf162(x, x)", "hip_bf162"),
    "hip_float2bf162_rn": _conversion(
        "hip_bf162 hip_float2bf162_rn(float x)", "hip_bf162(x, x)", "hip_bf162"
    ),
    "hip_floats2bf162_rn": _conversion(
        "hip_bf162 hip_floats2bf162_rn(float x, float y)", "hip_bf162(x, y)", "hip_bf162"
    ),
    "hip_float22bf162_rn": _conversion(
        "hip_bf162 hip_float22bf162_rn(float2 v)", "hip_bf162(v.x, v.y)", "hip_bf162"
    ),
    "hip_bf1622float2": _conversion(
        "float2 hip_bf1622float2(hip_bf162 v)", "make_float2(v.x, v.y)", "hip_bf162"
    ),
    "hip_halves2bf162": _conversion(
        "hip_bf162 hip_halves2bf162(hip_bf16 x, hip_bf16 y)", "hip_bf162(x, y)", "hip_bf162"
    ),
    "hip_make_bf162": _conversion(
        "hip_bf162 hip_make_bf162(hip_bf16 x, hip_bf16 y)", "hip_bf162(x, y)", "hip_bf162"
    ),
    "hip_low2bf16": _conversion("hip_bf16 hip_low2bf16(hip_bf162 v)", "v.x", "hip_bf162"),
    "hip_high2bf16": _conversion("hip_bf16 hip_high2bf16(hip_bf162 v)", "v.y", "hip_bf162"),
    "hip_low2bf162": _conversion("hip_bf162 hip_low2bf162(hip_bf162 v)", "hip_bf162(v.x, v.x)", "hip_bf162"),
    "hip_high2bf162": _conversion(
        "hip_bf162 hip_high2bf162(hip_bf162 v)", "hip_bf162(v.y, v.y)", "hip_bf162"
    ),
    "__low2float_bf16": _conversion("float __low2float(hip_bf162 v)", "(float)v.x", "hip_bf162"),
    "__high2float_bf16": _conversion("float __high2float(hip_bf162 v)", "(float)v.y", "hip_bf162"),
    "__hadd_bf16": _bf16_binary("__hadd", "(float)a + (float)b"),
    "__hsub_bf16": _bf16_binary("__hsub", "(float)a - (float)b"),
    "__hmul_bf16": _bf16_binary("__hmul", "(float)a * (float)b"),
    "__hdiv_bf16": _bf16_binary("__hdiv", "(float)a / (float)b"),
    "__hfma_bf16": Helper(
        f"{_D} hip_bf16 __hfma(hip_bf16 a, hip_bf16 b, hip_bf16 c) {{ return hip_bf16(fmaf(a, b, c)); }}",
        ("hip_bf16",),
    ),
    "__hneg_bf16": _bf16_unary("__hneg", "-(float)x"),
    "__habs_bf16": _bf16_unary("__habs", "fabsf(x)"),
    "half_max_bf16": _bf16_binary("half_max", "fmaxf(a, b)"),
    "half_min_bf16": _bf16_binary("half_min", "fminf(a, b)"),
    "__hgt_bf16": _bf16_binary("__hgt", "(float)a > (float)b", "bool"),
    "__hge_bf16": _bf16_binary("__hge", "(float)a >= (float)b", "bool"),
    "__hlt_bf16": _bf16_binary("__hlt", "(float)a < (float)b", "bool"),
    "__hle_bf16": _bf16_binary("__hle", "(float)a <= (float)b", "bool"),
    "__heq_bf16": _bf16_binary("__heq", "(float)a == (float)b", "bool"),
    "__hne_bf16": _bf16_binary("__hne", "(float)a != (float)b", "bool"),
    "__hisnan_bf16": Helper(f"{_D} bool __hisnan(hip_bf16 x) {{ return isnan((float)x); }}", ("hip_bf16",)),
    "hexp_bf16": _bf16_unary("hexp", "expf(x)"),
    "hlog_bf16": _bf16_unary("hlog", "logf(x)"),
    "hsqrt_bf16": _bf16_unary("hsqrt", "sqrtf(x)"),
    "hrsqrt_bf16": _bf16_unary("hrsqrt", "rsqrtf(x)"),
    "hrcp_bf16": _bf16_unary("hrcp", "1.0f / (float)x"),
    "half_tanh_bf16": _bf16_unary("half_tanh", "tanhf(x)"),
    "__hadd2_bf16": _bf162_binary("__hadd2", "{0} + {1}"),
    "__hsub2_bf16": _bf162_binary("__hsub2", "{0} - {1}"),
    "__hmul2_bf16": _bf162_binary("__hmul2", "{0} * {1}"),
    "__hfma2_bf16": Helper(
        f"""{_D} hip_bf162 __hfma2(hip_bf162 a, hip_bf162 b, hip_bf162 c) {{
    return hip_bf162(hip_bf16(fmaf(a.x, b.x, c.x)), hip_bf16(fmaf(a.y, b.y, c.y)));
}}""",
        ("hip_bf162",),
    ),
    "half2_max_bf16": _bf162_binary("half2_max", "hip_bf16(fmaxf({0}, {1}))"),
    "half2_min_bf16": _bf162_binary("half2_min", "hip_bf16(fminf({0}, {1}))"),
}
"""Helper -> definition. `NAME_bf16` overloads NAME for bfloat16 and is added where a file uses both."""
