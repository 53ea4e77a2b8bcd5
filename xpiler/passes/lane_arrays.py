"""A small array of each lane is as many vectors, one behind the other.

    for x VECTOR: float v[9]                    v_nram: 9 * tile elements
      for k: v[k] = in[x + k * w]        -->    for k: v_nram + k * tile <- in[x0 + k * w ..]
      v[1] = min(v[1], v[2])                    __bang_minequal(v_nram + tile, v_nram + tile, ...)

So windows that are sorted, and values that a thread keeps in registers, are sorted and kept for a tile of
lanes at a time, whatever loops count the elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from xpiler.ir.build import add, cast, const, mul
from xpiler.ir.nodes import Block, Const, Decl, Expr, For, Function, If, Load, Space, Stmt, Var, While
from xpiler.ir.rewrite import map_expr, map_stmt
from xpiler.passes.contraction import INDEPENDENT

_MOST = 32  # elements: with more, tiles become short


def is_lane_array(decl: Decl) -> bool:
    """Whether the array may be a vector for each element."""
    known = all(isinstance(extent, Const) for extent in decl.shape)
    return decl.init is None and decl.space is Space.LOCAL and known and elements_of(decl) <= _MOST


def elements_of(decl: Decl) -> int:
    """How many it has; its extents are numbers."""
    total = 1
    for extent in decl.shape:
        assert isinstance(extent, Const)
        total *= int(extent.value)
    return total


def lane_arrays(function: Function) -> frozenset[str]:
    """Those within independent loops, which may become lanes."""
    found: set[str] = set()

    def visit(stmt: Stmt, within: bool) -> None:
        match stmt:
            case Decl(name=name, shape=shape) if shape and within and is_lane_array(stmt):
                found.add(name)
            case For(body=body, kind=kind):
                visit(body, within or kind in INDEPENDENT)
            case While(body=body):
                visit(body, within)
            case If(then=then, otherwise=otherwise):
                visit(then, within)
                visit(otherwise, within)
            case Block(body=body):
                for each in body:
                    visit(each, within)

    visit(function.body, False)
    return frozenset(found)


def as_rows(body: Block, decls: Iterable[Decl], rows: Mapping[str, str], tile: Var, lane: Expr) -> Block:
    """The body with the arrays in the buffers `rows`, of which each row has `tile` elements; `lane`: the
    number of a lane within its tile."""
    shapes = {decl.name: decl.shape for decl in decls}

    def change(expr: Expr) -> Expr:
        if not isinstance(expr, Load) or expr.array not in rows:
            return expr
        row: Expr = const(0, lane.dtype)
        for index, extent in zip(expr.index, shapes[expr.array], strict=True):
            row = add(mul(row, cast(extent, lane.dtype)), cast(index, lane.dtype))
        return replace(expr, array=rows[expr.array], index=(add(mul(row, cast(tile, lane.dtype)), lane),))

    def place(target: Var | Load) -> Var | Load:
        changed = change(target)
        assert isinstance(changed, (Var, Load))
        return changed

    without = map_stmt(body, lambda s: () if isinstance(s, Decl) and s.name in rows else s)
    changed = map_expr(without, change, place)
    assert isinstance(changed, Block)
    return changed
