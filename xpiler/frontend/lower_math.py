"""Math functions and scalar intrinsics, by table: C's <math.h> in float and double form, CUDA's integer
intrinsics."""

from __future__ import annotations

import math
from functools import partial

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context, constant, number
from xpiler.frontend.lower_memory import load, store
from xpiler.frontend.lower_registry import BUILTINS, builtin
from xpiler.frontend.lower_types import Scalar
from xpiler.frontend.lower_values import VOID_VALUE, Value
from xpiler.ir import build
from xpiler.ir.functions import FLOAT_BINARY, FLOAT_PREDICATES, FLOAT_UNARY
from xpiler.ir.nodes import Binary, Call, Cast, Const, Expr
from xpiler.ir.types import BOOL, F32, F64, I32, I64, U8, U16, U32, U64, DType, common_type

# C names whose neutral name differs.
_RENAMED = {"fabs": "abs", "fmin": "min", "fmax": "max", "nearbyint": "rint", "rcbrt": "rcbrt"}
_UNARY = (FLOAT_UNARY - {"abs", "rcp", "saturate"}) | {"fabs", "nearbyint"}
_BINARY = (FLOAT_BINARY - {"min", "max", "ldexp"}) | {"fmin", "fmax"}


def _float_of(dtype: DType) -> DType:
    return dtype if dtype.is_float else F64


def _unary(function: str, dtype: DType | None) -> None:
    name = function if dtype is None or dtype is F64 else f"{function}f"

    def handler(call: Invocation) -> Value:
        operand = call.number(0)
        # `exp` and its like are overloaded in C++: float stays float; integers become double.
        wanted = dtype or _float_of(operand.dtype)
        return number(Call(wanted, _RENAMED.get(function, function), (build.cast(operand, wanted),)))

    BUILTINS[name] = handler


def _binary(function: str, dtype: DType | None) -> None:
    name = function if dtype is None else f"{function}f"

    def handler(call: Invocation) -> Value:
        first, second = call.number(0), call.number(1)
        wanted = dtype
        if wanted is None:
            wanted = _float_of(common_type(_float_of(first.dtype), _float_of(second.dtype)))
            if first.dtype.is_float != second.dtype.is_float:
                wanted = common_type(_float_of(first.dtype), _float_of(second.dtype))
        args = (build.cast(first, wanted), build.cast(second, wanted))
        neutral = _RENAMED.get(function, function)
        if neutral == "min":
            return number(build.minimum(*args))
        if neutral == "max":
            return number(build.maximum(*args))
        return number(Call(wanted, neutral, args))

    BUILTINS[name] = handler


def _register() -> None:
    for function in sorted(_UNARY):
        _unary(function, F32)
        _unary(function, None)
    for function in sorted(_BINARY):
        _binary(function, F32)
        _binary(function, None)


_register()

# Reduced accuracy: name -> neutral function.
_FAST = {
    "__expf": "exp", "__exp10f": "exp10", "__logf": "log", "__log2f": "log2",
    "__log10f": "log10",
    "__sinf": "sin", "__cosf": "cos", "__tanf": "tan", "__powf": "pow", "__tanhf": "tanh",
}  # fmt: skip


@builtin(*_FAST)
def _fast(call: Invocation) -> Value:
    args = tuple(build.cast(a, F32) for a in call.numbers())
    return number(Call(F32, _FAST[call.name], args, fast=True))


@builtin("fma", "fmaf", "__fmaf_rn", "__fma_rn", "__fmaf_ieee_rn")
def _fma(call: Invocation) -> Value:
    call.need(3)
    args = call.numbers()
    dtype = (
        F32
        if call.name in ("fmaf", "__fmaf_rn", "__fmaf_ieee_rn")
        else F64
        if call.name == "__fma_rn"
        else args[0].dtype
    )
    if call.name == "fma":
        for arg in args[1:]:
            dtype = common_type(dtype, arg.dtype)
        dtype = _float_of(dtype)
    return number(Call(dtype, "fma", tuple(build.cast(a, dtype) for a in args)))


