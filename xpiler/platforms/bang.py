"""BANG C: architectures, and the intrinsics that translations use, each defined once by its meaning.

    __bang_add(dst, a, b, n)        for i in 0..n: dst[i] = a[i] + b[i]

An elementwise intrinsic is a template: an expression over one element of each vector operand (`Load` of a, b)
and a scalar (`Var`). Instruction selection unifies templates with the program's expressions; `meaning` makes
the loop nest of an instruction with its operands, which the interpreter runs.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from xpiler.ir.build import add, const, div, mul
from xpiler.ir.nodes import (
    Binary,
    Bitcast,
    Call,
    Cast,
    Const,
    Expr,
    Load,
    Select,
    Unary,
    Var,
)
from xpiler.ir.types import BF16, BOOL, F16, F32, I8, I16, I32, U32, DType
from xpiler.platforms.bang_functions import Let, function_of, tail_of_erf
from xpiler.platforms.bang_integers import clamped

# ---------------------------------------------------------------------------------------------- the machine


@dataclass(frozen=True)
class Architecture:
    """Sizes in bytes, per core (NRAM, WRAM) and per cluster (SRAM).

    `divides`: has a vector division. `integers`: vectors of integers. `reserved`: what the compiler keeps of
    the NRAM for its stack and tables.
    """

    name: str
    number: int
    nram: int
    wram: int
    sram: int
    clusters: int
    cores: int
    divides: bool = False
    integers: bool = True
    reserved: int = 128 * 1024

    @property
    def usable_nram(self) -> int:
        return self.nram - self.reserved

    @property
    def padded(self) -> bool:
        """Whether vectors have lengths in multiples of `VECTOR_BYTES`, and start at multiples of 64 bytes."""
        return self.number < SECOND


KB = 1024
STACK_BYTES = 16 * KB  # of a core's stack for arrays
ARCHITECTURES = {
    a.name: a
    for a in (
        Architecture("mtp_270", 270, 512 * KB, 1024 * KB, 2048 * KB, 4, 4, integers=False),
        Architecture("mtp_290", 290, 512 * KB, 512 * KB, 2048 * KB, 16, 4, integers=False),
        Architecture("mtp_372", 372, 768 * KB, 1024 * KB, 4096 * KB, 4, 4),
        Architecture("mtp_592", 592, 512 * KB, 512 * KB, 2048 * KB, 4, 4, divides=True),
    )
}
DEFAULT = ARCHITECTURES["mtp_372"]

SECOND = 322  # architectures with lower numbers are of the second generation
VECTOR_BYTES = 128  # lengths of vectors are rounded to this many bytes
TABLE_GROUP = 64  # entries of a table are looked up in so many at least
WEIGHT_LANES = 64  # WRAM is striped over this many lanes: columns of a matrix are rounded to it
WEIGHT_BYTES = 64  # and rows of a weight to this many bytes
POOL_WINDOW = 65536  # elements of one window at most

TASK, TASKS = Var(I32, "taskId"), Var(I32, "taskDim")

# ---------------------------------------------------------------------------------------------- elementwise

FLOATS = (F32, F16)
NUMBERS = (F32, F16, I32, I16)


@dataclass(frozen=True)
class Elementwise:
    """`name(dst, vectors..., scalar, n)`; `template` gives dst's element for an element type.

    `since`: the first architecture that has it.
    """

    name: str
    template: Callable[[DType], Expr]
    dtypes: tuple[DType, ...] = FLOATS
    overlap: bool = True  # dst may be an operand
    suffix: str = ""  # what follows n in the call
    since: int = 0


def _a(dtype: DType) -> Expr:
    return Load(dtype, "a", (Var(I32, "i"),))


def _b(dtype: DType) -> Expr:
    return Load(dtype, "b", (Var(I32, "i"),))


def _s(dtype: DType) -> Expr:
    return Var(dtype, "s")


def _two(op: str, right: Callable[[DType], Expr] = _b) -> Callable[[DType], Expr]:
    return lambda t: Binary(t, op, _a(t), right(t))


def _call(function: str, right: Callable[[DType], Expr] | None = None) -> Callable[[DType], Expr]:
    return lambda t: Call(t, function, (_a(t), right(t)) if right else (_a(t),))


def _test(op: str, right: Callable[[DType], Expr] = _b) -> Callable[[DType], Expr]:
    """A comparison as 1 or 0 in the operands' type."""
    return lambda t: Cast(t, Binary(BOOL, op, _a(t), right(t)))


