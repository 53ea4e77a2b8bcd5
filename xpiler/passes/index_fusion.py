"""Loops whose counters are only the digits of one index become one loop over it.

    for b in 0..g: for t in 0..256: f(b*256 + t)           -->   for i in 0..g*256: f(i)
    for t in 0..256: for i in t..n step 256: f(i)          -->   for i in 0..n: f(i)

Neighbouring loops of a perfect nest keep their order, so the first form always applies; digits that are
further apart (rows and columns of a 2-D launch) and the second form need iterations that are independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from xpiler.ir.affine import Affine, linear, simplify
from xpiler.ir.affine import substitute as substitute_form
from xpiler.ir.build import add, cast, ceil_div, div, is_const, mod, mul, sub, var
from xpiler.ir.nodes import (
    Assign,
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
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import free_vars, substitute, uses, walk, walk_stmts
from xpiler.passes.facts import Facts
from xpiler.passes.independence import accumulators, independent_iterations
from xpiler.passes.loop_distribution import stride_of_threads
from xpiler.passes.names import Names
from xpiler.passes.structured import spliced
from xpiler.passes.sync import leaves_loop
from xpiler.passes.tidy import divisions, simplified_within

Hints = Mapping[Affine, str]  # what the user called a sum of indices


def name_hints(function: Function) -> Hints:
    """Names that the text gives to index arithmetic, for the loops that will count them."""
    facts = Facts.of(function)
    found: dict[Affine, str] = {}
    known: dict[str, Affine | Expr | int] = {}
    for stmt in walk_stmts(function.body):
        if (
            isinstance(stmt, Decl)
            and not stmt.shape
            and isinstance(stmt.init, Expr)
            and stmt.dtype.is_integer
        ):
            form = linear(stmt.init, facts.ranges)
            if form is None or stmt.name in facts.mutable:
                continue
            form = substitute_form(form, known)
            known[stmt.name] = form
            if len(form.variables()) > 1:
                found.setdefault(form, stmt.name)
    return found


def fuse_indices(function: Function, hints: Hints | None = None) -> Function:
    """Everywhere in the function, innermost nests last."""
    names = Names(function)
    body = _Fusion(names, hints or {}).block(function.body, Facts.of(function))
    return function if body == function.body else replace(function, body=body)


@dataclass
class _Fusion:
    names: Names
    hints: Hints

    def block(self, block: Block, facts: Facts) -> Block:
        return Block(tuple(self.stmt(s, facts) for s in spliced(block.body)), range=block.range)

    def stmt(self, stmt: Stmt, facts: Facts) -> Stmt:
        match stmt:
            case For():
                loops, body = _perfect(stmt, across=True)
                fused = self._nest(loops, body, facts)
                if len(fused.loops) == len(loops):  # what was computed between loops stays there
                    fused = self._nest(*_perfect(stmt), facts)
                for loop in fused.loops:
                    facts = facts.inside(loop)
                inner = tuple(self.stmt(s, facts) for s in fused.body)
                return _rebuilt(fused.loops, inner)
            case If(condition=condition):
                return replace(
                    stmt,
                    then=self.block(stmt.then, facts.where(condition)),
                    otherwise=self.block(stmt.otherwise, facts.where(condition, False)),
                )
            case While():
                return replace(stmt, body=self.block(stmt.body, facts))
            case Block():
                return self.block(stmt, facts)
        return stmt

    def _nest(self, loops: Sequence[For], body: tuple[Stmt, ...], facts: Facts) -> _Nest:
        nest = _Nest(list(loops), body)
        changed = True
        while changed:
            changed = False
            for high in range(len(nest.loops)):
                for low in range(len(nest.loops)):
                    if high != low and (
                        self._digits(nest, high, low, facts) or self._strided(nest, high, low, facts)
                    ):
                        changed = True
                        break
                if changed:
                    break
        return nest

    # ------------------------------------------------------------------ digits

    def _digits(self, nest: _Nest, high: int, low: int, facts: Facts) -> bool:
        """`high*extent + low` everywhere --> one counter, in the place of the outer of the two loops."""
        outer, inner = nest.loops[high], nest.loops[low]
        joined = _joined(outer, inner)
        if joined is None:
            return False
        first, last = min(high, low), max(high, low)
        heads = [loop for loop in nest.loops[:last] if loop is not outer and loop is not inner]
        if any({outer.var, inner.var} & free_vars(_head(loop)) for loop in (*heads, outer, inner)):
            return False
        fused, values = joined
        inside = facts
        for loop in nest.loops[:last]:
            inside = inside.inside(fused if loop is outer or loop is inner else loop)
        below = nest.loops[last + 1 :]
        old = Block((_rebuilt(below, nest.body),) if below else nest.body)
        if not isinstance(inner.stop, Const) and _is_wide(outer, old):
            return False
        new = simplified_within(substitute(old, values), inside.inside(fused), divisions(old))
        if new is None:
            return False
        if first + 1 != last and not self._independent(nest, first, last, facts):
            return False
        if high > low and not self._independent(nest, first, last, facts):
            return False
        form = linear(add(var(outer.var, outer.dtype), var(inner.var, inner.dtype)))
        if is_const(outer.step, 1):
            form = linear(add(mul(var(outer.var, outer.dtype), inner.stop), var(inner.var, inner.dtype)))
        name = self._name(form, outer, inner)
        fused = replace(fused, var=name, stop=simplify(fused.stop, facts.ranges))
        new = substitute(new, {_INDEX: var(name, outer.dtype)})
        if below:
            only = new.body[0] if len(new.body) == 1 else None
            loops, body = _perfect(only) if isinstance(only, For) else ([], new.body)
            nest.loops[last + 1 :], nest.body = loops, body
        else:
            nest.body = new.body
        nest.loops[first] = fused
        del nest.loops[last]
        return True

    def _name(self, form: Affine | None, outer: For, inner: For) -> str:
        """The user's name for the sum, else that of the inner loop: it now counts all of its tiles."""
        if form is not None and form in self.hints:
            return self.names.fresh(self.hints[form])
        if outer.var.split("_")[0] == "index":
            return outer.var
        return inner.var if inner.kind is not LoopKind.THREADS else self.names.fresh("index")

    # ------------------------------------------------------------------ strides

    def _strided(self, nest: _Nest, outer_at: int, inner_at: int, facts: Facts) -> bool:
        """`for t in 0..T: for i in base + k*t..n step k*T` --> `for i in base..n step k`."""
        if outer_at > inner_at:
            return False
        outer, inner = nest.loops[outer_at], nest.loops[inner_at]
        width = stride_of_threads(outer, inner) if _plain(outer) else None
        if width is None:
            return False
        base = simplify(sub(inner.start, mul(var(outer.var, outer.dtype), width)), facts.ranges)
        if outer.var in free_vars(_expression(base)) or outer.var in free_vars(Block(nest.body)):
            return False
        others = [loop for loop in nest.loops if loop is not inner]
        if any(outer.var in free_vars(_head(loop)) for loop in others) or outer.var in free_vars(
            _expression(inner.stop)
        ):
            return False
        if any(leaves_loop(s, (Break, Continue)) for s in nest.body):
            return False
        if not self._independent(nest, outer_at, inner_at, facts, carried=inner):
            return False
        nest.loops[inner_at] = replace(
            inner, start=base, step=cast(width, inner.dtype), kind=_kind(outer, inner)
        )
        del nest.loops[outer_at]
        return True

    def _independent(
        self, nest: _Nest, first: int, last: int, facts: Facts, carried: For | None = None
    ) -> bool:
        """Whether the loops from `first` to `last` may change their order; `carried` keeps its own."""
        for loop in nest.loops[:first]:
            facts = facts.inside(loop)
        moved = nest.loops[first : last + 1]
        if carried is not None:  # each iteration of the outer loop keeps its own order
            if moved[0].kind in (LoopKind.PARALLEL, LoopKind.THREADS):
                return True
            moved = moved[:-1]
        if all(loop.kind in (LoopKind.PARALLEL, LoopKind.THREADS) for loop in moved):
            return True
        inner = (
            _rebuilt(nest.loops[first + len(moved) :], nest.body)
            if nest.loops[first + len(moved) :]
            else None
        )
        body = nest.body if inner is None else (inner,)
        for loop in moved:
            facts = facts.inside(loop)
        answer = independent_iterations(moved, body, facts, accumulators(body))
        return bool(answer)


