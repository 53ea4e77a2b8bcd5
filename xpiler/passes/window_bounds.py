"""Windows of each lane that are cut off at the ends of an array have as many turns for all lanes.

    for ow (lanes):                                          for ow (lanes):
      for w in max(ow*s - p, 0) .. min(ow*s - p + k, W):       for q in 0..k:
        best = max(best, x[w])                           -->     w = ow*s - p + q
                                                                 if (w >= 0 && w < W)  best = max(best, x[w])

Applies where a start and an end differ by what is the same for all lanes: the lowest digits of a counter,
`for low in 0 .. min(2, n - high * 2)`, too. The turns come in the same order.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import linear, to_expr
from xpiler.ir.build import add, and_, cast, const, is_const, le, lt, sub
from xpiler.ir.nodes import Block, Call, Expr, For, If, Load, Stmt, Var
from xpiler.ir.rewrite import assigned_vars, free_vars, map_stmt, substitute, walk
from xpiler.passes.choices import varying_scalars
from xpiler.passes.names import Names


def uniform_windows(loop: For, names: Names) -> For:
    """The vector loop with such loops inside of it."""
    varying = varying_scalars(loop)

    def change(stmt: Stmt) -> Stmt:
        ends = free_vars(stmt.start) | free_vars(stmt.stop) if isinstance(stmt, For) else set()
        if isinstance(stmt, For) and is_const(stmt.step, 1) and ends & varying:
            return _uniform(stmt, varying, names) or stmt
        return stmt

    body = map_stmt(loop.body, change)
    assert isinstance(body, Block)
    return replace(loop, body=body)


def _uniform(window: For, varying: set[str], names: Names) -> For | None:
    starts, stops = operands_of(window.start, "max"), operands_of(window.stop, "min")
    changed = assigned_vars(window.body)
    if (free_vars(window.start) | free_vars(window.stop)) & changed:
        return None
    if any(isinstance(n, Load) for end in (window.start, window.stop) for n in walk(end)):
        return None
    for start in starts:
        for stop in stops:
            width = linear(sub(stop, start))
            if width is None or width.variables() & varying:
                continue
            turn = Var(window.dtype, names.fresh("turn"))
            place = cast(add(start, turn), window.dtype)
            inside = [le(other, place) for other in starts if other is not start]
            inside += [lt(place, other) for other in stops if other is not stop]
            body = substitute(window.body, {window.var: place})
            guarded = Block((If(and_(*inside), body),)) if inside else body
            count = to_expr(width, window.dtype)
            return replace(window, var=turn.name, start=const(0, window.dtype), stop=count, body=guarded)
    return None


def operands_of(expr: Expr, of: str) -> list[Expr]:
    """What the least or the greatest is taken of."""
    match expr:
        case Call(function=name, args=(left, right)) if name == of and expr.dtype.is_integer:
            return [*operands_of(left, of), *operands_of(right, of)]
    return [expr]
