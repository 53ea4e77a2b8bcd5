"""Iterations that a loop takes several at a time, interleaved, are taken one after the other again.

    for m in 0..M/2*2 step 2:                            for m in 0..M/2*2:
      c0 = 0; c1 = 0                                       c0 = 0
      for k: { b = B[k]; c0 += A[m, k] * b;        -->     for k: { b = B[k]; c0 += A[m, k] * b }
               c1 += A[m + 1, k] * b }                     C[m] = c0
      C[m] = c0; C[m + 1] = c1

What a loop of a plain function leaves in memory is put into as many classes as it takes iterations at a
time. To a class belongs what computes it: a statement that several classes need is copied for each of them.
Applies if each class is the first one some iterations later, whatever its variables are called, and no class
touches memory that another one writes, so that they may come one after the other. The last classes may be
guarded by the end of the loop, and read the last place where theirs would be behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from xpiler.ir.affine import coefficient, linear, prove_le, prove_lt, simplify
from xpiler.ir.affine_form import Affine, lift, of_var
from xpiler.ir.build import add, and_, cast, ceil_div, const, lt, mul, sub
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
    If,
    Load,
    Ref,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import free_vars, map_expr, map_stmt, rename, substitute, uses, walk, walk_stmts
from xpiler.passes.accesses import Access, accesses
from xpiler.passes.aliasing import with_aliases
from xpiler.passes.constant_fills import with_known_fills
from xpiler.passes.facts import End, Facts, Ranges
from xpiler.passes.loop_ends import behind, largest, with_ends
from xpiler.passes.normal_statements import normal
from xpiler.passes.structured import spliced

_MOST_RESULTS = 128  # of a loop
_PLAIN = (Block, Decl, Assign, For, If)


def separate_copies(function: Function) -> Function:
    """All such loops of a plain function, outer ones first."""
    if not function.is_serial:
        return function
    body = _block(with_known_fills(function.body, {}), Facts.of(function))
    return function if body == function.body else replace(function, body=body)


def _block(block: Block, facts: Facts) -> Block:
    def inside(stmt: Stmt, facts: Facts) -> Stmt:
        if isinstance(stmt, For):
            stmt = _separated(stmt, facts) or stmt
            return replace(stmt, body=_block(stmt.body, facts.inside(stmt)))
        if isinstance(stmt, If):
            then = _block(stmt.then, facts.where(stmt.condition))
            otherwise = _block(stmt.otherwise, facts.where(stmt.condition, False))
            return replace(stmt, then=then, otherwise=otherwise)
        return stmt

    out: list[Stmt] = []
    for stmt in spliced(block.body):
        out.append(inside(stmt, facts))
        facts = behind(stmt, facts)
    return replace(block, body=tuple(out))


def _separated(loop: For, facts: Facts) -> For | None:
    step = _step(loop)
    if step < 2 or not _is_plain(loop):
        return None
    spelled = replace(loop, body=_with_numbers(loop.body, facts.mutable))
    results = list(_results(spelled.body, _declared(spelled.body)))
    if len(results) < 2 or len(results) > _MOST_RESULTS:
        return None
    for count in range(min(step, len(results)), 1, -1):
        for shift in _shifts(loop, count, facts) if len(results) % count == 0 else ():
            classes = _classes(spelled, results, count, shift)
            if classes and _Copies(spelled, classes, shift, facts).are_alike():
                first = [n for n, r in enumerate(results) if any(r is own for own in classes[0].results)]
                return _Copies(loop, classes, shift, facts).separated(first)
    return None


def _with_numbers(body: Block, mutable: Set[str]) -> Block:
    """With names for numbers spelled out, where they are the only ones of their name."""
    decls = [s for s in walk_stmts(body) if isinstance(s, Decl)]
    values: dict[str, Expr] = {}
    for stmt in decls:
        if stmt.shape or not isinstance(stmt.init, Expr) or not stmt.dtype.is_integer or stmt.name in mutable:
            continue
        if free_vars(stmt.init) & mutable or any(isinstance(n, Load) for n in walk(stmt.init)):
            continue
        if sum(d.name == stmt.name for d in decls) == 1 and cast(stmt.init, stmt.dtype) == stmt.init:
            values[stmt.name] = substitute(stmt.init, values)
    return substitute(body, values)


def _step(loop: For) -> int:
    return int(loop.step.value) if isinstance(loop.step, Const) else 0


def _shifts(loop: For, count: int, facts: Facts) -> Iterator[int]:
    """How far the copies may lie apart: they fill the step of the loop, or it is the rest of another loop and
    not longer than they are."""
    step = _step(loop)
    if step % count == 0:
        yield step // count
    ranges = with_ends(facts.inside(loop).ranges, (loop,), facts.mutable)
    if count < step and prove_le(sub(loop.stop, loop.start), lift(count), ranges):
        yield 1


def _is_plain(loop: For) -> bool:
    """Whether the body only computes and assigns, and keeps nothing but memory for later."""
    nodes = list(walk(loop.body))
    if any(isinstance(n, Ref) or (isinstance(n, Stmt) and not isinstance(n, _PLAIN)) for n in nodes):
        return False
    found = uses(loop.body)
    own = found.vars_declared | {n.var for n in nodes if isinstance(n, For)}
    return found.vars_assigned <= own


def _declared(body: Block) -> frozenset[str]:
    found = uses(body)
    counters = {s.var for s in walk_stmts(body) if isinstance(s, For)}
    return found.vars_declared | found.arrays_declared | counters


@dataclass(frozen=True)
class _Result:
    """An assignment to memory, with the conditions it is under that hold for the whole iteration, and the
    counters of the loops around it."""

    assign: Assign
    conditions: tuple[Expr, ...]
    counters: tuple[str, ...]

    @property
    def place(self) -> Load:
        assert isinstance(self.assign.target, Load)
        return self.assign.target


def _results(
    stmt: Stmt, local: Set[str], under: tuple[Expr, ...] = (), counters: tuple[str, ...] = ()
) -> Iterator[_Result]:
    match stmt:
        case Assign(target=Load(array=array)) if array not in local:
            yield _Result(stmt, under, counters)
        case Block(body=body):
            for inner in body:
                yield from _results(inner, local, under, counters)
        case For(body=inner_body):
            yield from _results(inner_body, local, under, (*counters, stmt.var))
        case If(condition=condition, then=then, otherwise=otherwise):
            kept = () if _depends(condition, local) else tuple(_conjuncts(condition))
            yield from _results(then, local, (*under, *kept), counters)
            yield from _results(otherwise, local, under, counters)


def _depends(condition: Expr, local: Set[str]) -> bool:
    return bool(free_vars(condition) & local) or any(isinstance(n, Load) for n in walk(condition))


def _conjuncts(condition: Expr) -> Iterator[Expr]:
    if isinstance(condition, Binary) and condition.op == "&&":
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition


def _slack(condition: Expr) -> Affine | None:
    """What is not negative where a comparison of integers holds: `b - a - 1` of `a < b`."""
    match condition:
        case Binary(op="<" | "<=" | ">" | ">=" as op, left=left, right=right) if left.dtype.is_integer:
            one, other = linear(left), linear(right)
            if one is None or other is None:
                return None
            rest = other - one if op[0] == "<" else one - other
            return rest if op[-1] == "=" else rest - lift(1)
    return None


# ------------------------------------------------------------------------------------------ classes


@dataclass(frozen=True)
class _Class:
    """The results of one iteration; `guarded`: they are only computed where it is before the loop's end."""

    results: tuple[_Result, ...]
    guarded: bool


