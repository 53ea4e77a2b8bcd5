"""Arrays that begin as zeros are filled by loops, which can be shared out like any other.

    float acc[4][8] = {0};   -->   float acc[4][8]; for (i...) for (j...) acc[i][j] = 0;

On-chip memory of a device takes no initialiser, and registers of a thread that are only set one by one can be
variables (`register_threads.py`). Always applies.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import const, is_const
from xpiler.ir.nodes import Assign, Block, Decl, For, Function, Load, Stmt, Var
from xpiler.ir.rewrite import map_body
from xpiler.ir.types import I32
from xpiler.passes.names import Names


def with_filled_arrays(function: Function) -> Function:
    names = Names(function)

    def filled(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if not isinstance(stmt, Decl) or not stmt.shape or not isinstance(stmt.init, tuple):
            return stmt
        if not all(is_const(value, 0) for value in stmt.init):
            return stmt
        counters = [Var(I32, names.fresh(f"{stmt.name}_at")) for _ in stmt.shape]
        place = Load(stmt.dtype, stmt.name, tuple(counters))
        fill: Stmt = Assign(place, const(0, stmt.dtype), range=stmt.range)
        for counter, extent in zip(reversed(counters), reversed(stmt.shape), strict=True):
            fill = For(counter.name, I32, const(0), extent, const(1), Block((fill,)), range=stmt.range)
        return replace(stmt, init=None), fill

    return map_body(function, filled)
