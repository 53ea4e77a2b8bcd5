"""Sums of columns, which rows of threads share, are summed by one thread for each column.

    threads y in 0..8: threads x in 0..32:              threads x in 0..32: {
      s[y][x] = 0;                                        float sum = 0;
      for i in y..n step 8: s[y][x] += f(i, x)    -->     for y in 0..8: for i in y..n step 8: sum += f(i, x)
    threads x in 0..32: {                                 out[x] = sum }
      float sum = 0; for k in 0..8: sum += s[k][x]
      out[x] = sum }

Threads between two meeting points are independent, so that those of a column may come one after the other.
Applies where nothing else uses the array. The order of the additions changes.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.nodes import Assign, Block, Const, Decl, Expr, For, Function, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import map_body, map_stmt, substitute, walk
from xpiler.passes.reduction_merging import added_to
from xpiler.passes.structured import spliced


def sum_columns(function: Function) -> Function:
    """In every list of statements."""

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Block):
            return stmt
        body = list(spliced(stmt.body))
        n = 0
        while n + 1 < len(body):
            whole = _summed(body[n], body[n + 1], function)
            if whole is not None:
                body[n : n + 2] = [whole]
            n += 1
        return stmt if tuple(body) == stmt.body else replace(stmt, body=tuple(body))

    return map_body(function, change)


def _summed(filling: Stmt, adding: Stmt, function: Function) -> For | None:
    """Both loops as one over the columns; None if they are anything else."""
    match filling, adding:
        case (
            For(kind=LoopKind.THREADS, body=Block(body=(For(kind=LoopKind.THREADS) as across,))) as down,
            For(
                kind=LoopKind.THREADS,
                body=Block(
                    body=(
                        Decl(shape=(), init=Const() as start) as total,
                        For(
                            body=Block(
                                body=(
                                    Assign(
                                        target=Var(name=sum_name) as place,
                                        value=Load(array=array, index=index),
                                        reduce=str() as op,
                                    ),
                                )
                            )
                        ) as rows,
                        *rest,
                    )
                ),
            ),
        ):
            pass
        case _:
            return None
    counters = (Var(down.dtype, down.var), Var(across.dtype, across.var))
    if sum_name != total.name or index != (Var(rows.dtype, rows.var), Var(adding.dtype, adding.var)):
        return None
    if _range(down) != _range(rows) or _range(across) != _range(adding):
        return None
    mine = _mentions(filling, array)
    if _mentions(adding, array) != 1 or _mentions(function.body, array) != mine + 1:
        return None
    accumulated = _accumulated(across.body, array, counters, op, place, start)
    if accumulated is None:
        return None
    each = replace(down, kind=LoopKind.SERIAL, body=accumulated)
    then = substitute(Block(tuple(rest)), {adding.var: counters[1]})
    return replace(across, body=Block((total, each, *then.body)))


def _range(loop: For) -> tuple[Expr, ...]:
    return loop.start, loop.stop, loop.step


def _mentions(stmt: Stmt, array: str) -> int:
    """Places at which an array is named, apart from its declaration."""
    return sum(getattr(n, "array", "") == array for n in walk(stmt))


def _accumulated(
    body: Block, array: str, at: tuple[Expr, ...], op: str, total: Var, start: Const
) -> Block | None:
    """What a thread does, with `total op= e` in place of `array[own] op= e`, which begins with `start`."""
    first, *others = spliced(body.body)
    match first:
        case Assign(target=Load(array=name, index=index), value=Const(value=value), reduce=None):
            if name != array or index != at or value != start.value:
                return None
        case _:
            return None

    def change(stmt: Stmt) -> Stmt:
        match stmt:
            case Assign(target=Load(array=name, index=index)) if name == array and index == at:
                added = added_to(stmt, op)
                return stmt if added is None else Assign(total, added, op, range=stmt.range)
        return stmt

    result = map_stmt(Block(tuple(others), range=body.range), change)
    assert isinstance(result, Block)
    return None if _mentions(result, array) else result
