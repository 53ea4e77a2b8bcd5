"""A condition that is found in two steps is one.

    bool t = rows >= 192;
    if (t) t = rows * columns >= 131072;      -->      bool t = rows >= 192 && rows * columns >= 131072;

So an `&&` becomes whose right side calls a function. `t` then never changes, and whoever launches kernels can
ask for it beforehand. Applies to statements one behind the other that do nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from xpiler.ir.build import and_
from xpiler.ir.nodes import Assign, Block, Decl, Expr, Function, If, Stmt, Var
from xpiler.ir.rewrite import map_stmt
from xpiler.ir.types import BOOL


def join_conditions(function: Function) -> Function:
    """Everywhere in the function."""
    return join_neighbours(function, _joined)


def join_neighbours(function: Function, join: Callable[[Stmt, Stmt], Stmt | None]) -> Function:
    """The function with neighbouring statements as what `join` makes of them, from the first one on."""

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block) or not any(isinstance(s, If) for s in stmt.body):
            return stmt
        kept: list[Stmt] = []
        for inner in stmt.body:
            joined = join(kept[-1], inner) if kept else None
            kept[-1:] = [joined] if joined is not None else [*kept[-1:], inner]
        return stmt if len(kept) == len(stmt.body) else replace(stmt, body=tuple(kept))

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _joined(first: Stmt, second: Stmt) -> Decl | None:
    match first, second:
        case (
            Decl(name=name, dtype=dtype, shape=(), init=Expr() as left),
            If(
                condition=Var(name=asked),
                then=Block(body=(Assign(target=Var(name=target), value=right, reduce=None),)),
                otherwise=Block(body=()),
            ),
        ) if name == asked == target and dtype == BOOL:
            return replace(first, init=and_(left, right))
    return None