_INDEX = "?index"


def _is_wide(outer: For, body: Block) -> bool:
    """Whether rows are multiplied by their length in 64 bits alone: then there may be more elements than the
    counter of the rows can count."""
    products = [n for n in walk(body) if isinstance(n, Binary) and n.op == "*" and outer.var in free_vars(n)]
    bits = [n.dtype.bits for n in products if n.dtype.is_integer]
    return bool(bits) and min(bits) > outer.dtype.bits


def _joined(outer: For, inner: For) -> tuple[For, dict[str, Expr]] | None:
    """The loop over both and the counters as its digits: of `for b: for t in 0..T`, or of `for b step T`."""
    if not _plain(inner) or not is_const(outer.start, 0) or outer.dtype != inner.dtype:
        return None
    index, extent = var(_INDEX, outer.dtype), inner.stop
    if is_const(outer.step, 1):
        high, stop = div(index, extent), mul(outer.stop, extent)
    elif isinstance(extent, Const) and outer.step == extent:
        high, stop = mul(div(index, extent), extent), mul(ceil_div(outer.stop, extent), extent)
    else:
        return None
    fused = For(_INDEX, outer.dtype, outer.start, stop, inner.step, Block(()), _kind(outer, inner))
    return fused, {outer.var: high, inner.var: mod(index, extent)}


