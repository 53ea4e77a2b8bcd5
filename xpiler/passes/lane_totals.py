"""Sums that the lanes of registers keep apart until the end become one sum, whatever lies around them.

    for lane: acc[lane] = 0                                             float total = 0;
    for i step 8: for lane: { y[i + lane] = v; acc[lane] += v * v }     for i step 8: for lane:
    if (rest) for lane: acc[lane] += w                            -->     { y[i + lane] = v; total += v * v }
    float total = 0; for lane: total += acc[lane] + more[lane]          if (rest) for lane: total += w

Which lane a part goes to makes no difference then. Applies to arrays that begin as numbers or as values of
their own, are only accumulated into by the operator that joins them in the end, and are read nowhere else.
The order of the additions changes; of a maximum, which NaN is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeGuard

from xpiler.ir.build import const
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Call,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Instr,
    Load,
    LoopKind,
    Ref,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import map_expr, map_stmt, rename, uses, walk, walk_stmts
from xpiler.ir.types import F32, I32
from xpiler.passes.copied_arrays import drop_copies
from xpiler.passes.copies import template
from xpiler.passes.folds import folded
from xpiler.passes.reduction_values import NAMES, identity, is_idempotent
from xpiler.passes.structured import spliced
from xpiler.passes.thread_fusion import fuse_threads


def join_lane_totals(function: Function) -> Function:
    """In every list of statements of a plain function, whose loops over the same lanes are put together
    first."""
    if not function.is_serial:
        return function
    beside = _with_known_starts(fuse_threads(drop_copies(function), beside=True))
    joined = _with_totals(beside)
    return function if joined is beside else joined


def _with_known_starts(function: Function) -> Function:
    """`a[lane] = 0; b[lane] = a[lane]` as `a[lane] = 0; b[lane] = 0`."""

    def change(stmt: Stmt) -> Stmt:
        return replace(stmt, body=Block(_known(spliced(stmt.body.body)))) if _is_of_lanes(stmt) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _is_of_lanes(stmt: Stmt) -> TypeGuard[For]:
    return isinstance(stmt, For) and stmt.kind is LoopKind.THREADS


def _known(stmts: Sequence[Stmt]) -> tuple[Stmt, ...]:
    known: dict[Expr, Const] = {}
    out: list[Stmt] = []
    for stmt in stmts:
        match stmt:
            case Assign(target=Load() as target, value=value, reduce=None):
                value = known.get(value, value)
                known = {place: c for place, c in known.items() if not _is_of(place, target.array)}
                if isinstance(value, Const):
                    known[target] = value
                out.append(replace(stmt, value=value))
            case _:
                known = {}
                out.append(stmt)
    return tuple(out)


def _is_of(place: Expr, array: str) -> bool:
    return isinstance(place, Load) and place.array == array


def _with_totals(function: Function) -> Function:

    def change(stmt: Stmt) -> Stmt:
        return replace(stmt, body=_joined(spliced(stmt.body))) if isinstance(stmt, Block) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _joined(stmts: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    n = 0
    while n < len(stmts):
        joined = _with_one_register(stmts, n) or _with_one_sum(stmts, n)
        if joined is None:
            n += 1
        else:
            stmts, n = joined, 0
    return stmts


# ------------------------------------------------------------------------------------------ several registers


def _with_one_register(stmts: tuple[Stmt, ...], n: int) -> tuple[Stmt, ...] | None:
    """Registers that are joined lane by lane at position n, `c[lane] = a[lane] + b[lane]`, as one from the
    start."""
    match stmts[n]:
        case For(var=lane, stop=count, body=Block(body=(Assign(target=Load(array=array)) as only,))) as loop:
            pass
        case _:
            return None
    found = _registers(only, lane)
    if found is None or not _is_whole(loop, count) or only.target != _element(array, loop, only):
        return None
    op, registers = found
    base = array if array in registers else registers[0]
    users = [s for s in stmts[:n] if not isinstance(s, Decl) and _touches(s, base)]
    start = _began(users[0], base, count) if users else None
    for one in registers:
        places = [m for m, s in enumerate(stmts) if not isinstance(s, Decl) and _touches(s, one)]
        before = [m for m in places if m < n]
        if not before or (one != array and places[-1] > n) or not _is_register(stmts, one, count, only):
            return None
        began = _began(stmts[before[0]], one, count)
        if began is None:
            return None
        if one != base and began not in (
            identity(op, only.target.dtype),
            start if is_idempotent(op) else None,
        ):
            return None
        if not all(_only_adds(stmts[m], one, op) for m in before[1:]):
            return None
    if array not in registers and any(_touches(s, array) for s in stmts[:n] if not isinstance(s, Decl)):
        return None
    others = {one: base for one in (*registers, array) if one != base}
    out: list[Stmt] = []
    for m, stmt in enumerate(stmts):
        if m == n or _declares(stmt, tuple(others)):
            continue
        first = [one for one in registers if one != base and m < n and _began(stmt, one, count) is not None]
        if first:
            assert isinstance(stmt, For)
            kept = tuple(s for s in stmt.body.body if not any(_assigns(s, one) for one in first))
            stmt = replace(stmt, body=Block(kept))
            if not kept:
                continue
        out.append(rename(stmt, others))
    return tuple(out)


def _registers(joining: Assign, lane: str) -> tuple[str, tuple[str, ...]] | None:
    """The operator, and the arrays whose elements at `lane` it joins."""
    if joining.reduce is not None:
        inner = _parts(joining.value, joining.reduce, lane)
        assert isinstance(joining.target, Load)
        found = None if inner is None else (joining.reduce, (joining.target.array, *inner))
    else:
        match joining.value:
            case Binary(op="+" as op) | Call(function="max" | "min" as op):
                parts = _parts(joining.value, op, lane)
            case Select(condition=Binary(op=">" | "<" as order)):
                op = "max" if order == ">" else "min"
                parts = _parts(joining.value, op, lane)
            case _:
                return None
        found = None if parts is None or len(parts) < 2 else (op, parts)
    return found if found is not None and len(set(found[1])) == len(found[1]) else None


def _parts(value: Expr, op: str, lane: str) -> tuple[str, ...] | None:
    match value:
        case Load(array=array, index=(Var(name=name),)) if name == lane:
            return (array,)
        case Binary(op=operator, left=left, right=right) if operator == op:
            sides = _parts(left, op, lane), _parts(right, op, lane)
        case Call(function=function, args=(left, right)) if function == op:
            sides = _parts(left, op, lane), _parts(right, op, lane)
        case Select(
            condition=Binary(op=">" | "<" as order, left=left, right=right), then=then, otherwise=other
        ) if (then, other) == (left, right) and op == ("max" if order == ">" else "min"):
            sides = _parts(left, op, lane), _parts(right, op, lane)
        case _:
            return None
    return None if sides[0] is None or sides[1] is None else (*sides[0], *sides[1])


def _is_register(stmts: Sequence[Stmt], array: str, count: Expr, like: Assign) -> bool:
    """Whether it is declared here, once, with that many elements."""
    declared = [s for s in stmts if isinstance(s, Decl) and s.name == array]
    return len(declared) == 1 and (declared[0].init, declared[0].shape, declared[0].dtype) == (
        None,
        (count,),
        like.target.dtype,
    )


def _only_adds(stmt: Stmt, array: str, op: str) -> bool:
    """Whether the array's elements are changed by that operator alone, and read by nothing else."""
    return _adding(stmt, array, op, Var(F32, "?")) is not None


