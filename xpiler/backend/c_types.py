"""How types, parameters and literals are spelled in generated C++."""

from __future__ import annotations

import math

from xpiler.ir.nodes import (
    Const,
    Param,
)
from xpiler.ir.types import BF16, BOOL, F16, F64, DType, Kind

VALUE_TYPES = {
    "bool": "bool",
    "i8": "int8_t",
    "i16": "int16_t",
    "i32": "int",
    "i64": "int64_t",
    "u8": "uint8_t",
    "u16": "uint16_t",
    "u32": "uint32_t",
    "u64": "uint64_t",
    "f16": "float",
    "bf16": "float",
    "f32": "float",
    "f64": "double",
}
STORAGE_TYPES = {**VALUE_TYPES, "f16": "half", "bf16": "bfloat16"}


def value_type(dtype: DType) -> str:
    return VALUE_TYPES[dtype.name]


def storage_type(dtype: DType) -> str:
    return STORAGE_TYPES[dtype.name]


def is_half_width(dtype: DType) -> bool:
    """Whether values are kept as float but rounded to 16 bits."""
    return dtype in (F16, BF16)


def parameter(param: Param, name: str) -> str:
    """Declaration of a kernel parameter in generated code."""
    if not param.is_pointer:
        return f"{storage_type(param.dtype)} {name}"
    const = "const " if param.is_const else ""
    restrict = " __restrict__ " if param.is_restrict else ""
    return f"{const}{storage_type(param.dtype)} *{restrict}{name}"


def literal(const: Const) -> str:
    """A typed C literal."""
    value, dtype = const.value, const.dtype
    if dtype == BOOL:
        return "true" if value else "false"
    if dtype.is_float:
        return float_literal(float(value), single=dtype != F64)
    number = int(value)
    if dtype.kind is Kind.UINT:
        return f"{number}{'ull' if dtype.bits == 64 else 'u' if dtype.bits == 32 else ''}"
    if number == -(1 << (dtype.bits - 1)) and dtype.bits >= 32:
        return f"({number + 1}{'ll' if dtype.bits == 64 else ''} - 1)"
    return f"{number}{'ll' if dtype.bits == 64 else ''}"


def float_literal(value: float, *, single: bool) -> str:
    """The shortest decimal that reads back as the same number."""
    suffix = "f" if single else ""
    if math.isnan(value):
        return "NAN" if single else "(double)NAN"
    if math.isinf(value):
        return f"{'-' if value < 0 else ''}{'INFINITY' if single else 'HUGE_VAL'}"
    text = repr(value)
    if single:
        for digits in range(1, 10):
            candidate = f"{value:.{digits}g}"
            if _as_single(float(candidate)) == value:
                text = candidate
                break
    if "." not in text and "e" not in text:
        text += ".0"
    return text.replace("e+0", "e").replace("e-0", "e-").replace("e+", "e") + suffix


def _as_single(value: float) -> float:
    import struct

    try:
        result: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.inf
    return result


def c_string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
