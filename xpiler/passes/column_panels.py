"""Columns of a product whose second operand is large are gone through panel by panel.

    for (r) parallel for (c) VECTOR:                if (R >= 192 && K * C is large)
      for k: sum += a[r, k] * b[k * n + c]            for (c0; c0 += 64) parallel:
                                                        f32 panel[K * 64];
                                                        for k: for (c in c0..) VECTOR:
                                               -->        panel[k * 64 + c - c0] = b[k * n + c]
                                                        for (r) parallel for (c in c0..) VECTOR:
                                                          for k: sum += a[r, k] * panel[k * 64 + c - c0]
                                                    else as it was

so that rows far apart (each on a page of its own) are read once and not again for every few rows, and what is
read again stays in the second cache: the panels of Goto's and van de Geijn's products. A copy does not pay
for an operand that the cache holds as it is, or for few rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient
from xpiler.ir.build import add, and_, cast, const, ge, is_const, maximum, minimum, mul, sub
from xpiler.ir.nodes import (
    Assign,
    Block,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Space,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import arrays_written, free_vars, map_expr, walk
from xpiler.ir.types import F32, I64
from xpiler.passes.aliasing import may_be_same, with_aliases
from xpiler.passes.facts import mutable_vars
from xpiler.passes.knobs import Knob
from xpiler.passes.names import Names
from xpiler.passes.register_tile import tile_candidate

COLUMNS = Knob("column_panels.columns", (0, 32, 48, 64, 96, 128), 64, "columns of a panel; 0: no panels")
FEWEST_ROWS = 192
LARGE = 1 << 17  # elements: half of the second cache


def panel_columns(function: Function) -> Function:
    """All such products of a function whose lanes are chosen."""
    if not COLUMNS.value:
        return function
    written = with_aliases(arrays_written(function.body), may_be_same(function.params))
    fixed = frozenset(p.name for p in function.params if p.is_pointer) - written
    panels = _Panels(Names(function), fixed, mutable_vars(function))

    def outer(block: Block) -> Block:
        """Only where the loop is the one for threads: their threshold is how the copy is tested at any size
        (`gate/thread_twins.py`)."""
        out: list[Stmt] = []
        for stmt in block.body:
            match stmt:
                case For():
                    out.append(panels.of(stmt) or stmt)
                case If(then=then, otherwise=otherwise):
                    out.append(replace(stmt, then=outer(then), otherwise=outer(otherwise)))
                case _:
                    out.append(stmt)
        return replace(block, body=tuple(out))

    body = outer(function.body)
    return function if body == function.body else replace(function, body=body)


@dataclass
class _Panels:
    """`constant`: arrays that nothing writes; `mutable`: variables that change."""

    names: Names
    constant: frozenset[str]
    mutable: frozenset[str]

    def of(self, rows: For) -> Stmt | None:
        """What replaces a loop of rows; None if it is no such product."""
        columns = tile_candidate(rows)
        if columns is None or rows.dtype != columns.dtype:
            return None
        sums = [s for s in columns.body.body if isinstance(s, For)]
        if len(sums) != 1 or any(isinstance(s, For) for s in sums[0].body.body):
            return None
        (loop,) = sums
        inside = {d.name for d in walk(columns.body) if isinstance(d, Decl)} | self.mutable
        if not is_const(loop.start, 0) or not is_const(loop.step, 1) or free_vars(loop.stop) & inside:
            return None
        loads = {n for n in walk(loop.body) if isinstance(n, Load) and self._lies_apart(n, loop, columns)}
        if len(loads) != 1:
            return None
        (load,) = loads
        if free_vars(load.index[0]) & (inside | {rows.var}):
            return None
        return self._panelled(rows, columns, loop, load)

    def _lies_apart(self, load: Load, loop: For, columns: For) -> bool:
        """Whether columns are neighbours, and steps of the sum as far apart as a variable says."""
        if load.array not in self.constant or load.dtype != F32 or len(load.index) != 1:
            return False
        across, along = (coefficient(load.index[0], var) for var in (columns.var, loop.var))
        return across is not None and across.as_int == 1 and along is not None and along.as_int is None

    def _panelled(self, rows: For, columns: For, loop: For, load: Load) -> Stmt:
        dtype, wide = columns.dtype, const(COLUMNS.value, columns.dtype)
        first, end = (Var(dtype, self.names.fresh(f"{columns.var}_{which}")) for which in ("first", "end"))
        depth = maximum(cast(loop.stop, I64), const(0, I64))
        panel = self.names.fresh(f"{load.array}_panel")
        column = cast(sub(Var(dtype, columns.var), first), I64)
        place = Load(F32, panel, (add(mul(cast(Var(loop.dtype, loop.var), I64), cast(wide, I64)), column),))
        part = replace(columns, start=first, stop=end)
        fill = replace(part, body=Block((Assign(place, load),)))
        used = map_expr(columns.body, lambda e: place if e == load else e)
        assert isinstance(used, Block)
        body = (
            Decl(end.name, dtype, init=add(first, minimum(wide, sub(columns.stop, first)))),
            Decl(panel, F32, (mul(depth, cast(wide, I64)),), Space.LOCAL),
            replace(loop, body=Block((fill,)), kind=LoopKind.PARALLEL),
            replace(rows, body=Block((replace(part, body=used),))),
        )
        panels = replace(columns, var=first.name, step=wide, body=Block(body), kind=LoopKind.PARALLEL)
        size = mul(depth, cast(_length(columns), I64))
        pays = and_(ge(_length(rows), const(FEWEST_ROWS, rows.dtype)), ge(size, const(LARGE, I64)))
        return If(pays, Block((panels,)), Block((rows,)))


def _length(loop: For) -> Expr:
    return sub(loop.stop, loop.start)