def _is_whole(loop: For, count: Expr) -> bool:
    return (loop.start, loop.stop, loop.step) == (const(0, loop.dtype), count, const(1, loop.dtype))


def _element(array: str, loop: For, like: Assign) -> Load:
    return Load(like.target.dtype, array, (Var(loop.dtype, loop.var),))


# ------------------------------------------------------------------------------------------ one register


def _with_one_sum(stmts: tuple[Stmt, ...], n: int) -> tuple[Stmt, ...] | None:
    """The statements with what a register keeps added to the total at once, that is declared at position n:
    `T total = start; for part in 0..count: total op= array[part]`."""
    decl = stmts[n]
    if not isinstance(decl, Decl) or decl.shape or not isinstance(decl.init, Const):
        return None
    at = _where_summed(stmts, n, decl)
    if at is None:
        return None
    loop, total, array, op = at
    joining = stmts[loop]
    count = joining.stop if isinstance(joining, For) else None
    users = [m for m, s in enumerate(stmts) if not isinstance(s, Decl) and _touches(s, array)]
    if count is None or len(users) < 3 or users[-1] != loop or _is_a_row(stmts, n, array):
        return None
    first = users[0]
    begin = stmts[first]
    began = _began(begin, array, count)
    if (
        began is None
        or not isinstance(begin, For)
        or not _is_register(stmts, array, count, Assign(total, began))
    ):
        return None
    start = _joined_start(decl.init, began, op) if isinstance(began, Const) else decl.init
    if start is None:
        return None
    instead = () if isinstance(began, Const) else (Assign(total, began, op),)
    kept = tuple(one for s in begin.body.body for one in (instead if _assigns(s, array) else (s,)))
    out: list[Stmt] = []
    for m, stmt in enumerate(stmts):
        if m == first:
            out.append(Decl(total.name, total.dtype, init=start))
            out += [replace(begin, body=Block(kept), kind=LoopKind.SERIAL if instead else begin.kind)] * bool(
                kept
            )
        elif m not in (n, loop) and not _declares(stmt, (array,)):
            changed = stmt if isinstance(stmt, Decl) else _adding(stmt, array, op, total)
            if changed is None:
                return None
            out.append(changed)
    return _under_own_name(tuple(out), total)


def _is_a_row(stmts: Sequence[Stmt], n: int, array: str) -> bool:
    """Whether there is a register that the same steps add other rows or columns to, and that is summed up for
    itself: together they are a loop over rows (`spread_tiles.py`)."""
    others = [
        found[2]
        for m, decl in enumerate(stmts)
        if m != n and isinstance(decl, Decl) and not decl.shape
        for found in [_where_summed(stmts, m, decl)]
        if found is not None
    ]
    mine = _added_to(stmts, array)
    copies = ([rename(s, {other: array}) for s in _added_to(stmts, other)] for other in others)
    return any(template([mine, copy], Var(I32, "row?")) is not None for copy in copies if copy)


