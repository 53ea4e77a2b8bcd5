"""A peak and a sum of exponentials that are kept together while data are read once are two loops.

    for c: higher = max(peak, x[c])                                         for c: peak = max(peak, x[c])
           sum = sum * exp(peak - higher) + exp(x[c] - higher)     -->      for c: sum += exp(x[c] - peak)
           peak = higher

    sum *= exp(peak - top)  after the second loop                  -->      for c: sum += exp(x[c] - top)

A sum that is rescaled whenever its peak rises is, over the reals, the sum at the last peak. GPUs keep both
together to read memory once; vectors want one loop that finds the peak and one that adds up. How the step is
spelled does not matter: it is run on numbers, and has to give the larger peak and the rescaled sum at each of
them. Rows whose first element is -inf, for which the sum is NaN when both are kept together, get a number.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from xpiler.ir.build import const, is_const, mul, sub
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Load,
    LoopKind,
    Select,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import (
    arrays_read,
    arrays_written,
    assigned_vars,
    children,
    free_vars,
    map_expr,
    walk,
)

_TRIES = 12
_EXPONENTIALS = {"exp": 1.0, "exp2": math.log(2.0)}
Place = Var | Load


def split_rescaled_sums(function: Function) -> Function:
    """Everywhere in the function."""
    body = _Split().block(function.body, ())
    return function if body is function.body else replace(function, body=body)


# ------------------------------------------------------------------------------------------ kept together


@dataclass(frozen=True)
class _Step:
    """What an iteration does: `peak = max(peak, value)`, and `total` is rescaled and gets `term`, which is
    in terms of the peak after it."""

    peak: Place
    total: Place
    value: Expr
    term: Expr


_Above = tuple[tuple[Sequence[Stmt], Stmt | None], ...]
"""The statements before a place, level by level, the nearest first; with what each level is inside of."""


class _Split:
    """One walk over a function."""

    def block(self, block: Block, above: _Above) -> Block:
        out: list[Stmt] = []
        for stmt in block.body:
            here: _Above = ((tuple(out), None), *above)
            out += self.stmt(stmt, here)
        out = _late(out, above)
        same = len(out) == len(block.body) and all(a is b for a, b in zip(out, block.body, strict=True))
        return block if same else replace(block, body=tuple(out))

    def stmt(self, stmt: Stmt, above: _Above) -> Sequence[Stmt]:
        (before, _), *rest = above
        inside: _Above = ((before, stmt), *rest)
        match stmt:
            case For():
                made = self._loops(stmt, inside)
                if made is not None:
                    return made
                body = self.block(stmt.body, inside)
                return (stmt if body is stmt.body else replace(stmt, body=body),)
            case If(then=then, otherwise=otherwise):
                sides = self.block(then, inside), self.block(otherwise, inside)
                same = sides[0] is then and sides[1] is otherwise
                return (stmt if same else replace(stmt, then=sides[0], otherwise=sides[1]),)
            case Block():
                return (self.block(stmt, inside),)
        return (stmt,)

    def _loops(self, loop: For, above: _Above) -> list[Stmt] | None:
        guard: Expr | None = None
        body = loop.body.body
        *first, last = body or (loop,)
        if isinstance(last, If) and not last.otherwise.body and all(isinstance(s, Decl) for s in first):
            guard, body = _substituted(first, last.condition), (*first, *last.then.body)
        step = _step(body, loop.var)
        if step is None or (guard is not None and _reads(guard, (step.peak, step.total))):
            return None
        if _zero_of(step.total, above) is None:
            return None

        def over(what: Assign) -> For:
            inner = Block((what,)) if guard is None else Block((If(guard, Block((what,))),))
            return replace(loop, body=inner, kind=LoopKind.SERIAL)

        where = body[0].range
        return [
            over(Assign(step.peak, step.value, "max", range=where)),
            over(Assign(step.total, step.term, "+", range=where)),
        ]


def _step(body: Sequence[Stmt], var: str) -> _Step | None:
    try:
        after = _after(body)
    except _NotStraight:
        return None
    own = {stmt.name for stmt in body if isinstance(stmt, Decl)}
    states = [place for place in after if not (isinstance(place, Var) and place.name in own)]
    if len(states) != 2 or any(var in free_vars(p) and isinstance(p, Load) for p in states):
        return None
    for peak, total in (states, states[::-1]):
        larger, summed = after[peak], after[total]
        if not peak.dtype.is_float or peak.dtype != total.dtype or _mentions(larger, (total,)):
            continue
        values = [v for v in _parts(larger, states) if v.dtype == peak.dtype]
        if len(set(values)) != 1 or _reads(values[0], states):
            continue
        term = _term(larger, summed, values[0], peak, total, states)
        if term is not None and not _reads(term.weight, states):
            return _Step(peak, total, values[0], term.at(peak))
    return None


@dataclass(frozen=True)
class _Term:
    """`weight * function((value - peak) * scale)`."""

    weight: Expr
    call: Call
    value: Expr
    scale: Expr

    def at(self, peak: Expr) -> Expr:
        away = _times(sub(self.value, peak), self.scale)
        return _times(replace(self.call, args=(away,)), self.weight)


def _term(
    larger: Expr, summed: Expr, value: Expr, peak: Place, total: Place, states: Sequence[Place]
) -> _Term | None:
    """What is added to the rescaled sum, if the step is one of a peak and its sum at all numbers tried."""
    calls = [n for n in walk(summed) if isinstance(n, Call) and n.function in _EXPONENTIALS]
    if not calls or any(_has_threshold(expr, value) for expr in (larger, summed)):
        return None
    base = _EXPONENTIALS[calls[0].function]
    one = const(1.0, total.dtype)
    weights = [one, *(p for p in _parts(summed, states) if p != value and p.dtype == total.dtype)]
    scales = [one, *(n for n in walk(summed) if isinstance(n, Const) and n.dtype == total.dtype)]
    leaves = sorted({n for e in (larger, summed) for n in _leaves(e)}, key=repr)
    for weight in dict.fromkeys(weights):
        for scale in dict.fromkeys(scales):
            if _holds(larger, summed, value, peak, total, weight, base * float(_const(scale)), leaves):
                return _Term(weight, calls[0], value, scale)
    return None


def _times(left: Expr, right: Expr) -> Expr:
    return left if is_const(right, 1) else mul(left, right)


def _const(expr: Expr) -> float:
    assert isinstance(expr, Const)
    return float(expr.value)


def _has_threshold(expr: Expr, value: Expr) -> bool:
    """Whether a number decides in a choice, the value itself aside: numbers that are tried may all lie on one
    side of it."""
    if expr == value:
        return False
    match expr:
        case Binary(op="<" | "<=" | ">" | ">=") | Call(function="min" | "max"):
            if any(isinstance(child, Const) for child in children(expr)):
                return True
    return any(isinstance(child, Expr) and _has_threshold(child, value) for child in children(expr))


def _holds(
    larger: Expr,
    summed: Expr,
    value: Expr,
    peak: Place,
    total: Place,
    weight: Expr,
    rate: float,
    leaves: Sequence[Expr],
) -> bool:
    draws = random.Random(0)
    for _ in range(_TRIES):
        at = {leaf: draws.uniform(-2.0, 2.0) for leaf in leaves}
        try:
            v, w = _number(value, at), _number(weight, at)
            found = _number(larger, at), _number(summed, at)
        except _NotStraight:
            return False
        top = max(at.get(peak, 0.0), v)
        right = at.get(total, 0.0) * math.exp(rate * (at.get(peak, 0.0) - top)) + w * math.exp(
            rate * (v - top)
        )
        if not all(
            math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9) for a, b in zip(found, (top, right), strict=True)
        ):
            return False
    return True


class _NotStraight(Exception):
    """A step that is more than arithmetic on scalars."""


def _after(body: Sequence[Stmt], start: Mapping[Place, Expr] | None = None) -> dict[Place, Expr]:
    """What scalars and elements hold after straight-line code, in terms of what they held before."""
    held: dict[Place, Expr] = dict(start or {})

    def now(expr: Expr) -> Expr:
        return _in_terms_of(expr, held)

    for stmt in body:
        match stmt:
            case Decl(shape=(), init=Expr() as init):
                held[Var(stmt.dtype, stmt.name)] = now(init)
            case Assign(target=target, value=value, reduce=reduce):
                new = now(value)
                if reduce is not None:
                    old = held.get(target, target)
                    new = (
                        Call(target.dtype, reduce, (old, new))
                        if reduce in ("min", "max")
                        else Binary(target.dtype, reduce, old, new)
                    )
                held[target] = new
            case If(condition=condition, then=then, otherwise=otherwise):
                test = now(condition)
                sides = _after(then.body, held), _after(otherwise.body, held)
                inner = {s.name for s in (*then.body, *otherwise.body) if isinstance(s, Decl)}
                for place in {**sides[0], **sides[1]}:
                    if isinstance(place, Var) and place.name in inner:
                        continue
                    yes, no = (side.get(place, place) for side in sides)
                    held[place] = yes if yes == no else Select(place.dtype, test, yes, no)
            case _:
                raise _NotStraight
    return held


def _in_terms_of(expr: Expr, held: Mapping[Place, Expr]) -> Expr:
    """The expression with what the places hold."""

    def value(node: Expr) -> Expr:
        if isinstance(node, (Var, Load)):
            if node in held:
                return held[node]
            if isinstance(node, Load) and any(isinstance(p, Load) and p.array == node.array for p in held):
                raise _NotStraight
        return node

    return map_expr(expr, value)


def _substituted(decls: Sequence[Stmt], expr: Expr) -> Expr:
    try:
        return _in_terms_of(expr, _after(decls))
    except _NotStraight:
        return expr


def _mentions(expr: Expr, places: Sequence[Place]) -> bool:
    return any(n in places for n in walk(expr) if isinstance(n, (Var, Load)))


def _reads(expr: Expr, places: Sequence[Place]) -> bool:
    """Whether it may read one of the places, by any index."""
    names = {_name(p) for p in places}
    return bool((free_vars(expr) | arrays_read(expr)) & names)


def _parts(expr: Expr, states: Sequence[Place]) -> Iterator[Expr]:
    """The largest parts of an expression that no state is in."""
    if not _mentions(expr, states):
        if not isinstance(expr, Const):
            yield expr
        return
    if expr not in states:
        for child in children(expr):
            assert isinstance(child, Expr)
            yield from _parts(child, states)


def _leaves(expr: Expr) -> Iterator[Expr]:
    if isinstance(expr, (Var, Load)):
        yield expr
        return
    for child in children(expr):
        assert isinstance(child, Expr)
        yield from _leaves(child)


def _number(expr: Expr, at: Mapping[Expr, float]) -> float:
    """The expression's value over the reals."""
    if expr in at:
        return at[expr]
    match expr:
        case Const(value=value):
            return float(value)
        case Cast(operand=operand) if expr.dtype.is_float and operand.dtype.is_float:
            return _number(operand, at)
        case Unary(op="-", operand=operand):
            return -_number(operand, at)
        case Unary(op="!", operand=operand):
            return float(not _number(operand, at))
        case Select(condition=condition, then=then, otherwise=otherwise):
            return _number(then if _number(condition, at) else otherwise, at)
        case Call(function="max" | "min" as function, args=args):
            return (max if function == "max" else min)(_number(a, at) for a in args)
        case Call(function="fma", args=(left, right, added)):
            return _number(left, at) * _number(right, at) + _number(added, at)
        case Call(function=function, args=(argument,)) if function in _EXPONENTIALS:
            return math.exp(_EXPONENTIALS[function] * _number(argument, at))
        case Binary(op=op, left=left, right=right) if left.dtype.is_float:
            return _calculated(op, _number(left, at), _number(right, at))
    raise _NotStraight


