"""What a loop moves on by the same amount in every round is a number of the loop's counter.

    int at = a;                                int at = a;
    for p in 0..m:                             for p in 0..m:
      A(at); at += n; B(at);           -->       A(at + p * n); B(at + (p * n + n));
    C(at);                                     at += max(m, 0) * n; C(at);

Pointers that walk through an array are that: without it no round could begin before the one ahead of it has
ended. Applies to integers from outside the loop that only statements of its body itself move, if every round
comes to its end.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import add, cast, ceil_div, const, div, maximum, mul, sub
from xpiler.ir.nodes import (
    Assign,
    Block,
    Break,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    Load,
    LoopKind,
    Return,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, map_body, substitute, uses, walk
from xpiler.passes.counting import growth
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop


def without_inductions(function: Function) -> Function:
    """Everywhere in the function, inner loops first: what one adds up is an amount of the one around it."""
    return map_body(function, lambda stmt: _of_counters(stmt) if isinstance(stmt, Block) else stmt)


def _of_counters(block: Block) -> Block:
    out: list[Stmt] = []
    for at, stmt in enumerate(block.body):
        moved = _moved(stmt) if isinstance(stmt, For) else {}
        if not isinstance(stmt, For) or not moved:
            out.append(stmt)
            continue
        own = {s.name for s in out if isinstance(s, Decl)}
        wanted = free_vars(Block(block.body[at + 1 :]))
        out.append(_plain(stmt, moved))
        for name, (var, amount) in moved.items():
            if name in wanted or name not in own:
                out.append(Assign(var, mul(cast(_rounds(stmt), var.dtype), amount), "+", range=stmt.range))
    return block if tuple(out) == block.body else replace(block, body=tuple(out))


def _moved(loop: For) -> dict[str, tuple[Var, Expr]]:
    """By name: the variables that each round moves, and by how much."""
    body = spliced(loop.body.body)
    if loop.kind is not LoopKind.SERIAL or any(leaves_loop(s, (Break, Continue, Return)) for s in body):
        return {}
    bounds = Block(tuple(Assign(Var(loop.dtype, "?"), e) for e in (loop.start, loop.stop, loop.step)))
    inside = uses(loop)
    if free_vars(bounds) & inside.vars_assigned or uses(bounds).arrays_read & inside.arrays_written:
        return {}
    moved: dict[str, tuple[Var, Expr]] = {}
    unsteady: set[str] = set()  # what some statement moves by another amount each time, or sets
    for stmt in body:
        step = growth(stmt)
        if step is None:
            unsteady |= uses(stmt).vars_assigned
            continue
        var, by = step
        if var.name in inside.vars_declared or any(
            isinstance(n, Load) or (isinstance(n, Var) and n.name in inside.vars_assigned) for n in walk(by)
        ):
            unsteady.add(var.name)
            continue
        so_far = moved[var.name][1] if var.name in moved else const(0, var.dtype)
        moved[var.name] = var, add(so_far, cast(by, var.dtype))
    return {name: step for name, step in moved.items() if name not in unsteady}


def _plain(loop: For, moved: dict[str, tuple[Var, Expr]]) -> For:
    """The loop with the variables as numbers of its counter."""
    counter = div(sub(Var(loop.dtype, loop.var), loop.start), loop.step)
    ahead = {name: mul(cast(counter, var.dtype), by) for name, (var, by) in moved.items()}
    out: list[Stmt] = []
    for stmt in spliced(loop.body.body):
        step = growth(stmt)
        if step is not None and step[0].name in moved:
            name = step[0].name
            ahead[name] = add(ahead[name], cast(step[1], step[0].dtype))
        else:
            out.append(substitute(stmt, {name: add(moved[name][0], by) for name, by in ahead.items()}))
    return replace(loop, body=replace(loop.body, body=tuple(out)))


def _rounds(loop: For) -> Expr:
    return ceil_div(maximum(sub(loop.stop, loop.start), const(0, loop.dtype)), loop.step)
