"""Constructors with C's promotions, folding constants: `add(var("i", I32), 1)`.

Operands may be Python numbers. An int becomes an i32 (i64 if it does not fit), a float takes the type of the
other operand if that is a float, else f64. Folding is exact: integers wrap at their width, floats round once.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

from xpiler.ir.nodes import Binary, Bitcast, Call, Cast, Const, Expr, Load, Select, Unary, Var
from xpiler.ir.types import BOOL, F64, I32, I64, U32, DType, Kind, common_type, promote

Operand = Expr | int | float | bool

COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
LOGICAL = frozenset({"&&", "||"})
SHIFTS = frozenset({"<<", ">>"})


# ------------------------------------------------------------------------------------------ values of a type


def wrap(value: int, dtype: DType) -> int:
    """`value` modulo the width of an integer type, as C stores it (bool: 0 or 1)."""
    if dtype.kind is Kind.BOOL:
        return int(value != 0)
    value &= (1 << dtype.bits) - 1
    if dtype.kind is Kind.INT and value >> (dtype.bits - 1):
        value -= 1 << dtype.bits
    return value


def int_limits(dtype: DType) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    if dtype.kind is Kind.BOOL:
        return 0, 1
    if dtype.kind is Kind.UINT:
        return 0, (1 << dtype.bits) - 1
    return -(1 << (dtype.bits - 1)), (1 << (dtype.bits - 1)) - 1


def round_float(value: float, dtype: DType) -> float:
    """`value` rounded to nearest even in a float type; beyond its range an infinity."""
    if dtype.bits == 64 or math.isnan(value) or math.isinf(value):
        return value
    if dtype.name == "bf16":
        return _round_bits(value, 8, -126, 127)
    try:
        code = "e" if dtype.bits == 16 else "f"
        rounded: float = struct.unpack(code, struct.pack(code, value))[0]
        return rounded
    except OverflowError:
        return math.copysign(math.inf, value)


def _round_bits(value: float, bits: int, low: int, high: int) -> float:
    """Round to `bits` significant bits with exponents in [low, high]; `round` is to nearest even."""
    if value == 0.0:
        return value
    exponent = max(math.frexp(value)[1] - 1, low)
    unit = math.ldexp(1.0, exponent - bits + 1)
    rounded = round(value / unit) * unit
    if abs(rounded) >= math.ldexp(1.0, high + 1):
        return math.copysign(math.inf, value)
    return math.copysign(rounded, value)


def convert(value: int | float | bool, dtype: DType) -> int | float | bool:
    """C conversion of a Python number; float -> integer truncates and clamps, NaN gives 0 (as GPUs do)."""
    if dtype.kind is Kind.BOOL:
        return bool(value)
    if dtype.is_float:
        return round_float(float(value), dtype)
    if isinstance(value, float):
        if math.isnan(value):
            return 0
        low, high = int_limits(dtype)
        if math.isinf(value):
            return high if value > 0 else low
        return min(max(int(value), low), high)
    return wrap(int(value), dtype)


# ------------------------------------------------------------------------------------------ leaves


def const(value: int | float | bool, dtype: DType = I32) -> Const:
    """A literal, converted to `dtype` as C would."""
    return Const(dtype, convert(value, dtype))


def var(name: str, dtype: DType = I32) -> Var:
    return Var(dtype, name)


def load(array: str, dtype: DType, *index: Operand) -> Load:
    return Load(dtype, array, tuple(as_expr(i) for i in index))


def thread_index(axis: str = "x") -> Var:
    return Var(U32, f"threadIdx.{axis}")


def block_index(axis: str = "x") -> Var:
    return Var(U32, f"blockIdx.{axis}")


def block_dim(axis: str = "x") -> Var:
    return Var(U32, f"blockDim.{axis}")


def grid_dim(axis: str = "x") -> Var:
    return Var(U32, f"gridDim.{axis}")


def as_expr(value: Operand, like: DType | None = None) -> Expr:
    """A Python number as a constant; `like` is the type of the other operand."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, bool):
        return Const(BOOL, value)
    if isinstance(value, int):
        return Const(I32 if wrap(value, I32) == value else I64, wrap(value, I64))
    return const(value, like if like is not None and like.is_float else F64)


