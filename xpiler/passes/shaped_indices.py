"""A flat index of a local array becomes one index for each of its dimensions.

    f16 tile[64][40];
    tile[(16*i + r) * 40 + k + c]    -->    tile[16*i + r][k + c]    where k + c is shown to be below 40

Tiles of matrix instructions lie at addresses in an array, which are flat, or counted from the start of a row.
Where the digits are not shown to stay within their dimensions, an access stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from xpiler.ir.affine import lift, linear, prove_le, prove_lt, to_expr
from xpiler.ir.affine_form import Affine, divide_out
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import map_expr, walk_stmts
from xpiler.ir.types import DType
from xpiler.passes.facts import Facts

Shapes = Mapping[str, tuple[DType, tuple[int, ...]]]


def shape_indices(function: Function) -> Function:
    """Every access for which it is shown to be the same element."""
    shapes: dict[str, tuple[DType, tuple[int, ...]]] = {}
    for decl in walk_stmts(function.body):
        if isinstance(decl, Decl) and len(decl.shape) > 1:
            extents = [int(e.value) for e in decl.shape if isinstance(e, Const)]
            if len(extents) == len(decl.shape):
                shapes[decl.name] = decl.dtype, tuple(extents)
    if not shapes:
        return function
    body = _block(function.body, shapes, Facts.of(function))
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, shapes: Shapes, facts: Facts) -> Block:
    return replace(block, body=tuple(_stmt(s, shapes, facts) for s in block.body))


def _stmt(stmt: Stmt, shapes: Shapes, facts: Facts) -> Stmt:
    match stmt:
        case Block():
            return _block(stmt, shapes, facts)
        case For():
            return replace(stmt, body=_block(stmt.body, shapes, facts.inside(stmt)))
        case While():
            return replace(stmt, body=_block(stmt.body, shapes, facts))
        case If(condition=condition):
            return replace(
                stmt,
                then=_block(stmt.then, shapes, facts.where(condition)),
                otherwise=_block(stmt.otherwise, shapes, facts.where(condition, False)),
            )
        case Assign() | Decl() | Atomic():

            def read(expr: Expr) -> Expr:
                return _shaped(expr, shapes, facts) if isinstance(expr, Load) else expr

            def place(target: Var | Load) -> Var | Load:
                return _shaped(target, shapes, facts) if isinstance(target, Load) else target

            return map_expr(stmt, read, place)
    return stmt


def _shaped(load: Load, shapes: Shapes, facts: Facts) -> Load:
    dtype, shape = shapes.get(load.array, (load.dtype, ()))
    if len(load.index) not in (1, len(shape)) or len(shape) < 2 or dtype != load.dtype:
        return load
    forms = [linear(i, facts.ranges) for i in load.index]
    known = [f for f in forms if f is not None]
    if len(known) < len(forms):
        return load
    units = [math.prod(shape[n + 1 :]) for n in range(len(shape))]
    if len(known) > 1:
        if all(_inside(f, extent, facts) for f, extent in zip(known, shape, strict=True)):
            return load
        known = [sum((f * lift(unit) for f, unit in zip(known, units, strict=True)), Affine())]
    (rest,) = known
    digits: list[Expr] = []
    for extent, unit in zip(shape, units, strict=True):
        digit, rest = divide_out(rest, lift(unit)) if unit > 1 else (rest, Affine())
        if not _inside(digit, extent, facts) or not _inside(rest, unit, facts):
            return load
        digits.append(to_expr(digit, load.index[-1].dtype))
    return replace(load, index=tuple(digits))


def _inside(form: Affine, extent: int, facts: Facts) -> bool:
    return prove_le(0, form, facts.ranges) and prove_lt(form, extent, facts.ranges)
