"""Threads that walk over memory in strides, seen from memory: the neighbours that they read together.

    for t in 0..256:                                  for first in b..n step 1024:
      for i in (b + t)..n step 1024: s += x[i]  -->     for t in 0..min(256, n - first): s += x[first + t]

Only where the loops do nothing but collect into scalars, so that the order is that of an associative sum.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import coefficient
from xpiler.ir.build import add, cast, const, is_const, minimum, sub
from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Function, LoopKind, Stmt, Var
from xpiler.ir.rewrite import assigned_vars, free_vars, map_body, substitute
from xpiler.passes.names import Names


def interchange_sums(function: Function) -> Function:
    """All such nests of two loops."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        if isinstance(stmt, For) and len(stmt.body.body) == 1:
            inner = stmt.body.body[0]
            if isinstance(inner, For) and not is_const(inner.step, 1) and _collects(inner.body):
                return _interchanged(stmt, inner, names) or stmt
        return stmt

    return map_body(function, change)


def _interchanged(threads: For, walk: For, names: Names) -> For | None:
    step = coefficient(walk.start, threads.var)
    moving = {threads.var, walk.var} | assigned_vars(walk.body)
    if step is None or step.as_int != 1 or free_vars(walk.stop) & moving or free_vars(walk.step) & moving:
        return None
    if not is_const(threads.start, 0) or not is_const(threads.step, 1) or free_vars(threads.stop) & moving:
        return None
    first = Var(walk.dtype, names.fresh("first"))
    start = substitute(walk.start, {threads.var: const(0, threads.dtype)})
    lane = Var(walk.dtype, threads.var)
    body = substitute(walk.body, {walk.var: add(first, lane)})
    rest = cast(minimum(cast(threads.stop, walk.dtype), sub(walk.stop, first)), walk.dtype)
    inner = replace(threads, dtype=walk.dtype, stop=rest, body=body, kind=LoopKind.SERIAL)
    inner = replace(inner, start=const(0, walk.dtype), step=const(1, walk.dtype))
    return replace(walk, var=first.name, start=start, body=Block((inner,)), kind=LoopKind.SERIAL)


def _collects(body: Block) -> bool:
    """Whether the statements only add to scalars that none of them reads otherwise."""
    own = {s.name for s in body.body if isinstance(s, Decl)}
    totals = {s.target.name for s in body.body if isinstance(s, Assign) and isinstance(s.target, Var)}
    for stmt in body.body:
        match stmt:
            case (
                Decl(shape=(), init=Expr() as value)
                | Assign(target=Var(), value=value, reduce="+" | "max" | "min")
            ):
                if free_vars(value) & totals:
                    return False
            case _:
                return False
    return bool(totals) and not totals & own
