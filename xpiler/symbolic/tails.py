"""Accesses that leave the rest of a size out of account, where nothing tells how large an array is.

    i = 4 * t;  if (i < n)  for (k = 0; k < 4; ++k) y[i + k] = 0;      n = 6: t = 1 goes on to y[7]
    for (i = task * 1024; i < n; i += tasks * 1024)  memcpy(buf, x + i, 1024)
                                   a chunk is as long as the step, and only its first element is guarded
    s[t] = g < n ? in[g] : 0;  s[t + B] = in[g + B];  if (g < n) out[g] = ...
                                   of two accesses like each other one is guarded and the other is not

A chunk that is longer than its step is a window, whose array has more elements. Whether a size that is no
multiple of the chunk is ever passed nobody can tell from the kernel alone. That a write is guarded by the
same size says that it is how far the work goes, and that its rest was thought of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import gcd

from xpiler.ir.affine import linear
from xpiler.ir.affine_form import Affine, Monomial, atom_variables, lift
from xpiler.ir.nodes import Assign, Binary, Call, Expr, For, Function, Load, Select
from xpiler.ir.rewrite import substitute, walk
from xpiler.symbolic.extents import Limits, Suggested, reached_places


def beyond_tails(kernel: Function, defined: Mapping[str, Expr]) -> list[Suggested]:
    """Accesses to look at in a run, as `beyond_guards` has them."""
    return [*_chunks(kernel, defined), *_unguarded(kernel, defined)]


def _chunks(kernel: Function, defined: Mapping[str, Expr]) -> list[Suggested]:
    passed = {p.name for p in kernel.params if p.is_pointer}
    scalars = frozenset(p.name for p in kernel.params if not p.is_pointer)
    steps = _steps(kernel, defined, scalars)
    found = []
    for place, limits in reached_places(kernel):
        index = _form(place, defined) if place.array in passed else None
        if index is None:
            continue
        beyond: list[tuple[int, int, Suggested]] = []
        for limit in limits:
            bounded = next(_each_bounded(limit, defined, scalars), None)
            if bounded is None:
                continue
            moving, size, over = bounded
            rest, rows = _within_row(index - moving, size, limits, defined, scalars)
            longest = _longest(rest, limits, defined)
            if longest is not None:
                step = _granule(moving, steps)
                any_size = _bounded(limit, defined, scalars) is None
                suggested = Suggested(place, size * rows, limit, False, chunk=step, any_size=any_size)
                beyond.append((over + longest, longest, suggested))
        if beyond:
            excess, longest, suggested = min(beyond, key=lambda b: b[0])
            if excess > 0 and 0 < longest < suggested.chunk:
                found.append(suggested)
    return found


def _unguarded(kernel: Function, defined: Mapping[str, Expr]) -> list[Suggested]:
    scalars = frozenset(p.name for p in kernel.params if not p.is_pointer)
    passed = {p.name for p in kernel.params if p.is_pointer}
    written = {id(n.target) for n in walk(kernel.body) if isinstance(n, Assign)}
    guarded: dict[str, set[tuple[Affine, Affine]]] = {}
    limit_of: dict[tuple[Affine, Affine], Binary] = {}
    work: set[tuple[Affine, Affine]] = set()
    free: list[tuple[Load, Affine]] = []
    for place, limits in reached_places(kernel):
        index = _form(place, defined) if place.array in passed else None
        if index is None:
            continue
        for limit in limits:
            bounded = _bounded(limit, defined, scalars)
            if bounded is None:
                continue
            moving, size, over = bounded
            beside = (index - moving).as_int
            if beside is not None and beside + over <= 0:
                guarded.setdefault(place.array, set()).add((moving, size))
                limit_of.setdefault((moving, size), limit)
                if id(place) in written:
                    work.add((moving, size))
        if not any(_names_size(limit, defined, scalars) for limit in limits):
            free.append((place, index))
    found = []
    for place, index in free:
        for moving, size in sorted(guarded.get(place.array, set()) & work, key=str):
            if (index - moving).as_int is not None:
                found.append(Suggested(place, size, limit_of[moving, size], False, is_bare=True))
                break
    return found


def _form(place: Load, defined: Mapping[str, Expr]) -> Affine | None:
    return linear(substitute(place.index[0], defined)) if len(place.index) == 1 else None


def _bounded(
    limit: Binary, defined: Mapping[str, Expr], scalars: frozenset[str]
) -> tuple[Affine, Affine, int] | None:
    """`moving`, the `size` that it is compared with, and how far it may go beyond the last element."""
    one, other = (linear(substitute(e, defined)) for e in (limit.left, limit.right))
    if one is None or other is None or not other.variables() <= scalars or one.variables() & scalars:
        return None
    bound = other - one.constant + (1 if limit.op == "<=" else 0)
    size = bound - bound.constant
    if not (one - one.constant).terms or len(size.terms) != 1 or size.terms[0][1] != 1:
        return None
    return one - one.constant, size, bound.constant


def _each_bounded(
    limit: Binary, defined: Mapping[str, Expr], scalars: frozenset[str]
) -> Iterator[tuple[Affine, Affine, int]]:
    """What is below the smaller of two is below each: `i < min(end, n)`."""
    bound = substitute(limit.right, defined)
    match bound:
        case Call(function="min", args=parts):
            pass
        case Select(condition=Binary(op="<" | "<=", left=left, right=right), then=then, otherwise=other) if (
            then,
            other,
        ) == (left, right):
            parts = (then, other)
        case _:
            parts = (limit.right,)
    for part in parts:
        bounded = _bounded(replace(limit, right=part), defined, scalars)
        if bounded is not None:
            yield bounded


def _within_row(
    rest: Affine, size: Affine, limits: Limits, defined: Mapping[str, Expr], scalars: frozenset[str]
) -> tuple[Affine, Affine]:
    """`row * size + k` of `rows` rows: `k` and `rows`; `rest` and 1 if it has no rows."""
    for limit in limits:
        bounded = _bounded(limit, defined, scalars)
        row = bounded[0] * size if bounded is not None and bounded[2] == 0 else None
        if bounded is not None and row is not None and row.terms and set(row.terms) <= set(rest.terms):
            return rest - row, bounded[1]
    return rest, lift(1)


def _names_size(limit: Binary, defined: Mapping[str, Expr], scalars: frozenset[str]) -> bool:
    """Whether a comparison may speak of a size: all but those of indices and numbers."""
    forms = [linear(substitute(e, defined)) for e in (limit.left, limit.right)]
    return any(form is None or form.variables() & scalars for form in forms)


def _longest(rest: Affine, limits: Limits, defined: Mapping[str, Expr]) -> int | None:
    """The largest value of what is added to the guarded index, a sum of counters from zero; None where one of
    them has no number for its end."""
    total = rest.constant
    ends: dict[Monomial, int] = {}
    for limit in limits:
        one, other = (linear(substitute(e, defined)) for e in (limit.left, limit.right))
        if one is None or other is None or len(one.terms) != 1 or one.terms[0][1] != 1 or one.constant:
            continue
        if (end := other.as_int) is not None:
            ends[one.terms[0][0]] = end - (limit.op == "<")
    for monomial, factor in rest.terms:
        if factor < 0 or monomial not in ends:
            return None
        total += factor * ends[monomial]
    return total


def _steps(kernel: Function, defined: Mapping[str, Expr], scalars: frozenset[str]) -> dict[str, int]:
    """What the values of loops' counters are multiples of, from where a thread's share begins."""
    steps: dict[str, int] = {}
    for node in walk(kernel.body):
        if isinstance(node, For):
            start, step = (linear(substitute(e, defined)) for e in (node.start, node.step))
            known = 1 if start is None or step is None else gcd(_begin(start, scalars), _granule(step, {}))
            steps[node.var] = gcd(steps.get(node.var, known), known)
    return steps


def _begin(start: Affine, scalars: frozenset[str]) -> int:
    """As `_granule`; shares as long as a size says (`task * per`) are longer than any step."""
    terms = ((m, f) for m, f in start.terms if not any(atom_variables(a) & scalars for a in m))
    return _granule(Affine(tuple(terms)), {})


def _granule(form: Affine, steps: Mapping[str, int]) -> int:
    """A number that all values of the form are multiples of."""
    found = 0
    for monomial, factor in form.terms:
        for atom in monomial:
            factor *= steps.get(getattr(atom, "name", ""), 1)
        found = gcd(found, factor)
    return found
