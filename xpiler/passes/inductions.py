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

from xpiler.ir.affine import Overflow, bounds, linear, simplify
from xpiler.ir.affine_form import divide_out, lift, to_expr
from xpiler.ir.build import add, cast, ceil_div, const, div, maximum, mul, sub
from xpiler.ir.nodes import (
    Assign,
    Block,
    Break,
    Const,
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
from xpiler.ir.rewrite import Uses, free_vars, map_body, substitute, uses, walk, walk_stmts
from xpiler.passes.counting import growth
from xpiler.passes.facts import Ranges, mutable_vars
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop


def without_inductions(function: Function) -> Function:
    """Everywhere in the function, inner loops first: what one adds up is an amount of the one around it."""
    ranges = _ranges(function)
    return map_body(function, lambda stmt: _of_counters(stmt, ranges) if isinstance(stmt, Block) else stmt)


def _ranges(function: Function) -> Ranges:
    """Of integers that are named once: `min(6, m - i)` is 6 at the most."""
    mutable, found = mutable_vars(function), dict[str, tuple[int | None, int | None]]()
    for stmt in walk_stmts(function.body):
        if not isinstance(stmt, Decl) or stmt.shape or stmt.name in mutable:
            continue
        if stmt.dtype.is_integer and isinstance(stmt.init, Expr):
            found[stmt.name] = bounds(stmt.init, found)
    return found


def _of_counters(block: Block, ranges: Ranges) -> Block:
    out: list[Stmt] = []
    for at, stmt in enumerate(block.body):
        moved = _moved(stmt, ranges) if isinstance(stmt, For) else {}
        if not isinstance(stmt, For) or not moved:
            out.append(stmt)
            continue
        own = {s.name for s in out if isinstance(s, Decl)}
        wanted = free_vars(Block(block.body[at + 1 :]))
        out.append(_plain(stmt, moved))
        for name, (var, amount) in moved.items():
            if name in wanted or name not in own:
                out.append(
                    Assign(var, mul(cast(_rounds(stmt, ranges), var.dtype), amount), "+", range=stmt.range)
                )
    return block if tuple(out) == block.body else replace(block, body=tuple(out))


def _moved(loop: For, ranges: Ranges) -> dict[str, tuple[Var, Expr]]:
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
    named: dict[str, Expr] = {}
    for stmt in body:
        step = growth(stmt)
        if step is None and _names_number(stmt, inside):
            assert isinstance(stmt, Decl) and isinstance(stmt.init, Expr)
            named[stmt.name] = substitute(stmt.init, named)
            continue
        if step is None:
            unsteady |= uses(stmt).vars_assigned
            continue
        var, by = step[0], simplify(substitute(step[1], named), ranges, Overflow.IGNORED)
        if var.name in inside.vars_declared or any(
            isinstance(n, Load) or (isinstance(n, Var) and n.name in inside.vars_assigned) for n in walk(by)
        ):
            unsteady.add(var.name)
            continue
        so_far = moved[var.name][1] if var.name in moved else const(0, var.dtype)
        moved[var.name] = var, simplify(add(so_far, cast(by, var.dtype)), ranges, Overflow.IGNORED)
    return {name: step for name, step in moved.items() if name not in unsteady}


def _names_number(stmt: Stmt, inside: Uses) -> bool:
    """Whether it only gives a name to an integer that is computed of others."""
    return (
        isinstance(stmt, Decl)
        and not stmt.shape
        and isinstance(stmt.init, Expr)
        and stmt.dtype.is_integer
        and stmt.name not in inside.vars_set
        and not any(isinstance(n, Load) for n in walk(stmt.init))
    )


def _plain(loop: For, moved: dict[str, tuple[Var, Expr]]) -> For:
    """The loop with the variables as numbers of its counter."""
    ahead = {name: _so_far(loop, by) for name, (_, by) in moved.items()}
    out: list[Stmt] = []
    for stmt in spliced(loop.body.body):
        step = growth(stmt)
        if step is not None and step[0].name in moved:
            name = step[0].name
            ahead[name] = add(ahead[name], cast(step[1], step[0].dtype))
        else:
            out.append(substitute(stmt, {name: add(moved[name][0], by) for name, by in ahead.items()}))
    return replace(loop, body=replace(loop.body, body=tuple(out)))


def _so_far(loop: For, by: Expr) -> Expr:
    """How far the rounds before have moved something: where each step of the counter is a part of it, by that
    part for each number that the counter has counted."""
    counted = sub(Var(loop.dtype, loop.var), loop.start)
    form = linear(by)
    if isinstance(loop.step, Const) and form is not None:
        part, rest = divide_out(form, lift(int(loop.step.value)))
        if not rest.terms:
            return mul(cast(counted, by.dtype), to_expr(part, by.dtype))
    return mul(cast(div(counted, loop.step), by.dtype), by)


def _rounds(loop: For, ranges: Ranges) -> Expr:
    span = sub(loop.stop, loop.start)
    lowest, _ = bounds(span, ranges)
    if lowest is None or lowest < 0:
        span = maximum(span, const(0, loop.dtype))
    return ceil_div(span, loop.step)
