"""Rows that are counted by a number that is taken apart become rows of its lowest digit.

    for (pixel) parallel:                                for (oy in 0..ceil(n / w)) parallel:
      for (c) VECTOR:                                      for (ox in 0..min(w, n - oy*w)) parallel:
        oy = pixel / w; ox = pixel % w;         -->          for (c) VECTOR:
        for k: sum += x[(oy*s + ox + k)*C + c]                 for k: sum += x[(oy*s + ox + k)*C + c]

so that neighbouring rows lie a constant distance from one another, and a tile of them goes through its loops
together (`register_tile.py`). Only where they can be tiled then.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import and_, const, lt
from xpiler.ir.nodes import EMPTY, Block, Const, Decl, For, Function, If, LoopKind, Stmt
from xpiler.ir.rewrite import free_vars, map_stmt
from xpiler.passes.facts import mutable_vars
from xpiler.passes.interior_rows import is_number, with_interior
from xpiler.passes.names import Names
from xpiler.passes.register_tile import tile_candidate
from xpiler.passes.split_digits import INDEPENDENT, split_digit


def split_rows(function: Function) -> Function:
    """All loops around lanes whose counter is taken apart, and those in which some rows bound their sums."""
    names = Names(function)
    mutable = mutable_vars(function)

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if not isinstance(stmt, For) or stmt.kind not in INDEPENDENT or tile_candidate(stmt) is not None:
            return stmt
        return with_interior(stmt, mutable, names) or _split(stmt, mutable, names) or stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _split(rows: For, mutable: frozenset[str], names: Names) -> Stmt | None:
    *numbers, columns = rows.body.body or (EMPTY,)
    if not isinstance(columns, For) or columns.kind is not LoopKind.VECTOR:
        return None
    if not all(is_number(s, mutable) for s in numbers):
        return None
    runs = lt(const(0, rows.dtype), rows.stop)
    inside = list(columns.body.body)
    known = {d.name for d in numbers if isinstance(d, Decl)} | {rows.var}
    if not (free_vars(columns.start) | free_vars(columns.stop)) & known:
        while inside and is_number(inside[0], mutable | {columns.var}):
            numbers.append(inside.pop(0))
        columns = replace(columns, body=replace(columns.body, body=tuple(inside)))
        runs = and_(runs, lt(columns.start, columns.stop))
    split = split_digit(replace(rows, body=Block((*numbers, columns))), names)
    if split is None:
        return None
    *heads, low = split.body.body
    assert isinstance(low, For)
    parts = with_interior(low, mutable, names) or (low,)
    if not any(isinstance(s, For) and tile_candidate(s) is not None for s in parts):
        return None
    whole = replace(split, body=Block((*heads, *parts)))
    # an empty loop divides by nothing
    return whole if isinstance(runs, Const) and runs.value else If(runs, Block((whole,)), EMPTY)
