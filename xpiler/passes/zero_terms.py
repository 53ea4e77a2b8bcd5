"""Sums stop where their terms are zero.

    for k in 0..(K + 31) / 32 * 32: sum += (k < K ? a[k] : 0) * (k < K ? b[k] : 0)
      -->  for k in 0..K: sum += a[k] * b[k]

A tile's last columns that are filled up with zeros add nothing. Applies where all memory that a term reads is
behind the same comparison, so that no infinity meets a zero.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import const
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Load,
    LoopKind,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import map_body, map_expr, walk
from xpiler.ir.types import BOOL
from xpiler.passes.folds import folded


def drop_zero_terms(function: Function) -> Function:
    """In all serial loops of the function."""

    def change(stmt: Stmt) -> Stmt:
        return _shortened(stmt) or stmt if isinstance(stmt, For) else stmt

    return map_body(function, change)


def _shortened(loop: For) -> For | None:
    counted = loop.start == const(0, loop.dtype) and loop.step == const(1, loop.dtype)
    if loop.kind not in (LoopKind.SERIAL, LoopKind.UNROLLED) or not counted:
        return None
    limit = _rounded_up(loop.stop)
    if limit is None:
        return None
    inside = Binary(BOOL, "<", Var(loop.dtype, loop.var), limit)
    guarded: set[str] = set()
    for stmt in loop.body.body:
        match stmt:
            case Decl(name=name, shape=(), init=Select(condition=condition, otherwise=Const(value=0))) if (
                condition == inside
            ):
                guarded.add(name)
            case Assign(target=Var()) if _vanishes(folded(stmt), inside, guarded):
                pass
            case _:
                return None

    def known(e: Expr) -> Expr:
        return e.then if isinstance(e, Select) and e.condition == inside else e

    body = map_expr(loop.body, known)
    assert isinstance(body, Block)
    return replace(loop, stop=limit, body=body)


def _vanishes(fold: tuple[str, Expr] | None, inside: Expr, guarded: set[str]) -> bool:
    """What is added is a product with a zero factor outside, and reads nothing there."""
    if fold is None or fold[0] != "+":
        return False
    factors = _factors(fold[1])
    zero = [f for f in factors if _is_zero(f, inside, guarded)]
    return bool(zero) and not any(isinstance(n, Load) for f in factors if f not in zero for n in walk(f))


def _is_zero(factor: Expr, inside: Expr, guarded: set[str]) -> bool:
    match factor:
        case Var(name=name):
            return name in guarded
        case Select(condition=condition, otherwise=Const(value=0)):
            return condition == inside
    return False


def _factors(value: Expr) -> list[Expr]:
    match value:
        case Binary(op="*", left=left, right=right):
            return _factors(left) + _factors(right)
    return [value]


def _rounded_up(stop: Expr) -> Expr | None:
    """n of `(n + c - 1) / c * c`."""
    match stop:
        case Binary(
            op="*",
            left=Binary(
                op="/", left=Binary(op="+", left=number, right=Const(value=more)), right=Const(value=by)
            ),
            right=Const(value=times),
        ) if by == times and more == by - 1:
            return number
    return None
