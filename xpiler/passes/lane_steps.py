"""Lanes that walk in strides take their steps together, so that each step is a vector of neighbours.

    for lane in 0..32:                          for lane in 0..32:
      for c in lane..n step 32: s += x[c]  -->    for first in 0..n step 32:
                                                    if (first + lane < n) s += x[first + lane]

A lane of a vector loop does what it did before, in the same order; the condition is a range of lanes.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import coefficient
from xpiler.ir.build import add, cast, const, lt, mul
from xpiler.ir.nodes import Block, Expr, For, If, Stmt, Var
from xpiler.ir.rewrite import assigned_vars, free_vars, map_stmt, substitute
from xpiler.passes.names import Names


def steps_together(loop: For, names: Names) -> For:
    """All such loops in the loop over lanes whose ends are the same for all of them."""
    moving = assigned_vars(loop.body)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or loop.var not in free_vars(stmt.start):
            return stmt
        if (free_vars(stmt.stop) | free_vars(stmt.step)) & {loop.var} | free_vars(stmt.start) & moving:
            return stmt
        apart = coefficient(stmt.start, loop.var)
        by = apart.as_int if apart is not None else None
        if by is None or by < 1:
            return stmt
        first = Var(stmt.dtype, names.fresh("first"))
        own: Expr = add(first, mul(cast(Var(loop.dtype, loop.var), stmt.dtype), const(by, stmt.dtype)))
        body = If(lt(own, stmt.stop), substitute(stmt.body, {stmt.var: own}), range=stmt.range)
        start = substitute(stmt.start, {loop.var: const(0, loop.dtype)})
        return replace(stmt, var=first.name, start=start, body=Block((body,)))

    body = map_stmt(loop.body, change)
    assert isinstance(body, Block)
    return loop if body is loop.body else replace(loop, body=body)
