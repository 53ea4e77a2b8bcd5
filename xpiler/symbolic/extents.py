"""Sizes that a kernel's guards suggest, where nothing tells how large an array is.

    if (i <= n) a[i] = 1;          a has n elements, by the usual meaning of `n`: a[n] is one too many
    if (i < n)  b[i] = a[i + 1];   likewise
    if (i < n)  b[i] = a[n - i];   and thread 0 reads a[n]
    if (r < n) for (c = 0; c <= m; ++c) s += a[r * m + c];      of n rows of m elements, c reaches the next

An access through a guarded index, or one with a constant added, that reaches beyond the bound which the
guards name. Indices that are guarded otherwise too are left alone; so are arrays of offsets, which have one
element more (`ptr[i + 1]`): their elements bound loops, or are indices and read at `i + 1`. Of the difference
of two neighbours in an array of integers (`ptr[i + 1] - ptr[i]`, a length, or a slope) nobody can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from xpiler.ir.affine import linear
from xpiler.ir.affine_form import Affine, lift, of_atom
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Break,
    Const,
    Continue,
    Expr,
    For,
    Function,
    If,
    Load,
    Return,
    Select,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import children, substitute, walk
from xpiler.ir.types import BOOL

Limits = tuple[Binary, ...]


@dataclass(frozen=True)
class Suggested:
    """`place` may reach element `size` of its array, which the guards suggest has `size` elements.
    `is_guard`: the comparison itself lets its index be the size; otherwise something is added to it.
    `is_length`: its array may be one of offsets whose differences are lengths; `is_kept`: these are
    stored. `chunk`: elements that are accessed where only the first one is guarded; `is_bare`: `limit` guards
    other accesses of the array, and this one is not guarded. Without `limit` it is sizes without a rest that
    suggest it; `any_size`: the guard itself tells that others are meant; `axes`: of the launch, along which
    the threads are numbered that nothing keeps below `count`.
    `is_backwards`: the index counts down from the size."""

    place: Load
    size: Affine
    limit: Binary | None
    is_guard: bool
    is_length: bool = False
    is_kept: bool = False
    chunk: int = 0
    is_bare: bool = False
    any_size: bool = False
    axes: str = ""
    count: Affine | None = None
    is_backwards: bool = False


def beyond_guards(kernel: Function, defined: Mapping[str, Expr]) -> list[Suggested]:
    """Accesses to look at in a run: those that the guards seem to let go too far."""
    scalars = frozenset(p.name for p in kernel.params if not p.is_pointer)
    bounding, indices = _offsets(kernel, defined)
    passed = {p.name for p in kernel.params if p.is_pointer} - bounding
    lengths = _lengths(kernel, defined)
    worst: list[tuple[int, Suggested]] = []
    plain: set[str] = set()
    for place, limits in reached_places(kernel):
        if place.array not in passed or len(place.index) != 1:
            continue
        index = linear(substitute(place.index[0], defined))
        known = [] if index is None else _excesses(place, index, limits, defined, scalars)
        if known:
            excess, suggested = min(known, key=lambda k: k[0])
            if place.array in indices and not suggested.is_guard:
                continue
            if place.array in lengths:
                suggested = replace(suggested, is_length=True, is_kept=lengths[place.array])
            worst.append((excess, suggested))
            if (
                excess <= 0
                or suggested.is_guard
                or (suggested.is_backwards and _is_thread(suggested, defined))
            ):
                plain.add(place.array)
    return [s for excess, s in worst if excess >= 1 and (s.is_guard or s.place.array in plain)]


def _is_thread(suggested: Suggested, defined: Mapping[str, Expr]) -> bool:
    """Whether it is a thread's number that is counted down: a loop may be meant for one element more."""
    form = linear(substitute(suggested.place.index[0], defined)) if suggested.is_backwards else None
    return form is not None and any(name.startswith("threadIdx.") for name in form.variables())


