"""half and bfloat16: arithmetic, comparison, math and conversion intrinsics, for one value and for pairs
lane by lane."""

from __future__ import annotations

from collections.abc import Callable

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import number
from xpiler.frontend.lower_convert import construct
from xpiler.frontend.lower_memory import load, member, snapshot
from xpiler.frontend.lower_registry import BUILTINS, builtin
from xpiler.frontend.lower_types import VECTORS, Scalar, Struct
from xpiler.frontend.lower_values import Aggregate, Value
from xpiler.ir import build
from xpiler.ir.nodes import Call, Cast, Expr
from xpiler.ir.types import BF16, BOOL, F16, F32, F64, I16, I32, I64, U16, U32, U64, DType

_PAIRS = {F16: VECTORS["half2"], BF16: VECTORS["__nv_bfloat162"], F32: VECTORS["float2"]}


def pair(dtype: DType, x: Expr, y: Expr) -> Value:
    """A half2, bfloat162 or float2."""
    return Aggregate(_PAIRS[dtype], {"x": number(build.cast(x, dtype)), "y": number(build.cast(y, dtype))})


def lane(call: Invocation, position: int, name: str) -> Expr:
    call.need(position + 1)
    part = member(call.ctx, call.args[position], name)
    return load(call.ctx, part if part is not None else call.args[position])


def _small(operand: Expr) -> Expr:
    """The operand as half or bfloat16; other numbers convert to half."""
    return operand if operand.dtype in (F16, BF16) else build.cast(operand, F16)


# ------------------------------------------------------------------------------------------ operators

Meaning = Callable[[list[Expr]], Expr]


def _arithmetic(op: str) -> Meaning:
    return lambda args: build.binary(op, args[0], args[1])


def _function(name: str) -> Meaning:
    return lambda args: Call(args[0].dtype, name, tuple(args))


def _extremum(name: str) -> Meaning:
    return lambda args: build.minimum(*args) if name == "min" else build.maximum(*args)


def _saturated(meaning: Meaning) -> Meaning:
    return lambda args: _saturate(meaning(args))


def _saturate(value: Expr) -> Expr:
    return Call(value.dtype, "saturate", (value,))


def _relu(args: list[Expr]) -> Expr:
    value = Call(args[0].dtype, "fma", tuple(args))
    zero = build.const(0.0, value.dtype)
    return build.select(build.lt(value, zero), zero, value)  # NaN stays NaN


_MEANINGS: dict[str, Meaning] = {
    "add": _arithmetic("+"),
    "sub": _arithmetic("-"),
    "mul": _arithmetic("*"),
    "div": _arithmetic("/"),
    "fma": _function("fma"),
    "fma_relu": _relu,
    "min": _extremum("min"),
    "max": _extremum("max"),
    "neg": lambda args: build.neg(args[0]),
    "abs": _function("abs"),
}
_MATH = "exp exp2 exp10 log log2 log10 sqrt rsqrt rcp sin cos tanh floor ceil trunc rint".split()
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _scalar(meaning: Meaning) -> Callable[[Invocation], Value]:
    return lambda call: number(meaning([_small(a) for a in call.numbers()]))


def _lanewise(meaning: Meaning) -> Callable[[Invocation], Value]:
    def handler(call: Invocation) -> Value:
        lanes = [meaning([_small(lane(call, i, n)) for i in range(len(call.args))]) for n in ("x", "y")]
        return pair(lanes[0].dtype, *lanes)

    return handler


def _compared(op: str) -> Callable[[Invocation], Value]:
    return lambda call: number(build.binary(op, call.number(0), call.number(1)))


def _compared_lanes(op: str, both: bool) -> Callable[[Invocation], Value]:
    def handler(call: Invocation) -> Value:
        tests = [build.binary(op, lane(call, 0, n), lane(call, 1, n)) for n in ("x", "y")]
        if both:
            return number(build.and_(*tests))
        dtype = lane(call, 0, "x").dtype
        return pair(dtype, *(build.cast(t, dtype) for t in tests))

    return handler


