"""Rows of whole steps are apart, which rows that end within a step are not: there is a form for each.

    for r in 0..rows:                                   if (n % 16 == 0)
      for c in 0..(n + 15) / 16 * 16:                     parallel for r in 0..rows:
        y[r * n + c] = f(x[r * n + c])         -->          parallel for c in 0..n: ...
                                                        else
                                                          for r in 0..rows: ...

Vector code writes whole steps, and says in a comment at best that its rows are made of such. A size that
loops walk in steps, `for c in 0..n step 16`, is so many of them in the form for whole ones. Applies where
loops become parallel by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import lcm

from xpiler.ir.build import and_, const, div, eq, is_const, mod, mul
from xpiler.ir.nodes import Binary, Block, Const, Decl, Expr, For, Function, If, LoopKind, Stmt, Var
from xpiler.ir.rewrite import map_body, map_expr, rename, substitute, walk, walk_stmts
from xpiler.passes.facts import mutable_vars
from xpiler.passes.index_fusion import fuse_indices
from xpiler.passes.names import Names
from xpiler.passes.parallel import mark_parallel
from xpiler.passes.structured import spliced
from xpiler.passes.tidy import tidy


@dataclass(frozen=True)
class _Whole:
    """A parameter that is a multiple of `step`; `count`: of how many of them, if that is to be said."""

    size: Var
    step: int
    count: Decl | None

    @property
    def is_so(self) -> Expr:
        return eq(mod(self.size, const(self.step, self.size.dtype)), const(0, self.size.dtype))

    def times(self, factor: int) -> Expr:
        assert self.count is not None
        return mul(Var(self.size.dtype, self.count.name), const(factor, self.size.dtype))


def in_whole_steps(function: Function) -> Function:
    """A canonical function, with a form for sizes of whole steps in front."""
    heads, body = _heads(function)
    names = Names(function)
    wholes = _wholes(function, body, names)
    if not wholes:
        return function
    parallel = _marked(_assumed(function, wholes))
    if _serial(parallel) >= _serial(_marked(function)):
        return function
    _, fast = _heads(parallel)
    counts = [w.count for w in wholes.values() if w.count is not None]
    own = {n: names.fresh(n) for n in sorted(_declared(fast) - {c.name for c in counts})}
    choice = If(
        and_(*(w.is_so for w in wholes.values())), rename(Block(tuple(fast)), own), Block(tuple(body))
    )
    return replace(function, body=replace(function.body, body=(*heads, *counts, choice)))


def _marked(function: Function) -> Function:
    return mark_parallel(fuse_indices(tidy(function))).function


def _heads(function: Function) -> tuple[list[Stmt], list[Stmt]]:
    """What is declared first, as both forms use it, and the rest."""
    body = list(spliced(function.body.body))
    at = 0
    while at < len(body) and isinstance(decl := body[at], Decl) and not decl.shape:
        at += 1
    return body[:at], body[at:]


def _wholes(function: Function, body: Sequence[Stmt], names: Names) -> dict[str, _Whole]:
    """The parameters that ends of loops are rounded up from, or that loops walk to in steps."""
    fixed = {p.name for p in function.params if not p.is_pointer} - mutable_vars(function)
    steps: dict[str, tuple[Var, int]] = {}
    walked: set[str] = set()
    for loop in _loops(body):
        found = [r for n in walk(loop.stop) if isinstance(n, Expr) and (r := _rounded(n)) is not None]
        if (by := _walk(loop)) is not None:
            found.append(by)
            walked.add(by[0].name)
        for size, step in found:
            if size.name in fixed:
                steps[size.name] = size, lcm(step, steps.get(size.name, (size, 1))[1])
    wholes: dict[str, _Whole] = {}
    for name, (size, step) in sorted(steps.items()):
        count = None
        if name in walked:
            count = Decl(names.fresh(f"whole_{name}"), size.dtype, init=div(size, const(step, size.dtype)))
        wholes[name] = _Whole(size, step, count)
    return wholes


def _assumed(function: Function, wholes: Mapping[str, _Whole]) -> Function:
    """The function at sizes of whole steps."""
    sizes = {n: w.times(w.step) for n, w in wholes.items() if w.count is not None}

    def exact(expr: Expr) -> Expr:
        found = _rounded(expr)
        return expr if found is None or found[0].name not in wholes else found[0]

    def counted(stmt: Stmt) -> Stmt:
        found = _walk(stmt) if isinstance(stmt, For) else None
        if found is None or found[0].name not in sizes:
            return stmt
        assert isinstance(stmt, For)
        size, step = found
        at = mul(Var(stmt.dtype, stmt.var), const(step, stmt.dtype))
        stop = wholes[size.name].times(wholes[size.name].step // step)
        body = substitute(stmt.body, {stmt.var: at})
        return replace(stmt, stop=stop, step=const(1, stmt.dtype), body=body)

    body = map_expr(function.body, exact)
    assert isinstance(body, Block)
    return replace(function, body=substitute(map_body(replace(function, body=body), counted).body, sizes))


def _rounded(expr: Expr) -> tuple[Var, int] | None:
    """n and 16 of `(n + 15) / 16 * 16`."""
    match expr:
        case Binary(
            op="*",
            left=Binary(
                op="/",
                left=Binary(op="+", left=Var() as size, right=Const(value=more)),
                right=Const(value=by),
            ),
            right=Const(value=step),
        ) if by == step and more == step - 1 and size.dtype.is_integer:
            return size, int(step)
    return None


def _walk(loop: For) -> tuple[Var, int] | None:
    """n and 16 of a loop over `0..n step 16`."""
    size, step = loop.stop, loop.step
    if not (isinstance(size, Var) and isinstance(step, Const) and size.dtype == loop.dtype):
        return None
    return (size, int(step.value)) if is_const(loop.start, 0) and step.value > 1 else None


def _loops(body: Sequence[Stmt]) -> Iterator[For]:
    for stmt in body:
        yield from (s for s in walk_stmts(stmt) if isinstance(s, For))


def _serial(function: Function) -> int:
    """How many loops are around others and not parallel."""
    return sum(
        loop.kind is LoopKind.SERIAL and any(isinstance(s, For) for s in walk_stmts(loop.body))
        for loop in _loops(function.body.body)
    )


def _declared(body: Sequence[Stmt]) -> set[str]:
    found: set[str] = set()
    for stmt in body:
        for inner in walk_stmts(stmt):
            if isinstance(inner, Decl):
                found.add(inner.name)
            elif isinstance(inner, For):
                found.add(inner.var)
    return found
