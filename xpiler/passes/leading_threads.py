"""A loop over threads of which only the first ones do something runs over those.

    threads warp in 0..8: if (warp * 32 < 64) A(warp)     -->     threads warp in 0..2: A(warp)
    threads warp in 0..8: if (warp == 0) A(warp)          -->     A(0)

Applies where the condition is about the counter alone, and holds for the first numbers and no others.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import simplify
from xpiler.ir.build import const, is_const
from xpiler.ir.nodes import Block, Const, Decl, For, If, LoopKind, Stmt
from xpiler.ir.rewrite import free_vars, substitute
from xpiler.passes.structured import spliced

_MOST = 1024  # threads of a block


def leading(stmt: Stmt) -> tuple[Stmt, ...]:
    """What is left of a loop; the statement itself where nothing can be said."""
    match stmt:
        case For(
            start=Const(value=0),
            step=Const(value=1),
            stop=Const(value=count),
            kind=LoopKind.THREADS,
            body=Block(body=(*idle, If(condition=condition, then=then, otherwise=Block(body=())))),
        ) if free_vars(condition) == {stmt.var} and count <= _MOST and all(map(_is_idle, idle)):
            body = Block((*idle, *spliced(then.body)))
        case _:
            return (stmt,)
    numbers = [const(n, stmt.dtype) for n in range(int(count))]
    holds = [simplify(substitute(condition, {stmt.var: number})) for number in numbers]
    first = sum(is_const(h, True) for h in holds)
    if not first or not all(is_const(h, n < first) for n, h in enumerate(holds)):
        return (stmt,)
    if first == 1:
        return tuple(substitute(body, {stmt.var: numbers[0]}).body)
    return (replace(stmt, stop=const(first, stmt.dtype), body=body),)


def _is_idle(stmt: Stmt) -> bool:
    return isinstance(stmt, Decl) and stmt.init is None
