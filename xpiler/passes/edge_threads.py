"""What only some threads of a tile do, as those that bring its edges, is done apart from what all do.

    threads y in 0..8: threads x in 0..32:            threads y in 0..8:
      t[y + 1][x + 1] = f(y, x)                         threads x in 0..32: t[y + 1][x + 1] = f(y, x)
      if (x == 0) t[y + 1][0] = g(y, x)        -->      t[y + 1][0] = g(y, 0)
      if (y == 7) t[9][x + 1] = h(y, x)               threads x in 0..32: t[9][x + 1] = h(7, x)

Threads between two meeting points are independent, so that each part may be done by all before the next, and
lanes go along rows. Applies where conditions are about one counter alone, which they hold for a range of, and
where no part declares what another one uses.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import simplify
from xpiler.ir.build import add, const, is_const
from xpiler.ir.nodes import Block, Const, Decl, Expr, For, Function, If, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_body, substitute, uses, walk
from xpiler.passes.structured import spliced

_MOST = 1024  # threads of a block


def edges_apart(function: Function) -> Function:
    """Everywhere in the function."""

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if isinstance(stmt, For) and stmt.kind is LoopKind.THREADS:
            return _apart(stmt) or stmt
        return stmt

    return map_body(function, change)


def _apart(loop: For) -> tuple[Stmt, ...] | None:
    """The parts, one after the other; None if there is one alone."""
    body = spliced(loop.body.body)
    numbers = _numbers(loop)
    if numbers is None or len(body) < 2:
        return None
    inside = uses(loop.body)
    if inside.vars_set - inside.vars_declared or not _independent(body):
        return None
    parts: list[Stmt] = []
    together: list[Stmt] = []
    for stmt in body:
        alone = _of_some(stmt, loop, numbers)
        if alone is None:
            together.append(stmt)
            continue
        if together:
            parts.append(replace(loop, body=Block(tuple(together))))
            together = []
        parts += alone
    if not parts:
        return None
    if together:
        parts.append(replace(loop, body=Block(tuple(together))))
    return tuple(parts)


def _numbers(loop: For) -> list[Const] | None:
    """What the loop counts, if that is from 0 to a small number."""
    match loop:
        case For(start=Const(value=0), step=Const(value=1), stop=Const(value=count)) if count <= _MOST:
            return [Const(loop.dtype, n) for n in range(int(count))]
    return None


def _independent(body: tuple[Stmt, ...]) -> bool:
    """Whether no statement declares what another one uses."""
    for n, stmt in enumerate(body):
        if isinstance(stmt, Decl):
            for other in (*body[:n], *body[n + 1 :]):
                found = uses(other)
                if stmt.name in found.vars_read | found.vars_set | found.arrays_read | found.arrays_written:
                    return False
    return True


def _of_some(stmt: Stmt, loop: For, numbers: list[Const]) -> list[Stmt] | None:
    """What only some threads of the loop do, or all of it if another counter says so; None: all do it."""
    match stmt:
        case If(condition=condition, then=then, otherwise=Block(body=())) if len(free_vars(condition)) == 1:
            if any(isinstance(n, Load) for n in walk(condition)):
                return None
        case _:
            return None
    if free_vars(condition) != {loop.var}:
        if free_vars(condition) & uses(loop.body).vars_assigned:
            return None
        return [replace(stmt, then=Block((replace(loop, body=then),)))]
    holds = [simplify(substitute(condition, {loop.var: n})) for n in numbers]
    if not all(is_const(h, True) or is_const(h, False) for h in holds):
        return None
    chosen = [n for n, h in zip(numbers, holds, strict=True) if is_const(h, True)]
    if not chosen or len(chosen) == len(numbers):
        return None
    first, last = int(chosen[0].value), int(chosen[-1].value)
    if last - first + 1 != len(chosen):
        return None
    if first == last:
        return list(substitute(then, {loop.var: chosen[0]}).body)
    counter: Expr = add(Var(loop.dtype, loop.var), const(first, loop.dtype))
    shifted = substitute(then, {loop.var: counter}) if first else then
    return [replace(loop, stop=const(len(chosen), loop.dtype), body=shifted)]