@dataclass
class _Nest:
    loops: list[For]
    body: tuple[Stmt, ...]


def _perfect(loop: For, *, across: bool = False) -> tuple[list[For], tuple[Stmt, ...]]:
    """The loops directly inside each other; `across`: integers that are computed between them, of which no
    loop depends, are moved inside, if nothing there changes them or what they are computed of."""
    loops, heads = [loop], list[Stmt]()
    body = spliced(loop.body.body)
    while body and isinstance(body[-1], For) and (across or len(body) == 1):
        inner = body[-1]
        names = {h.name for h in (*heads, *body[:-1]) if isinstance(h, Decl)}
        if not all(_is_number(h) for h in body[:-1]) or names & free_vars(_head(inner)):
            break
        moved = (*heads, *body[:-1])
        computed_of = {name for head in moved for name in free_vars(head)}
        if (names | computed_of) & uses(inner).vars_assigned:
            break
        heads += body[:-1]
        loops.append(inner)
        body = spliced(inner.body.body)
    return loops, (*heads, *body)


def _is_number(stmt: Stmt) -> bool:
    """Whether it declares an integer that is computed of others."""
    return (
        isinstance(stmt, Decl)
        and not stmt.shape
        and stmt.dtype.is_integer
        and isinstance(stmt.init, Expr)
        and not any(isinstance(n, Load) for n in walk(stmt.init))
    )


def _rebuilt(loops: Sequence[For], body: tuple[Stmt, ...]) -> Stmt:
    for loop in reversed(loops):
        body = (replace(loop, body=Block(body)),)
    return body[0] if len(body) == 1 else Block(body)


def _plain(loop: For) -> bool:
    return is_const(loop.start, 0) and is_const(loop.step, 1)


def _kind(outer: For, inner: For) -> LoopKind:
    if outer.kind == inner.kind:
        return outer.kind
    independent = (LoopKind.PARALLEL, LoopKind.THREADS)
    return LoopKind.PARALLEL if outer.kind in independent and inner.kind in independent else LoopKind.SERIAL


def _head(loop: For) -> Stmt:
    return replace(loop, body=Block(()), var="?")


def _expression(expr: Expr) -> Stmt:
    return Assign(Var(expr.dtype, "?"), expr)
