"""A loop over threads of which only the first ones do something runs over those.

    threads warp in 0..8: if (warp * 32 < 64) A(warp)     -->     threads warp in 0..2: A(warp)
    threads warp in 0..8: if (warp == 0) A(warp)          -->     A(0)
    threads y in 0..8: threads x in 0..32:
      if (y == 0 && g(x)) A(y, x)                         -->     threads x in 0..32: if (g(x)) A(0, x)

Applies where the condition is about the counter alone, and holds for the first numbers and no others; also
where it is said within another loop over threads, along with other conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeGuard

from xpiler.ir.affine import simplify
from xpiler.ir.build import and_, const, is_const
from xpiler.ir.nodes import Binary, Block, Const, Decl, Expr, For, If, Load, LoopKind, Stmt
from xpiler.ir.rewrite import free_vars, substitute, walk
from xpiler.passes.structured import spliced

_MOST = 1024  # threads of a block


def leading(stmt: Stmt) -> tuple[Stmt, ...]:
    """What is left of a loop; the statement itself where nothing can be said."""
    match _asked_first(stmt):
        case (
            For(
                start=Const(value=0),
                step=Const(value=1),
                stop=Const(value=count),
                kind=LoopKind.THREADS,
                body=Block(body=(*idle, If(condition=condition, then=then, otherwise=Block(body=())))),
            ) as loop
        ) if free_vars(condition) == {loop.var} and count <= _MOST and all(map(_is_idle, idle)):
            body = Block((*idle, *spliced(then.body)))
        case _:
            return (stmt,)
    numbers = [const(n, loop.dtype) for n in range(int(count))]
    holds = [simplify(substitute(condition, {loop.var: number})) for number in numbers]
    first = sum(is_const(h, True) for h in holds)
    if not first or not all(is_const(h, n < first) for n, h in enumerate(holds)):
        return (stmt,)
    if first == 1:
        return tuple(substitute(body, {loop.var: numbers[0]}).body)
    return (replace(loop, stop=const(first, loop.dtype), body=body),)


def _asked_first(stmt: Stmt) -> Stmt:
    """A loop whose body begins with what is asked of its counter alone, if that is asked at all."""
    match stmt:
        case For(
            var=counter,
            body=Block(body=(If(condition=condition, then=then, otherwise=Block(body=())) as asked,)),
        ):
            mine, others = _conditions(condition, counter)
            if not mine or not others:
                return stmt
            inner = replace(asked, condition=_all(others))
            return replace(stmt, body=Block((replace(asked, condition=_all(mine), then=Block((inner,))),)))
        case For(
            var=counter,
            body=Block(
                body=(
                    For(
                        kind=LoopKind.THREADS,
                        body=Block(
                            body=(If(condition=condition, then=then, otherwise=Block(body=())) as asked,)
                        ),
                    ) as within,
                )
            ),
        ):
            mine, others = _conditions(condition, counter)
            if not mine:
                return stmt
            body = Block((replace(asked, condition=_all(others)),)) if others else then
            around = replace(asked, condition=_all(mine), then=Block((replace(within, body=body),)))
            return replace(stmt, body=Block((around,)))
    return stmt


def _conditions(condition: Expr, counter: str) -> tuple[list[Expr], list[Expr]]:
    """What must hold: of the counter alone, and the rest."""
    parts = [condition]
    while any(map(_is_and, parts)):
        parts = [q for p in parts for q in ((p.left, p.right) if _is_and(p) else (p,))]
    mine = [p for p in parts if free_vars(p) == {counter} and not any(isinstance(n, Load) for n in walk(p))]
    return mine, [p for p in parts if p not in mine]


def _is_and(expr: Expr) -> TypeGuard[Binary]:
    return isinstance(expr, Binary) and expr.op == "&&"


def _all(conditions: Sequence[Expr]) -> Expr:
    whole, *rest = conditions
    for condition in rest:
        whole = and_(whole, condition)
    return whole


def _is_idle(stmt: Stmt) -> bool:
    return isinstance(stmt, Decl) and stmt.init is None