def _converted(to: DType, source: DType) -> Callable[[DType], Expr]:
    return lambda t: Cast(to, _a(source))


_INTEGERS = {"int8": I8, "int16": I16, "int32": I32}
_TESTS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}

_DIVIDES = 520  # the first generation with a division of vectors

ELEMENTWISE: tuple[Elementwise, ...] = (
    Elementwise("__bang_relu", lambda t: Call(t, "max", (_a(t), const(0, t))), NUMBERS, since=SECOND),
    Elementwise("__bang_add_scalar", _two("+", _s), NUMBERS),
    Elementwise("__bang_sub_scalar", _two("-", _s), NUMBERS),
    Elementwise("__bang_mul_scalar", _two("*", _s), NUMBERS),
    Elementwise("__bang_maxeq_scalar", _call("max", _s), NUMBERS, since=SECOND),
    Elementwise("__bang_mineq_scalar", _call("min", _s), NUMBERS, since=SECOND),
    Elementwise("__bang_square", lambda t: Binary(t, "*", _a(t), _a(t)), FLOATS),
    Elementwise("__bang_add", _two("+"), NUMBERS),
    Elementwise("__bang_sub", _two("-"), NUMBERS),
    Elementwise("__bang_mul", _two("*"), NUMBERS),
    Elementwise("__bang_maximum", _call("max", _b), FLOATS, since=520),  # NaN only of two NaN, as in C
    Elementwise("__bang_minimum", _call("min", _b), FLOATS, since=520),
    Elementwise("__bang_div", _two("/"), (F32,), since=_DIVIDES),
    Elementwise("__bang_maxequal", _call("max", _b), NUMBERS),
    Elementwise("__bang_minequal", _call("min", _b), NUMBERS),
    Elementwise("__bang_recip", _call("rcp"), (F32,), since=SECOND),
    Elementwise("__bang_sqrt", _call("sqrt"), (F32,), since=SECOND),
    Elementwise("__bang_rsqrt", _call("rsqrt"), (F32,), since=SECOND),
    Elementwise("__bang_pow2", _call("exp2"), (F32,), since=SECOND),
    Elementwise("__bang_log", _call("log2"), (F32,), since=SECOND),  # base 2, whatever its name says
    Elementwise("__bang_sin", _call("sin"), (F32,), since=SECOND),
    Elementwise("__bang_cos", _call("cos"), (F32,), since=SECOND),
    Elementwise("__bang_abs", _call("abs"), NUMBERS, since=SECOND),
    Elementwise("__bang_floor", _call("floor"), (F32,), overlap=False, since=SECOND),
    Elementwise("__bang_round", _call("round"), (F32,), overlap=False, since=SECOND),
    Elementwise("__bang_nearbyint", _call("rint"), (F32,), overlap=False, since=SECOND),
    *(
        Elementwise(f"__bang_{n}_scalar", _test(op, _s), NUMBERS, since=0 if n == "ge" else SECOND)
        for n, op in _TESTS.items()
    ),
    *(Elementwise(f"__bang_{n}", _test(op), NUMBERS) for n, op in _TESTS.items()),
    Elementwise("__bang_sll", _two("<<", _s), (I32, I16), since=SECOND),
    Elementwise("__bang_sra", _two(">>", _s), (I32, I16), since=SECOND),
    Elementwise("__bang_srl", _two(">>", lambda t: _s(I32)), (U32,), since=SECOND),
    Elementwise("__bang_band", _two("&"), (I32,), suffix="bytes"),
    Elementwise("__bang_bor", _two("|"), (I32,), suffix="bytes"),
    Elementwise("__bang_bxor", _two("^"), (I32,), suffix="bytes"),
    Elementwise("__bang_bnot", lambda t: Unary(t, "~", _a(t)), (I32,), suffix="bytes"),
    Elementwise("__bang_half2float", lambda t: Cast(F32, _a(F16)), (F32,), overlap=False),
    Elementwise("__bang_float2half_rn", lambda t: Cast(F16, _a(F32)), (F16,), overlap=False, since=SECOND),
    Elementwise("__bang_bfloat162float", lambda t: Cast(F32, _a(BF16)), (F32,), overlap=False, since=520),
    Elementwise("__bang_float2bfloat16_rn", lambda t: Cast(BF16, _a(F32)), (BF16,), overlap=False, since=520),
    *(
        Elementwise(f"__bang_{name}2float", _converted(F32, other), (F32,), overlap=False, suffix="0")
        for name, other in _INTEGERS.items()
    ),
    *(
        Elementwise(
            f"__bang_int322int{other.bits}",  # which clamps
            lambda t: Cast(t, clamped(_a(I32), t)),
            (other,),
            overlap=False,
            suffix="0, 0",
            since=SECOND,
        )
        for other in (I8, I16)
    ),
    *(
        Elementwise(
            f"__bang_float2{name}_tz",
            _converted(other, F32),
            (other,),
            overlap=False,
            suffix="0",
            since=SECOND if other == I32 else 0,
        )
        for name, other in _INTEGERS.items()
    ),
)
BY_NAME = {e.name: e for e in ELEMENTWISE}

