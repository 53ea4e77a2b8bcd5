"""Lanes that lie far apart in memory are read as rows, and turned 16 x 16 at a time.

    vector x in 0..n:                          for x0 in 0..n step 16: for c0 in 0..m step 64:
      for c in 0..m:                             f32 turned[64 * 16]
        out[c * n + x] = in[x * m + c]   -->     turn_ps(turned, in + x0 * m + c0, m, min(16, n - x0), ..)
                                                 for c in c0..min(..): vector x in x0..min(..):
                                                   out[c * n + x] = turned[(c - c0) * 16 + x - x0]

A gather takes the lanes one by one, from as many lines of memory. Applies to elements of arrays that are
never written, which every turn of a loop next to that over lanes reads, one after the other.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from xpiler.ir.affine import coefficient, to_expr
from xpiler.ir.build import add, and_, cast, const, ge, is_const, minimum, mul, sub
from xpiler.ir.nodes import (
    Block,
    Break,
    Call,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    LoopKind,
    Ref,
    Return,
    Stmt,
    Trap,
    Var,
)
from xpiler.ir.rewrite import (
    arrays_read,
    arrays_written,
    assigned_vars,
    free_vars,
    map_expr,
    map_stmt,
    substitute,
    walk,
)
from xpiler.ir.types import F32, I64
from xpiler.passes.aliasing import may_be_same, with_aliases
from xpiler.passes.names import Names
from xpiler.passes.register_tile import certain_loads
from xpiler.passes.turned_panels import LANES, TURN

COLUMNS = 64  # that are turned at a time: 4 KiB
_FAR = 8  # elements from lane to lane
_INDEPENDENT = (LoopKind.PARALLEL, LoopKind.THREADS)


def turn_lanes(function: Function, parallel: Set[str]) -> Function:
    """In all loops over lanes; `parallel`: those that may run on several processors."""
    names = Names(function)
    written = with_aliases(arrays_written(function.body), may_be_same(function.params))
    own = {d.name for d in walk(function.body) if isinstance(d, Decl)}

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or len(stmt.body.body) != 1:
            return stmt
        (inner,) = stmt.body.body
        if not isinstance(inner, For):
            return stmt
        if stmt.kind is LoopKind.VECTOR and inner.kind is not LoopKind.VECTOR:
            return _turned(stmt, inner, written | own, parallel, names) or stmt
        if inner.kind is LoopKind.VECTOR and stmt.kind in _INDEPENDENT:
            return _turned(inner, stmt, written | own, parallel, names) or stmt
        return stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _turned(
    lanes: For, columns: For, changing: frozenset[str], parallel: Set[str], names: Names
) -> Stmt | None:
    """Both loops, one of them directly inside the other, in blocks; None if no element is to be turned."""
    inner = columns.body if lanes.body.body == (columns,) else lanes.body
    counters = {lanes.var, columns.var}
    written = lanes if inner is columns.body else columns
    lanes, whole = _of_whole_rows(lanes, columns)
    ends = (lanes.start, lanes.stop, columns.start, columns.stop)
    if any(free_vars(e) & counters or any(isinstance(n, Load) for n in walk(e)) for e in ends):
        return None
    if not is_const(lanes.step, 1) or not is_const(columns.step, 1) or _is_short(lanes) or _is_short(columns):
        return None
    if any(isinstance(s, (Break, Continue, Return, Trap)) for s in walk(inner)):
        return None
    loads = dict.fromkeys(e for s in inner.body for e in certain_loads(s) if isinstance(e, Load))
    changing = changing | assigned_vars(inner)
    steps = {
        load: _step(load, lanes.var, columns.var)
        for load in loads
        if not (arrays_read(load) | free_vars(load)) & changing
    }
    found = {load: step for load, step in steps.items() if step is not None}
    if not found:
        return None
    first = Var(lanes.dtype, names.fresh(f"{lanes.var}_block"))
    begin = Var(columns.dtype, names.fresh(f"{columns.var}_block"))
    rows = minimum(sub(lanes.stop, first), const(LANES, lanes.dtype))
    count = minimum(sub(columns.stop, begin), const(COLUMNS, columns.dtype))
    lane, column = Var(lanes.dtype, lanes.var), Var(columns.dtype, columns.var)
    place = add(mul(sub(column, begin), const(LANES, columns.dtype)), cast(sub(lane, first), columns.dtype))
    fills: list[Stmt] = []
    own: dict[Expr, Expr] = {}
    for load, step in found.items():
        array = names.fresh(f"{load.array}_turned")
        start = substitute(load.index[0], {lanes.var: first, columns.var: begin})
        operands = (
            Ref(F32, array, const(0)),
            Ref(F32, load.array, start),
            cast(step, I64),
            cast(rows, I64),
            cast(count, I64),
        )
        fills += (Decl(array, F32, (const(COLUMNS * LANES),)), Instr(TURN, operands))
        own[load] = Load(F32, array, (place,))
    body = map_expr(inner, lambda e: own.get(e, e))
    assert isinstance(body, Block)
    register = replace(lanes, start=first, stop=add(first, rows), body=body)
    turns = replace(
        columns, start=begin, stop=add(begin, count), body=Block((register,)), kind=LoopKind.SERIAL
    )
    across = replace(
        columns,
        var=begin.name,
        step=const(COLUMNS, columns.dtype),
        body=Block((*fills, turns)),
        kind=columns.kind if columns.kind is LoopKind.PARALLEL else LoopKind.SERIAL,
    )
    kind = LoopKind.PARALLEL if lanes.var in parallel else LoopKind.SERIAL
    made = replace(lanes, var=first.name, step=const(LANES, lanes.dtype), body=Block((across,)), kind=kind)
    return made if whole is None else If(whole, Block((made,)), Block((written,)))


def _of_whole_rows(lanes: For, columns: For) -> tuple[For, Expr | None]:
    """The lanes as they are where no column is short of any, and whether that is so: up to
    `min(c, total - p * c)`, those of the column `p` in which a tensor ends may be fewer."""
    match lanes.stop:
        case Call(function="min", args=(one, two)):
            for fixed, moving in ((one, two), (two, one)):
                form = coefficient(moving, columns.var)
                if form is None or not form.terms or columns.var in free_vars(fixed) | form.variables():
                    continue
                last = sub(columns.stop, columns.step)
                ends = (substitute(moving, {columns.var: end}) for end in (columns.start, last))
                return replace(lanes, stop=fixed), and_(*(ge(end, fixed) for end in ends))
    return lanes, None


def _is_short(loop: For) -> bool:
    return isinstance(loop.stop, Const) and isinstance(loop.start, Const) and loop.stop.value < _FAR


def _step(load: Load, lane: str, column: str) -> Expr | None:
    """How far apart the lanes' elements are, if they are far and the columns' lie together."""
    if load.dtype != F32 or len(load.index) != 1:
        return None
    step, unit = coefficient(load.index[0], lane), coefficient(load.index[0], column)
    if step is None or unit is None or unit.as_int != 1 or step.variables() & {lane, column}:
        return None
    if step.as_int is not None and abs(step.as_int) < _FAR:
        return None
    return to_expr(step, I64)
