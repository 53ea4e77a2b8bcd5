"""Sums that lanes keep to themselves are added up in parts, so that no addition waits for the one before it.

    for (row) VECTOR:                                for (row) VECTOR:
      f32 q[64], s = 0;                                f32 q[64], s = 0, s_1 = 0, s_2 = 0, s_3 = 0;
      for d in 0..64: s += q[d] * k[d]       -->       for d in 0..64 step 4: { s += q[d] * k[d]; s_1 += ... }
                                                       s = s + s_1 + (s_2 + s_3);

An addition takes four cycles, two can begin in each. Where lanes have arrays of their own, registers of
other lanes do not fill the time between (`register_tile.py`). The order of a sum changes, as it does where
its terms are lanes.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import add, const, is_const
from xpiler.ir.nodes import Assign, Block, Const, Decl, For, Function, LoopKind, Stmt, Var
from xpiler.ir.rewrite import map_stmt, substitute, walk
from xpiler.passes.folds import folded
from xpiler.passes.names import Names

PARTS = 4
_SHORTEST = 8  # terms that are worth parts


def part_sums(function: Function, notes: list[str]) -> Function:
    """In all loops over lanes with arrays of their own. `notes` gets what the user should know."""
    names = Names(function)

    def inside(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        parted = _parted(stmt, names) if isinstance(stmt, For) else None
        if parted is None or not isinstance(stmt, For):
            return stmt
        notes.append(f"the sum over {stmt.var} is added up in another order")
        return parted

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or stmt.kind is not LoopKind.VECTOR:
            return stmt
        if not any(isinstance(d, Decl) and d.shape for d in walk(stmt.body)):
            return stmt
        body = map_stmt(stmt.body, inside)
        assert isinstance(body, Block)
        return replace(stmt, body=body)

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _parted(loop: For, names: Names) -> tuple[Stmt, ...] | None:
    match loop:
        case For(
            start=Const(value=start),
            stop=Const(value=stop),
            body=Block(body=(Assign(target=Var() as sum_) as step,)),
        ) if is_const(loop.step, 1) and sum_.dtype.is_float:
            pass
        case _:
            return None
    fold = folded(step)
    count = int(stop) - int(start)
    if fold is None or fold[0] != "+" or count < _SHORTEST or count % PARTS:
        return None
    totals = [sum_, *(Var(sum_.dtype, names.fresh(f"{sum_.name}_part")) for _ in range(PARTS - 1))]
    zeros = tuple(Decl(t.name, t.dtype, init=const(0.0, t.dtype)) for t in totals[1:])
    counter = Var(loop.dtype, loop.var)
    steps = tuple(
        replace(
            step,
            target=total,
            value=substitute(fold[1], {loop.var: add(counter, const(n, loop.dtype))}),
            reduce="+",
        )
        for n, total in enumerate(totals)
    )
    parts = replace(loop, step=const(PARTS, loop.dtype), body=Block(steps))
    low, high = add(totals[0], totals[1]), add(totals[2], totals[3])
    return (*zeros, parts, Assign(sum_, add(low, high), range=step.range))