def _calculated(op: str, left: float, right: float) -> float:
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "<" | "<=":
            return float(left < right)
        case ">" | ">=":
            return float(left > right)
    raise _NotStraight


def _zero_of(place: Place, above: _Above) -> Stmt | None:
    """What makes the sum 0 that it is known to be where `above` ends."""
    loops: list[For] = []
    for level, (before, around) in enumerate(above):
        if level:
            match around:
                case For(kind=LoopKind.SERIAL) | While():
                    return None  # the iteration before has left something
                case For():
                    loops.append(around)
        for stmt in reversed(before):
            known = _zeroed(stmt, place, loops)
            if known is not None:
                return known or None
    return None


def _zeroed(stmt: Stmt, place: Place, loops: Sequence[For]) -> Stmt | Literal[False] | None:
    """What leaves 0 there in a statement; False if it may leave something else, None if it leaves the place
    alone."""
    match stmt:
        case Decl(init=init) if isinstance(place, Var) and stmt.name == place.name:
            return stmt if isinstance(init, Expr) and is_const(init, 0) else False
        case Assign(target=target, value=value, reduce=None) if target == place:
            return stmt if is_const(value, 0) else False
        case For(body=body) if any(_same_range(stmt, loop) for loop in loops):
            for inner in reversed(body.body):
                known = _zeroed(inner, place, loops)
                if known is not None:
                    return known
            return None
    written = assigned_vars(stmt) if isinstance(place, Var) else arrays_written(stmt)
    declared = {n.name for n in walk(stmt) if isinstance(n, Decl)}
    return False if _name(place) in written | declared else None


