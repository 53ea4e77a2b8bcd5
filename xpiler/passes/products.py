"""Sums of products with reuse: a nest of parallel loops around `acc += x * y`, of which x moves with some of
the loops only and y with the others.

    for n, h, w, o: acc = 0; for r, s, c: acc += in[n][h+r][w+s][c] * wt[o][r][s][c]; out[n][h][w][o] = acc
    x = in[...] moves with rows n, h, w;  y = wt[...] with columns o;  both with the sum's r, s, c

That is a matrix product of rows by columns whatever the arrays look like: found by what the indices depend
on, not by names. Conditions around the sum become part of the factor that moves with the same loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xpiler.ir.build import const, select
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Decl,
    Expr,
    For,
    If,
    Load,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, substitute, uses, walk_exprs
from xpiler.ir.types import BF16, F16, DType
from xpiler.passes.coalescing import trips
from xpiler.passes.structured import spliced

_LEAST = 8  # rows, columns or terms: below that tiles are mostly padding


@dataclass(frozen=True)
class Product:
    """`batch`: loops that move both factors. `start` is added to the sum before `rest` runs; `x` and `y` are
    the factors in the type of the sum."""

    batch: tuple[For, ...]
    rows: tuple[For, ...]
    columns: tuple[For, ...]
    sums: tuple[For, ...]
    accumulator: Decl
    start: Expr
    x: Expr
    y: Expr
    before: tuple[Stmt, ...]
    rest: tuple[Stmt, ...]


def find_product(nest: Sequence[For], body: Block, mutable: frozenset[str]) -> Product | None:
    stmts = list(spliced(body.body))
    at = next((n for n, s in enumerate(stmts) if isinstance(s, For)), None)
    if at is None:
        return None
    before, loop, rest = stmts[:at], stmts[at], tuple(stmts[at + 1 :])
    assert isinstance(loop, For)
    inner = _terms(loop, mutable)
    if inner is None:
        return None
    sums, target, x, y, conditions = inner
    counters = {one.var for one in nest}
    if any(free_vars(e) & counters or _has_load(e) for s in sums for e in (s.start, s.stop, s.step)):
        return None
    accumulator = next((s for s in before if isinstance(s, Decl) and s.name == target.name), None)
    others = tuple(s for s in before if s is not accumulator)
    if accumulator is None or not isinstance(accumulator.init, Expr) or accumulator.shape:
        return None
    names: dict[str, Expr] = {}
    for other in others:
        if not isinstance(other, Decl) or other.shape or not isinstance(other.init, Expr):
            return None
        if other.name in mutable or free_vars(other.init) & {target.name}:
            return None
        names[other.name] = substitute(other.init, names)
    if uses(loop).arrays_written or any(isinstance(s, For) for s in rest):
        return None
    x, y = substitute(x, names), substitute(y, names)
    conditions = tuple(substitute(c, names) for c in conditions)
    moves_x, moves_y = free_vars(x) & counters, free_vars(y) & counters
    for condition in conditions:
        moves = free_vars(condition) & counters
        if moves <= moves_x or not moves <= moves_y:
            x, moves_x = select(condition, x, const(0, x.dtype)), moves_x | moves
        else:
            y, moves_y = select(condition, y, const(0, y.dtype)), moves_y | moves
    rows = tuple(one for one in nest if one.var in moves_x - moves_y)
    columns = tuple(one for one in nest if one.var in moves_y - moves_x)
    batch = tuple(one for one in nest if (one.var in moves_x) == (one.var in moves_y))
    if not rows or not columns or any(_is_short(part) for part in (rows, columns, sums)):
        return None
    written = uses(Block(rest)).arrays_written
    if any(isinstance(e, Load) and e.array in written for f in (x, y) for e in walk_exprs(f)):
        return None
    if any(isinstance(e, Load) for e in walk_exprs(accumulator.init)) and written & {
        e.array for e in walk_exprs(accumulator.init) if isinstance(e, Load)
    }:
        return None
    return Product(batch, rows, columns, tuple(sums), accumulator, accumulator.init, x, y, others, rest)


def _terms(loop: For, mutable: frozenset[str]) -> tuple[list[For], Var, Expr, Expr, tuple[Expr, ...]] | None:
    """The loops of a sum, what it is added to, the two factors, and the conditions of a term."""
    loops: list[For] = []
    conditions: list[Expr] = []
    names: dict[str, Expr] = {}
    stmt: Stmt = loop
    while True:
        match stmt:
            case For(start=start, stop=stop, step=step):
                if any(free_vars(e) & {x.var for x in loops} for e in (start, stop, step)):
                    return None
                loops.append(stmt)
                body = spliced(stmt.body.body)
            case If(condition=condition, then=then, otherwise=Block(body=())):
                conditions.append(substitute(condition, names))
                body = spliced(then.body)
            case Assign(target=Var() as target, value=value, reduce="+"):
                pair = _factors(substitute(value, names), target.dtype)
                if pair is None or target.name in free_vars(value):
                    return None
                return loops, target, *pair, tuple(conditions)
            case _:
                return None
        *heads, last = body or (Block(()),)
        for head in heads:
            if not isinstance(head, Decl) or head.shape or not isinstance(head.init, Expr):
                return None
            if head.name in mutable:
                return None
            names[head.name] = substitute(head.init, names)
        stmt = last


def _factors(value: Expr, dtype: DType) -> tuple[Expr, Expr] | None:
    if dtype in (F16, BF16) or dtype.bits < 32 or value.dtype != dtype:
        return None
    if isinstance(value, Binary) and value.op == "*":
        return value.left, value.right
    return None


def _has_load(expr: Expr) -> bool:
    return any(isinstance(e, Load) for e in walk_exprs(expr))


def _is_short(loops: Sequence[For]) -> bool:
    total = 1
    for loop in loops:
        length = trips(loop)
        if length is None:
            return False
        total *= length
    return total < _LEAST