def _classes(loop: For, results: Sequence[_Result], count: int, shift: int) -> list[_Class] | None:
    """By the places that are written: the results of each iteration, in the same order; None if not all
    have a class. Where the classes but the first are guarded, all of them are."""
    counter = Var(loop.dtype, loop.var)
    left = list(results)
    guards = [_slack(lt(add(counter, n * shift), loop.stop)) for n in range(count)]
    classes: list[list[_Result]] = [[] for _ in range(count)]
    while left:
        first = left.pop(0)
        classes[0].append(first)
        for n in range(1, count):
            wanted = _place(first, {loop.var: add(counter, n * shift)})
            found = next((r for r in left if _is_at(r, wanted, guards[n])), None)
            if found is None:
                return None
            left.remove(found)
            classes[n].append(found)
    made = [_Class(tuple(c), all(_is_guarded(r, guards[n]) for r in c)) for n, c in enumerate(classes)]
    guarded = {c.guarded for c in made[1:]}
    if len(guarded) > 1 or (count * shift != _step(loop) and guarded != {True}):
        return None
    return made


_Place = tuple[str, tuple[Affine | Expr, ...]]


def _is_at(result: _Result, wanted: _Place, guard: Affine | None) -> bool:
    if result.place.array != wanted[0]:
        return False
    if _place(result) == wanted:
        return True
    return guard is not None and _is_guarded(result, guard) and _place(result, guard=guard) == wanted