def _added_to(stmts: Sequence[Stmt], array: str) -> list[Stmt]:
    """What loops over steps do with a register, with one name for the lane."""
    found: list[Stmt] = []
    for stmt in stmts:
        if isinstance(stmt, For) and stmt.kind is not LoopKind.THREADS:
            for s in walk_stmts(stmt):
                match s:
                    case Assign(target=Load(array=name, index=(Var(name=lane),))) if name == array:
                        found.append(rename(s, {lane: "lane?"}))
    return found


def _where_summed(stmts: Sequence[Stmt], n: int, decl: Decl) -> tuple[int, Var, str, str] | None:
    """Where the elements are joined, into what, the array and the operator."""
    for m in range(n + 1, len(stmts)):
        match stmts[m]:
            case For(
                var=part,
                start=Const(value=0),
                step=Const(value=1),
                body=Block(
                    body=(
                        Assign(
                            target=Var(name=name) as total,
                            value=Load(array=array, index=(Var(name=at),)),
                            reduce=str() as op,
                        ),
                    )
                ),
            ) if name == decl.name and at == part and op in NAMES:
                return m, total, array, op
        found = uses(stmts[m])
        if decl.name in found.vars_read | found.vars_set:
            return None
    return None


def _under_own_name(stmts: tuple[Stmt, ...], total: Var) -> tuple[Stmt, ...]:
    """`T total; ...; T s = total;` with `s` for the total from the start, where that is not used any more: so
    that what is added to `s` behind is added to the same number."""
    for n, stmt in enumerate(stmts):
        match stmt:
            case Decl(name=name, shape=(), init=Var(name=other), dtype=dtype) if (
                other == total.name and dtype == total.dtype
            ):
                later = uses(Block(stmts[n + 1 :]))
                if total.name in later.vars_read | later.vars_set:
                    return stmts
                return tuple(rename(s, {total.name: name}) for s in (*stmts[:n], *stmts[n + 1 :]))
    return stmts


def _assigns(stmt: Stmt, array: str) -> bool:
    return isinstance(stmt, Assign) and isinstance(stmt.target, Load) and stmt.target.array == array


def _began(stmt: Stmt, array: str, count: Expr) -> Expr | None:
    """`e` of `for lane in 0..count: array[lane] = e`, among statements that leave the array alone."""
    match stmt:
        case For(var=lane, start=Const(value=0), stop=stop, step=Const(value=1), body=Block(body=body)) if (
            stop == count
        ):
            mine = [s for s in body if _touches(s, array)]
            match mine:
                case [Assign(target=Load(array=name, index=(Var(name=at),)), value=value, reduce=None)] if (
                    name == array and at == lane and array not in uses(value).arrays_read
                ):
                    return value
    return None


def _joined_start(start: Const, began: Const, op: str) -> Const | None:
    """What the total begins with; sums have to begin with nothing, as each lane would count it again."""
    if op == "max":
        return start if start.value >= began.value else began
    if op == "min":
        return start if start.value <= began.value else began
    return start if began == identity(op, began.dtype) else None


def _adding(stmt: Stmt, array: str, op: str, total: Var) -> Stmt | None:
    """A statement with `array[..] op= e` turned into `total op= e`; None if it does anything else with the
    array."""
    failed = False

    def change(s: Stmt) -> Stmt:
        nonlocal failed
        match s:
            case Assign(target=Load(array=name)) if name == array:
                added = _added(s, op)
                if added is None:
                    failed = True
                    return s
                return Assign(total, added, op, range=s.range)
            case For(kind=LoopKind.THREADS) if _adds(s, total.name):
                return replace(s, kind=LoopKind.SERIAL)  # all of them add to the same number now
        return s

    if not _touches(stmt, array):
        return stmt
    changed = map_stmt(stmt, change)
    assert isinstance(changed, Stmt)
    return None if failed or _touches(changed, array) else changed


def _added(assign: Assign, op: str) -> Expr | None:
    """`e` of `place op= e` in any spelling."""
    if assign.reduce is not None:
        return assign.value if assign.reduce == op else None
    own = Var(assign.target.dtype, "own element")
    value = map_expr(assign.value, lambda e: own if e == assign.target else e)
    found = folded(Assign(own, value))
    return found[1] if found is not None and found[0] == op else None


def _adds(loop: For, name: str) -> bool:
    return any(
        isinstance(s, Assign) and isinstance(s.target, Var) and s.target.name == name for s in walk(loop)
    )


def _declares(stmt: Stmt, arrays: Sequence[str]) -> bool:
    return isinstance(stmt, Decl) and stmt.name in arrays


def _touches(stmt: Stmt, array: str) -> bool:
    found = uses(stmt)
    if array in found.arrays_read | found.arrays_written:
        return True
    return any(isinstance(n, (Ref, Atomic, Instr)) and array in uses(n).arrays_read for n in walk(stmt))
