"""Accesses that leave the rest of a size out of account, where nothing tells how large an array is.

    i = 4 * t;  if (i < n)  for (k = 0; k < 4; ++k) y[i + k] = 0;      n = 6: t = 1 goes on to y[7]
    for (i = task * 1024; i < n; i += tasks * 1024)  memcpy(buf, x + i, 1024)
                                   a chunk is as long as the step, and only its first element is guarded
    s[t] = g < n ? in[g] : 0;  s[t + B] = in[g + B];  if (g < n) out[g] = ...
                                   of two accesses like each other one is guarded and the other is not
    if (lane < n % 16 + 1)  y[i + lane] = ...
                                   the rest is thought of, and one is too many

A chunk that is longer than its step is a window, whose array has more elements. Whether a size that is no
multiple of the chunk is ever passed nobody can tell from the kernel alone. That a write is guarded by the
same size says that it is how far the work goes, and that its rest was thought of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import gcd

from xpiler.ir.affine import linear
from xpiler.ir.affine_form import (
    Affine,
    Mod,
    Monomial,
    atom_variables,
    divide_out,
    lift,
    of_var,
)
from xpiler.ir.nodes import Assign, Binary, Call, Const, Expr, For, Function, Load, Select, Var, While
from xpiler.ir.rewrite import substitute, walk
from xpiler.ir.source import SourceRange
from xpiler.symbolic.extents import Limits, Suggested, reached_places
from xpiler.symbolic.scalars import roles
from xpiler.symbolic.shape import AXES, LaunchShape


def beyond_tails(
    kernel: Function, defined: Mapping[str, Expr], block: tuple[int, int, int]
) -> list[Suggested]:
    """Accesses to look at in a run, as `beyond_guards` has them. `block`: its threads."""
    return [*_chunks(kernel, defined, block), *_unguarded(kernel, defined), *_masked(kernel, defined)]


def _chunks(kernel: Function, defined: Mapping[str, Expr], block: tuple[int, int, int]) -> list[Suggested]:
    passed = {p.name for p in kernel.params if p.is_pointer}
    scalars = frozenset(p.name for p in kernel.params if not p.is_pointer)
    steps = _steps(kernel, defined, scalars)
    turned = _turned(kernel)
    threads = {f"threadIdx.{axis}": count - 1 for axis, count in zip(AXES, block, strict=True)}
    any_sizes = _any_sizes(kernel, defined, scalars, steps, turned)
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
            step = _granule(moving, {**steps, **turned.get(limit.range, {})})
            is_any = _bounded(limit, defined, scalars) is None or size.variables() <= any_sizes
            for form, length in ((index, lift(1)), *_rows_of(index, limits, defined, scalars)):
                if not set(moving.terms) <= set(form.terms):
                    continue
                rest, rows = _within_row(form - moving, size, limits, defined, scalars)
                longest = _longest(rest, limits, defined, steps, threads if is_any else {})
                if longest is not None:
                    suggested = Suggested(
                        place, size * rows * length, limit, False, chunk=step, any_size=is_any
                    )
                    beyond.append((over + longest, longest, suggested))
        if beyond:
            excess, longest, suggested = min(beyond, key=lambda b: b[0])
            if excess > 0 and 0 < longest < suggested.chunk:
                found.append(suggested)
    return found


def _rows_of(
    index: Affine, limits: Limits, defined: Mapping[str, Expr], scalars: frozenset[str]
) -> Iterator[tuple[Affine, Affine]]:
    """The number of the row and its length, where a guard keeps the place in it below: `row * n + column`."""
    for limit in limits:
        bounded = _bounded(limit, defined, scalars)
        if bounded is not None and bounded[2] <= 0:
            row, column = divide_out(index, bounded[1])
            if row.terms and (column - bounded[0]).as_int == 0:
                yield row, bounded[1]


def _any_sizes(
    kernel: Function,
    defined: Mapping[str, Expr],
    scalars: frozenset[str],
    steps: Mapping[str, int],
    turned: Mapping[SourceRange | None, Mapping[str, int]],
) -> frozenset[str]:
    """Parameters of which any value is meant: single elements are asked whether they are below one, or
    something takes it for no multiple."""
    known = roles(kernel, dict(defined), LaunchShape((1, 1, 1), (1, 1, 1)))
    found = {name for name, role in known.items() if role.tails}
    for _, limits in reached_places(kernel):
        for limit in limits:
            bounded = _bounded(limit, defined, scalars) if limit.range is not None else None
            if bounded is not None and bounded[2] <= 0:
                moving, size, _ = bounded
                if _granule(moving, {**steps, **turned.get(limit.range, {})}) == 1:
                    found |= size.variables()
    return frozenset(found)


def _turned(kernel: Function) -> dict[SourceRange | None, dict[str, int]]:
    """By the comparisons that end loops, what their counters go by: `while (i + 16 <= n) i += 16`."""
    found: dict[SourceRange | None, dict[str, int]] = {}
    for loop in walk(kernel.body):
        if not isinstance(loop, While):
            continue
        own = {
            n.target.name: int(n.value.value)
            for part in (loop.advance, loop.body)
            for n in part.body
            if isinstance(n, Assign)
            and isinstance(n.target, Var)
            and n.reduce == "+"
            and isinstance(n.value, Const)
        }
        for node in walk(loop.condition):
            if isinstance(node, Binary):
                found[node.range] = own
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


def _masked(kernel: Function, defined: Mapping[str, Expr]) -> list[Suggested]:
    """Accesses of as many elements as a rest says, which must be the last ones of a size, or of its rows."""
    scalars = frozenset(p.name for p in kernel.params if not p.is_pointer and p.dtype.is_integer)
    passed = {p.name for p in kernel.params if p.is_pointer}
    found = []
    for place, limits in reached_places(kernel):
        index = _form(place, defined) if place.array in passed else None
        for limit in limits if index is not None else ():
            size = _rest_of(limit, defined, scalars)
            if index is None or size is None:
                continue
            row, _ = divide_out(index, of_var(size))
            bounds = (b for other in limits if (b := _bounded(other, defined, scalars)) is not None)
            plain = lift(1) if len(index.terms) == 2 and not index.variables() & scalars else None
            rows = next((b[1] for b in bounds if b[0] == row and not b[2]), None) if row.terms else plain
            if rows is not None:
                found.append(Suggested(place, rows * of_var(size), limit, True))
                break
    return found


def _rest_of(limit: Binary, defined: Mapping[str, Expr], scalars: frozenset[str]) -> str | None:
    """`n` of `k < n % 16 + c`."""
    one, other = (linear(substitute(e, defined)) for e in (limit.left, limit.right))
    if one is None or other is None or one.variables() & scalars or len((other - other.constant).terms) != 1:
        return None
    monomial, factor = (other - other.constant).terms[0]
    if factor != 1 or len(monomial) != 1 or not isinstance(monomial[0], Mod):
        return None
    whole = monomial[0].operand
    names = whole.variables() & scalars
    return next(iter(names)) if len(names) == 1 and whole == of_var(next(iter(names))) else None


def _form(place: Load, defined: Mapping[str, Expr]) -> Affine | None:
    return linear(substitute(place.index[0], defined)) if len(place.index) == 1 else None


def _bounded(
    limit: Binary, defined: Mapping[str, Expr], scalars: frozenset[str]
) -> tuple[Affine, Affine, int] | None:
    """`moving`, the `size` that it is compared with, and how far it may go beyond the last element."""
    one, other = (linear(substitute(e, defined)) for e in (limit.left, limit.right))
    if one is None or other is None:
        return None
    form = one - other  # `k < n - i` is `k + i < n`
    sizes = Affine(tuple((m, -f) for m, f in form.terms if m and Affine(((m, f),)).variables() <= scalars))
    moving = form + sizes - form.constant
    if not moving.terms or moving.variables() & scalars or len(sizes.terms) != 1 or sizes.terms[0][1] != 1:
        return None
    return moving, sizes, (1 if limit.op == "<=" else 0) - form.constant


def _each_bounded(
    limit: Binary, defined: Mapping[str, Expr], scalars: frozenset[str]
) -> Iterator[tuple[Affine, Affine, int]]:
    """What is below the smaller of two is below each: `i < min(end, n)`."""
    bound = substitute(limit.right, defined)
    match bound:
        case Call(function="min", args=parts):
            pass
        case Binary(op="/", left=left, right=Const(value=by)) if limit.op == "<":
            # `tile < (n + 15) / 16`: the first element of the tile is below n
            whole, tile = linear(left), linear(substitute(limit.left, defined))
            if whole is not None and tile is not None and whole.constant == by - 1 and not tile.constant:
                size = whole - whole.constant
                if len(size.terms) == 1 and size.terms[0][1] == 1 and size.variables() <= scalars:
                    yield tile * int(by), size, 0
            return
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


def _longest(
    rest: Affine,
    limits: Limits,
    defined: Mapping[str, Expr],
    steps: Mapping[str, int],
    threads: Mapping[str, int],
) -> int | None:
    """The largest value of what is added to the guarded index, a sum of counters from zero, or threads; None
    where one of them has no number for its end."""
    total = rest.constant
    ends: dict[Monomial, int] = {}
    for limit in limits:
        one, other = (linear(substitute(e, defined)) for e in (limit.left, limit.right))
        if one is None or other is None or len(one.terms) != 1 or one.terms[0][1] != 1 or one.constant:
            continue
        if (end := other.as_int) is not None:
            monomial = one.terms[0][0]
            by = steps.get(getattr(monomial[0], "name", ""), 1) if len(monomial) == 1 else 1
            ends[monomial] = (end - (limit.op == "<")) // max(by, 1) * max(by, 1)
    for monomial, factor in rest.terms:
        name = getattr(monomial[0], "name", "") if len(monomial) == 1 else ""
        end = ends.get(monomial, threads.get(name)) if monomial else 0
        if factor < 0 or end is None:
            return None
        total += factor * end
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
