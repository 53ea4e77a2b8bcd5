"""Tests whether a loop is at its first or last iteration, as comparisons that cut its range.

    for x in 0 .. min(w, n):  if (x == 0 || x == w - 1) edge  -->  if (x <= 0 || x >= w - 1) edge

So the others, `x > 0 && x < w - 1`, are a range of lanes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from xpiler.ir.affine import linear
from xpiler.ir.build import add, sub
from xpiler.ir.nodes import Binary, Block, Call, Cast, Expr, For, Load, Var
from xpiler.ir.rewrite import assigned_vars, free_vars, map_expr, walk

_FIRST = {"==": "<=", "!=": ">"}
_LAST = {"==": ">=", "!=": "<"}


def with_end_tests(loop: For, known: Mapping[str, Expr]) -> For:
    """The loop with such tests in its body. `known`: what names of sizes stand for."""
    starts, stops = _operands(loop.start, "max", known), _operands(loop.stop, "min", known)
    changed = assigned_vars(loop.body) | {loop.var}

    def change(expr: Expr) -> Expr:
        match expr:
            case Binary(op="==" | "!=" as op, left=left, right=right) if left.dtype.is_integer:
                for lane, other in ((left, right), (right, left)):
                    if _bare(lane) != Var(loop.dtype, loop.var) or free_vars(other) & changed:
                        continue
                    if any(isinstance(n, (Load, Call)) for n in walk(other)):
                        continue
                    if any(_equal(other, start) for start in starts):
                        return Binary(expr.dtype, _FIRST[op], lane, other)
                    if any(_equal(add(other, 1), stop) for stop in stops):
                        return Binary(expr.dtype, _LAST[op], lane, other)
        return expr

    body = map_expr(loop.body, change)
    assert isinstance(body, Block)
    return replace(loop, body=body)


def _operands(expr: Expr, of: str, known: Mapping[str, Expr]) -> list[Expr]:
    match expr:
        case Call(function=name, args=(left, right)) if name == of:
            return [*_operands(left, of, known), *_operands(right, of, known)]
        case Var(name=name) if name in known:
            return [expr, *_operands(known[name], of, {k: v for k, v in known.items() if k != name})]
    return [expr]


def _equal(one: Expr, other: Expr) -> bool:
    form = linear(sub(one, other))
    return form is not None and form.as_int == 0


def _bare(expr: Expr) -> Expr:
    """Without conversions to wider integers."""
    while isinstance(expr, Cast) and expr.dtype.is_integer and expr.operand.dtype.is_integer:
        if not expr.dtype.is_signed or expr.dtype.bits < expr.operand.dtype.bits:
            break
        expr = expr.operand
    return expr
