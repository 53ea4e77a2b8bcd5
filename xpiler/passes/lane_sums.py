"""Partial sums, one a lane, become one sum over all elements.

    for lane in 0..16: { acc[lane] = 0; for c step 16: acc[lane] += x[c + lane] }
    s = 0; for part in 0..16: s += acc[part]
    -->
    s = 0; for c step 16: for lane in 0..16: s += x[c + lane]

Only the order of additions changes. Applies where the lanes' array is used by these loops alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Function, If, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_stmt, rename, substitute, uses, walk
from xpiler.passes.independence import accumulators
from xpiler.passes.reduction_values import NAMES, identity
from xpiler.passes.structured import spliced


def joined_lanes(function: Function) -> Function:
    """The loops over parts put into the loops over lanes that they follow."""

    def change(stmt: Stmt) -> Stmt:
        return replace(stmt, body=tuple(_joined(spliced(stmt.body)))) if isinstance(stmt, Block) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _joined(stmts: Sequence[Stmt]) -> list[Stmt]:
    out = list(stmts)
    arrays = {s.name: s for s in out if isinstance(s, Decl) and s.shape}
    n = 0
    while n < len(out):
        part = out[n]
        found = _part(part, arrays)
        if found is None or not isinstance(part, For):
            n += 1
            continue
        array, total, op = found
        users = [m for m, s in enumerate(out) if not isinstance(s, Decl) and _touches(s, array)]
        if len(users) != 2 or users[1] != n:
            n += 1
            continue
        lanes = out[users[0]]
        start = next((m for m in range(n) if _is_start(out[m], total, op)), None)
        between = out[users[0] + 1 : n]
        if (
            not isinstance(lanes, For)
            or not _at_own_place(lanes, array)
            or (lanes.start, lanes.stop, lanes.step) != (part.start, part.stop, part.step)
            or start is None
            or any(total.name in _names(s) for m, s in enumerate(between, users[0] + 1) if m != start)
            or any(total.name in _names(s) for s in out[start + 1 : users[0] + 1])
        ):
            n += 1
            continue
        added = rename(part.body, {part.var: lanes.var})
        fused = replace(lanes, body=Block((*spliced(lanes.body.body), *added.body)), kind=LoopKind.SERIAL)
        decl = out[start]
        rest = [s for m, s in enumerate(out) if m not in (start, n)]
        at = rest.index(lanes)
        rest[at : at + 1] = [decl, fused]
        out = rest
        n = 0
    return out


def _part(stmt: Stmt, arrays: dict[str, Decl]) -> tuple[str, Var, str] | None:
    if not isinstance(stmt, For):
        return None
    match stmt.body.body:
        case (
            Assign(
                target=Var() as total, value=Load(array=array, index=(Var(name=name),)), reduce=str() as op
            ),
        ) if array in arrays and name == stmt.var and op in NAMES and arrays[array].dtype == total.dtype:
            return array, total, op
    return None


def _is_start(stmt: Stmt, total: Var, op: str) -> bool:
    return isinstance(stmt, Decl) and stmt.name == total.name and stmt.init == identity(op, total.dtype)


def _at_own_place(loop: For, array: str) -> bool:
    """Whether each iteration uses its own element only, so that it is final when the iteration ends."""
    places = {n.index for n in walk(loop) if isinstance(n, Load) and n.array == array}
    return places == {(Var(loop.dtype, loop.var),)}


def _touches(stmt: Stmt, array: str) -> bool:
    found = uses(stmt)
    return array in found.arrays_read | found.arrays_written


def _names(stmt: Stmt) -> frozenset[str]:
    found = uses(stmt)
    return found.vars_read | found.vars_assigned


# ------------------------------------------------------------------------------------------ sums of sums


def sums_of_sums(function: Function) -> Function:
    """`for lane: { t = 0; for c: t += e; s += t }` as `for c: for lane: s += e`."""

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        return _flat(stmt) if isinstance(stmt, For) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _flat(loop: For) -> Stmt | tuple[Stmt, ...]:
    stmts = list(spliced(loop.body.body))
    starts: dict[str, str] = {}
    totals: dict[str, tuple[Var, str]] = {}
    for stmt in stmts:
        match stmt:
            case Assign(target=Var() as total, value=Var(name=name), reduce=str() as op) if op in NAMES:
                totals[name] = (total, op)
    for stmt in stmts:
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init) if name in totals:
                total, op = totals[name]
                if isinstance(init, Var) and starts.get(init.name) == op:
                    init = identity(op, total.dtype)  # `s1 = s0`, before anything was added
                if init == identity(op, total.dtype) and stmt.dtype == total.dtype:
                    starts[name] = op
    if not starts or set(starts) != set(totals):
        return loop
    inner: list[Stmt] = []
    for stmt in stmts:
        if isinstance(stmt, Decl) and stmt.name in starts:
            continue
        if isinstance(stmt, Assign) and isinstance(stmt.value, Var) and stmt.value.name in starts:
            continue
        inner.append(stmt)
    names = {name: totals[name][0] for name in starts}
    pieces = [substitute(s, names) for s in inner]
    if not all(_only_adds(s, {t.name: starts[n] for n, t in names.items()}) for s in pieces):
        return loop
    return tuple(_interchanged(loop, piece) for piece in pieces)


def _only_adds(stmt: Stmt, totals: dict[str, str]) -> bool:
    """Whether a statement does nothing but add to sums, to the totals each by its operator."""
    if uses(stmt).arrays_written or not isinstance(stmt, (For, If, Assign)):
        return False
    sums = accumulators((stmt,))
    for node in walk(stmt):
        if isinstance(node, Assign) and isinstance(node.target, Var):
            name = node.target.name
            if name in totals and (name not in sums or node.reduce != totals[name]):
                return False
            if name not in totals and name not in sums | uses(stmt).vars_declared:
                return False
    return True


def _interchanged(lanes: For, piece: Stmt) -> For:
    """The loop over lanes inside a loop over tiles, or around what is no loop."""
    own = replace(lanes, kind=LoopKind.SERIAL)
    if isinstance(piece, For) and not any(
        lanes.var in free_vars(e) for e in (piece.start, piece.stop, piece.step)
    ):
        return replace(piece, body=Block((replace(own, body=piece.body),)))
    return replace(own, body=Block((piece,)))