def _place(result: _Result, values: Mapping[str, Expr] | None = None, guard: Affine | None = None) -> _Place:
    """The array and the index, with `values` for variables and the counters around it by their depth."""
    names = {name: f"?{depth}" for depth, name in enumerate(result.counters)}
    index = [rename(substitute(i, values or {}), names) for i in result.place.index]
    if guard is not None:
        index = [_within(i, guard) for i in index]
    forms = [linear(i) for i in index]
    return result.place.array, tuple(i if f is None else f for i, f in zip(index, forms, strict=True))


def _is_guarded(result: _Result, guard: Affine | None) -> bool:
    return guard is not None and any(_slack(c) == guard for c in result.conditions)


def _within(node: Any, guard: Affine) -> Any:
    """With the smaller of two numbers as the one that it is where `guard` is not negative."""

    def change(expr: Expr) -> Expr:
        match expr:
            case Select(
                condition=Binary(op="<" | "<=", left=low, right=high), then=then, otherwise=other
            ) if then == low and other == high and low.dtype.is_integer:
                pass
            case Call(function="min", args=(low, high)) if low.dtype.is_integer:
                pass
            case _:
                return expr
        forms = linear(low), linear(high)
        if forms[0] is None or forms[1] is None:
            return expr
        more = (forms[1] - forms[0] - guard).as_int
        return low if more is not None and more >= 0 else expr

    def place(target: Var | Load) -> Var | Load:
        return map_expr(target, change) if isinstance(target, Load) else target  # type: ignore[return-value]

    return map_expr(node, change, place) if isinstance(node, Stmt) else map_expr(node, change)


# ------------------------------------------------------------------------------------------ copies


@dataclass
class _Copies:
    """The classes of a loop as iterations of their own."""

    loop: For
    classes: Sequence[_Class]
    shift: int  # from one to the next
    facts: Facts

    def later(self, by: int | Expr) -> Expr:
        return add(Var(self.loop.dtype, self.loop.var), by)

    def are_alike(self) -> bool:
        """Whether the classes may come one after the other, and are the first one some iterations later."""
        copy = self.slice(0)
        for n in range(1, len(self.classes)):
            same = substitute(copy, {self.loop.var: self.later(n * self.shift)})
            if normal(same) != normal(self.slice(n)):
                return False
        return self.is_any_order(copy)

    def separated(self, first: Sequence[int]) -> For:
        """The loop that takes them one after the other; `first`: the numbers of the first class's results."""
        results = list(_results(self.loop.body, _declared(self.loop.body)))
        body = slice_of(self.loop.body, [results[n].assign for n in first])
        return replace(self.loop, stop=self.stop(), step=const(self.shift, self.loop.step.dtype), body=body)

    def slice(self, number: int) -> Block:
        """What computes the results of one class."""
        one = self.classes[number]
        own = slice_of(self.loop.body, [r.assign for r in one.results])
        guard = _slack(lt(self.later(number * self.shift), self.loop.stop))
        if guard is None or not (one.guarded or number == 0):
            return own
        unguarded = map_stmt(own, lambda s: _without_guard(s, guard))
        assert isinstance(unguarded, Block)
        made = _within(unguarded, guard)
        assert isinstance(made, Block)
        return made

    def is_any_order(self, copy: Block) -> bool:
        """Whether none of the iterations that the loop takes at a time touches what another one writes."""
        found = accesses(copy.body, self.facts.inside(self.loop))
        outside = [a for a in found if a.array not in _declared(copy)]
        written = {a.array for a in outside if a.write}
        return all(
            other.array == write.array and self.are_apart(write, other)
            for write in outside
            if write.write
            for other in outside
            if other.array in written and other.array in with_aliases({write.array}, self.facts.aliases)
        ) and not any(
            with_aliases({a.array}, self.facts.aliases) & written - {a.array} for a in outside if not a.write
        )

    def are_apart(self, one: Access, other: Access) -> bool:
        """Whether the elements of one access and another one, within one iteration, are closer together than
        those of one access in two iterations: then none is touched by two iterations."""
        if one.dtype != other.dtype or len(one.index) != 1 or len(other.index) != 1:
            return False
        ends = [e for loop in (*one.loops, *other.loops) for e in (loop.start, loop.stop)]
        if any(self.loop.var in free_vars(e) for e in ends):
            return False
        names = {loop.var: Var(loop.dtype, f"{loop.var}?other") for loop in other.loops}
        mine, theirs = (self.ranges(access) for access in (one, other))
        ranges = {**_renamed(theirs, names), **mine}  # both take place
        first = linear(one.index[0], ranges)
        second = linear(substitute(other.index[0], names), ranges)
        steps = [coefficient(f, self.loop.var) if f is not None else None for f in (first, second)]
        if first is None or second is None or steps[0] is None or steps[0] != steps[1]:
            return False
        counter = of_var(self.loop.var, self.loop.dtype)
        first, second = first - counter * steps[0], second - counter * steps[0]
        width = steps[0] * self.shift
        local = (first.variables() | second.variables() | width.variables()) & _declared(self.loop.body)
        if self.loop.var in first.variables() | second.variables() or local - {c.var for c in one.loops}:
            return False
        guarded = {**ranges, **_renamed(self.guarded(other, theirs), names), **self.guarded(one, mine)}
        inner = [*(v.name for v in names.values()), *(loop.var for loop in one.loops)][::-1]
        return all(
            any(
                prove_lt(difference, width, known)
                or prove_lt(largest(difference, inner, known), width, known)
                for known in (ranges, guarded)
            )
            for difference in (first - second, second - first)
        )

    def ranges(self, access: Access) -> dict[str, tuple[End, End]]:
        return with_ends(access.facts.ranges, (self.loop, *access.loops), self.facts.mutable)

    def guarded(self, access: Access, ranges: Ranges) -> dict[str, tuple[End, End]]:
        """Of the counters that a condition keeps below something else than a number: up to there."""
        counters = {loop.var for loop in access.loops}
        return {
            name: (ranges.get(name, (None, None))[0], sub(stop, 1))
            for name, stop in sorted(access.facts.below, key=str)
            if name in counters
            and not isinstance(stop, Const)
            and self.loop.var not in free_vars(stop)
            and isinstance(ranges.get(name, (None, None))[1], int)
        }

    def stop(self) -> Expr:
        """Where the last iteration that is taken at a time ends."""
        if self.classes[-1].guarded:
            return self.loop.stop
        length = sub(self.loop.stop, self.loop.start)
        form = linear(length, self.facts.ranges)
        if form is not None and not any(
            n % _step(self.loop) for n in (form.constant, *(f for _, f in form.terms))
        ):
            return self.loop.stop
        whole = mul(ceil_div(length, self.loop.step), self.loop.step)
        return simplify(add(self.loop.start, whole), self.facts.ranges)


