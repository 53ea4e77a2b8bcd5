"""A condition on a counter becomes the range that it counts over.

    for k in 0..n: if (p + k >= 0 && p + k < w) f(k)    -->    for k in max(0, -p)..min(n, w - p): f(k)

In loops that the lanes of a register go through together, where the lanes agree about the range: then nothing
is asked in the loop, and copies of it for several registers are one loop.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import and_, is_const, maximum, minimum
from xpiler.ir.nodes import Assign, Atomic, Block, Decl, Expr, For, Function, If, LoopKind, Stmt, Var
from xpiler.ir.rewrite import assigned_vars, free_vars, map_stmt, walk_stmts
from xpiler.passes.inside_ranges import bound_of, parts_of


def bound_loops(function: Function) -> Function:
    """In all loops over lanes."""

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or stmt.kind is not LoopKind.VECTOR:
            return stmt
        varying = _varying(stmt)
        body = map_stmt(stmt.body, lambda s: _bounded(s, varying) if isinstance(s, For) else s)
        assert isinstance(body, Block)
        return replace(stmt, body=body)

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _varying(lanes: For) -> frozenset[str]:
    """Variables that may differ from lane to lane, and those that change."""
    found = {lanes.var}
    for stmt in walk_stmts(lanes.body):
        match stmt:
            case Assign(target=Var(name=name)):
                found.add(name)
            case Atomic(target=Var(name=name)):
                found.add(name)
            case For(var=var, start=start) if free_vars(start) & found:
                found.add(var)
            case Decl(name=name, init=init) if not isinstance(init, Expr) or free_vars(init) & found:
                found.add(name)
    return frozenset(found)


def _bounded(loop: For, varying: frozenset[str]) -> Stmt:
    match loop.body.body:
        case (If(condition=condition, then=then, otherwise=Block(body=())),):
            pass
        case _:
            return loop
    changing = varying | assigned_vars(loop)
    if loop.kind is not LoopKind.SERIAL or not is_const(loop.step, 1):
        return loop
    start, stop = loop.start, loop.stop
    left: list[Expr] = []
    for part in parts_of(condition):
        found = bound_of(part, loop.var) if loop.var in free_vars(part) else None
        low, high = found or (None, None)
        end = low or high
        if end is None or free_vars(end) & changing:
            left.append(part)
        elif low is not None:
            start = maximum(start, low)
        else:
            stop = minimum(stop, end)
    if (start, stop) == (loop.start, loop.stop):
        return loop
    body = Block((If(and_(*left), then, Block(())),)) if left else then
    return replace(loop, start=start, stop=stop, body=body)