_ROUNDED = {
    "__fadd_rn": ("+", F32), "__fsub_rn": ("-", F32), "__fmul_rn": ("*", F32), "__fdiv_rn": ("/", F32),
    "__dadd_rn": ("+", F64), "__dsub_rn": ("-", F64), "__dmul_rn": ("*", F64), "__ddiv_rn": ("/", F64),
}  # fmt: skip


@builtin(*_ROUNDED)
def _rounded(call: Invocation) -> Value:
    op, dtype = _ROUNDED[call.name]
    return number(build.binary(op, call.number_as(0, dtype), call.number_as(1, dtype)))


@builtin("__fdividef", "fdividef", "fdivide")
def _fdivide(call: Invocation) -> Value:
    dtype = F64 if call.name == "fdivide" else F32
    return number(Binary(dtype, "/", call.number_as(0, dtype), call.number_as(1, dtype)))


@builtin(
    "__frcp_rn",
    "__drcp_rn",
    "__fsqrt_rn",
    "__dsqrt_rn",
    "__frsqrt_rn",
    "__saturatef",
)
def _rounded_unary(call: Invocation) -> Value:
    function = {
        "frcp": "rcp",
        "drcp": "rcp",
        "fsqr": "sqrt",
        "dsqr": "sqrt",
        "frsq": "rsqrt",
        "satu": "saturate",
    }
    dtype = F64 if call.name.startswith("__d") else F32
    return number(Call(dtype, function[call.name[2:6]], (call.number_as(0, dtype),)))


@builtin("__fsqrt_rz", "__frcp_rz")
def _directed(call: Invocation) -> Value:
    call.ctx.refuse(
        "rounding-mode", f"`{call.name}`: this rounding mode is not supported", call.node, "use the _rn form"
    )


@builtin("abs", "labs", "llabs")
def _abs(call: Invocation) -> Value:
    operand = call.number(0)
    dtype = operand.dtype if operand.dtype.is_float else common_type(operand.dtype, I32)
    if call.name in ("labs", "llabs"):
        dtype = I64
    if not dtype.is_signed:
        return number(build.cast(operand, dtype))
    return number(Call(dtype, "abs", (build.cast(operand, dtype),)))


@builtin("min", "max", "umin", "umax", "llmin", "llmax", "ullmin", "ullmax")
def _extremum(call: Invocation) -> Value:
    from xpiler.frontend.lower_typenames import type_of

    first, second = call.number(0), call.number(1)
    if call.explicit:
        wanted = type_of(call.ctx, call.explicit[0])
        if isinstance(wanted, Scalar):
            first, second = build.cast(first, wanted.dtype), build.cast(second, wanted.dtype)
    return number(extremum(call.name.endswith("min"), first, second))


def extremum(smaller: bool, first: Expr, second: Expr) -> Expr:
    return build.minimum(first, second) if smaller else build.maximum(first, second)


@builtin("clamp")
def _clamp(call: Invocation) -> Value:
    return number(build.minimum(build.maximum(call.number(0), call.number(1)), call.number(2)))


@builtin("isnan", "isinf", "isfinite", "signbit", "__isnanf", "__isinff", "__finitef", "__isnan", "__isinf")
def _predicate(call: Invocation) -> Value:
    name = {"finite": "isfinite"}.get(call.name.strip("_").rstrip("f"), call.name.strip("_"))
    name = name if name in FLOAT_PREDICATES else name[:-1]
    operand = call.number(0)
    return number(Call(BOOL, name, (build.cast(operand, _float_of(operand.dtype)),)))


@builtin("ldexp", "ldexpf", "scalbn", "scalbnf")
def _ldexp(call: Invocation) -> Value:
    operand = call.number(0)
    dtype = F32 if call.name.endswith("f") else _float_of(operand.dtype)
    return number(Call(dtype, "ldexp", (build.cast(operand, dtype), call.number_as(1, I32))))


@builtin("sincosf", "sincos", "__sincosf", "sincospif", "sincospi")
def _sincos(call: Invocation) -> Value:
    from xpiler.frontend.lower_memory import deref, pointer_of

    call.need(3)
    ctx = call.ctx
    dtype = F32 if call.name.endswith("f") else F64
    operand = call.number_as(0, dtype)
    if not isinstance(operand, Const):
        operand = ctx.temporary(operand, "angle")
    pi = "pi" if "pi" in call.name else ""
    fast = call.name.startswith("__")
    for function, target in ((f"sin{pi}", call.args[1]), (f"cos{pi}", call.args[2])):
        store(ctx, deref(ctx, pointer_of(ctx, target)), Call(dtype, function, (operand,), fast))
    return VOID_VALUE


