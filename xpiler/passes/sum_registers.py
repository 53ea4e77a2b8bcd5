"""Sums that are built up in memory are built up in a variable.

    parallel for j: c[j] = 0                          parallel for j:
    parallel for j: for k: c[j] += a[k] * b[k][j]  -->    float c_sum = 0;
                                                          for k: c_sum += a[k] * b[k][j];
                                                          c[j] = c_sum;

A loop that only initialises elements is fused with the next one over the same range where iterations stay
independent. An element is kept in a variable where its address does not change within the sum and nothing
else of its array is touched there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Function, If, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_stmt, rename, uses, walk, walk_exprs
from xpiler.passes.facts import Facts, inside_of
from xpiler.passes.independence import independent_iterations
from xpiler.passes.names import Names
from xpiler.passes.reduction_values import NAMES, identity
from xpiler.passes.structured import spliced

_PARALLEL = (LoopKind.PARALLEL, LoopKind.THREADS)


def sums_in_registers(function: Function) -> Function:
    names = Names(function)
    body = _block(function.body, Facts.of(function), names)
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, facts: Facts, names: Names) -> Block:
    stmts: list[Stmt] = []
    for stmt in spliced(block.body):
        current = stmt
        while True:
            fused = _fused(stmts[-1], current, facts) if stmts else None
            if fused is None:
                break
            stmts.pop()
            current = fused
        stmts.append(current)
    out: list[Stmt] = []
    for stmt in stmts:
        out += [_below(piece, facts, names) for piece in _kept(stmt, facts, names)]
    return Block(tuple(_started(out)), range=block.range)


def _below(stmt: Stmt, facts: Facts, names: Names) -> Stmt:
    return inside_of(stmt, facts, lambda block, inner: _block(block, inner, names))


# ------------------------------------------------------------------------------------------ fusion


def _fused(first: Stmt, second: Stmt, facts: Facts) -> For | None:
    """Two loops over the same range as one, if the first only stores what the second goes on with."""
    if not isinstance(first, For) or not isinstance(second, For):
        return None
    if first.kind not in _PARALLEL or second.kind not in _PARALLEL:
        return None
    if (first.start, first.stop, first.step) != (second.start, second.stop, second.step):
        return None
    ours, theirs = uses(first), uses(second)
    if not ours.arrays_written & (theirs.arrays_written | theirs.arrays_read):
        return None
    mine = _elementwise(first)
    if mine is None:
        return None
    moved = rename(second.body, {second.var: first.var}) if second.var != first.var else second.body
    inner = facts.inside(first)
    own, rest = spliced(first.body.body), spliced(moved.body)
    body: tuple[Stmt, ...] = (*own, *rest)
    if len(own) == 1 and isinstance(own[0], For) and rest:
        deeper = _fused(own[0], rest[0], inner)
        if deeper is None:
            return None
        body = (deeper, *rest[1:])
    if not independent_iterations((first,), body, inner):
        return None
    return replace(second, var=first.var, dtype=first.dtype, body=Block(body))


def _elementwise(loop: For) -> tuple[Stmt, ...] | None:
    body = spliced(loop.body.body)
    if len(body) == 1 and isinstance(body[0], For):
        return _elementwise(body[0])
    return body if all(isinstance(s, Assign) and isinstance(s.target, Load) for s in body) else None


# ------------------------------------------------------------------------------------------ variables


def _kept(stmt: Stmt, facts: Facts, names: Names) -> list[Stmt]:
    """`for k: c[e] += v` as a sum in a variable that is then added to `c[e]`."""
    if not isinstance(stmt, For) or stmt.kind in _PARALLEL:
        return [stmt]
    counters: set[str] = set()
    inner: Stmt = stmt
    while isinstance(inner, (For, If)):
        if isinstance(inner, For):
            counters.add(inner.var)
        elif inner.otherwise.body:
            return [stmt]
        *heads, inner = spliced((inner.body if isinstance(inner, For) else inner.then).body) or (stmt,)
        names_of = [h.name for h in heads if isinstance(h, Decl) and not h.shape]
        if len(names_of) != len(heads) or inner is stmt:
            return [stmt]
        counters |= set(names_of)
    match inner:
        case Assign(target=Load() as place, reduce=op) if op in NAMES and not _moves(place, counters):
            pass
        case _:
            return [stmt]
    assert isinstance(inner, Assign) and isinstance(place, Load) and op is not None
    same = {place.array, *facts.aliases.get(place.array, frozenset())}
    reads = [n for n in walk(stmt) if isinstance(n, Load) and n.array in same and n is not place]
    if reads or len(place.index) == 0:
        return [stmt]
    name = names.fresh(f"{place.array}_{_WORDS.get(op, op)}")
    total = Var(place.dtype, name)
    summed = replace(inner, target=total)
    changed = map_stmt(stmt, lambda s: summed if s == inner else s)
    return [
        Decl(name, place.dtype, (), init=identity(op, place.dtype)),
        changed,
        Assign(place, total, op, range=inner.range),
    ]


_WORDS = {"+": "sum", "*": "product"}


def _moves(place: Load, counters: set[str]) -> bool:
    return any(
        free_vars(i) & counters or any(isinstance(e, Load) for e in walk_exprs(i)) for i in place.index
    )


def _started(stmts: Sequence[Stmt]) -> list[Stmt]:
    """`c[e] = v; s = 0; loop; c[e] += s` --> `s = v; loop; c[e] = s`, for a sum that starts at nothing."""
    out = list(stmts)
    n = 0
    while n + 3 < len(out):
        match out[n : n + 4]:
            case [
                Assign(target=Load() as first, value=value, reduce=None),
                Decl(name=name, init=Expr() as start) as decl,
                For() as loop,
                Assign(target=Load() as last, value=Var() as total, reduce=op) as store,
            ] if (
                first == last and total.name == name and op is not None and start == identity(op, first.dtype)
            ):
                touched = uses(loop)
                if first.array not in touched.arrays_read | touched.arrays_written:
                    out[n : n + 4] = [
                        replace(decl, init=value),
                        loop,
                        replace(store, reduce=None),
                    ]
        n += 1
    return out
