"""Sums of small integers by sums of floats, part by part, each of which is exact.

    for k in 0..n: acc += (int)x[k] * (int)w[k]      for first in 0..n step 1024:
                                              -->      float part = 0
                                                       for k in first..min(first + 1024, n):
                                                         part += (float)x[k] * (float)w[k]
                                                       acc += (int)part

Vectors of bytes have no integer sum, but floats hold every integer up to 2^24: 1024 products of two bytes
with a sign. Applies to sums of bytes and of products of two of them.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import add, cast, const, is_const, minimum, var
from xpiler.ir.nodes import Assign, Binary, Block, Cast, Decl, Expr, For, Function, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_body
from xpiler.ir.types import F32, I8, I32, U8
from xpiler.passes.names import Names

_EXACT = 1 << 24  # every integer up to it is a float
_LARGEST = {I8: 128, U8: 255}


def sum_exactly(function: Function) -> Function:
    """All such loops of the function."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        return (_parts(stmt, names) or stmt) if isinstance(stmt, For) else stmt

    return map_body(function, change)


def _parts(loop: For, names: Names) -> For | None:
    match loop:
        case For(body=Block(body=(Assign(target=Var(dtype=dtype), value=value, reduce="+") as step,))):
            largest = _largest(value)
        case _:
            return None
    if largest is None or dtype != I32 or loop.kind is not LoopKind.SERIAL or not is_const(loop.step, 1):
        return None
    if loop.var not in free_vars(value):
        return None
    count = 1 << ((_EXACT // largest).bit_length() - 1)
    first, part = var(names.fresh("first"), loop.dtype), var(names.fresh("part"), F32)
    end = minimum(add(first, const(count, loop.dtype)), loop.stop)
    inner = replace(
        loop, start=first, stop=end, body=Block((replace(step, target=part, value=_as_float(value)),))
    )
    body = Block((Decl(part.name, F32, init=const(0.0, F32)), inner, replace(step, value=cast(part, I32))))
    return replace(loop, var=first.name, step=const(count, loop.dtype), body=body)


def _largest(value: Expr) -> int | None:
    """The largest size of a byte, or of a product of two."""
    match value:
        case Binary(op="*", left=left, right=right):
            first, second = _largest_byte(left), _largest_byte(right)
            return first * second if first is not None and second is not None else None
    return _largest_byte(value)


def _largest_byte(value: Expr) -> int | None:
    match value:
        case Cast(operand=Load(dtype=dtype)) if value.dtype == I32:
            return _LARGEST.get(dtype)
    return None


def _as_float(value: Expr) -> Expr:
    match value:
        case Binary(op="*", left=left, right=right):
            return Binary(F32, "*", _as_float(left), _as_float(right))
        case Cast(operand=operand):
            return cast(operand, F32)
    return value