@builtin("rhypot", "rhypotf", "rcbrtf", "rcbrt", "norm3df", "norm4df", "rnorm3df")
def _composed(call: Invocation) -> Value:
    """Made of other functions, in double precision: what is squared or inverted on the way stays in range."""
    dtype = F32 if call.name.endswith("f") else _float_of(call.number(0).dtype)
    args = [build.cast(a, F64) for a in call.numbers()]
    base = call.name.removesuffix("f")
    one = build.const(1.0, F64)
    match base:
        case "rhypot":
            call.need(2)
            result = build.div(one, Call(F64, "hypot", (args[0], args[1])))
        case "rcbrt":
            call.need(1)
            result = build.div(one, Call(F64, "cbrt", (args[0],)))
        case _:
            call.need(3)
            squares = build.mul(args[0], args[0])
            for arg in args[1:]:
                squares = build.add(squares, build.mul(arg, arg))
            result = Call(F64, "rsqrt" if base.startswith("r") else "sqrt", (squares,))
    return number(build.cast(result, dtype))


# ------------------------------------------------------------------------------------------ integers

_INTEGER = {
    "__popc": ("popc", U32), "__popcll": ("popc", U64), "__clz": ("clz", I32), "__clzll": ("clz", I64),
    "__ffs": ("ffs", I32), "__ffsll": ("ffs", I64), "__brev": ("brev", U32), "__brevll": ("brev", U64),
}  # fmt: skip


@builtin(*_INTEGER, "popcount", "countl_zero")
def _bits(call: Invocation) -> Value:
    function, operand_type = _INTEGER.get(call.name, ("popc" if call.name == "popcount" else "clz", U32))
    result = operand_type if function == "brev" else I32
    return number(Call(result, function, (call.number_as(0, operand_type),)))


_TWO = {
    "__mulhi": ("mulhi", I32), "__umulhi": ("mulhi", U32), "__mul64hi": ("mulhi", I64),
    "__umul64hi": ("mulhi", U64),
    "__mul24": ("mul24", I32), "__umul24": ("mul24", U32),
}  # fmt: skip


@builtin(*_TWO)
def _two(call: Invocation) -> Value:
    function, dtype = _TWO[call.name]
    return number(Call(dtype, function, (call.number_as(0, dtype), call.number_as(1, dtype))))


@builtin("__byte_perm", "__funnelshift_l", "__funnelshift_r")
def _three(call: Invocation) -> Value:
    args = tuple(call.number_as(i, U32) for i in range(3))
    return number(Call(U32, call.name.strip("_"), args))


@builtin("__dp4a", "__dp2a_lo", "__dp2a_hi")
def _dot(call: Invocation) -> Value:
    call.need(3)
    unsigned = all(not a.dtype.is_signed for a in call.numbers()[:2])
    dtype = U32 if unsigned else I32
    if call.name != "__dp4a":
        call.ctx.refuse("unsupported-intrinsic", f"`{call.name}` is not supported", call.node)
    return number(Call(dtype, "dp4a", tuple(build.cast(a, dtype) for a in call.numbers())))


@builtin("__sad", "__usad")
def _sad(call: Invocation) -> Value:
    dtype = U32 if call.name == "__usad" else I32
    args = (call.number_as(0, dtype), call.number_as(1, dtype), call.number_as(2, U32))
    return number(Call(U32, "sad", args))


# ------------------------------------------------------------------------------------------ conversions

_BIT_CASTS = {
    "__float_as_int": (F32, I32), "__float_as_uint": (F32, U32), "__int_as_float": (I32, F32),
    "__uint_as_float": (U32, F32), "__double_as_longlong": (F64, I64), "__longlong_as_double": (I64, F64),
}  # fmt: skip


@builtin(*_BIT_CASTS)
def _bit_cast(call: Invocation) -> Value:
    source, target = _BIT_CASTS[call.name]
    return number(build.bitcast(call.number_as(0, source), target))


_TYPES = {
    "int": I32, "uint": U32, "ll": I64, "ull": U64, "float": F32, "double": F64, "short": None,
    "ushort": U16, "uchar": U8,
}  # fmt: skip
_ROUNDING = {"rn": "rint", "rz": "trunc", "rd": "floor", "ru": "ceil"}


def _register_conversions() -> None:
    integers = ("int", "uint", "ll", "ull")
    pairs = [(f, i) for f in ("float", "double") for i in integers]
    pairs += [(i, f) for f, i in pairs if (i, f) not in (("int", "double"), ("uint", "double"))]
    for source, target in (*pairs, ("double", "float")):
        for mode in _ROUNDING:
            BUILTINS[f"__{source}2{target}_{mode}"] = _conversion
    BUILTINS["__int2double_rn"] = BUILTINS["__uint2double_rn"] = _conversion


def _conversion(call: Invocation) -> Value:
    name, mode = call.name[2:].rsplit("_", 1)
    source_name, target_name = name.split("2")
    source, target = _TYPES[source_name], _TYPES[target_name]
    assert source is not None and target is not None
    operand = call.number_as(0, source)
    if source.is_float and target.is_integer:
        if mode != "rz":
            operand = Call(source, _ROUNDING[mode], (operand,))
        return number(Cast(target, operand))
    if mode != "rn" and not (source.bits < target.bits):
        call.ctx.refuse(
            "rounding-mode",
            f"`{call.name}`: this rounding mode is not supported",
            call.node,
            "use the _rn form",
        )
    return number(build.cast(operand, target))


_register_conversions()


@builtin("lrintf", "lrint", "llrintf", "llrint", "lroundf", "lround", "llroundf", "llround")
def _to_long(call: Invocation) -> Value:
    operand = call.number(0)
    dtype = _float_of(operand.dtype)
    function = "rint" if "rint" in call.name else "round"
    return number(Cast(I64, Call(dtype, function, (build.cast(operand, dtype),))))


@builtin("modff", "modf", "frexpf", "frexp")
def _split(call: Invocation) -> Value:
    call.ctx.refuse("unsupported-intrinsic", f"`{call.name}` is not supported", call.node)


# ------------------------------------------------------------------------------------------ helpers of C++


@builtin("swap")
def _swap(call: Invocation) -> Value:
    from xpiler.frontend.lower_memory import copy, snapshot
    from xpiler.frontend.lower_values import PointerVariable

    ctx: Context = call.ctx
    first, second = call.args[0], call.args[1]
    if isinstance(first, PointerVariable):
        from xpiler.frontend.lower_pointers import swap_pointers

        swap_pointers(ctx, first, second)
        return VOID_VALUE
    if isinstance(first.type, Scalar):
        kept = ctx.temporary(load(ctx, first))
        store(ctx, first, load(ctx, second))
        store(ctx, second, kept)
        return VOID_VALUE
    from xpiler.frontend.lower_structs import initialise_object
    from xpiler.frontend.lower_types import Struct

    assert isinstance(first.type, Struct)
    held = initialise_object(ctx, ctx.fresh("t"), first.type, snapshot(ctx, first))
    copy(ctx, first, second)
    copy(ctx, second, held)
    return VOID_VALUE


@builtin("move", "forward", "as_const", "launder", "ref", "cref")
def _move(call: Invocation) -> Value:
    return call.args[0]


_SPECIAL = {
    "__builtin_inff": (math.inf, F32),
    "__builtin_inf": (math.inf, F64),
    "__builtin_huge_valf": (math.inf, F32),
    "__builtin_huge_val": (math.inf, F64),
    "__builtin_nanf": (math.nan, F32),
    "__builtin_nan": (math.nan, F64),
    "nanf": (math.nan, F32),
    "nan": (math.nan, F64),
}


def _register_special() -> None:
    for name, (value, dtype) in _SPECIAL.items():
        BUILTINS[name] = partial(_special, value=value, dtype=dtype)


def _special(call: Invocation, value: float, dtype: DType) -> Value:
    return constant(value, dtype)


_register_special()
