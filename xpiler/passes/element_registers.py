"""An element that a loop goes on with is kept in a variable meanwhile.

    float peak[32];                              float peak[32];
    for (lane) VECTOR                            for (lane) VECTOR:
      for c: peak[lane] = max(peak[lane], x[c])    float peak_kept = peak[lane];
                                           -->     for c: peak_kept = max(peak_kept, x[c]);
                                                   peak[lane] = peak_kept;

Memory hands a value from one iteration to the next ten times slower than a register does. Of local arrays,
where all accesses in a serial loop are to one element that is the same in all its iterations, and one is a
write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Block,
    Cast,
    Collective,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    LoopKind,
    Return,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import arrays_written, assigned_vars, free_vars, map_expr, map_stmt, walk, walk_stmts
from xpiler.passes.facts import mutable_vars
from xpiler.passes.names import Names
from xpiler.passes.window_bounds import operands_of

_IN_TURN = (LoopKind.SERIAL, LoopKind.UNROLLED)
_OTHERS = (Atomic, Collective, Instr, Return)  # which do more with an element, or leave more than the loop


def keep_elements(function: Function) -> Function:
    """In all loops over lanes."""
    shapes = {d.name: d for d in walk_stmts(function.body) if isinstance(d, Decl) and d.shape}
    ranges = _ranges(function)
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or stmt.kind is not LoopKind.VECTOR:
            return stmt
        return replace(stmt, body=lanes(stmt.body))

    def lanes(block: Block) -> Block:
        body: list[Stmt] = []
        for inner in block.body:
            match inner:
                case For():
                    body += _kept(inner, shapes, ranges, names)
                case If(then=then, otherwise=otherwise):
                    body.append(replace(inner, then=lanes(then), otherwise=lanes(otherwise)))
                case Block():
                    body.append(lanes(inner))
                case _:
                    body.append(inner)
        return replace(block, body=tuple(body))

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _ranges(function: Function) -> dict[str, tuple[int, int]]:
    """By counter: the least value and a value that is too large, where loops over it say so by numbers."""
    found: dict[str, tuple[int, int]] = {}
    open_: set[str] = set()
    changed = mutable_vars(function)
    declared = [d for d in walk_stmts(function.body) if isinstance(d, Decl) and not d.shape]
    often = Counter(d.name for d in declared)
    values = {d.name: d.init for d in declared if often[d.name] == 1 and d.name not in changed}
    for loop in walk_stmts(function.body):
        match loop:
            case For(var=var, start=Const(value=start), stop=stop):
                end = _at_most(stop, values)
                if end is None:
                    open_.add(var)
                    continue
                low, high = found.get(var, (int(start), end))
                found[var] = min(low, int(start)), max(high, end)
            case For(var=var):
                open_.add(var)
    return {var: ends for var, ends in found.items() if var not in open_}


def _at_most(stop: Expr, values: Mapping[str, object]) -> int | None:
    """A number that a loop ends at or before, as far as one is in sight: a constant, also among others of
    which the loop ends at the least, under a name or not."""
    value = values.get(stop.name) if isinstance(stop, Var) else stop
    if not isinstance(value, Expr):
        return None
    numbers = [int(e.value) for e in operands_of(value, "min") if isinstance(e, Const)]
    return min(numbers, default=None)


def _kept(loop: For, shapes: dict[str, Decl], ranges: dict[str, tuple[int, int]], names: Names) -> list[Stmt]:
    if loop.kind not in (LoopKind.SERIAL, LoopKind.UNROLLED) or any(
        isinstance(s, _OTHERS) for s in walk_stmts(loop)
    ):
        return [loop]
    inside = {d.name for d in walk_stmts(loop) if isinstance(d, Decl)}
    before: list[Stmt] = []
    after: list[Stmt] = []
    whole: Stmt = loop
    for array in sorted(arrays_written(loop) & shapes.keys() - inside):
        places = [n for n in walk(loop) if isinstance(n, Load) and n.array == array]
        if len({tuple(map(_plain, n.index)) for n in places}) != 1:
            continue
        place = places[0]
        if {n.dtype for n in places} != {shapes[array].dtype}:
            continue
        if any(free_vars(i) & assigned_vars(loop) for i in place.index):
            continue
        if not _exists(place, shapes[array], ranges):
            continue
        kept = Var(place.dtype, names.fresh(f"{array}_kept"))
        whole = _renamed(whole, array, kept)
        before.append(Decl(kept.name, kept.dtype, init=place))
        after.append(Assign(place, kept))
    return [*before, whole, *after]


def _renamed(stmt: Stmt, array: str, kept: Var) -> Stmt:
    def is_place(expr: Expr) -> bool:
        return isinstance(expr, Load) and expr.array == array

    def written(target: Var | Load) -> Var | Load:
        return kept if is_place(target) else target

    return map_expr(stmt, lambda e: kept if is_place(e) else e, written)


def _plain(index: Expr) -> Expr:
    """Without conversions that keep the value of what lies within an array."""
    match index:
        case Cast(operand=operand) if operand.dtype.is_integer and index.dtype.bits >= 32:
            return _plain(operand)
    return index


def _exists(place: Load, decl: Decl, ranges: dict[str, tuple[int, int]]) -> bool:
    """Whether the element is there also where the loop does not run."""
    if len(place.index) != len(decl.shape):
        return False
    for index, extent in zip(place.index, decl.shape, strict=True):
        match _plain(index):
            case Const(value=value):
                low, high = int(value), int(value) + 1
            case Var(name=name) if name in ranges:
                low, high = ranges[name]
            case _:
                return False
        if low < 0 or not isinstance(extent, Const) or high > int(extent.value):
            return False
    return True
