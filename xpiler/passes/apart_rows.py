"""A loop over rows that are apart only if a stride is no less than a row: both cases are written down.

    for i in 0..m: for j in 0..n: c[i*ldc + j] = ...
      -->  if (n <= ldc) parallel for i: for j: c[i*ldc + j] = ...
           else for i: for j: c[i*ldc + j] = ...

Serial code is handed leading dimensions, pitches and strides of batches that nobody compares with extents.
Rows that overlap are written one after the other, as the code says; no caller means them, but it may.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from xpiler.ir.affine import Affine, coefficient, lift, linear, prove_le, substitute, to_expr
from xpiler.ir.build import and_, le, sub
from xpiler.ir.nodes import Block, Expr, For, Function, If, Load, LoopKind, Stmt, Var, While
from xpiler.ir.rewrite import rename, walk_exprs, walk_stmts
from xpiler.ir.types import I64, DType
from xpiler.passes.accesses import Access, accesses, declared
from xpiler.passes.facts import Facts
from xpiler.passes.independence import independent
from xpiler.passes.names import Names
from xpiler.passes.parallel import mark_parallel

_MOST_CONDITIONS = 3  # of one nest
_PARALLEL = (LoopKind.PARALLEL, LoopKind.THREADS)


def part_rows(function: Function) -> Function:
    """Every outermost loop that such conditions make independent, once with them and once without."""
    if not function.is_serial:
        return function
    names = Names(function)
    body = Block(tuple(_body(function.body.body, Facts.of(function), names)), range=function.body.range)
    return function if body == function.body else mark_parallel(replace(function, body=body)).function


def _body(stmts: Sequence[Stmt], facts: Facts, names: Names) -> Iterator[Stmt]:
    for stmt in stmts:
        yield _stmt(stmt, facts, names)
        facts = facts.after(stmt)


def _stmt(stmt: Stmt, facts: Facts, names: Names) -> Stmt:
    match stmt:
        case Block(body=body):
            return replace(stmt, body=tuple(_body(body, facts, names)))
        case If(condition=condition):
            then = _stmt(stmt.then, facts.where(condition), names)
            otherwise = _stmt(stmt.otherwise, facts.where(condition, False), names)
            assert isinstance(then, Block) and isinstance(otherwise, Block)
            return replace(stmt, then=then, otherwise=otherwise)
        case For(kind=kind) if kind not in _PARALLEL:
            conditions = _conditions(stmt, facts)
            if conditions:
                condition = and_(*conditions)
                if independent(stmt, facts.where(condition)):
                    return If(condition, Block((stmt,)), Block((_renamed(stmt, names),)), range=stmt.range)
            inner = _stmt(stmt.body, facts.inside(stmt), names)
            assert isinstance(inner, Block)
            return replace(stmt, body=inner)
    return stmt


def _renamed(loop: For, names: Names) -> Stmt:
    """The loop with names of its own: each is declared once in a function."""
    own = declared((loop,))
    return rename(loop, {name: names.fresh(name) for name in sorted(own)})


def _conditions(loop: For, facts: Facts) -> tuple[Expr, ...]:
    """Under which each address that the loop writes is a number whose digits are its counters."""
    if any(isinstance(stmt, While) for stmt in walk_stmts(loop)):
        return ()
    found: dict[Expr, None] = {}
    own = declared((loop,))
    for access in accesses(loop.body.body, facts.inside(loop)):
        if access.write and access.array not in own and len(access.index) == 1:
            found.update(dict.fromkeys(_of_access(loop, access, own)))
    return tuple(found) if len(found) <= _MOST_CONDITIONS else ()


def _of_access(loop: For, access: Access, own: frozenset[str]) -> Iterator[Expr]:
    ranges = access.facts.ranges
    form = linear(access.index[0], ranges)
    if form is None:
        return
    moving: list[tuple[Affine, Affine]] = []  # how far apart, and how many; inner ones first
    counters = (*reversed(access.loops), loop)
    for at, counter in enumerate(counters):
        if counter.var not in form.variables():
            continue
        stride = coefficient(form, counter.var)
        length = counter.stop if prove_le(0, counter.start, ranges) else sub(counter.stop, counter.start)
        count = _at_most(linear(length, ranges), counters[at + 1 :], access)
        if stride is None or count is None or (stride.variables() | count.variables()) & own:
            return
        if any(
            isinstance(e, Load) for e in (*walk_exprs(to_expr(stride, I64)), *walk_exprs(to_expr(count, I64)))
        ):
            return
        moving.append((stride, count))
    single = lift(1), lift(1)  # of elements a stride of which is no number: it might be 0
    for (small, count), (large, _) in pairwise([single, *sorted(moving, key=_magnitude)]):
        reach = small * count
        if large.as_int is None and not prove_le(reach, large, ranges):
            dtype = _type(reach, large)
            yield le(to_expr(reach, dtype), to_expr(large, dtype))


def _at_most(count: Affine | None, around: Sequence[For], access: Access) -> Affine | None:
    """The count where the counters around it that it depends on are at their ends: n of `j <= i`, i < n."""
    for loop in around:
        factor = coefficient(count, loop.var) if count is not None else None
        stop = linear(loop.stop, access.facts.ranges)
        if count is None or factor is None or stop is None:
            return None
        if factor.as_int is not None and factor.as_int > 0:
            count = substitute(count, {loop.var: stop - 1})
    return count


def _type(reach: Affine, large: Affine) -> DType:
    """In which to compare: that of the stride, wider where the row is a product that it may not hold."""
    match large.terms:
        case (((Var(dtype=dtype),), 1),):
            pass
        case _:
            dtype = I64
    return I64 if dtype.bits < 64 and any(len(monomial) > 1 for monomial, _ in reach.terms) else dtype


def _magnitude(moving: tuple[Affine, Affine]) -> tuple[int, int]:
    """The counter of single elements first, then those of rows, of planes and so on."""
    stride = moving[0]
    number = stride.as_int
    return (0, abs(number)) if number is not None else (max(len(m) for m, _ in stride.terms), 0)