# ---------------------------------------------------------------------------------------------- unification


@dataclass
class Match:
    """An intrinsic that computes an expression: the expressions of its vector operands, and of the scalar."""

    intrinsic: Elementwise
    vectors: dict[str, Expr]
    scalar: Expr | None


def matches(expr: Expr, varies: Callable[[Expr], bool], architecture: Architecture = DEFAULT) -> Match | None:
    """The intrinsic whose meaning unifies with `expr`: vectors vary along the lanes, scalars do not."""
    for intrinsic in ELEMENTWISE:
        if expr.dtype not in intrinsic.dtypes or architecture.number < intrinsic.since:
            continue
        for candidate in _orders(expr):
            found = Match(intrinsic, {}, None)
            if _unify(intrinsic.template(expr.dtype), candidate, found, varies):
                return found
    return None


def _orders(expr: Expr) -> tuple[Expr, ...]:
    """The expression, and with the operands of a commutative operator exchanged."""
    match expr:
        case Binary(op="+" | "*" | "&" | "|" | "^", left=left, right=right):
            return expr, Binary(expr.dtype, expr.op, right, left)
        case Call(function="min" | "max", args=(left, right)):
            return expr, Call(expr.dtype, expr.function, (right, left))
        case Cast(operand=Binary(op=op, left=left, right=right) as test) if op in _MIRROR:
            return expr, Cast(expr.dtype, Binary(test.dtype, _MIRROR[op], right, left))
    return (expr,)


_MIRROR = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


def _unify(template: Expr, expr: Expr, found: Match, varies: Callable[[Expr], bool]) -> bool:
    if template.dtype != expr.dtype:
        return False
    match template:
        case Load(array=name):
            return varies(expr) and found.vectors.setdefault(name, expr) == expr
        case Var():
            if varies(expr) or (found.scalar is not None and found.scalar != expr):
                return False
            found.scalar = expr
            return True
        case Const():
            return template == expr
        case Binary(op=op, left=left, right=right):
            return (
                isinstance(expr, Binary)
                and expr.op == op
                and _unify(left, expr.left, found, varies)
                and _unify(right, expr.right, found, varies)
            )
        case Unary(op=op, operand=operand):
            return isinstance(expr, Unary) and expr.op == op and _unify(operand, expr.operand, found, varies)
        case Cast(operand=operand):
            return isinstance(expr, Cast) and _unify(operand, expr.operand, found, varies)
        case Call(function=function, args=args):
            return (
                isinstance(expr, Call)
                and expr.function == function
                and all(_unify(t, e, found, varies) for t, e in zip(args, expr.args, strict=True))
            )
    return False


# ---------------------------------------------------------------------------------------------- compositions

_LOG2_E, _LN_2 = 1.4426950408889634, 0.6931471805599453