def _excesses(
    place: Load, index: Affine, limits: Limits, defined: Mapping[str, Expr], scalars: frozenset[str]
) -> list[tuple[int, Suggested]]:
    """How far beyond the bound the index may be, by each guard that speaks of it; of those that speak of its
    row alone only where none says where in the row it is."""
    known: list[tuple[int, Suggested]] = []
    of_rows: list[tuple[int, Suggested]] = []
    for limit in limits:
        one, other = (linear(substitute(e, defined)) for e in (limit.left, limit.right))
        if one is None or other is None:
            continue
        form = one - other  # `k < n - i` is `k + i < n`
        size = Affine(tuple((m, -f) for m, f in form.terms if m and Affine(((m, f),)).variables() <= scalars))
        moving = form + size - form.constant
        bound = size - form.constant + (1 if limit.op == "<=" else 0)
        if moving.variables() & scalars or not moving.terms or len(size.terms) != 1 or size.terms[0][1] != 1:
            continue
        added = (index - moving).as_int
        if added is not None:
            excess = bound.constant + added
            known.append((excess, Suggested(place, size, limit, bound.constant >= 1)))
            continue
        backwards = (index + moving - size).as_int
        if backwards is not None:
            known.append((backwards + 1, Suggested(place, size, limit, False, is_backwards=True)))
            continue
        for stride in _strides(index, moving, scalars):
            over, inner = _over_row(index - moving * stride, stride, limits, defined)
            if stride.as_int is not None and (over is None or over > 0):
                continue  # a window may be longer than its step
            beyond = inner is not None and bound.constant < 1
            at = inner if beyond and inner is not None else limit
            suggested = Suggested(place, size * stride, at, beyond or bound.constant >= 1)
            to = known if over is not None else of_rows
            to.append((bound.constant + max(over or 0, 0), suggested))
    return known or of_rows


def _strides(index: Affine, moving: Affine, scalars: frozenset[str]) -> Iterator[Affine]:
    """The parameter or number `s` for which the index is `moving * s + ...`."""
    for atom in index.atoms():
        if getattr(atom, "name", None) in scalars:
            scaled = moving * of_atom(atom)
            if set(scaled.terms) <= set(index.terms):
                yield of_atom(atom)
                return
    (first, *_) = moving.terms
    step = dict(index.terms).get(first[0], 0) // first[1]
    if step > 1 and set((moving * step).terms) <= set(index.terms):
        yield lift(step)


def _over_row(
    rest: Affine, stride: Affine, limits: Limits, defined: Mapping[str, Expr]
) -> tuple[int | None, Binary | None]:
    """By how much the place in a row of `stride` elements may be beyond its last one, with the comparison
    that lets it; None where no comparison speaks of it."""
    if (number := rest.as_int) is not None and (length := stride.as_int) is not None:
        return number - (length - 1), None
    for limit in limits:
        one, other = (linear(substitute(e, defined)) for e in (limit.left, limit.right))
        if one is None or other is None:
            continue
        beside, short = (rest - one).as_int, (other - stride).as_int
        if beside is not None and short is not None:
            over = beside + short + (1 if limit.op == "<=" else 0)
            return over, limit if over > 0 else None
    return None, None


def _offsets(kernel: Function, defined: Mapping[str, Expr]) -> tuple[set[str], set[str]]:
    """Arrays whose elements say where others are accessed: those that bound loops, and those of indices."""
    deciding: list[Expr] = []
    indices: list[Expr] = []
    for node in walk(kernel.body):
        match node:
            case For():
                deciding += [node.start, node.stop]
            case While():
                deciding.append(node.condition)
            case Load(index=index):
                indices += index
    return _loaded(deciding, defined), _loaded(indices, defined)


def _loaded(exprs: list[Expr], defined: Mapping[str, Expr]) -> set[str]:
    found = (n for e in exprs for n in walk(substitute(e, defined)))
    return {n.array for n in found if isinstance(n, Load)}


