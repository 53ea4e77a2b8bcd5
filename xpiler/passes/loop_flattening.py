"""Loops that walk an array without a break become one loop.

    for y in 0..Y: for x in 0..X:                           for f in 0..Y*X:
      sum += a[r*Y*X + y*X + x] * b[(y*X + x)*n + c]   -->    sum += a[r*Y*X + f] * b[f*n + c]

Of loops directly inside one another, counted from 0 by 1: where every index in the body grows with a counter
by as much as with all steps of the next one, and nothing else depends on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from xpiler.ir.affine import coefficient, linear
from xpiler.ir.build import add, cast, const, is_const, maximum, mul
from xpiler.ir.nodes import Assign, Binary, Block, Cast, Decl, Expr, For, If, Load, LoopKind, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_expr, map_stmt, substitute, walk
from xpiler.ir.types import I32, I64
from xpiler.passes.names import Names


def flatten_loops(stmt: Stmt, names: Names) -> Stmt:
    """Every such nest in the statement, as far outwards from its innermost loop as it goes."""

    def change(inner: Stmt) -> Stmt:
        if isinstance(inner, For) and _counts(inner) and inner.var not in inside:
            return _flattened(inner, names) or inner
        return inner

    inside = {
        inner.var
        for loop in walk(stmt)
        if isinstance(loop, For) and _counts(loop) and _only_loop(loop)
        for inner in loop.body.body
        if isinstance(inner, For)
    }
    changed = map_stmt(stmt, change)
    assert isinstance(changed, Stmt)
    return changed


def _only_loop(loop: For) -> bool:
    return len(loop.body.body) == 1 and isinstance(loop.body.body[0], For)


def _flattened(outermost: For, names: Names) -> For | None:
    nest = [outermost]
    while _only_loop(nest[-1]):
        inner = nest[-1].body.body[0]
        assert isinstance(inner, For)
        if not _counts(inner) or inner.kind != outermost.kind:
            break
        nest.append(inner)
    *outer, last = nest
    joined = [last]
    while outer and _walk_on(outer[-1], joined[0], last.body):
        joined.insert(0, outer.pop())
    if len(joined) == 1:
        return None
    counter = Var(I64, names.fresh(f"{last.var}_flat"))
    values: dict[str, Expr] = {loop.var: const(0, loop.dtype) for loop in joined[:-1]}
    values[last.var] = cast(counter, last.dtype)
    stop = cast(last.stop, I64)
    for loop in reversed(joined[:-1]):  # loops that do not run do not make one that does
        stop = mul(maximum(cast(loop.stop, I64), const(0, I64)), stop)
    zero, one, body = const(0, I64), const(1, I64), _tidied(substitute(last.body, values), counter)
    flat = replace(last, var=counter.name, dtype=I64, start=zero, stop=stop, step=one, body=body)
    for loop in reversed(outer):
        flat = replace(loop, body=Block((flat,)))
    return flat


def _tidied(body: Block, counter: Var) -> Block:
    """Without terms of zero, and without a way back to the type of the counter."""

    def change(e: Expr) -> Expr:
        match e:
            case Cast(dtype=dtype, operand=Cast(operand=operand)) if (
                operand == counter and dtype == counter.dtype
            ):
                return counter
            case Binary(op="+" | "*" as op, left=left, right=right) if not e.dtype.is_float:
                if is_const(left, 0) or is_const(right, 0):
                    return add(left, right) if op == "+" else mul(left, right)
        return e

    return map_expr(body, change)


def _walk_on(outer: For, inner: For, body: Block) -> bool:
    """Whether the indices of the body go on from all steps of `inner` to the next one of `outer`."""
    extent = linear(inner.stop)
    if extent is None or outer.var in free_vars(inner.stop):
        return False
    for index in _indices(body):
        if index is None:
            return False
        high, low = coefficient(index, outer.var), coefficient(index, inner.var)
        if high is None or low is None or high != low * extent:
            return False
        if outer.var in low.variables() or inner.var in high.variables():
            return False
    return not free_vars(_without_indices(body)) & {outer.var, inner.var}


def _counts(loop: For) -> bool:
    """From 0 by 1, and not the lanes of a register."""
    signed = loop.dtype in (I32, I64)
    plain = loop.start == const(0, loop.dtype) and loop.step == const(1, loop.dtype)
    return loop.kind in (LoopKind.SERIAL, LoopKind.PARALLEL) and signed and plain


def _indices(block: Block) -> Iterator[Expr | None]:
    """The index of every access; None for a statement that is not a plain one."""
    for node in walk(block):
        match node:
            case Load(index=(index,)):
                yield index
            case Load() | For() | If():
                yield None
            case Stmt() if not isinstance(node, (Assign, Decl, Block)):
                yield None


def _without_indices(block: Block) -> Block:
    def bare(load: Var | Load) -> Var | Load:
        return replace(load, index=()) if isinstance(load, Load) else load

    return map_expr(block, lambda e: bare(e) if isinstance(e, Load) else e, bare)
