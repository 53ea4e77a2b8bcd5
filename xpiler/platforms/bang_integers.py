"""Conversions between integers that BANG C has no instruction for, by those that it has.

(int8_t)q       of int: `__bang_int322int8`, which clamps: q is brought into its range by shifts first
(float)u        of uint8_t: as int8_t, plus 256 where that is negative
(uint8_t)f      of float: clamped, and as int8_t where it is below 128
"""

from __future__ import annotations

from collections.abc import Mapping

from xpiler.ir.build import add, cast, const, mul, sub
from xpiler.ir.nodes import Binary, Bitcast, Call, Cast, Const, Expr, Select, Var
from xpiler.ir.types import BOOL, F16, F32, I8, I16, I32, U8, DType
from xpiler.platforms.bang_functions import Let

Range = tuple[int, int]


def integer_conversion(expr: Expr, ranges: Mapping[str, Range]) -> Expr | Let | None:
    """A conversion to or from a narrow integer by other ones; None where this is no such conversion.

    `ranges`: between which numbers variables lie.
    """
    if not isinstance(expr, Cast):
        return None
    operand, dtype, source = expr.operand, expr.dtype, expr.operand.dtype
    if dtype == U8 and source in (F32, F16):
        return _byte_of_float(cast(operand, F32))
    if dtype == U8 and source in (I8, I16, I32):
        return Bitcast(U8, cast(operand, I8))
    if source == U8 and dtype == I8:
        return Bitcast(I8, operand)
    if source == U8 and dtype != F32 and dtype != BOOL:
        return Cast(dtype, Cast(F32, operand))
    if source == U8 and dtype == F32:
        f = Var(F32, "byte")
        wrapped = mul(_is(Binary(BOOL, "<", f, const(0.0, F32))), const(256.0, F32))
        return Let((("byte", Cast(F32, Bitcast(I8, operand))),), add(f, wrapped))
    if dtype in (I8, I16) and source == I32:
        return Cast(dtype, clamped(_within(operand, dtype, ranges), dtype))
    if dtype == I8 and source == I16:
        return Cast(I8, Cast(I32, operand))
    return None


def shifted_quotient(expr: Expr, ranges: Mapping[str, Range]) -> Expr | None:
    """What is not negative, divided by a power of two: shifted, or of the rest its lower bits."""
    match expr:
        case Binary(op="/" | "%" as op, left=x, right=Const(value=int(by))) if expr.dtype == I32:
            known = range_of(x, ranges)
            if by > 0 and by & (by - 1) == 0 and known is not None and known[0] >= 0:
                return Binary(I32, ">>", x, const(by.bit_length() - 1)) if op == "/" else _lower_bits(x, by)
    return None


def _lower_bits(x: Expr, by: int) -> Expr:
    return Binary(I32, "&", x, const(by - 1))


def clamped(x: Expr, dtype: DType) -> Expr:
    """`x`, or what is nearest to it in the range of `dtype`."""
    low, high = _limits(dtype)
    return Call(x.dtype, "min", (Call(x.dtype, "max", (x, const(low, x.dtype))), const(high, x.dtype)))


def choice_as_clamp(expr: Expr) -> Expr | None:
    """`x < a ? a : x > b ? b : x` with numbers a <= b as extrema; None for other choices."""
    match expr:
        case Select(
            condition=Binary(op="<" | "<=" | ">" | ">=" as op, left=x, right=Const() as bound),
            then=one,
            otherwise=Select(
                condition=Binary(op="<" | "<=" | ">" | ">=" as inner, left=y, right=Const() as end),
                then=two,
                otherwise=rest,
            ),
        ) if (one, two) == (bound, end) and x == y == rest and op[0] != inner[0]:
            low, high = (bound, end) if op[0] == "<" else (end, bound)
            if low.value > high.value:
                return None
            return Call(expr.dtype, "min", (Call(expr.dtype, "max", (x, low)), high))
    return None


def _byte_of_float(x: Expr) -> Let:
    """Toward zero, clamped; the numbers from 128 on have the bits of negative ones."""
    f = Var(F32, "byte")
    inside = Call(F32, "min", (Call(F32, "max", (x, const(0.0, F32))), const(255.0, F32)))
    upper = mul(_is(Binary(BOOL, ">=", f, const(128.0, F32))), const(256.0, F32))
    return Let((("byte", Call(F32, "floor", (inside,))),), Bitcast(U8, Cast(I8, sub(f, upper))))


def _is(test: Expr) -> Expr:
    return Cast(F32, test)


def _within(x: Expr, dtype: DType, ranges: Mapping[str, Range]) -> Expr:
    """An int with the lower bits of `x` that has the value of these bits."""
    low, high = _limits(dtype)
    known = range_of(x, ranges)
    if known is not None and low <= known[0] and known[1] <= high:
        return x
    apart = const(I32.bits - dtype.bits, I32)
    return Binary(I32, ">>", Binary(I32, "<<", x, apart), apart)


def _limits(dtype: DType) -> Range:
    size = 1 << (dtype.bits - dtype.is_signed)
    return (-size if dtype.is_signed else 0), size - 1


def range_of(expr: Expr, ranges: Mapping[str, Range]) -> Range | None:
    """Between which numbers an int lies, as far as its last operations tell."""
    match choice_as_clamp(expr) or expr:
        case Var(name=name):
            return ranges.get(name)
        case Const(value=value) if not expr.dtype.is_float:
            return int(value), int(value)
        case Cast(operand=operand) if operand.dtype == BOOL:
            return 0, 1
        case Cast(operand=operand) if operand.dtype.is_integer and operand.dtype.bits < I32.bits:
            return _limits(operand.dtype)
        case Binary(op="&", right=Const(value=mask)) | Binary(op="&", left=Const(value=mask)) if mask >= 0:
            return 0, int(mask)
        case Binary(op="+" | "-" | "*" as op, left=left, right=right) if expr.dtype == I32:
            return _combined(op, range_of(left, ranges), range_of(right, ranges))
        case Binary(op=">>", left=left, right=Const(value=int(bits))) if expr.dtype == I32:
            one = range_of(left, ranges)
            return (one[0] >> bits, one[1] >> bits) if one is not None and 0 <= bits < I32.bits else None
        case Call(function="min" | "max" as which, args=(left, right)):
            one, two = range_of(left, ranges), range_of(right, ranges)
            if one is not None and two is not None:
                pick = min if which == "min" else max
                return pick(one[0], two[0]), pick(one[1], two[1])
            some = one or two
            if some is None:
                return None
            low, high = _limits(I32)
            return (low, some[1]) if which == "min" else (some[0], high)
        case Select(then=left, otherwise=right):
            one, two = range_of(left, ranges), range_of(right, ranges)
            return None if one is None or two is None else (min(one[0], two[0]), max(one[1], two[1]))
    return None


def _combined(op: str, one: Range | None, two: Range | None) -> Range | None:
    """Of a sum, difference or product that no int overflows by."""
    if one is None or two is None:
        return None
    ends = [a * b if op == "*" else a + b if op == "+" else a - b for a in one for b in two]
    low, high = _limits(I32)
    return (min(ends), max(ends)) if low <= min(ends) and max(ends) <= high else None
