"""bfloat16 on cores that have no instruction for it: the upper halves of floats, by integer instructions.

(float)b           int162float, float2int32, sll: the bits, 16 places further up
(bfloat16)f        the bits and half a unit of the last place, ties to even; the upper half of that
"""

from __future__ import annotations

from xpiler.ir.build import const
from xpiler.ir.nodes import Binary, Bitcast, Cast, Expr, Var
from xpiler.ir.types import BF16, BOOL, F16, F32, I8, I16, I32, DType
from xpiler.platforms.bang_functions import Let
from xpiler.platforms.bang_integers import clamped

_HALF = const(16, I32)
_BELOW_HALF = const(0x7FFF, I32)  # a unit of the last place; also all bits of a NaN but its sign


def bfloat16_conversion(expr: Expr) -> Expr | Let | None:
    """A conversion to or from bfloat16; None for anything else."""
    match expr:
        case Cast(operand=x) if x.dtype == BF16 and expr.dtype == F32:
            return Bitcast(F32, Binary(I32, "<<", Cast(I32, Bitcast(I16, x)), _HALF))
        case Cast(operand=x) if x.dtype == BF16 and expr.dtype != BOOL:
            return Cast(expr.dtype, Cast(F32, x))
        case Cast(operand=x) if expr.dtype == BF16 and x.dtype == F32:
            return _rounded(x)
        case Cast(operand=x) if expr.dtype == BF16 and x.dtype in _EXACT:
            return Cast(BF16, Cast(F32, x))
    return None


_EXACT: tuple[DType, ...] = (F16, I8, I16, BOOL)  # whose values are floats, so that one rounding is left


def _rounded(x: Expr) -> Let:
    single, bits = Var(F32, "single"), Bitcast(I32, Var(F32, "single"))
    odd = Binary(I32, ">>", Binary(I32, "<<", bits, const(15, I32)), const(31, I32))  # -1 or 0
    nearest = Binary(I32, ">>", Binary(I32, "+", Binary(I32, "-", bits, odd), _BELOW_HALF), _HALF)
    is_nan = Cast(I32, Binary(BOOL, "!=", single, single))
    upper = Binary(I32, "|", nearest, Binary(I32, "*", is_nan, _BELOW_HALF))
    return Let((("single", x),), Bitcast(BF16, Cast(I16, clamped(upper, I16))))