def compose(expr: Expr, varies: Callable[[Expr], bool], architecture: Architecture) -> Expr | Let | None:
    """What has no intrinsic, by those there are: one step; None if nothing is known."""
    dtype = expr.dtype
    one = const(1.0, F32)
    if dtype in (F16, BF16) and isinstance(expr, (Binary, Call)):
        return _through_single(expr)
    match expr:
        case Call(function="exp", args=(x,)):
            return Call(dtype, "exp2", (_times_log2_e(x),))
        case Call(function="log", args=(x,)):
            return mul(Call(dtype, "log2", (x,)), const(_LN_2, dtype))
        case Call(function="log10", args=(x,)):
            return mul(Call(dtype, "log2", (x,)), const(0.30102999566398120, dtype))
        case Call(function="erfc", args=(Call(function="abs") as x,)) if dtype == F32:
            return tail_of_erf(x)
        case Call(function="quotient", args=(x, y)) if varies(y) and architecture.number >= _DIVIDES:
            return Binary(dtype, "/", x, y)
        case Call(function=name, args=args) if dtype == F32 and (found := function_of(name, args, varies)):
            return found
        case Cast(operand=x) if dtype in (I8, I16) and x.dtype == F16:
            return Cast(dtype, Cast(F32, x))
        case Cast(operand=x) if dtype == I32 and x.dtype in (I8, I16, F16):
            return Cast(dtype, Cast(F32, x))
        case Cast(operand=x) if dtype == F16 and x.dtype in (I8, I16):
            return Cast(dtype, Cast(F32, x))
        case Cast(operand=Binary(op=op, left=x)) if op in _MIRROR and (dtype, x.dtype) in _TEST_TYPES:
            return Cast(dtype, Cast(x.dtype, expr.operand))
        case Cast(operand=x) if x.dtype == BOOL:
            return Select(dtype, x, const(1, dtype), const(0, dtype))
        case Call(function="copysign", args=(x, y)) if dtype == F32:
            size = Binary(I32, "&", _bits(x), const(0x7FFFFFFF, I32))
            sign = Binary(I32, "&", _bits(y), const(-0x80000000, I32))
            return Bitcast(F32, Binary(I32, "|", size, sign))
        case Call(function="fma", args=(x, y, z)):
            return add(mul(x, y), z)
        case Call(function="saturate", args=(x,)):
            return Call(dtype, "min", (Call(dtype, "max", (x, const(0, dtype))), const(1, dtype)))
        case Call(function="ceil", args=(x,)):
            return _negated(Call(dtype, "floor", (_negated(x),)))
        case Unary(op="-", operand=x):
            return _negated(x)
        case Binary(op="/", left=x, right=y) if dtype == F32:
            if not varies(y):
                return mul(x, div(one, y))
            return Call(dtype, "rcp", (y,)) if x == one else mul(x, Call(dtype, "rcp", (y,)))
        case Binary(op="-", left=x, right=y) if not varies(x) and varies(y):
            return add(_negated(y), x)
    return None


_TEST_TYPES = ((F32, I32), (I32, F32))  # of a test's result and of what it compares


def tests_as_floats(expr: Expr) -> Expr | None:
    """An integer sum or difference of tests and small numbers by floats, which are exact; else None."""
    match expr:
        case Cast(operand=Binary(op=op, left=left)) if op in _MIRROR and left.dtype.is_integer:
            return None  # it is an integer already
        case Cast(operand=test) if expr.dtype.is_integer and test.dtype == BOOL:
            return Cast(F32, test)
        case Const(value=value) if expr.dtype.is_integer and abs(value) < 1 << 10:
            return const(float(value), F32)
        case Binary(op="+" | "-" as op, left=left, right=right):
            first, second = tests_as_floats(left), tests_as_floats(right)
            return Binary(F32, op, first, second) if first is not None and second is not None else None
    return None


def _bits(x: Expr) -> Expr:
    if isinstance(x, Const):
        return const(int.from_bytes(struct.pack("<f", x.value), "little", signed=True), I32)
    return Bitcast(I32, x)


def _times_log2_e(x: Expr) -> Expr:
    """One product where a factor is there already that changes no digit."""
    match x:
        case Unary(op="-", operand=inner):
            return mul(inner, const(-_LOG2_E, x.dtype))
        case Binary(op="*", left=inner, right=Const(value=factor)) if abs(math.frexp(factor)[0]) == 0.5:
            return mul(inner, const(factor * _LOG2_E, x.dtype))
    return mul(x, const(_LOG2_E, x.dtype))


def _negated(x: Expr) -> Expr:
    return mul(x, const(-1, x.dtype))


def _through_single(expr: Binary | Call) -> Expr:
    """An operation of 16-bit floats computed in single precision and rounded."""
    if isinstance(expr, Binary):
        wide: Expr = Binary(F32, expr.op, Cast(F32, expr.left), Cast(F32, expr.right))
    else:
        wide = Call(F32, expr.function, tuple(Cast(F32, a) for a in expr.args), expr.fast)
    return Cast(expr.dtype, wide)


__all__ = [
    "ARCHITECTURES",
    "BY_NAME",
    "DEFAULT",
    "ELEMENTWISE",
    "TASK",
    "TASKS",
    "Architecture",
    "Elementwise",
    "Let",
    "Match",
    "compose",
    "matches",
]
