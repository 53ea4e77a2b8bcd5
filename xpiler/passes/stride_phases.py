"""Lanes of which each takes what a stride divides become a loop over the rests around lanes of one rest.

    for x in 0..n: for s: if ((x + e - s) % S == 0) y[x] += a[(x + e - s) / S] * w[s]
      -->  for phase in 0..S: for step in 0..ceil((n - phase) / S): for s:
             if ((phase + e - s) % S == 0) y[step * S + phase] += a[step + (phase + e - s) / S] * w[s]

Transposed convolutions read so: what was a choice of each lane is one for all of them, and the elements lie
next to one another. Only where the quotient is the place of an element, in loops whose iterations are
independent; as elsewhere, what a counter is divided by is taken to be positive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient
from xpiler.ir.build import add, cast, ceil_div, div, is_const, mod, mul, sub
from xpiler.ir.nodes import Binary, Block, Decl, Expr, For, Function, If, Load, LoopKind, Stmt, Unary, Var
from xpiler.ir.rewrite import assigned_vars, free_vars, map_body, map_expr, substitute, walk
from xpiler.passes.contraction import INDEPENDENT
from xpiler.passes.names import Names


def with_phases(function: Function) -> Function:
    """The function with all such loops in phases."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        if not isinstance(stmt, For) or stmt.kind not in INDEPENDENT:
            return stmt
        if not is_const(stmt.step, 1) or not is_const(stmt.start, 0):
            return stmt
        stride = _stride(stmt)
        return stmt if stride is None else _in_phases(stmt, stride, names)

    return map_body(function, change)


def _in_phases(loop: For, stride: Expr, names: Names) -> For:
    dtype = loop.dtype
    phase, step = (Var(dtype, names.fresh(wish)) for wish in ("phase", f"{loop.var}_step"))
    wide = cast(stride, dtype)
    rewrite = _Rewrite(loop.var, stride, phase, step)
    body = substitute(rewrite.block(loop.body, frozenset()), {loop.var: add(mul(step, wide), phase)})
    assert isinstance(body, Block)
    count = cast(ceil_div(sub(loop.stop, phase), wide), dtype)
    steps = replace(loop, var=step.name, stop=count, body=body)
    return replace(loop, var=phase.name, stop=wide, body=Block((steps,)), kind=LoopKind.PARALLEL)


@dataclass(frozen=True)
class _Rewrite:
    """A body with the tests and quotients of one stride for a phase and a step of it."""

    lane: str
    stride: Expr
    phase: Var
    step: Var

    def block(self, block: Block, divided: frozenset[Expr]) -> Block:
        """`divided`: what the stride divides here."""
        return replace(block, body=tuple(self.stmt(s, divided) for s in block.body))

    def stmt(self, stmt: Stmt, divided: frozenset[Expr]) -> Stmt:
        match stmt:
            case If(condition=condition, then=then, otherwise=otherwise):
                more = divided | set(_divided(condition, self.lane, self.stride))
                return replace(
                    stmt,
                    condition=self.expr(condition, divided),
                    then=self.block(then, more),
                    otherwise=self.block(otherwise, divided),
                )
            case For(body=body):
                return replace(stmt, body=self.block(body, divided))
            case Block():
                return self.block(stmt, divided)
        return map_expr(stmt, lambda e: self.place(e, divided), lambda t: self.target(t, divided))

    def target(self, target: Var | Load, divided: frozenset[Expr]) -> Var | Load:
        changed = self.place(target, divided)
        assert isinstance(changed, (Var, Load))
        return changed

    def expr(self, expr: Expr, divided: frozenset[Expr]) -> Expr:
        return map_expr(expr, lambda e: self.place(e, divided))

    def place(self, expr: Expr, divided: frozenset[Expr]) -> Expr:
        match expr:
            case Binary(op="==" | "!=", left=Binary(op="%", left=place)) if expr in _tests(expr, self):
                return replace(expr, left=mod(self.of_phase(place), self.stride))
            case Binary(op="/", left=place, right=self.stride) if place in divided:
                return add(cast(self.step, expr.dtype), div(self.of_phase(place), self.stride))
        return expr

    def of_phase(self, place: Expr) -> Expr:
        changed = substitute(place, {self.lane: self.phase})
        assert isinstance(changed, Expr)
        return changed


def _tests(expr: Binary, rewrite: _Rewrite) -> tuple[Expr, ...]:
    test = replace(expr, op="==")
    return (expr,) if any(True for _ in _divided(test, rewrite.lane, rewrite.stride)) else ()


def _stride(loop: For) -> Expr | None:
    """What divides places of elements where it is tested that it does, if that is the same everywhere."""
    changed = assigned_vars(loop.body) | {d.name for d in walk(loop.body) if isinstance(d, Decl)} | {loop.var}
    found: set[Expr] = set()
    for branch in walk(loop.body):
        if not isinstance(branch, If):
            continue
        for place, stride in _divisions(branch.condition):
            quotient = Binary(place.dtype, "/", place, stride)
            fits = not free_vars(stride) & changed and not is_const(stride, 1)
            if fits and _grows(place, loop.var) and _is_place(quotient, branch.then):
                found.add(stride)
    return found.pop() if len(found) == 1 else None


def _divided(condition: Expr, lane: str, stride: Expr) -> Iterator[Expr]:
    """What the condition says that the stride divides, as far as it grows by one from lane to lane."""
    for place, by in _divisions(condition):
        if by == stride and _grows(place, lane):
            yield place


def _divisions(condition: Expr) -> Iterator[tuple[Expr, Expr]]:
    """What is divided by what without a rest where the condition holds."""
    match condition:
        case Binary(op="&&", left=left, right=right):
            yield from _divisions(left)
            yield from _divisions(right)
        case Unary(op="!", operand=Binary(op="!=", left=left, right=right)):
            yield from _divisions(Binary(condition.dtype, "==", left, right))
        case Binary(op="==", left=Binary(op="%", left=place, right=stride), right=zero) if is_const(zero, 0):
            yield place, stride


def _grows(place: Expr, lane: str) -> bool:
    along = coefficient(place, lane)
    return along is not None and along.as_int == 1


def _is_place(quotient: Expr, body: Block) -> bool:
    """Whether it is part of the place of an element, by a name or not."""
    names = {d.name for d in walk(body) if isinstance(d, Decl) and any(n == quotient for n in walk(d))}
    return any(
        n == quotient or (isinstance(n, Var) and n.name in names)
        for load in walk(body)
        if isinstance(load, Load)
        for index in load.index
        for n in walk(index)
    )
