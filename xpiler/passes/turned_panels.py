"""Panels of which the columns lie row by row in memory are filled by turning blocks of 16 x 16 elements.

    vector c in 0..n: for k in 0..d:                               for p in 0..ceil(n / 16):
      packed[(c / 16 * d + k) * 16 + c % 16] = w[c * d + k]   -->    turn_ps(packed + 16 * d * p,
                                                                            w + 16 * d * p, d, min(..), d)

`turn_ps(to, from, step, rows, columns)` is to[16 * c + r] = from[step * r + c], see
`backend/vnni_helpers.py`: a shuffle takes a cycle for 16 elements, a gather more than one for each. Sums that
go on from one another in memory are one.
"""

from __future__ import annotations

from collections.abc import Sequence

from xpiler.ir.affine import coefficient, prove_eq, to_expr
from xpiler.ir.build import add, cast, ceil_div, const, is_const, minimum, mul, sub
from xpiler.ir.nodes import Block, Expr, For, Instr, Load, LoopKind, Ref, Stmt, Var
from xpiler.ir.rewrite import substitute
from xpiler.ir.types import I64

TURN = "turn_ps"
LANES = 16


def turned(lanes: For, load: Load, sums: Sequence[For], panel: str, shape: Sequence[Expr]) -> Stmt | None:
    """The loop that fills `panel` with what the sums of all lanes load; None if that lies otherwise.

    `shape`: of the array that is loaded, () for memory of unknown extent. All loops count from 0 by 1."""
    place = _flat(load, shape)
    if place is None or not sums:
        return None
    step = coefficient(place, lanes.var)
    names = {lanes.var, *(s.var for s in sums)}
    if step is None or step.variables() & names or not is_const(lanes.start, 0):
        return None
    columns: Expr = const(1, I64)
    outer = list(sums)
    while outer:
        own = coefficient(place, outer[-1].var)
        if own is None or own.variables() & names or not prove_eq(own, columns):
            break
        columns = mul(columns, cast(outer.pop().stop, I64))
    if is_const(columns, 1):
        return None
    depth: Expr = columns
    row: Expr = const(0, I64)
    for loop in outer:
        extent = cast(loop.stop, I64)
        depth, row = mul(depth, extent), add(mul(row, extent), cast(Var(loop.dtype, loop.var), I64))
    number = Var(lanes.dtype, f"{lanes.var}_panel")
    first = mul(number, const(LANES, lanes.dtype))
    to = add(mul(cast(number, I64), mul(depth, const(LANES, I64))), mul(mul(row, columns), const(LANES, I64)))
    start = {lanes.var: first, **{s.var: const(0, s.dtype) for s in sums[len(outer) :]}}
    rows = minimum(sub(lanes.stop, first), const(LANES, lanes.dtype))
    source = Ref(load.dtype, load.array, substitute(place, start))
    turn: Stmt = Instr(
        TURN, (Ref(load.dtype, panel, to), source, to_expr(step, I64), cast(rows, I64), columns)
    )
    for loop in reversed(outer):
        turn = For(loop.var, loop.dtype, loop.start, loop.stop, loop.step, Block((turn,)))
    zero, one = const(0, lanes.dtype), const(1, lanes.dtype)
    panels = ceil_div(lanes.stop, const(LANES, lanes.dtype))
    return For(number.name, lanes.dtype, zero, panels, one, Block((turn,)), LoopKind.SERIAL)


def _flat(load: Load, shape: Sequence[Expr]) -> Expr | None:
    if len(load.index) == 1:
        return load.index[0]
    if len(load.index) != len(shape):
        return None
    flat: Expr = load.index[0]
    for index, extent in zip(load.index[1:], shape[1:], strict=True):
        flat = add(mul(flat, extent), index)
    return flat