def is_const(expr: Expr, value: int | float | None = None) -> bool:
    """Whether `expr` is a literal (of that value)."""
    return isinstance(expr, Const) and (value is None or expr.value == value)


# ------------------------------------------------------------------------------------------ conversions


def cast(operand: Operand, dtype: DType) -> Expr:
    """The value converted; nothing where the type is already right, a literal where it is one."""
    operand = as_expr(operand, dtype)
    if operand.dtype == dtype:
        return operand
    if isinstance(operand, Const):
        return Const(dtype, convert(operand.value, dtype), range=operand.range)
    if isinstance(operand, Cast) and _keeps_all_values(operand.operand.dtype, operand.dtype):
        return cast(operand.operand, dtype)
    if isinstance(operand, Cast) and operand.operand.dtype == dtype and _keeps_all_bits(dtype, operand.dtype):
        return operand.operand
    return Cast(dtype, operand, range=operand.range)


def _keeps_all_values(source: DType, target: DType) -> bool:
    if source.is_float or target.is_float or source.kind is Kind.BOOL:
        return False
    low, high = int_limits(source)
    target_low, target_high = int_limits(target)
    return target_low <= low and high <= target_high


def _keeps_all_bits(source: DType, target: DType) -> bool:
    """Whether a value survives the way there and back: integers wrap around."""
    return all(t.kind in (Kind.INT, Kind.UINT) for t in (source, target)) and target.bits >= source.bits


def bitcast(operand: Expr, dtype: DType) -> Expr:
    match operand:
        case Bitcast(operand=inner):  # the same bits, however often they are renamed
            return bitcast(inner, dtype)
        case Const(value=0) if not operand.dtype.is_float:
            return const(0, dtype)
        case Const(value=number) if operand.dtype.is_integer and dtype.is_integer:
            return const(wrap(int(number), dtype), dtype)
        case Const(value=0) if not dtype.is_float:
            sign = math.copysign(1.0, operand.value) < 0
            return const(wrap(1 << (dtype.bits - 1), dtype) if sign else 0, dtype)
        case Binary(op="^" | "&" | "|" as op, left=left, right=right) if dtype.is_float:
            for value, mask in ((left, right), (right, left)):
                changed = _with_sign(op, value, mask, dtype)
                if changed is not None:
                    return changed
    return operand if operand.dtype == dtype else Bitcast(dtype, operand, range=operand.range)


def _with_sign(op: str, value: Expr, mask: Expr, dtype: DType) -> Expr | None:
    """What only changes the sign of a float: its bits `^ 0x80000000` are those of -x."""
    if not (isinstance(value, Bitcast) and value.operand.dtype == dtype and isinstance(mask, Const)):
        return None
    top = 1 << (dtype.bits - 1)
    bits = int(mask.value) & (2 * top - 1)
    if op == "^" and bits == top:
        return neg(value.operand)
    if (op, bits) in (("&", top - 1), ("|", top)):
        magnitude = call("abs", dtype, value.operand)
        return magnitude if op == "&" else neg(magnitude)
    return None


def unify(left: Operand, right: Operand) -> tuple[Expr, Expr]:
    """Both operands in their common type."""
    first = as_expr(left, right.dtype if isinstance(right, Expr) else None)
    second = as_expr(right, first.dtype)
    dtype = common_type(first.dtype, second.dtype)
    return cast(first, dtype), cast(second, dtype)


# ------------------------------------------------------------------------------------------ operators


def binary(op: str, left: Operand, right: Operand) -> Expr:
    """Any operator of C by its spelling, with the promotions C does."""
    if op in LOGICAL:
        return _logical(op, boolean(left), boolean(right))
    if op in SHIFTS:
        first, second = as_expr(left), as_expr(right)
        return _fold(op, cast(first, promote(first.dtype)), cast(second, promote(second.dtype)))
    return _fold(op, *unify(left, right))


def add(left: Operand, right: Operand) -> Expr:
    return binary("+", left, right)


def sub(left: Operand, right: Operand) -> Expr:
    return binary("-", left, right)


