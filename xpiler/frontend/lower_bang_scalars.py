"""Scalar functions of BANG C: conversions that name their rounding, and the vendor's mathematics.

`__float2int_rd` is not CUDA's of the same name: `rd` is to nearest with ties away from zero, `dn` is down.
"""

from __future__ import annotations

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import number
from xpiler.frontend.lower_registry import METHODS, BuiltinHandler
from xpiler.frontend.lower_values import Value
from xpiler.ir import build
from xpiler.ir.nodes import Call
from xpiler.ir.types import BF16, F16, F32, I8, I16, I32, DType
from xpiler.platforms.bang_convert import converted

_INTEGERS = {"int": I32, "int32": I32, "int16": I16, "short": I16, "int8": I8, "char": I8}
_FLOATS = {"float": F32, "half": F16, "bfloat16": BF16}
_MODES = ("", "tz", "oz", "up", "dn", "rd", "rn", "rm")


def _conversion(target: DType, mode: str) -> BuiltinHandler:
    def handler(call: Invocation) -> Value:
        return number(converted(call.number(0), target, mode))

    return handler


def _function(name: str, dtype: DType) -> BuiltinHandler:
    def handler(call: Invocation) -> Value:
        wide = Call(F32, name, (call.number_as(0, F32),))
        return number(build.cast(wide, dtype))

    return handler


def _register() -> None:
    for mode in _MODES:
        suffix = f"_{mode}" if mode else ""
        for one, source in _FLOATS.items():
            for other, target in (*_INTEGERS.items(), *_FLOATS.items()):
                if one != other:
                    METHODS["bang", f"__{one}2{other}{suffix}"] = _conversion(target, mode)
            for other in _INTEGERS:
                METHODS["bang", f"__{other}2{one}{suffix}"] = _conversion(source, mode)
    for name in ("sin", "cos"):
        METHODS["bang", f"__cn_scalar_{name}_f32"] = _function(name, F32)
        METHODS["bang", f"__cn_scalar_{name}_f16"] = _function(name, F16)


_register()
