"""Values that are the same in every iteration are computed once, before the loop.

    for t in 0..128: { float scale = 1 / sum; for c ...: y[c] *= scale; }   -->   float scale = 1 / sum;
                                                                                  for t in 0..128: for c
                                                                                  ...: ...

Only out of loops that run at least once (constant trip counts, blocks and threads), so that nothing is
computed that was not computed before: a division by zero stays where it was.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import Block, Const, Decl, Expr, For, Function, Stmt, Var
from xpiler.ir.rewrite import Uses, map_stmt, uses
from xpiler.passes.aliasing import Aliases, may_be_same, with_aliases
from xpiler.passes.facts import mutable_vars
from xpiler.passes.structured import spliced


def hoist_invariants(function: Function) -> Function:
    """Everywhere, from the innermost loops outwards."""
    mutable, aliases = mutable_vars(function), may_be_same(function.params)

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if not isinstance(stmt, For) or not _runs(stmt):
            return stmt
        body = spliced(stmt.body.body)
        changed = uses(stmt.body)
        moved: list[Stmt] = []
        for inner in body:
            if (
                isinstance(inner, Decl)
                and inner.name not in mutable
                and _same_always(inner, stmt, moved, changed, aliases)
            ):
                moved.append(inner)
        if not moved:
            return stmt
        rest = tuple(s for s in body if s not in moved)
        return (*moved, replace(stmt, body=Block(rest)))

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _runs(loop: For) -> bool:
    if not is_const(loop.start, 0):
        return False
    stop = loop.stop
    if isinstance(stop, Const):
        return int(stop.value) > 0
    return isinstance(stop, Var) and stop.name.startswith(("gridDim.", "blockDim."))


def _same_always(decl: Decl, loop: For, moved: list[Stmt], changed: Uses, aliases: Aliases) -> bool:
    if decl.shape or not isinstance(decl.init, Expr):
        return False
    found = uses(Block((decl,)))
    earlier = {s.name for s in moved if isinstance(s, Decl)}
    free = found.vars_read - earlier
    return (
        loop.var not in free
        and not free & changed.vars_assigned
        and not found.arrays_read & (with_aliases(changed.arrays_written, aliases) | changed.arrays_declared)
    )
