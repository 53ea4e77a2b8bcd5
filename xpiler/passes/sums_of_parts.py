"""A sum of a few parts that is only added to another sum is part of that one.

    f32 part = 0;                                     for lane in 0..16: {
    for lane in 0..16: { S; v[lane] = e; }               S; v[lane] = e;
    for lane in 0..16: part += v[lane];      -->         sum += (f64)v[lane];
    sum += (f64)part;                                 }

So are sums of registers that a loop adds up one after the other. Applies to loops of a known, small number of
rounds: long parts that are summed first are there for accuracy. The order of the additions changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.build import cast
from xpiler.ir.nodes import Assign, Block, Cast, Const, Decl, Expr, For, Function, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import map_body, map_expr, map_stmt, substitute, uses
from xpiler.ir.types import DType
from xpiler.passes.coalescing import trips
from xpiler.passes.folds import folded
from xpiler.passes.reduction_values import identity
from xpiler.passes.structured import spliced

_MOST = 64  # rounds


def join_parts(function: Function) -> Function:
    """In every list of statements of a plain function."""
    if not function.is_serial:
        return function

    def change(stmt: Stmt) -> Stmt:
        return replace(stmt, body=_joined(spliced(stmt.body))) if isinstance(stmt, Block) else stmt

    return map_body(function, change)


def _joined(stmts: Sequence[Stmt]) -> tuple[Stmt, ...]:
    out = list(stmts)
    at = 0
    while at < len(out):
        made = _without_part(out, at) or _beside(out, at)
        if made is None:
            at += 1
        else:
            out = made
    return tuple(out)


def _without_part(stmts: list[Stmt], at: int) -> list[Stmt] | None:
    """The list without the part that is declared there; None if it stays."""
    part = stmts[at]
    if not isinstance(part, Decl) or part.shape or not isinstance(part.init, Const):
        return None
    users = [
        n for n, s in enumerate(stmts) if n != at and part.name in uses(s).vars_read | uses(s).vars_assigned
    ]
    if len(users) != 2 or users[0] < at:
        return None
    loop, adding = (stmts[n] for n in users)
    if not isinstance(loop, For) or not isinstance(adding, Assign) or not (trips(loop) or _MOST + 1) <= _MOST:
        return None
    joining = _joining(adding, part)
    if joining is None:
        return None
    op, total = joining
    if identity(op, part.dtype) != part.init:
        return None
    between = stmts[at + 1 : users[0]] + stmts[users[0] + 1 : users[1]]
    if any(_touches(s, total) for s in [loop, *between]):
        return None
    changed = _adding(loop, part.name, op, total)
    if changed is None:
        return None
    out = list(stmts)
    out[users[0]] = changed
    del out[users[1]]
    del out[at]
    return out


def _joining(adding: Assign, part: Decl) -> tuple[str, Var | Load] | None:
    """The operator and the sum that the part is joined to."""
    total = adding.target
    if isinstance(total, Load):
        if adding.reduce is None:
            return None
        op, value = adding.reduce, adding.value
    else:
        fold = folded(adding)
        if fold is None:
            return None
        op, value = fold
    while isinstance(value, Cast) and _is_wider(value.dtype, value.operand.dtype):
        value = value.operand
    known = op in ("+", "max", "min") and value == Var(part.dtype, part.name)
    return (op, total) if known else None


def _uses_var(stmt: Stmt, name: str) -> bool:
    return name in uses(stmt).vars_read | uses(stmt).vars_assigned


def _is_wider(dtype: DType, other: DType) -> bool:
    return dtype.is_float and other.is_float and dtype.bits >= other.bits


def _touches(stmt: Stmt, total: Var | Load) -> bool:
    found = uses(stmt)
    if isinstance(total, Var):
        return total.name in found.vars_read | found.vars_assigned
    return total.array in found.arrays_read | found.arrays_written or bool(
        found.vars_assigned & uses(Assign(Var(total.dtype, "?"), total)).vars_read
    )


def _adding(loop: For, part: str, op: str, total: Var | Load) -> For | None:
    """The loop with `part op= e` turned into `total op= e`; None if it does anything else with the part."""
    failed = False

    def change(stmt: Stmt) -> Stmt:
        nonlocal failed
        if isinstance(stmt, Assign) and isinstance(stmt.target, Var) and stmt.target.name == part:
            fold = folded(stmt)
            if fold is None or fold[0] != op:
                failed = True
                return stmt
            return Assign(total, cast(fold[1], total.dtype), op, range=stmt.range)
        if isinstance(stmt, For) and stmt.kind is LoopKind.THREADS:
            return replace(stmt, kind=LoopKind.SERIAL)  # all of them add to the same number now
        return stmt

    changed = map_stmt(loop, change)
    return None if failed or not isinstance(changed, For) or _uses_var(changed, part) else changed


def _beside(stmts: list[Stmt], at: int) -> list[Stmt] | None:
    """With the loop at this place, which only adds up what the one ahead of it has put into an array, in that
    one; None if it is no such loop."""
    adding, before = stmts[at], stmts[at - 1] if at else None
    if not isinstance(adding, For) or not isinstance(before, For) or len(adding.body.body) != 1:
        return None
    same = (adding.start, adding.stop, adding.step) == (before.start, before.stop, before.step)
    if not same or before.kind is not LoopKind.THREADS:
        return None
    added = substitute(adding.body.body[0], {adding.var: Var(before.dtype, before.var)})
    if not isinstance(added, Assign) or added.reduce is None or not _is_own_element(added.value, before):
        return None
    if _touches(before, added.target) or _depends(added.target, before.var):
        return None
    body = Block((*before.body.body, added), range=before.body.range)
    joined = replace(before, body=body, kind=LoopKind.SERIAL)
    return _of_single([*stmts[: at - 1], joined, *stmts[at + 1 :]], at - 1)


def _of_single(stmts: list[Stmt], at: int) -> list[Stmt]:
    """With arrays of which only the loop at this place uses elements, each in its own round, as scalars."""
    loop = stmts[at]
    assert isinstance(loop, For)
    body = loop.body
    for decl in [s for s in stmts if isinstance(s, Decl) and len(s.shape) == 1 and s.init is None]:
        others = [s for s in (*stmts[:at], *stmts[at + 1 :]) if s is not decl]
        own = Load(decl.dtype, decl.name, (Var(loop.dtype, loop.var),))
        first = next((n for n, s in enumerate(body.body) if _touches(s, own)), None)
        if first is None or any(_touches(s, own) for s in others):
            continue
        start = body.body[first]
        if not isinstance(start, Assign) or start.target != own or start.reduce is not None:
            continue
        scalar = Var(decl.dtype, decl.name)
        rest = _with_scalar(Block(body.body[first + 1 :]), own, scalar)
        if decl.name in uses(start.value).arrays_read or _touches(rest, own):
            continue
        named = Decl(decl.name, decl.dtype, init=start.value, range=start.range)
        body = Block((*body.body[:first], named, *rest.body), range=body.range)
        stmts = [s for s in stmts if s is not decl]
    return [replace(loop, body=body) if s is loop else s for s in stmts]


def _with_scalar(body: Block, own: Load, scalar: Var) -> Block:
    """The statements with the element as a variable, where it is read and where it is written."""
    return map_expr(
        body, lambda e: scalar if e == own else e, lambda place: scalar if place == own else place
    )


def _depends(target: Var | Load, counter: str) -> bool:
    return isinstance(target, Load) and counter in uses(Assign(Var(target.dtype, "?"), target)).vars_read


def _is_own_element(value: Expr, loop: For) -> bool:
    """Whether a value is the element of an array that an iteration has set, and no other one does."""
    while isinstance(value, Cast):
        value = value.operand
    match value:
        case Load(index=(Var(name=name),)) if name == loop.var:
            sets = [s for s in loop.body.body if isinstance(s, Assign) and s.target == value]
            return bool(sets)
    return False