def mul(left: Operand, right: Operand) -> Expr:
    return binary("*", left, right)


def div(left: Operand, right: Operand) -> Expr:
    return binary("/", left, right)


def mod(left: Operand, right: Operand) -> Expr:
    return binary("%", left, right)


def lt(left: Operand, right: Operand) -> Expr:
    return binary("<", left, right)


def le(left: Operand, right: Operand) -> Expr:
    return binary("<=", left, right)


def gt(left: Operand, right: Operand) -> Expr:
    return binary(">", left, right)


def ge(left: Operand, right: Operand) -> Expr:
    return binary(">=", left, right)


def eq(left: Operand, right: Operand) -> Expr:
    return binary("==", left, right)


def ne(left: Operand, right: Operand) -> Expr:
    return binary("!=", left, right)


def and_(*operands: Operand) -> Expr:
    """Short-circuit conjunction from left to right; true if there are none."""
    result: Expr = Const(BOOL, True)
    for operand in operands:
        result = _logical("&&", result, boolean(operand))
    return result


def or_(*operands: Operand) -> Expr:
    """Short-circuit disjunction from left to right; false if there are none."""
    result: Expr = Const(BOOL, False)
    for operand in operands:
        result = _logical("||", result, boolean(operand))
    return result


def not_(operand: Operand) -> Expr:
    operand = boolean(operand)
    match operand:
        case Const(value=value):
            return Const(BOOL, not value)
        case Unary(op="!", operand=inner) if inner.dtype == BOOL:
            return inner
        case Binary(op=op, left=left, right=right) if op in OPPOSITE and not left.dtype.is_float:
            return Binary(BOOL, OPPOSITE[op], left, right, range=operand.range)
    return Unary(BOOL, "!", operand, range=operand.range)


OPPOSITE = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}


def neg(operand: Operand) -> Expr:
    operand = as_expr(operand)
    dtype = promote(operand.dtype)
    operand = cast(operand, dtype)
    if isinstance(operand, Const):
        return Const(dtype, convert(-operand.value, dtype))
    return Unary(dtype, "-", operand)


def boolean(operand: Operand) -> Expr:
    """The operand as C tests it: `x != 0`."""
    operand = as_expr(operand)
    if operand.dtype == BOOL:
        return operand
    if isinstance(operand, Const):
        return Const(BOOL, bool(operand.value))
    if isinstance(operand, Cast) and operand.operand.dtype == BOOL:
        return operand.operand
    return Binary(BOOL, "!=", operand, Const(operand.dtype, convert(0, operand.dtype)), range=operand.range)


def select(condition: Operand, then: Operand, otherwise: Operand) -> Expr:
    """`condition ? then : otherwise` in the common type of the two sides."""
    test = boolean(condition)
    if isinstance(then, Expr) and isinstance(otherwise, Expr) and then.dtype == otherwise.dtype:
        yes, no = then, otherwise  # two bytes stay bytes: the promotion would not change the value
    else:
        yes, no = unify(then, otherwise)
    if isinstance(test, Const):
        return yes if test.value else no
    return yes if yes == no else Select(yes.dtype, test, yes, no)


def minimum(left: Operand, right: Operand) -> Expr:
    return _extremum("min", left, right, min)


def maximum(left: Operand, right: Operand) -> Expr:
    return _extremum("max", left, right, max)


def _extremum(function: str, left: Operand, right: Operand, fold: Callable[[int, int], int]) -> Expr:
    first, second = unify(left, right)
    if first == second:
        return first
    if isinstance(first, Const) and isinstance(second, Const) and not first.dtype.is_float:
        return Const(first.dtype, fold(int(first.value), int(second.value)))
    return Call(first.dtype, function, (first, second))


def ceil_div(left: Operand, right: Operand) -> Expr:
    """`(left + right - 1) / right`, for non-negative `left` and positive `right`."""
    return div(add(left, sub(right, 1)), right)


def call(function: str, dtype: DType, *args: Expr, fast: bool = False) -> Call:
    return Call(dtype, function, args, fast)


# ------------------------------------------------------------------------------------------ folding


