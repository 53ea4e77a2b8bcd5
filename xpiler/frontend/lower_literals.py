"""Literals, and the named constants of the C, CUDA and HIP headers."""

from __future__ import annotations

import math
import re

from tree_sitter import Node

from xpiler.frontend.lower_context import Context, constant, expression
from xpiler.frontend.lower_types import Pointer, Scalar
from xpiler.frontend.lower_values import ZERO, Address, Value
from xpiler.ir import build
from xpiler.ir.build import convert, int_limits, round_float
from xpiler.ir.types import BOOL, F16, F32, F64, I8, I32, I64, U8, U32, U64, DType

_FLT_MAX = 3.4028234663852886e38
_FLT_MIN = 1.1754943508222875e-38

CONSTANTS: dict[str, tuple[int | float, DType]] = {
    "INFINITY": (math.inf, F32), "HUGE_VALF": (math.inf, F32), "HUGE_VAL": (math.inf, F64),
    "NAN": (math.nan, F32),
    "CUDART_INF_F": (math.inf, F32), "CUDART_INF": (math.inf, F64), "CUDART_NAN_F": (math.nan, F32),
    "CUDART_NAN": (math.nan, F64), "HIP_INF_F": (math.inf, F32), "HIP_INF": (math.inf, F64),
    "CUDART_INF_FP16": (math.inf, F16), "CUDART_MAX_NORMAL_F": (_FLT_MAX, F32), "CUDART_PI_F": (math.pi, F32),
    "CUDART_PI": (math.pi, F64), "CUDART_LOG2E_F": (math.log2(math.e), F32),
    "CUDART_L2E_F": (math.log2(math.e), F32),
    "CUDART_SQRT_HALF_F": (math.sqrt(0.5), F32), "CUDART_SQRT_TWO_F": (math.sqrt(2), F32),
    "CUDART_TWOTHIRD": (2 / 3, F64), "CUDART_SQRT_TWO": (math.sqrt(2), F64),
    "FLT_MAX": (_FLT_MAX, F32), "FLT_MIN": (_FLT_MIN, F32), "FLT_EPSILON": (2.0**-23, F32),
    "DBL_MAX": (1.7976931348623157e308, F64), "DBL_MIN": (2.2250738585072014e-308, F64),
    "DBL_EPSILON": (2.0**-52, F64),
    "M_PI": (math.pi, F64), "M_PI_2": (math.pi / 2, F64), "M_PI_4": (math.pi / 4, F64),
    "M_1_PI": (1 / math.pi, F64),
    "M_2_PI": (2 / math.pi, F64), "M_2_SQRTPI": (2 / math.sqrt(math.pi), F64), "M_SQRT2": (math.sqrt(2), F64),
    "M_SQRT1_2": (math.sqrt(0.5), F64), "M_E": (math.e, F64), "M_LOG2E": (math.log2(math.e), F64),
    "M_LOG10E": (math.log10(math.e), F64), "M_LN2": (math.log(2), F64), "M_LN10": (math.log(10), F64),
    "INT_MAX": (int_limits(I32)[1], I32), "INT_MIN": (int_limits(I32)[0], I32),
    "UINT_MAX": (int_limits(U32)[1], U32),
    "LONG_MAX": (int_limits(I64)[1], I64), "LONG_MIN": (int_limits(I64)[0], I64),
    "ULONG_MAX": (int_limits(U64)[1], U64),
    "LLONG_MAX": (int_limits(I64)[1], I64), "LLONG_MIN": (int_limits(I64)[0], I64),
    "ULLONG_MAX": (int_limits(U64)[1], U64), "SIZE_MAX": (int_limits(U64)[1], U64), "SHRT_MAX": (32767, I32),
    "SHRT_MIN": (-32768, I32), "USHRT_MAX": (65535, I32), "CHAR_MAX": (127, I32), "CHAR_MIN": (-128, I32),
    "SCHAR_MAX": (127, I32), "SCHAR_MIN": (-128, I32), "UCHAR_MAX": (255, I32), "CHAR_BIT": (8, I32),
    "INT8_MAX": (127, I32), "INT8_MIN": (-128, I32), "UINT8_MAX": (255, I32), "INT16_MAX": (32767, I32),
    "INT16_MIN": (-32768, I32), "UINT16_MAX": (65535, I32), "INT32_MAX": (int_limits(I32)[1], I32),
    "INT32_MIN": (int_limits(I32)[0], I32), "UINT32_MAX": (int_limits(U32)[1], U32),
    "INT64_MAX": (int_limits(I64)[1], I64), "INT64_MIN": (int_limits(I64)[0], I64),
    "UINT64_MAX": (int_limits(U64)[1], U64),
    "memory_order_relaxed": (0, I32), "memory_order_consume": (1, I32), "memory_order_acquire": (2, I32),
    "memory_order_release": (3, I32), "memory_order_acq_rel": (4, I32), "memory_order_seq_cst": (5, I32),
    "__HIP_MEMORY_SCOPE_SINGLETHREAD": (1, I32), "__HIP_MEMORY_SCOPE_WAVEFRONT": (2, I32),
    "__HIP_MEMORY_SCOPE_WORKGROUP": (3, I32), "__HIP_MEMORY_SCOPE_AGENT": (4, I32),
    "__HIP_MEMORY_SCOPE_SYSTEM": (5, I32),
    "__ATOMIC_RELAXED": (0, I32), "__ATOMIC_CONSUME": (1, I32), "__ATOMIC_ACQUIRE": (2, I32),
    "__ATOMIC_RELEASE": (3, I32), "__ATOMIC_ACQ_REL": (4, I32), "__ATOMIC_SEQ_CST": (5, I32),
}  # fmt: skip

_INTEGER = re.compile(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)([uUlLzZ]*)$")
_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "\\": 92, "'": 39, '"': 34, "a": 7, "b": 8, "f": 12, "v": 11}


def parse_number(text: str) -> tuple[int | float, DType] | None:
    """Value and type of a C number, `0x1fu`, `1e-5f`, `1'000LL`; None if it is none. The grammar takes a sign
    before it for a part of it: it is an operator, which leaves the number its type."""
    text = text.replace("'", "")
    if text[:1] in ("-", "+"):
        unsigned = parse_number(text[1:].lstrip())
        if unsigned is None or text[0] == "+":
            return unsigned
        return convert(-unsigned[0], unsigned[1]), unsigned[1]
    integer = _INTEGER.match(text)
    if integer:
        digits, suffix = integer[1], integer[2].lower()
        base = (
            16
            if digits[:2] in ("0x", "0X")
            else 2
            if digits[:2] in ("0b", "0B")
            else 8
            if digits[0] == "0"
            else 10
        )
        try:
            value = int(digits[2:] if base in (2, 16) else digits, base)
        except ValueError:
            return None
        return value, _integer_type(value, suffix, base)
    dtype = F64
    lowered = text.lower()
    if not lowered.startswith("0x") or "p" in lowered:
        if lowered.endswith("f16"):
            dtype, text = F16, text[:-3]
        elif lowered.endswith("f"):
            dtype, text = F32, text[:-1]
        elif lowered.endswith("l"):
            text = text[:-1]
    try:
        number = float.fromhex(text) if lowered.startswith("0x") else float(text)
    except ValueError:
        return None
    return round_float(number, dtype), dtype


def _integer_type(value: int, suffix: str, base: int) -> DType:
    unsigned, long = "u" in suffix, "l" in suffix or "z" in suffix
    candidates: list[DType] = []
    if not long:
        candidates = [U32] if unsigned else [I32, U32] if base != 10 else [I32]
    candidates += [U64] if unsigned else [I64, U64]
    for dtype in candidates:
        if value <= int_limits(dtype)[1]:
            return dtype
    return U64


@expression("number_literal")
def _number(ctx: Context, node: Node) -> Value:
    parsed = parse_number(ctx.text(node))
    if parsed is None:
        ctx.refuse("literal", f"`{ctx.text(node)}` is not a number that is supported", node)
    return constant(*parsed)


@expression("char_literal")
def _char(ctx: Context, node: Node) -> Value:
    text = ctx.text(node)
    text = text[text.index("'") + 1 : -1]
    if len(text) == 1:
        return constant(ord(text), I8)
    if text.startswith("\\x"):
        return constant(int(text[2:], 16), I8)
    if len(text) == 2 and text[1] in _ESCAPES:
        return constant(_ESCAPES[text[1]], I8)
    ctx.refuse("literal", f"character `{text}` is not supported", node)


@expression("string_literal", "concatenated_string", "raw_string_literal")
def _string(ctx: Context, node: Node) -> Value:
    """Strings only go to printf and the like, which look at their text; none is null."""
    return Address(Pointer(Scalar(I8), True), None, ZERO, 1, null_if=build.const(False, BOOL))


@expression("true", "false")
def _boolean(ctx: Context, node: Node) -> Value:
    return constant(node.type == "true", BOOL)


@expression("null", "nullptr")
def _null(ctx: Context, node: Node) -> Value:
    return Address(Pointer(Scalar(U8)), None, ZERO, 1)


def named_constant(name: str) -> Value | None:
    """`FLT_MAX`, `INFINITY` and the like; `stderr`, which only goes where nothing is computed."""
    if name in ("stdout", "stderr"):
        return Address(Pointer(Scalar(U8)), None, ZERO, 1)
    found = CONSTANTS.get(name)
    return None if found is None else constant(*found)