def _same_range(one: For, other: For) -> bool:
    return (one.var, one.start, one.stop, one.step) == (other.var, other.start, other.stop, other.step)


# ------------------------------------------------------------------------------------- at a later peak


def _late(stmts: list[Stmt], above: _Above) -> list[Stmt]:
    """The statements of a block, with sums that are rescaled to another peak added up at that one."""
    for later, stmt in enumerate(stmts):
        for path, rescale in _statements(stmt, ()):
            factor = _factor(rescale) if isinstance(rescale, Assign) else None
            if not isinstance(rescale, Assign) or factor is None:
                continue
            for earlier in range(later):
                for back, loop in _statements(stmts[earlier], ()):
                    if not isinstance(loop, For) or not _alike(path, back):
                        continue
                    between = [
                        *_beside(stmts[earlier], loop, behind=True),
                        *stmts[earlier + 1 : later],
                        *_beside(stmt, rescale, behind=False),
                    ]
                    new = _at_the_peak_of(rescale, factor, loop, between)
                    levels = _levels(stmts[:earlier], stmts[earlier], loop)
                    zero = _zero_of(rescale.target, (*levels, *above)) if new is not None else None
                    if new is None or zero is None:
                        continue
                    before = [_with(s, loop, ()) for s in stmts[:later]]
                    first: tuple[Stmt, ...] = ()
                    if isinstance(zero, Assign):
                        first = (zero,)
                        before = [_with(s, zero, ()) for s in before]
                    name = _name(rescale.target)
                    if any(name in free_vars(s) | arrays_read(s) for s in before):
                        continue
                    return _late([*before, _with(stmt, rescale, (*first, new)), *stmts[later + 1 :]], above)
    return stmts