def _logical(op: str, left: Expr, right: Expr) -> Expr:
    neutral = op == "&&"
    if isinstance(left, Const):
        return right if bool(left.value) is neutral else left
    if isinstance(right, Const):
        return left if bool(right.value) is neutral else right
    return Binary(BOOL, op, left, right)


def _fold(op: str, left: Expr, right: Expr) -> Expr:
    dtype = BOOL if op in COMPARISONS else left.dtype
    if isinstance(left, Const) and isinstance(right, Const):
        value = evaluate(op, left.value, right.value, left.dtype)
        if value is not None:
            return Const(dtype, value)
    if dtype.is_integer and dtype.kind is not Kind.BOOL:
        shorter = _identity(op, left, right) or _gathered(op, left, right)
        if shorter is not None:
            return shorter
    return Binary(dtype, op, left, right)


def _gathered(op: str, left: Expr, right: Expr) -> Expr | None:
    """`x + 16u - 1u` as `x + 15u`: unsigned integers wrap, so that the order of additions does not count."""
    match left:
        case Binary(op="+" | "-" as inner, left=x, right=Const(value=first)) if (
            op in "+-" and isinstance(right, Const) and left.dtype == right.dtype == x.dtype
        ):
            if left.dtype.kind is not Kind.UINT or left.dtype.bits < 32:
                return None
            total = (int(first) if inner == "+" else -int(first)) + (1 if op == "+" else -1) * int(
                right.value
            )
            if total == 0:
                return x
            return Binary(x.dtype, "+" if total > 0 else "-", x, const(abs(total), x.dtype))
    return None


def _identity(op: str, left: Expr, right: Expr) -> Expr | None:
    """`x + 0`, `x * 1`, `x / 1` and their mirror images; `x * 0` and `0 / x` too, as integer operands have no
    effects."""
    match op:
        case "+" if is_const(left, 0):
            return right
        case "+" | "-" | "<<" | ">>" | "|" | "^" if is_const(right, 0):
            return left
        case "|" | "^" if is_const(left, 0):
            return right
        case "*" if is_const(left, 1):
            return right
        case "*" | "/" if is_const(right, 1):
            return left
        case "*" if is_const(left, 0) or is_const(right, 0):
            return Const(left.dtype, 0)
        case "%" if is_const(right, 1):
            return Const(left.dtype, 0)
        case "/" | "%" if is_const(left, 0):
            return Const(left.dtype, 0)
    return None


def evaluate(
    op: str, left: int | float | bool, right: int | float | bool, dtype: DType
) -> int | float | bool | None:
    """The operator on two values of `dtype`, or None where C leaves it undefined (x / 0, wide shifts)."""
    match op:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "==":
            return left == right
        case "!=":
            return left != right
    if dtype.is_float:
        return _evaluate_float(op, float(left), float(right), dtype)
    return _evaluate_int(op, int(left), int(right), dtype)


def _evaluate_float(op: str, left: float, right: float, dtype: DType) -> float | None:
    # Rounding a double result once more is harmless: 53 >= 2 * 24 + 2 bits.
    match op:
        case "+":
            return round_float(left + right, dtype)
        case "-":
            return round_float(left - right, dtype)
        case "*":
            return round_float(left * right, dtype)
        case "/" if right != 0.0:
            return round_float(left / right, dtype)
    return None


def _evaluate_int(op: str, left: int, right: int, dtype: DType) -> int | None:
    match op:
        case "+":
            return wrap(left + right, dtype)
        case "-":
            return wrap(left - right, dtype)
        case "*":
            return wrap(left * right, dtype)
        case "/" if right != 0:
            return wrap(truncating_div(left, right), dtype)
        case "%" if right != 0:
            return wrap(left - right * truncating_div(left, right), dtype)
        case "&":
            return wrap(left & right, dtype)
        case "|":
            return wrap(left | right, dtype)
        case "^":
            return wrap(left ^ right, dtype)
        case "<<" if 0 <= right < dtype.bits:
            return wrap(left << right, dtype)
        case ">>" if 0 <= right < dtype.bits:
            return wrap(left >> right, dtype)
    return None


def truncating_div(left: int, right: int) -> int:
    """C's integer division."""
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient
