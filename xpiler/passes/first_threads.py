"""What only the first threads of a loop do, after all have done the rest, is done behind the loop.

    threads t in 0..32:                            threads t in 0..32: if (g(t)) q[t] = f(t)
      if (g(t)) { q[t] = f(t);           -->       if (g(0)) y = s
                  if (t == 0) y = s; }

Threads between two meeting points are independent, so that the first may as well come last. Values that both
parts look at are computed twice; where that would not give the same the loop stays as it is.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import Block, Const, Decl, Expr, For, Function, If, Load, LoopKind, Stmt
from xpiler.ir.rewrite import free_vars, map_body, uses, walk, walk_stmts
from xpiler.passes.facts import mutable_vars
from xpiler.passes.leading_threads import leading
from xpiler.passes.loop_distribution import with_values
from xpiler.passes.names import Names
from xpiler.passes.structured import spliced


def first_threads_last(function: Function) -> Function:
    """Everywhere in the function."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if isinstance(stmt, For) and stmt.kind is LoopKind.THREADS and isinstance(stmt.stop, Const):
            return _split(stmt, names) or stmt
        return stmt

    return map_body(function, change)


def _split(loop: For, names: Names) -> tuple[Stmt, ...] | None:
    cut = _cut(loop, loop.body)
    if cut is None:
        return None
    every, guards, first = cut
    inside = uses(loop.body)
    declared = [s for s in walk_stmts(every) if isinstance(s, Decl)]
    changed = mutable_vars(loop.body)
    values = [d for d in declared if not d.shape and isinstance(d.init, Expr) and d.name not in changed]
    if any(uses(d).arrays_read & inside.arrays_written for d in values):
        return None
    guarded = first.then
    for condition in reversed(guards):
        guarded = Block((If(condition, guarded),))
    if any(_arrays(condition) & inside.arrays_written for condition in guards):
        return None
    part = with_values(values, guarded.body, names)
    lost = {d.name for d in declared} | (inside.vars_assigned - inside.vars_declared)
    found = uses(part)
    if lost & (free_vars(part) | found.arrays_read | found.arrays_written | found.vars_assigned):
        return None
    last = leading(replace(loop, body=Block((replace(first, then=part),))))
    return (replace(loop, body=every), *last) if _does_something(every) else last


def _cut(loop: For, body: Block) -> tuple[Block, list[Expr], If] | None:
    """What all threads do, and the conditions around what only the first ones do at its end."""
    *before, last = spliced(body.body) or (body,)
    if not isinstance(last, If) or last.otherwise.body:
        return None
    alone = replace(loop, body=Block((last,)))
    if leading(alone) != (alone,):
        return (Block(tuple(before)), [], last)
    inner = _cut(loop, last.then)
    if inner is None:
        return None
    every, guards, first = inner
    return Block((*before, replace(last, then=every))), [last.condition, *guards], first


def _does_something(block: Block) -> bool:
    return any(not isinstance(s, (Block, Decl, If)) for s in walk_stmts(block))


def _arrays(expr: Expr) -> set[str]:
    return {node.array for node in walk(expr) if isinstance(node, Load)}