def _levels(before: Sequence[Stmt], stmt: Stmt, inner: Stmt) -> _Above:
    """The levels above the inner statement, up to that of `stmt`, which `before` stands before."""
    if stmt is inner:
        return ((before, None),)
    assert isinstance(stmt, For)
    body = stmt.body.body
    place = next(i for i, s in enumerate(body) if s is inner or any(n is inner for n in walk(s)))
    return (*_levels(body[:place], body[place], inner), (before, stmt))


def _statements(stmt: Stmt, path: tuple[For, ...]) -> Iterator[tuple[tuple[For, ...], Stmt]]:
    """It, and what stands in loops of independent iterations."""
    yield path, stmt
    if isinstance(stmt, For) and stmt.kind is not LoopKind.SERIAL:
        for inner in stmt.body.body:
            yield from _statements(inner, (*path, stmt))


def _beside(stmt: Stmt, inner: Stmt, behind: bool) -> list[Stmt]:
    """The statements behind or before the inner one, in the loops around it."""
    if stmt is inner:
        return []
    assert isinstance(stmt, For)
    body = stmt.body.body
    place = next(i for i, s in enumerate(body) if s is inner or any(n is inner for n in walk(s)))
    return [*_beside(body[place], inner, behind), *(body[place + 1 :] if behind else body[:place])]