def _renamed(ranges: Ranges, names: Mapping[str, Var]) -> dict[str, tuple[End, End]]:
    """What is known, where variables have other names."""

    def end(value: End) -> End:
        return substitute(value, names) if isinstance(value, Expr) else value

    return {
        names[name].name if name in names else name: (end(low), end(high))
        for name, (low, high) in ranges.items()
    }


def _without_guard(stmt: Stmt, guard: Affine) -> Stmt | tuple[Stmt, ...]:
    if not isinstance(stmt, If):
        return stmt
    rest = [c for c in _conjuncts(stmt.condition) if _slack(c) != guard]
    return replace(stmt, condition=and_(*rest)) if rest else stmt.then.body


def slice_of(body: Block, results: Sequence[Assign]) -> Block:
    """The statements that the results are computed by."""
    wanted = {id(r) for r in results}
    local = _declared(body)
    needed: frozenset[str] = frozenset()
    while True:
        kept = _kept(body, wanted, needed)
        found = uses(kept)
        now = local & (found.vars_read | found.arrays_read | found.vars_set | found.arrays_written)
        if now <= needed:
            return kept
        needed |= now


def _kept(block: Block, wanted: Set[int], needed: Set[str]) -> Block:
    out: list[Stmt] = []
    for stmt in spliced(block.body):
        match stmt:
            case Assign(target=Var(name=name) | Load(array=name)):
                if id(stmt) in wanted or name in needed:
                    out.append(stmt)
            case Decl(name=name):
                if name in needed:
                    out.append(stmt)
            case For():
                body = _kept(stmt.body, wanted, needed)
                if body.body:
                    out.append(replace(stmt, body=body))
            case If():
                then, otherwise = (_kept(b, wanted, needed) for b in (stmt.then, stmt.otherwise))
                if then.body or otherwise.body:
                    out.append(replace(stmt, then=then, otherwise=otherwise))
    return Block(tuple(out))
