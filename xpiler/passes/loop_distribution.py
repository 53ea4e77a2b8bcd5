"""Strided loops of threads get a thread loop of their own, so that the two can become one loop.

    for t in 0..T:                             for t in 0..T: for i in t..m step T: f(i)
      for i in t..m step T: f(i)        -->    for t in 0..T: if (m + t < n) f(m + t)
      if (m + t < n) f(m + t)

    for t in 0..T:                             if (n % 4 == 0) for t in 0..T: for i in 4*t..n step 4*T: f(i)
      if (n % 4 == 0) for i in 4*t..   -->     else for t in 0..T: for i in t..n step T: g(i)
      else for i in t..n step T: g(i)

    for t in 0..T:                             for k in 0..K: v = w[k]
      for k in 0..K: v = w[k]          -->       for t in 0..T: for i in t..m step T: f(i, v)
        for i in t..m step T: f(i, v)

The first for independent iterations that keep nothing in scalars from one part to the next, the second for a
condition that is the same in all iterations and may be tested where there are none, the third for threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

from xpiler.ir.affine import coefficient, prove_eq
from xpiler.ir.affine_form import to_expr
from xpiler.ir.build import is_const, mul
from xpiler.ir.nodes import (
    Binary,
    Block,
    Break,
    Const,
    Continue,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Return,
    Stmt,
)
from xpiler.ir.rewrite import free_vars, map_body, rename, uses, walk
from xpiler.passes.facts import mutable_vars
from xpiler.passes.names import Names
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop

INDEPENDENT = (LoopKind.PARALLEL, LoopKind.THREADS)


def distribute_loops(function: Function) -> Function:
    """Everywhere in the function."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if not isinstance(stmt, For) or not is_const(stmt.start, 0) or not is_const(stmt.step, 1):
            return stmt
        body = spliced(stmt.body.body)
        inside = _inside(stmt, body) if _may_go_inside(stmt) else None
        if inside is not None and not _is_strided(stmt, body[-1]):
            return inside
        if len(body) == 1:
            return _unswitched(stmt, body[0]) or stmt
        return _parts(stmt, body, names) or stmt

    return map_body(function, change)


def stride_of_threads(outer: For, inner: For) -> Expr | None:
    """k of `for t in 0..T: for i in base + k*t..n step k*T`: above 0, as steps are."""
    factor = coefficient(inner.start, outer.var)
    if factor is None or not factor.terms or (factor.as_int or 1) < 1:
        return None
    stride = to_expr(factor, inner.dtype)
    return stride if prove_eq(inner.step, mul(outer.stop, stride)) else None


def _is_strided(loop: For, stmt: Stmt) -> bool:
    return isinstance(stmt, For) and stride_of_threads(loop, stmt) is not None


def _may_go_inside(loop: For) -> bool:
    """Whether the loop is over threads that have no scalars of their own but those of a statement."""
    if loop.kind is not LoopKind.THREADS or not isinstance(loop.stop, Const) or int(loop.stop.value) < 1:
        return False
    found = uses(loop.body)
    return not found.vars_assigned - found.vars_declared and not mutable_vars(loop.body)


def _inside(loop: For, stmts: Sequence[Stmt]) -> tuple[Stmt, ...] | None:
    """The statements with the loop around the strided loops at their ends only; None where something else
    differs from thread to thread."""
    *heads, last = spliced(stmts) or (loop,)
    if not all(isinstance(h, Decl) and isinstance(h.init, Expr) and _is_alike(loop, h.init) for h in heads):
        return None
    match last:
        case For() if _is_strided(loop, last):
            return (*heads, replace(loop, body=Block((last,))))
        case For(kind=LoopKind.SERIAL, start=start, stop=stop, step=step) if last is not loop:
            if leaves_loop(last, (Break, Continue, Return)) or any(
                leaves_loop(s, (Break, Continue, Return)) for s in last.body.body
            ):
                return None
            inner = _inside(loop, last.body.body)
            if inner is None or not all(_is_alike(loop, e) for e in (start, stop, step)):
                return None
            return (*heads, replace(last, body=Block(inner)))
        case If(condition=condition) if _is_alike(loop, condition):
            sides = [_inside(loop, b.body) if b.body else () for b in (last.then, last.otherwise)]
            if sides[0] is None or sides[1] is None:
                return None
            return (*heads, replace(last, then=Block(sides[0]), otherwise=Block(sides[1])))
    return None


def _is_alike(loop: For, expr: Expr) -> bool:
    """Whether the value is the same for all threads, whatever they have done."""
    reads = {n.array for n in walk(expr) if isinstance(n, Load)}
    return loop.var not in free_vars(expr) and not reads & uses(loop.body).arrays_written


def _unswitched(loop: For, stmt: Stmt) -> If | None:
    if not isinstance(stmt, If):
        return None
    branches = [spliced(b.body) for b in (stmt.then, stmt.otherwise)]
    if not any(len(b) == 1 and _is_strided(loop, b[0]) for b in branches):
        return None
    if free_vars(stmt.condition) & (uses(loop.body).vars_assigned | {loop.var}):
        return None
    if any(isinstance(n, Load) or _may_fail(n) for n in walk(stmt.condition)):
        return None
    then, otherwise = (Block((replace(loop, body=Block(b)),)) if b else Block(()) for b in branches)
    return replace(stmt, then=then, otherwise=otherwise)


def _may_fail(node: object) -> bool:
    return isinstance(node, Binary) and node.op in "/%" and not isinstance(node.right, Const)


def _parts(loop: For, body: Sequence[Stmt], names: Names) -> tuple[Stmt, ...] | None:
    if loop.kind not in INDEPENDENT or not any(_is_strided(loop, s) for s in body):
        return None
    if any(leaves_loop(s, (Break, Continue, Return)) for s in body):
        return None
    inside, changed = uses(loop.body), mutable_vars(loop.body)
    values: list[Decl] = []  # what every part may compute for itself
    parts: list[list[Stmt]] = []
    alone = True
    for stmt in body:
        if isinstance(stmt, Decl):
            again = not stmt.shape and isinstance(stmt.init, Expr) and stmt.name not in changed
            if not again or uses(stmt).arrays_read & inside.arrays_written:
                return None
            values.append(stmt)
            continue
        strided = _is_strided(loop, stmt)
        if alone or strided:
            parts.append([])
        parts[-1].append(stmt)
        alone = strided
    blocks = [Block(tuple(part)) for part in parts]
    for one, two in permutations(blocks, 2):
        if (uses(one).vars_assigned - uses(one).vars_declared) & free_vars(two):
            return None
    return (
        tuple(replace(loop, body=with_values(values, part.body, names)) for part in blocks)
        if len(parts) > 1
        else None
    )


def with_values(values: Sequence[Decl], part: Sequence[Stmt], names: Names) -> Block:
    """A part with its own copies of the values that it uses."""
    needed: list[Decl] = []
    read = set(uses(Block(tuple(part))).vars_read)
    for decl in reversed(values):
        if decl.name in read:
            needed.insert(0, decl)
            read |= uses(decl).vars_read
    block = Block((*needed, *part))
    return rename(block, {decl.name: names.fresh(decl.name) for decl in needed})