def _alike(path: Sequence[For], other: Sequence[For]) -> bool:
    return len(path) == len(other) and all(map(_same_range, path, other))


def _with(stmt: Stmt, old: Stmt, new: tuple[Stmt, ...]) -> Stmt:
    """The statement with others in the place of one that it is, or that stands in its loops."""
    if stmt is old:
        return new[0] if len(new) == 1 else Block(new)
    if not isinstance(stmt, For):
        return stmt
    body: list[Stmt] = []
    for inner in stmt.body.body:
        if inner is old:
            body += new
        elif isinstance(inner, For) and any(n is old for n in walk(inner)):
            body.append(_with(inner, old, new))
        else:
            body.append(inner)
    return replace(stmt, body=replace(stmt.body, body=tuple(body)))


def _at_the_peak_of(rescale: Assign, factor: Call, loop: For, between: Sequence[Stmt]) -> For | None:
    """The loop with the later peak, if all that it reads is as it was and nobody wants the sum before."""
    total = rescale.target
    body = loop.body.body
    inner = body[0].then.body if len(body) == 1 and isinstance(body[0], If) else body
    if len(inner) != 1 or not isinstance(inner[0], Assign):
        return None
    summed = inner[0]
    if summed.target != total or summed.reduce != "+":
        return None
    calls = [n for n in walk(summed.value) if isinstance(n, Call) and n.function == factor.function]
    if len(calls) != 1 or not _is_factor(summed.value, calls[0]):
        return None
    match factor.args[0], calls[0].args[0]:
        case (
            Binary(op="-", left=Var() | Load() as peak, right=Var() as top),
            Binary(op="-", left=value, right=old),
        ) if old == peak and peak.dtype == top.dtype and not _mentions(value, (peak,)):
            late = replace(calls[0], args=(sub(value, top),))
        case _:
            return None
    own = {_name(total)}
    kept = (free_vars(loop) | arrays_read(loop) | own | {_name(peak)}) - {loop.var}
    for stmt in between:
        if (assigned_vars(stmt) | arrays_written(stmt)) & kept or (free_vars(stmt) | arrays_read(stmt)) & own:
            return None

    def at_top(expr: Expr) -> Expr:
        return late if expr == calls[0] else expr

    again = map_expr(loop.body, at_top)
    assert isinstance(again, Block)
    return replace(loop, body=again)


def _is_factor(product: Expr, call: Call) -> bool:
    match product:
        case Binary(op="*", left=left, right=right):
            return _is_factor(left, call) or _is_factor(right, call)
    return product == call


def _name(place: Place) -> str:
    return place.name if isinstance(place, Var) else place.array


def _factor(rescale: Assign) -> Call | None:
    """`exp(peak - top)` of `total *= exp(peak - top)`, however it is spelled."""
    factors: tuple[Expr, ...] = ()
    match rescale:
        case Assign(value=value, reduce="*"):
            factors = (value,)
        case Assign(target=target, value=Binary(op="*", left=left, right=right), reduce=None) if target in (
            left,
            right,
        ):
            factors = (right if left == target else left,)
    for factor in factors:
        if isinstance(factor, Call) and factor.function in _EXPONENTIALS:
            return factor
    return None
