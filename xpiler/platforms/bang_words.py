"""Words without a sign by instructions on words that have one: the same bits.

a * b + c       of unsigned: as int, which wraps around alike
(float)w        both halves of the word, whose sum is rounded once
w < v           with the highest bits turned
"""

from __future__ import annotations

from xpiler.ir.build import add, cast, const, mul, sub
from xpiler.ir.nodes import Binary, Bitcast, Call, Cast, Const, Expr, Var
from xpiler.ir.types import BOOL, F16, F32, I8, I16, I32, U8, U32
from xpiler.platforms.bang_functions import Let

_ALIKE = ("+", "-", "*", "&", "|", "^", "<<")
_HIGHEST = const(-(2**31), I32)
_HALF = 16
_MIDDLE, _LAST = 2.0**31, 2.0**32 - 2.0**8  # the first float with the highest bit, and the last one of all


def word_operation(expr: Expr) -> Expr | Let | None:
    """An operation on words without a sign by others; None if this is none."""
    match expr:
        case Binary(op=op, left=left, right=right) if expr.dtype == U32 and op in _ALIKE:
            other = cast(right, I32) if op == "<<" else _signed(right)
            return Bitcast(U32, Binary(I32, op, _signed(left), other))
        case Binary(op=">>", left=left, right=right) if expr.dtype == U32 and right.dtype != I32:
            return Binary(U32, ">>", left, cast(right, I32))
        case Call(function="min" | "max" as which, args=(left, right)) if expr.dtype == U32:
            return Bitcast(U32, add(Call(I32, which, (_turned(left), _turned(right))), _HIGHEST))
        case Cast(operand=x) if expr.dtype == U32 and x.dtype == F32:
            return _word_of_float(x)
        case Cast(operand=x) if expr.dtype == U32 and x.dtype in (BOOL, I8, I16, I32, U8, F16):
            return Bitcast(U32, x if x.dtype == I32 else Cast(I32, x))
        case Cast(operand=Binary(left=left) as test) if left.dtype == U32 and test.dtype == BOOL:
            signed = signed_comparison(test)
            return None if signed is None else Cast(expr.dtype, signed)
        case Cast(operand=x) if x.dtype == U32 and expr.dtype == F32:
            return _float_of_word(x)
        case Cast(operand=x) if x.dtype == U32 and expr.dtype == F16:
            return Cast(F16, Cast(F32, x))
        case Cast(operand=x) if x.dtype == U32 and expr.dtype in (I32, I16, I8, U8):
            return Bitcast(I32, x) if expr.dtype == I32 else Cast(expr.dtype, Bitcast(I32, x))
    return None


def signed_comparison(test: Binary) -> Binary | None:
    """A comparison of words without a sign as one of words that have one."""
    if test.left.dtype != U32:
        return None
    if test.op in ("==", "!="):
        return Binary(BOOL, test.op, _signed(test.left), _signed(test.right))
    if test.op in ("<", "<=", ">", ">="):
        return Binary(BOOL, test.op, _turned(test.left), _turned(test.right))
    return None


def _signed(x: Expr) -> Expr:
    match x:
        case Const(value=value):
            return const((int(value) + 2**31) % 2**32 - 2**31, I32)
        case Cast(operand=operand) | Bitcast(operand=operand) if operand.dtype == I32:
            return operand
    return Bitcast(I32, x)


def _turned(x: Expr) -> Expr:
    """With another highest bit."""
    signed = _signed(x)
    if isinstance(signed, Const):
        value = int(signed.value)
        return const(value - 2**31 if value >= 0 else value + 2**31, I32)
    return Binary(I32, "+", signed, _HIGHEST)


def _float_of_word(x: Expr) -> Expr | Let:
    if _has_no_highest_bit(x):
        return Cast(F32, _signed(x))
    word = Var(U32, "word")
    upper = Bitcast(I32, Binary(U32, ">>", word, const(_HALF, I32)))
    lower = Binary(I32, "&", Bitcast(I32, word), const(2**_HALF - 1, I32))
    return Let((("word", x),), add(mul(Cast(F32, upper), const(2.0**_HALF, F32)), Cast(F32, lower)))


def _has_no_highest_bit(x: Expr) -> bool:
    match x:
        case Binary(op=">>", right=Const(value=bits)):
            return bits > 0
        case Binary(op="&", right=Const(value=mask)) | Binary(op="&", left=Const(value=mask)):
            return mask < 2**31
        case Cast(operand=operand):
            return operand.dtype in (U8, BOOL)
    return False


def _word_of_float(x: Expr) -> Let:
    """Toward zero, clamped."""
    single, is_large = Var(F32, "single"), Var(F32, "large")
    inside = Call(F32, "min", (Call(F32, "max", (x, const(0.0, F32))), const(_LAST, F32)))
    large = Cast(F32, Binary(BOOL, ">=", single, const(_MIDDLE, F32)))
    lower = Cast(I32, sub(single, mul(is_large, const(_MIDDLE, F32))))
    highest = Binary(I32, "<<", Cast(I32, is_large), const(31, I32))
    return Let((("single", inside), ("large", large)), Bitcast(U32, Binary(I32, "|", lower, highest)))