def _register() -> None:
    for name, meaning in _MEANINGS.items():
        scalar, double = f"__h{name}", f"__h{name}2"
        if name == "fma_relu":
            double = "__hfma2_relu"
        if name == "div":
            double = "__h2div"
        BUILTINS[scalar], BUILTINS[double] = _scalar(meaning), _lanewise(meaning)
        if name in ("add", "sub", "mul"):
            BUILTINS[f"{scalar}_rn"], BUILTINS[f"{double}_rn"] = _scalar(meaning), _lanewise(meaning)
        if name in ("add", "sub", "mul", "fma"):
            saturated = _saturated(meaning)
            BUILTINS[f"{scalar}_sat"], BUILTINS[f"{double}_sat"] = _scalar(saturated), _lanewise(saturated)
    for name in _MATH:
        meaning = _function(name)
        BUILTINS[f"h{name}"], BUILTINS[f"h2{name}"] = _scalar(meaning), _lanewise(meaning)
    for name, op in _COMPARISONS.items():
        BUILTINS[f"__h{name}"] = _compared(op)
        BUILTINS[f"__h{name}2"] = _compared_lanes(op, both=False)
        BUILTINS[f"__hb{name}2"] = _compared_lanes(op, both=True)


_register()


@builtin("__hisnan", "__hisinf")
def _predicate(call: Invocation) -> Value:
    name = call.name.removeprefix("__h")
    test = Call(BOOL, name, (_small(call.number(0)),))
    return number(build.cast(test, I32) if name == "isinf" else test)


# ------------------------------------------------------------------------------------------ conversions

_TO_ONE: dict[str, DType] = {
    "__float2half": F16, "__float2half_rn": F16, "__double2half": F16, "__int2half_rn": F16,
    "__uint2half_rn": F16,
    "__short2half_rn": F16, "__ushort2half_rn": F16, "__ll2half_rn": F16, "__ull2half_rn": F16,
    "__float2bfloat16": BF16, "__float2bfloat16_rn": BF16, "__double2bfloat16": BF16,
    "__int2bfloat16_rn": BF16,
    "__uint2bfloat16_rn": BF16, "__half2float": F32, "__bfloat162float": F32,
}  # fmt: skip


@builtin(*_TO_ONE)
def _to_one(call: Invocation) -> Value:
    return number(build.cast(call.number(0), _TO_ONE[call.name]))


@builtin(
    "__float2half_rz", "__float2half_rd", "__float2half_ru", "__float2bfloat16_rz", "__float2bfloat16_rd"
)
def _directed(call: Invocation) -> Value:
    call.ctx.refuse(
        "rounding-mode", f"`{call.name}`: this rounding mode is not supported", call.node, "use the _rn form"
    )


_INTEGERS = {"int": I32, "uint": U32, "short": I16, "ushort": U16, "ll": I64, "ull": U64}
_ROUNDING = {"rn": "rint", "rz": "trunc", "rd": "floor", "ru": "ceil"}


def _to_integer(target: DType, mode: str) -> Callable[[Invocation], Value]:
    def handler(call: Invocation) -> Value:
        operand = _small(call.number(0))
        if mode != "rz":
            operand = Call(operand.dtype, _ROUNDING[mode], (operand,))
        return number(Cast(target, operand))

    return handler


def _register_conversions() -> None:
    for source in ("half", "bfloat16"):
        for target, dtype in _INTEGERS.items():
            for mode in _ROUNDING:
                BUILTINS[f"__{source}2{target}_{mode}"] = _to_integer(dtype, mode)


_register_conversions()

_BITS = {
    "__half_as_ushort": U16, "__half_as_short": I16, "__ushort_as_half": F16, "__short_as_half": F16,
    "__bfloat16_as_ushort": U16, "__bfloat16_as_short": I16, "__ushort_as_bfloat16": BF16,
    "__short_as_bfloat16": BF16,
}  # fmt: skip


@builtin(*_BITS)
def _bits(call: Invocation) -> Value:
    operand = call.number(0)
    if not operand.dtype.is_float:
        operand = build.cast(operand, U16 if "ushort_as" in call.name else I16)
    return number(build.bitcast(operand, _BITS[call.name]))


# Pairs made of one value twice, of two values, of a float2.
_SPLAT = {
    "__float2half2_rn": F16, "__half2half2": F16, "__float2bfloat162_rn": BF16, "__bfloat162bfloat162": BF16,
}  # fmt: skip
_TWO = {
    "__floats2half2_rn": F16, "__halves2half2": F16, "make_half2": F16, "__floats2bfloat162_rn": BF16,
    "__halves2bfloat162": BF16, "make_bfloat162": BF16, "__make_half2": F16,
}  # fmt: skip
_WHOLE = {
    "__half22float2": F32, "__bfloat1622float2": F32, "__float22half2_rn": F16, "__float22bfloat162_rn": BF16,
}  # fmt: skip


@builtin(*_SPLAT)
def _splat(call: Invocation) -> Value:
    value = call.number(0)
    return pair(_SPLAT[call.name], value, value)


@builtin(*_TWO)
def _two(call: Invocation) -> Value:
    return pair(_TWO[call.name], call.number(0), call.number(1))


@builtin(*_WHOLE)
def _whole(call: Invocation) -> Value:
    return pair(_WHOLE[call.name], lane(call, 0, "x"), lane(call, 0, "y"))


@builtin("__low2float", "__high2float", "__low2half", "__high2half", "__low2bfloat16", "__high2bfloat16")
def _one_lane(call: Invocation) -> Value:
    value = lane(call, 0, "x" if call.name.startswith("__low") else "y")
    return number(build.cast(value, F32) if call.name.endswith("float") else value)


_ARRANGED = {
    "__low2half2": ("x", "x"), "__high2half2": ("y", "y"), "__lowhigh2highlow": ("y", "x"),
    "__low2bfloat162": ("x", "x"), "__high2bfloat162": ("y", "y"),
}  # fmt: skip


@builtin(*_ARRANGED)
def _arranged(call: Invocation) -> Value:
    first, second = (lane(call, 0, n) for n in _ARRANGED[call.name])
    return pair(first.dtype, first, second)


@builtin("__lows2half2", "__highs2half2", "__lows2bfloat162", "__highs2bfloat162")
def _gathered(call: Invocation) -> Value:
    name = "x" if call.name.startswith("__low") else "y"
    first, second = lane(call, 0, name), lane(call, 1, name)
    return pair(first.dtype, first, second)


# ---------------------------------------------------------------------------------- make_float4 and the rest


def _make(ctype: Struct) -> Callable[[Invocation], Value]:
    return lambda call: construct(call.ctx, ctype, [snapshot(call.ctx, a) for a in call.args])


def _register_makers() -> None:
    for name, ctype in VECTORS.items():
        if name[-1].isdigit() and all(isinstance(t, Scalar) for _, t in ctype.fields):
            BUILTINS.setdefault(f"make_{name}", _make(ctype))
    BUILTINS["make_cuComplex"] = BUILTINS["make_cuFloatComplex"] = _make(VECTORS["float2"])
    BUILTINS["make_cuDoubleComplex"] = _make(VECTORS["double2"])


_register_makers()


@builtin("cuCrealf", "cuCimagf", "cuCreal", "cuCimag")
def _complex_part(call: Invocation) -> Value:
    return number(lane(call, 0, "x" if "real" in call.name else "y"))


def _complex(call: Invocation, dtype: DType, x: Expr, y: Expr) -> Value:
    ctype = VECTORS["float2" if dtype is F32 else "double2"]
    return Aggregate(ctype, {"x": number(x), "y": number(y)})


@builtin("cuCaddf", "cuCadd", "cuCsubf", "cuCsub")
def _complex_sum(call: Invocation) -> Value:
    op = "+" if "add" in call.name else "-"
    dtype = F32 if call.name.endswith("f") else F64
    x, y = (build.binary(op, lane(call, 0, n), lane(call, 1, n)) for n in ("x", "y"))
    return _complex(call, dtype, x, y)


@builtin("cuCmulf", "cuCmul")
def _complex_product(call: Invocation) -> Value:
    dtype = F32 if call.name.endswith("f") else F64
    a, b, c, d = lane(call, 0, "x"), lane(call, 0, "y"), lane(call, 1, "x"), lane(call, 1, "y")
    real = build.sub(build.mul(a, c), build.mul(b, d))
    return _complex(call, dtype, real, build.add(build.mul(a, d), build.mul(b, c)))
