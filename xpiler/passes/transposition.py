"""Copies that turn rows into columns, tile by tile through the scratchpad.

    for r: for c: out[c*R + r] = in[r*C + c]    -->    for r0, c0 by tiles:  a <- in[r0.., c0..]  (rows of c)
                                                         b = transposed a
                                                         out[c0.., r0..] <- b                      (rows of r)

Only for two independent loops, next to each other, around a copy that reads along one and writes along the
other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient, to_expr
from xpiler.ir.build import cast, const, is_const, minimum, sub
from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Function, Instr, Load, Ref, Space, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_body, substitute
from xpiler.ir.types import F16, F32, I8, I16, I32, DType
from xpiler.passes.contraction import INDEPENDENT
from xpiler.passes.names import Names
from xpiler.platforms.bang import WEIGHT_LANES, Architecture

TYPES = (F32, I32, F16, I16, I8)


@dataclass(frozen=True)
class Turned:
    """`bytes`: of the scratchpad that the two tiles take."""

    function: Function
    bytes: int


def turns(loop: For, memory: Mapping[str, DType]) -> bool:
    """Whether such a copy starts with this loop."""
    return _match(loop, memory) is not None


def transpose_tiles(function: Function, architecture: Architecture, taken: int) -> Turned:
    """All such copies of one element type; `taken`: bytes of the scratchpad in use otherwise."""
    names = Names(function)
    memory = {p.name: p.dtype for p in function.params if p.is_pointer}
    found: list[DType] = []
    tiles = names.fresh("rows_nram"), names.fresh("turned_nram")
    side = Var(I32, names.fresh("edge"))

    def change(stmt: Stmt) -> Stmt:
        copy = _match(stmt, memory)
        if copy is None or any(dtype != copy.load.dtype for dtype in found):
            return stmt
        found.append(copy.load.dtype)
        return copy.tiled(names, side, *tiles)

    changed = map_body(function, change)
    if not found:
        return Turned(function, 0)
    (dtype, *_) = found
    room = (architecture.usable_nram - taken) // 2  # the other half is for what else there is
    edge = math.isqrt(room // (2 * dtype.bytes)) // WEIGHT_LANES * WEIGHT_LANES
    head = [Decl(side.name, I32, init=const(edge))]
    head += [Decl(name, dtype, (side, side), Space.NRAM) for name in tiles]
    body = replace(changed.body, body=(*head, *changed.body.body))
    return Turned(replace(changed, body=body), 2 * edge * edge * dtype.bytes)


@dataclass(frozen=True)
class _Copy:
    """`rows` is the loop along which it writes, `columns` the one along which it reads."""

    rows: For
    columns: For
    target: Load
    load: Load
    apart_in: Expr  # from one row to the next where it reads
    apart_out: Expr  # and from one column to the next where it writes

    def tiled(self, names: Names, side: Var, read: str, turned: str) -> For:
        r, c = self.rows, self.columns
        row, column = (Var(each.dtype, names.fresh(f"{each.var}_tile")) for each in (r, c))
        rows, columns = Var(I32, names.fresh("rows")), Var(I32, names.fresh("columns"))
        first = {r.var: row, c.var: column}
        dtype = self.load.dtype

        def memory(place: Load) -> Ref:
            return Ref(dtype, place.array, substitute(place.index[0], first))

        a, b = Ref(dtype, read, const(0)), Ref(dtype, turned, const(0))
        body = (
            _length(columns, column, c.stop, side),
            Instr(
                "__memcpy",
                (a, memory(self.load), columns, columns, self.apart_in, sub(rows, 1)),
                (("direction", "GDRAM2NRAM"),),
            ),
            Instr("__bang_transpose", (b, a, rows, columns)),
            Instr(
                "__memcpy",
                (memory(self.target), b, rows, self.apart_out, rows, sub(columns, 1)),
                (("direction", "NRAM2GDRAM"),),
            ),
        )
        across = For(column.name, c.dtype, c.start, c.stop, cast(side, c.dtype), Block(body))
        within = Block((_length(rows, row, r.stop, side), across))
        return For(row.name, r.dtype, r.start, r.stop, cast(side, r.dtype), within, range=r.range)


def _length(name: Var, first: Var, stop: Expr, side: Var) -> Decl:
    return Decl(name.name, I32, init=cast(minimum(cast(side, first.dtype), sub(stop, first)), I32))


def _match(outer: Stmt, memory: Mapping[str, DType]) -> _Copy | None:
    match outer:
        case For(body=Block(body=(For(body=Block(body=(Assign() as assign,))) as inner,))):
            pass
        case _:
            return None
    match assign:
        case Assign(target=Load() as target, value=Load() as load, reduce=None):
            pass
        case _:
            return None
    loops = (outer, inner)
    if any(each.kind not in INDEPENDENT or not is_const(each.step, 1) for each in loops):
        return None
    bounds = free_vars(inner.start) | free_vars(inner.stop)
    if outer.var in bounds or target.array == load.array:
        return None
    if load.dtype not in TYPES or any(
        memory.get(p.array) != load.dtype or len(p.index) != 1 or p.dtype != load.dtype
        for p in (target, load)
    ):
        return None
    for rows, columns in (loops, loops[::-1]):
        steps = [coefficient(p.index[0], e.var) for p in (load, target) for e in (rows, columns)]
        if any(s is None or s.variables() & {rows.var, columns.var} for s in steps):
            return None
        apart_in, along, near, apart_out = steps
        assert apart_in and along and near and apart_out
        if along.as_int == 1 and near.as_int == 1 and 1 not in (apart_in.as_int, apart_out.as_int):
            return _Copy(rows, columns, target, load, to_expr(apart_in, I32), to_expr(apart_out, I32))
    return None
