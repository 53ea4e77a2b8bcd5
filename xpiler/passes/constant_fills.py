"""Vectors that hold one number are read as that number.

    threads lane: a[lane] = 0                   threads lane: a[lane] = 0
    threads lane: b[lane] = a[lane]      -->    threads lane: b[lane] = 0

so that a register that starts as a copy of another one has nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from xpiler.ir.build import is_const
from xpiler.ir.nodes import Assign, Block, Const, Decl, Expr, For, If, Load, Stmt, Var, While
from xpiler.ir.rewrite import map_expr, uses
from xpiler.passes.structured import spliced


def with_known_fills(
    block: Block, known: Mapping[str, Const], shapes: Mapping[str, Decl] | None = None
) -> Block:
    """The block; `known`: what arrays hold in every element before it, `shapes`: the arrays around it."""
    values, arrays = dict(known), dict(shapes or {})
    out: list[Stmt] = []
    for stmt in spliced(block.body):
        if isinstance(stmt, Decl):
            values.pop(stmt.name, None)
            arrays[stmt.name] = stmt
        written = uses(stmt).arrays_written
        kept = {name: value for name, value in values.items() if name not in written}
        new = _inside(stmt, kept, arrays)
        values = kept
        filled = _filled(new, arrays)
        if filled is not None:
            values[filled[0]] = filled[1]
        out.append(new)
    return replace(block, body=tuple(out))


def _inside(stmt: Stmt, values: Mapping[str, Const], arrays: Mapping[str, Decl]) -> Stmt:
    def change(expr: Expr) -> Expr:
        if isinstance(expr, Load) and expr.array in values and expr.dtype == values[expr.array].dtype:
            return values[expr.array]
        return expr

    match stmt:
        case For():
            return replace(stmt, body=with_known_fills(stmt.body, values, arrays))
        case If():
            then, otherwise = (with_known_fills(b, values, arrays) for b in (stmt.then, stmt.otherwise))
            return replace(stmt, condition=map_expr(stmt.condition, change), then=then, otherwise=otherwise)
        case While() | Block():
            return stmt
    return map_expr(stmt, change) if values else stmt


def _filled(stmt: Stmt, arrays: Mapping[str, Decl]) -> tuple[str, Const] | None:
    """An array of which a loop sets every element to one number."""
    if not isinstance(stmt, For) or len(stmt.body.body) != 1:
        return None
    match stmt.body.body[0]:
        case Assign(target=Load(array=array, index=(Var(name=name),)) as place, value=Const() as value):
            decl = arrays.get(array)
            whole = decl is not None and len(decl.shape) == 1 and decl.shape[0] == stmt.stop
            first = is_const(stmt.start, 0) and is_const(stmt.step, 1) and name == stmt.var
            reduce = stmt.body.body[0].reduce
            same = decl is not None and place.dtype == decl.dtype == value.dtype and reduce is None
            return (array, value) if whole and first and same else None
    return None
