"""A peak and a sum of exponentials that are kept together while data are read once are two loops.

    for c: higher = max(peak, x[c])                                         for c: peak = max(peak, x[c])
           sum = sum * exp(peak - higher) + exp(x[c] - higher)     -->      for c: sum += exp(x[c] - peak)
           peak = higher

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

from xpiler.ir.build import binary, const, is_const, mul, select, sub
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
)
from xpiler.ir.rewrite import arrays_read, children, free_vars, map_expr, walk
from xpiler.passes.later_peaks import EXPONENTIALS, Above, Place, at_later_peaks, mentions, name_of, zero_of

_TRIES = 12


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
    term: Expr  # nothing for a value of -inf, where the step asks for that


class _Split:
    """One walk over a function."""

    def block(self, block: Block, above: Above) -> Block:
        out: list[Stmt] = []
        for stmt in block.body:
            here: Above = ((tuple(out), None), *above)
            out += self.stmt(stmt, here)
        out = at_later_peaks(out, above)
        same = len(out) == len(block.body) and all(a is b for a, b in zip(out, block.body, strict=True))
        return block if same else replace(block, body=tuple(out))

    def stmt(self, stmt: Stmt, above: Above) -> Sequence[Stmt]:
        (before, _), *rest = above
        inside: Above = ((before, stmt), *rest)
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

    def _loops(self, loop: For, above: Above) -> list[Stmt] | None:
        guard: Expr | None = None
        body = loop.body.body
        *first, last = body or (loop,)
        if isinstance(last, If) and not last.otherwise.body and all(isinstance(s, Decl) for s in first):
            guard, body = _substituted(first, last.condition), (*first, *last.then.body)
        step = _step(body, loop.var)
        if step is None or (guard is not None and _reads(guard, (step.peak, step.total))):
            return None
        if zero_of(step.total, above) is None:
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
        if not peak.dtype.is_float or peak.dtype != total.dtype or mentions(larger, (total,)):
            continue
        values = [v for v in _parts(larger, states) if v.dtype == peak.dtype]
        if len(set(values)) != 1 or _reads(values[0], states):
            continue
        term = _term(larger, summed, values[0], peak, total, states)
        if term is not None and not _reads(term.weight, states):
            added = term.at(peak)
            if _asks_for_nothing(larger) or _asks_for_nothing(summed):
                nothing = binary("==", term.value, const(-math.inf, peak.dtype))
                added = select(nothing, const(0.0, total.dtype), added)
            return _Step(peak, total, values[0], added)
    return None


def _asks_for_nothing(expr: Expr) -> bool:
    """Whether it looks at numbers of -inf."""
    return any(
        isinstance(n, Binary)
        and n.op in ("==", "!=")
        and any(isinstance(side, Const) and side.value == -math.inf for side in (n.left, n.right))
        for n in walk(expr)
    )


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
    calls = [n for n in walk(summed) if isinstance(n, Call) and n.function in EXPONENTIALS]
    if not calls or any(_has_threshold(expr, value) for expr in (larger, summed)):
        return None
    base = EXPONENTIALS[calls[0].function]
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
        case Binary(op="==" | "!="):
            if any(isinstance(child, Const) and child.value != -math.inf for child in children(expr)):
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
    for number in range(_TRIES):
        ties = number % 4 == 3
        at = {leaf: float(draws.randint(-1, 1)) if ties else draws.uniform(-2.0, 2.0) for leaf in leaves}
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


def _reads(expr: Expr, places: Sequence[Place]) -> bool:
    """Whether it may read one of the places, by any index."""
    names = {name_of(p) for p in places}
    return bool((free_vars(expr) | arrays_read(expr)) & names)


def _parts(expr: Expr, states: Sequence[Place]) -> Iterator[Expr]:
    """The largest parts of an expression that no state is in."""
    if not mentions(expr, states):
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
        case Call(function=function, args=(argument,)) if function in EXPONENTIALS:
            return math.exp(EXPONENTIALS[function] * _number(argument, at))
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
        case "==":
            return float(left == right)
        case "!=":
            return float(left != right)
    raise _NotStraight