def _lengths(kernel: Function, defined: Mapping[str, Expr]) -> dict[str, bool]:
    """Arrays of integers whose neighbours are subtracted, and whether the difference itself is stored."""
    found: dict[str, bool] = {}
    for node in walk(kernel.body):
        stored = isinstance(node, Assign) and isinstance(node.target, Load)
        for part in children(node):
            if not isinstance(part, Expr):
                continue
            match substitute(part, defined):
                case Binary(op="-", left=Load() as left, right=Load() as right) if (
                    left.dtype.is_integer and left.array == right.array
                ):
                    one, other = linear(left.index[0]), linear(right.index[0])
                    if one is not None and other is not None and (one - other).as_int == 1:
                        found[left.array] = found.get(left.array, False) or stored
    return found


# ------------------------------------------------------------------------------------------ the way there


def holds(condition: Expr, value: bool) -> Iterator[Binary]:
    """Comparisons that are true if the condition is `value`; smaller side first."""
    match condition:
        case Unary(op="!", operand=operand):
            yield from holds(operand, not value)
        case Binary(op="&&" | "||", left=left, right=right) if (condition.op == "&&") is value:
            yield from holds(left, value)
            yield from holds(right, value)
        case Binary(op=op, left=left, right=right) if op in _NOT and left.dtype.is_integer:
            op = op if value else _NOT[op]
            if op in _MIRRORED:
                op, left, right = _MIRRORED[op], right, left
            yield Binary(BOOL, op, left, right, range=condition.range)


Told = Callable[[Expr, bool], Iterator[Binary]]


def reached_places(kernel: Function, told: Told = holds) -> Iterator[tuple[Load, Limits]]:
    """All accesses, each with what the conditions on the way tell: the comparisons that hold where it is
    reached, the smaller side first, as `moving < bound` or `<=`."""
    return _places(kernel.body, (), told)


def _places(stmt: Stmt, limits: Limits, told: Told) -> Iterator[tuple[Load, Limits]]:
    match stmt:
        case Block(body=body):
            for child in body:
                yield from _places(child, limits, told)
                if isinstance(child, If) and _leaves(child.then) and not child.otherwise.body:
                    limits = (*limits, *told(child.condition, False))
        case If(condition=condition):
            yield from _in_expr(condition, limits, told)
            yield from _places(stmt.then, (*limits, *told(condition, True)), told)
            yield from _places(stmt.otherwise, (*limits, *told(condition, False)), told)
        case For():
            for end in (stmt.start, stmt.stop, stmt.step):
                yield from _in_expr(end, limits, told)
            counted = Binary(BOOL, "<", Var(stmt.dtype, stmt.var), stmt.stop)
            from_zero = isinstance(stmt.start, Const) and stmt.start.value == 0
            begins = from_zero or not isinstance(stmt.start, Const)
            yield from _places(stmt.body, (*limits, counted) if begins else limits, told)
        case While(condition=condition):
            inner = limits if stmt.do_while else (*limits, *told(condition, True))
            yield from _in_expr(condition, limits, told)
            yield from _places(stmt.body, inner, told)
            yield from _places(stmt.advance, limits, told)
        case _:
            for part in children(stmt):
                if isinstance(part, Expr):
                    yield from _in_expr(part, limits, told)


def _in_expr(expr: Expr, limits: Limits, told: Told) -> Iterator[tuple[Load, Limits]]:
    match expr:
        case Select(condition=condition):
            yield from _in_expr(condition, limits, told)
            yield from _in_expr(expr.then, (*limits, *told(condition, True)), told)
            yield from _in_expr(expr.otherwise, (*limits, *told(condition, False)), told)
            return
        case Binary(op="&&" | "||", left=left, right=right):
            yield from _in_expr(left, limits, told)
            yield from _in_expr(right, (*limits, *told(left, expr.op == "&&")), told)
            return
        case Load():
            yield expr, limits
    for child in children(expr):
        if isinstance(child, Expr):
            yield from _in_expr(child, limits, told)


def _leaves(block: Block) -> bool:
    return bool(block.body) and isinstance(block.body[-1], (Return, Break, Continue))


_NOT = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRRORED = {">": "<", ">=": "<="}
