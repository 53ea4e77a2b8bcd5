"""Rows that only near the edges bound the loops of their sums: in between nothing depends on the row.

    for (x in 0..n) parallel:                           from = ..., to = ...  (p <= x*s and x*s <= h - K)
      for (c) VECTOR:                                   for (part in 0..2):
        for k in max(0, p - x*s)..min(K, h - x*s):        for (x in (part ? to : 0)..(part ? n : from))
          f(x, k, c)                                -->     as it was
                                                        for (x in from..to) parallel: for (c) VECTOR:
                                                          for k in 0..K: f(x, k, c)

Index-set splitting: a tile of rows then goes through its loops together (`register_tile.py`), and no row is
computed in another way than before. The step `s` may be a variable; where it is not positive all rows are
computed as they were. Loops that are as long in all rows count from 0: `for k in x*s..x*s + K`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient, linear
from xpiler.ir.affine_form import Affine, lift, to_expr
from xpiler.ir.build import add, cast, const, div, gt, is_const, maximum, minimum, ne, select, sub
from xpiler.ir.nodes import Block, Call, Decl, Expr, For, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import assigned_vars, free_vars, map_expr, map_stmt, substitute, walk
from xpiler.passes.names import Names
from xpiler.passes.register_tile import tile_candidate
from xpiler.passes.tile_invariants import without_zero_divisors


def with_interior(rows: For, mutable: frozenset[str], names: Names) -> tuple[Stmt, ...] | None:
    """What replaces the loop; None if its rows are no tile without what bounds their sums."""
    if not is_const(rows.step, 1) or len(rows.body.body) != 1:
        return None
    (columns,) = rows.body.body
    if not isinstance(columns, For) or columns.kind is not LoopKind.VECTOR:
        return None
    heads, columns = _without_numbers(columns, rows, mutable)
    rows = replace(rows, body=Block((columns,)))
    inside = {d.name for d in walk(rows.body) if isinstance(d, Decl)} | assigned_vars(rows.body)
    inside |= {s.var for s in walk(rows.body) if isinstance(s, For)}
    limits: list[_Limit] = []

    def free(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or rows.var not in free_vars(stmt.start) | free_vars(stmt.stop):
            return stmt
        stmt = _from_zero(stmt, rows)
        start = _without(stmt.start, "max", rows, limits)
        stop = _without(stmt.stop, "min", rows, limits)
        return stmt if start is None or stop is None else replace(stmt, start=start, stop=stop)

    body = map_stmt(columns, free)
    assert isinstance(body, For)
    interior = replace(rows, body=Block((body,)))
    if any(limit.variables() & inside for limit in limits):
        return None
    if tile_candidate(interior) is None:
        return None
    if not limits:
        return (*heads, interior)
    first, last = rows.start, rows.stop
    for limit in limits:
        if limit.rises:
            first = maximum(first, limit.first(rows))
        else:
            last = minimum(last, limit.end(rows))
    start = Decl(names.fresh(f"{rows.var}_from"), rows.dtype, init=minimum(first, rows.stop))
    begin = Var(rows.dtype, start.name)
    stop = Decl(names.fresh(f"{rows.var}_to"), rows.dtype, init=maximum(last, begin))
    end = Var(rows.dtype, stop.name)
    part = Var(rows.dtype, names.fresh("part"))
    behind = ne(part, const(0, rows.dtype))
    edge = replace(rows, start=select(behind, end, rows.start), stop=select(behind, rows.stop, begin))
    edges = For(
        part.name,
        rows.dtype,
        const(0, rows.dtype),
        const(2, rows.dtype),
        const(1, rows.dtype),
        Block((edge,)),
    )
    return (*heads, start, stop, edges, replace(interior, start=begin, stop=end))


def _without_numbers(columns: For, rows: For, mutable: frozenset[str]) -> tuple[list[Decl], For]:
    """The numbers that all rows have in common, as they can be computed before, and the loop over the lanes
    without those that all lanes have."""
    heads: list[Decl] = []
    values: dict[str, Expr] = {}
    body = list(columns.body.body)
    while body and is_number(head := substitute(body[0], values), mutable | {columns.var}):
        assert isinstance(head, Decl) and isinstance(head.init, Expr)
        if rows.var in free_vars(head.init):
            values[head.name] = head.init
        else:
            heads.append(replace(head, init=map_expr(head.init, without_zero_divisors)))
        body.pop(0)
    return heads, replace(columns, body=substitute(Block(tuple(body)), values))


def is_number(stmt: Stmt, changing: frozenset[str]) -> bool:
    """An integer that is declared and depends on nothing in memory and none of these variables."""
    if not isinstance(stmt, Decl) or stmt.shape or not stmt.dtype.is_integer or stmt.name in changing:
        return False
    if not isinstance(stmt.init, Expr) or free_vars(stmt.init) & changing:
        return False
    return not any(isinstance(n, Load) for n in walk(stmt.init))


def _from_zero(loop: For, rows: For) -> For:
    """A loop over as many iterations in every row, counted from 0."""
    start, stop, counter = linear(loop.start), linear(loop.stop), linear(Var(loop.dtype, loop.var))
    if start is None or stop is None or counter is None or not is_const(loop.step, 1):
        return loop
    if rows.var not in free_vars(loop.start) or rows.var in (stop - start).variables():
        return loop
    body = substitute(loop.body, {loop.var: add(loop.start, Var(loop.dtype, loop.var))})
    return replace(loop, start=const(0, loop.dtype), stop=to_expr(stop - start, loop.dtype), body=body)


@dataclass(frozen=True)
class _Limit:
    """`rest + step * row` or, where it does not rise, `rest - step * row`, which must not be negative.
    `step` is a positive number or one variable."""

    step: Affine
    rest: Affine
    rises: bool

    def variables(self) -> frozenset[str]:
        return frozenset(self.step.variables()) | frozenset(self.rest.variables())

    def first(self, rows: For) -> Expr:
        """The least row; the end of the rows if the step is not positive."""
        step = to_expr(self.step, rows.dtype)
        low = maximum(to_expr(lift(0) - self.rest, rows.dtype), const(0, rows.dtype))
        return self._if_positive(cast(div(add(low, sub(step, const(1, rows.dtype))), step), rows.dtype), rows)

    def end(self, rows: For) -> Expr:
        """The first row that is too large."""
        step = to_expr(self.step, rows.dtype)
        room = maximum(add(to_expr(self.rest, rows.dtype), step), const(0, rows.dtype))
        return self._if_positive(cast(div(room, step), rows.dtype), rows)

    def _if_positive(self, row: Expr, rows: For) -> Expr:
        if self.step.as_int is not None:
            return row
        positive = gt(to_expr(self.step, rows.dtype), const(0, rows.dtype))
        return select(positive, row, rows.stop if self.rises else rows.start)


def _without(end: Expr, function: str, rows: For, limits: list[_Limit]) -> Expr | None:
    """The larger or smaller of those operands that do not depend on the row, where it is the same as of all
    of them; what has to hold for that is added to `limits`. None if that cannot be said."""
    operands = list(_operands(end, function))
    fixed = [e for e in operands if rows.var not in free_vars(e)]
    if not fixed:
        return None
    for operand in operands:
        if rows.var in free_vars(operand):
            limit = _limit(operand, fixed[0], function, rows)
            if limit is None:
                return None
            limits.append(limit)
    result = fixed[0]
    for other in fixed[1:]:
        result = maximum(result, other) if function == "max" else minimum(result, other)
    return result


def _operands(end: Expr, function: str) -> Iterator[Expr]:
    match end:
        case Call(function=name, args=(left, right)) if name == function:
            yield from _operands(left, function)
            yield from _operands(right, function)
        case _:
            yield end


def _limit(operand: Expr, fixed: Expr, function: str, rows: For) -> _Limit | None:
    own, other, row = linear(operand), linear(fixed), linear(Var(rows.dtype, rows.var))
    if own is None or other is None or row is None or not operand.dtype.is_signed:
        return None
    form = other - own if function == "max" else own - other  # is not negative
    step = coefficient(form, rows.var)
    if step is None:
        return None
    rest = form - step * row
    if rows.var in rest.variables():
        return None
    for positive, rises in ((step, True), (lift(0) - step, False)):
        match positive.terms:
            case (((), number),) if number > 0:
                return _Limit(positive, rest, rises)
            case (((Var(),), 1),):
                return _Limit(positive, rest, rises)
    return None
