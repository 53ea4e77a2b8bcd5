"""A loop that only adds up what the threads have accumulated goes into the loop in which they accumulate it.

    for t: { s[t] = 0; for i in t..n step 256: s[t] += f(i) }         float sum = 0;
    float sum = 0;  for t: sum += s[t];                        -->    for t: for i in t..n step 256: sum
    += f(i)

Applies if nothing else reads the array, and its threads only set it to the neutral value and accumulate
by the same operator; a loop before may set it, too. The order of the additions changes; for `max` and `min`
any start value will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Call,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Load,
    LoopKind,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import map_stmt, uses, walk
from xpiler.passes.structured import spliced


def merge_reductions(function: Function) -> Function:
    """In every list of statements."""

    def change(stmt: Stmt) -> Stmt:
        return replace(stmt, body=_merged(spliced(stmt.body))) if isinstance(stmt, Block) else stmt

    body = map_stmt(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _merged(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """A loop that only adds up what the threads have accumulated goes into the loop in which they do."""
    out = list(body)
    merged_loops: list[Stmt] = []
    n = 0
    while n < len(out):
        reduction = _reduction(out, n)
        if reduction is not None:
            total, start, array, op, loop_at = reduction
            before = [m for m in range(n) if array in uses(out[m]).arrays_written]
            readers = [
                m
                for m, s in enumerate(out)
                if array in uses(s).arrays_read and m != loop_at and m not in before
            ]
            begun = _begun(out[before[0]], out[loop_at], array) if len(before) == 2 else None
            if (len(before) == 1 or begun is not None) and not readers:
                at = before[-1]
                merged = _accumulating(out[at], out[loop_at], array, op, total, start, begun)
                if merged is not None:
                    first, stmt = merged
                    out[at] = stmt
                    merged_loops.append(stmt)
                    for m in sorted((n, loop_at), reverse=True):
                        del out[m]
                    out.insert(at, Decl(total.name, total.dtype, init=first))
                    if begun is not None:
                        del out[before[0]]
                        n -= 1
                    continue
        n += 1
    return tuple(_serial(s) if any(s is m for m in merged_loops) else s for s in out)


def _serial(stmt: Stmt) -> Stmt:
    """Threads that add to what all of them share, one after the other."""

    def change(s: Stmt) -> Stmt:
        if isinstance(s, For) and s.kind is LoopKind.THREADS:
            return replace(s, kind=LoopKind.SERIAL)
        return s

    changed = map_stmt(stmt, change)
    assert isinstance(changed, Stmt)
    return changed


def _reduction(body: Sequence[Stmt], n: int) -> tuple[Var, Expr, str, str, int] | None:
    """`T total = c; for ..: total op= array[..]` at position n."""
    decl = body[n]
    if not isinstance(decl, Decl) or decl.shape or not isinstance(decl.init, Const) or n + 1 >= len(body):
        return None
    inner: Stmt = body[n + 1]
    counters: list[Expr] = []
    while isinstance(inner, For) and len(inner.body.body) == 1:
        counters.append(Var(inner.dtype, inner.var))
        inner = inner.body.body[0]
    match inner:
        case Assign(
            target=Var(name=name) as total, value=Load(array=array, index=index), reduce=str() as op
        ) if name == decl.name and list(index) == counters and counters:
            return total, decl.init, array, op, n + 1
    return None


def _begun(stmt: Stmt, like: Stmt, array: str) -> Const | None:
    """The number that loops of these ranges do no more than set the elements of an array to."""
    counters: list[Expr] = []
    while isinstance(stmt, For) and _same_range(stmt, like) and len(stmt.body.body) == 1:
        assert isinstance(like, For)
        counters.append(Var(stmt.dtype, stmt.var))
        stmt, like = stmt.body.body[0], like.body.body[0]
    match stmt:
        case Assign(target=Load(array=name, index=index), value=Const() as value, reduce=None):
            return value if name == array and list(index) == counters and counters else None
    return None


def _same_range(loop: For, like: Stmt) -> bool:
    return isinstance(like, For) and (loop.start, loop.stop, loop.step) == (like.start, like.stop, like.step)


def _accumulating(
    stmt: Stmt, adding: Stmt, array: str, op: str, total: Var, start: Expr, begun: Const | None
) -> tuple[Expr, Stmt] | None:
    """The loop with `array[own] op= e` turned into `total op= e`, and the start value; None if it does
    anything else with the array. `adding` is the loop that adds up the elements; those of an array that is
    `begun` are set to that before."""
    counters: list[Expr] = []
    inner: Stmt = stmt
    while isinstance(inner, For) and inner.kind is LoopKind.SERIAL and _same_range(inner, adding):
        counters.append(Var(inner.dtype, inner.var))  # of threads that share another sum already
        assert isinstance(adding, For)
        if len(inner.body.body) != 1:
            break
        inner, adding = inner.body.body[0], adding.body.body[0]
    while isinstance(inner, For) and inner.kind is LoopKind.THREADS:
        counters.append(Var(inner.dtype, inner.var))
        body = spliced(inner.body.body)
        if len(body) != 1 or not isinstance(body[0], For):
            break
        inner = body[0]
    starts: list[Expr] = [] if begun is None else [begun]
    failed = False

    def change(s: Stmt) -> Stmt | tuple[Stmt, ...]:
        nonlocal failed
        if not isinstance(s, Assign):
            return s
        mine = isinstance(s.target, Load) and s.target.array == array
        if not mine:
            return s
        assert isinstance(s.target, Load)
        if list(s.target.index) != counters[: len(s.target.index)]:
            failed = True
            return s
        added = added_to(s, op)
        if added is not None:
            return Assign(total, added, op, range=s.range)
        if s.reduce is None and isinstance(s.value, Const):
            starts.append(s.value)
            return ()
        failed = True
        return s

    result = map_stmt(stmt, change)
    if failed or len(starts) != 1 or any(isinstance(n, Load) and n.array == array for n in walk(result)):
        return None
    first = starts[0]
    assert isinstance(first, Const) and isinstance(start, Const)
    if op in ("max", "min"):
        return first, result
    return (start, result) if first.value == start.value else None


def added_to(stmt: Assign, op: str) -> Expr | None:
    """`e` of `place op= e`, in any spelling: `place op e`, `max(place, e)`, `fma(a, b, place)`."""
    if stmt.reduce == op:
        return stmt.value
    if stmt.reduce is not None:
        return None
    match stmt.value:
        case Call(function=function, args=(left, right)) if function == op:
            if left == stmt.target:
                return right
            return left if right == stmt.target else None
        case Binary(op=operator, left=left, right=right) if operator == op:
            if left == stmt.target:
                return right
            return left if right == stmt.target else None
        case Call(function="fma", args=(a, b, rest)) if op == "+":
            product = Binary(stmt.value.dtype, "*", a, b)
            if rest == stmt.target:
                return product
            inner = added_to(replace(stmt, value=rest), op)
            return None if inner is None else Binary(stmt.value.dtype, "+", inner, product)
    return None
