"""One unsigned comparison that tests both ends of a range, as the two that it stands for.

    (unsigned)(i - 1) < (unsigned)n ? x[i - 1] : 0   -->   0 <= i - 1 && i - 1 < n ? x[i - 1] : 0

Applies where the value may be negative, which as an unsigned number is beyond every bound. The bound
itself is taken to fit a signed type, like all arithmetic of indices.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import bounds
from xpiler.ir.build import and_, binary, cast, const, le, lt, not_
from xpiler.ir.nodes import Assign, Binary, Block, Cast, Const, Decl, Expr, For, Function, If, Stmt, While
from xpiler.ir.rewrite import map_expr
from xpiler.ir.types import I32, I64, U32, U64, DType
from xpiler.passes.facts import Facts

_SIGNED = {U32: I32, U64: I64}
_SWAPPED = {">": "<", ">=": "<="}


def signed_tests(function: Function) -> Function:
    """Everywhere in the function."""
    body = _block(function.body, Facts.of(function))
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, facts: Facts) -> Block:
    return replace(block, body=tuple(_stmt(s, facts) for s in block.body))


def _stmt(stmt: Stmt, facts: Facts) -> Stmt:
    def plain(expr: Expr) -> Expr:
        return _plain(expr, facts)

    match stmt:
        case For(body=body):
            return replace(stmt, body=_block(body, facts.inside(stmt)))
        case If(condition=condition, then=then, otherwise=otherwise):
            condition = map_expr(condition, plain)
            return replace(
                stmt, condition=condition, then=_block(then, facts), otherwise=_block(otherwise, facts)
            )
        case While(condition=condition, body=body):
            return replace(stmt, condition=map_expr(condition, plain), body=_block(body, facts))
        case Block():
            return _block(stmt, facts)
        case Assign() | Decl():
            return map_expr(stmt, plain)
    return stmt


def _plain(expr: Expr, facts: Facts) -> Expr:
    match expr:
        case Binary(op=">" | ">=" as op, left=left, right=right) if left.dtype in _SIGNED:
            return _plain(replace(expr, op=_SWAPPED[op], left=right, right=left), facts)
        case Binary(op="<" | "<=" as op, left=left, right=right) if left.dtype in _SIGNED:
            low, high = (_signed(side, _SIGNED[left.dtype]) for side in (left, right))
            if low is None or high is None:
                return expr
            if _may_be_negative(low, facts):
                return and_(le(const(0, low.dtype), low), binary(op, low, high))
            if _may_be_negative(high, facts) and _subtracts(high):  # beyond the bound when it is negative
                beyond = lt(high, low) if op == "<=" else le(high, low)
                return not_(and_(le(const(0, high.dtype), high), beyond))
    return expr


def _may_be_negative(value: Expr, facts: Facts) -> bool:
    low = bounds(value, facts.ranges)[0]
    return low is None or low < 0


def _subtracts(value: Expr) -> bool:
    """Whether it is computed with negative numbers, as a bound that is only read is not."""
    match value:
        case Binary(op="-"):
            return True
        case Binary(op="+" | "*", left=left, right=right):
            return _subtracts(left) or _subtracts(right)
        case Const(value=number):
            return number < 0
        case Cast(operand=operand):
            return _subtracts(operand)
    return False


def _signed(expr: Expr, dtype: DType) -> Expr | None:
    """The same number before it was taken for an unsigned one."""
    match expr:
        case Const(value=value):
            return (
                const(value, dtype)
                if value < 1 << (dtype.bits - 1)
                else const(value - (1 << dtype.bits), dtype)
            )
        case Cast(operand=operand) if operand.dtype.is_integer and operand.dtype.bits <= dtype.bits:
            return cast(operand, dtype)
        case Binary(op="+" | "-" | "*" as op, left=left, right=right):
            sides = _signed(left, dtype), _signed(right, dtype)
            return None if sides[0] is None or sides[1] is None else binary(op, sides[0], sides[1])
    return cast(expr, dtype)
