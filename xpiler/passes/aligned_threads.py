"""Threads that work on a part of an array count like those that work on all of it.

    threads i in 0..n: t[i] = 0                          threads i in 0..n: t[i] = 0
    threads j in 0..m: t[s + j] = x[j * 2]       -->     threads i in 0..n:
    threads i in 0..n: y[i] = t[i] * w                     if (s <= i && i < s + m) t[i] = x[(i - s) * 2]
                                                         threads i in 0..n: y[i] = t[i] * w

So that an element has one thread in all of them, and they can be one loop (`thread_fusion.py`). Applies where
the part is shown to lie inside: 0 <= s and s + m <= n.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from xpiler.ir.affine import ExprRanges, linear, prove_le, simplify, to_expr
from xpiler.ir.build import add, and_, cast, is_const, le, lt, sub, var
from xpiler.ir.nodes import Block, Call, Decl, Expr, For, Function, If, Load, LoopKind, Ref, Stmt, Var, While
from xpiler.ir.rewrite import arrays_read, free_vars, map_expr, substitute, walk
from xpiler.passes.facts import Facts
from xpiler.passes.names import Names
from xpiler.passes.placed import after
from xpiler.passes.structured import spliced


def align_threads(function: Function) -> Function:
    """Everywhere in the function."""
    local = {n.name for n in walk(function.body) if isinstance(n, Decl) and n.shape}
    body = _Aligning(local, Names(function)).block(function.body, _Scope(Facts.of(function)))
    return function if body == function.body else replace(function, body=body)


@dataclass(frozen=True)
class _Scope:
    """What is known at a place: `values` of numbers, and by array the ends of loops over all of it."""

    facts: Facts
    values: Mapping[str, Expr] = field(default_factory=dict)
    whole: Mapping[str, Expr] = field(default_factory=dict)

    def behind(self, stmt: Stmt) -> _Scope:
        values = self.values
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init) if (
                stmt.dtype.is_integer and name not in self.facts.mutable and not arrays_read(init)
            ):
                values = {**values, name: init}
        return replace(self, facts=after(stmt, self.facts), values=values)


@dataclass(frozen=True)
class _Aligning:
    local: set[str]
    names: Names

    def block(self, block: Block, scope: _Scope) -> Block:
        out: list[Stmt] = []
        for stmt in spliced(block.body):
            if isinstance(stmt, For) and stmt.kind is LoopKind.THREADS:
                stmt = self.aligned(stmt, scope) or stmt
                whole = {**scope.whole, **dict.fromkeys(self.counted(stmt), stmt.stop)}
                scope = replace(scope, whole=whole)
                out.append(stmt)
            else:
                out.append(self.below(stmt, scope))
            scope = scope.behind(stmt)
        return replace(block, body=tuple(out))

    def below(self, stmt: Stmt, scope: _Scope) -> Stmt:
        facts = scope.facts
        match stmt:
            case For():
                return replace(stmt, body=self.block(stmt.body, replace(scope, facts=facts.inside(stmt))))
            case If(condition=condition):
                then = replace(scope, facts=facts.where(condition))
                otherwise = replace(scope, facts=facts.where(condition, False))
                return replace(
                    stmt,
                    then=self.block(stmt.then, then),
                    otherwise=self.block(stmt.otherwise, otherwise),
                )
            case While():
                return replace(stmt, body=self.block(stmt.body, scope))
        return stmt

    def counted(self, loop: For) -> set[str]:
        """The local arrays whose elements are the loop's counters."""
        if not is_const(loop.start, 0) or not is_const(loop.step, 1) or _is_nest(loop):
            return set()
        loads = [n for n in walk(loop.body) if isinstance(n, Load) and n.array in self.local]
        counter = Var(loop.dtype, loop.var)
        return {n.array for n in loads if n.index == (counter,)}

    def aligned(self, loop: For, scope: _Scope) -> For | None:
        if not is_const(loop.start, 0) or not is_const(loop.step, 1) or _is_nest(loop):
            return None
        loads = [n for n in walk(loop.body) if isinstance(n, Load) and n.array in self.local]
        if not loads or any(isinstance(n, Ref) for n in walk(loop.body)):
            return None
        counter = linear(Var(loop.dtype, loop.var))
        assert counter is not None
        places = [linear(n.index[0], scope.facts.ranges) if len(n.index) == 1 else None for n in loads]
        starts = [None if place is None else place - counter for place in places]
        first, ends = starts[0], {scope.whole.get(n.array) for n in loads} - {None}
        if first is None or first.terms == () or any(start != first for start in starts) or len(ends) != 1:
            return None
        (end,) = ends
        start = to_expr(first, loop.dtype)
        assert end is not None
        if loop.var in first.variables() or end.dtype != loop.dtype or not _stays(start, end, loop):
            return None
        if not self.inside(start, loop, end, scope):
            return None
        element = var(self.names.fresh("element"), loop.dtype)
        place = {loop.var: sub(element, start)}

        def tidied(load: Load) -> Load:
            return replace(load, index=tuple(simplify(i, scope.facts.ranges) for i in load.index))

        body = map_expr(
            substitute(loop.body, place),
            lambda e: tidied(e) if isinstance(e, Load) else e,
            lambda target: tidied(target) if isinstance(target, Load) else target,
        )
        past = simplify(add(start, loop.stop), scope.facts.ranges)
        part = If(and_(le(start, element), lt(element, past)), body)
        return replace(loop, var=element.name, stop=end, body=Block((part,)))

    def inside(self, start: Expr, loop: For, end: Expr, scope: _Scope) -> bool:
        """Whether the part is one of the whole; numbers are spelled out as far as that is needed."""
        ranges = scope.facts.ranges
        first, past = start, simplify(add(start, loop.stop), ranges)
        if not prove_le(0, first, ranges):
            return False
        while not _at_most(past, end, ranges):
            known = {name: scope.values[name] for name in free_vars(past) & set(scope.values)}
            if not known:
                return False
            past = simplify(substitute(past, known), ranges)
        return True


def _at_most(low: Expr, high: Expr, ranges: ExprRanges) -> bool:
    """Whether low <= high, of extrema by what they are taken of."""
    match low, high:
        case Call(function="max", args=args), _:
            return all(_at_most(each, high, ranges) for each in args)
        case _, Call(function="min", args=args) if low != high:
            return all(_at_most(low, each, ranges) for each in args)
        case Call(function="min", args=args), _ if low != high:
            return any(_at_most(each, high, ranges) for each in args)
    return low == high or prove_le(low, high, ranges)


def _stays(start: Expr, end: Expr, loop: For) -> bool:
    """Whether both are numbers that the loop does not change."""
    inside = {n.name for n in walk(loop.body) if isinstance(n, Decl)}
    names = free_vars(cast(start, loop.dtype)) | free_vars(end)
    return not names & ({loop.var} | inside) and not arrays_read(start) and not arrays_read(end)


def _is_nest(loop: For) -> bool:
    return any(isinstance(n, For) for n in walk(loop.body))
