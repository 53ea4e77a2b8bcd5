"""Rows or columns that one access does not guard, though others do.

    a = r < M && k < K ? A[r * K + k] : 0;
    if (c < N)  C[r * N + c] = ...             r goes beyond M: that of A was asked for, this one was not

    if (c < N || r < M)  C[r * N + c] = ...    one of the two suffices, so that the other goes beyond

    for (c = thread; c <= N; c += threads)  s += x[block * N + c];     c reaches the row of the next block

Which array ends where nothing tells; the guards of the others say how far the threads' indices count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xpiler.ir.affine import linear
from xpiler.ir.affine_form import Affine, divide_out, of_atom, of_var
from xpiler.ir.nodes import Binary, Expr, Function, Unary
from xpiler.ir.rewrite import substitute
from xpiler.ir.types import BOOL
from xpiler.symbolic.extents import Limits, Suggested, holds, reached_places
from xpiler.symbolic.shape import AXES

Bound = tuple[Affine, Affine]  # what moves, and the parameter that it is kept below


def beyond_rows(kernel: Function, defined: Mapping[str, Expr]) -> list[Suggested]:
    """Accesses to look at in a run, as `beyond_guards` has them."""
    scalars = frozenset(p.name for p in kernel.params if not p.is_pointer and p.dtype.is_integer)
    passed = {p.name for p in kernel.params if p.is_pointer}
    places = [(p, limits) for p, limits in reached_places(kernel) if p.array in passed and len(p.index) == 1]
    asked: dict[Affine, tuple[Affine, Binary]] = {}
    for _, limits in places:
        for limit in limits:
            for moving, size in _bounds(limit, defined, scalars):
                if limit.range is not None and _axes(moving):  # a comparison of threads, no end of a loop
                    asked.setdefault(moving, (size, limit))
    found = []
    for place, limits in places:
        index = linear(substitute(place.index[0], defined))
        for name in sorted(scalars & index.variables()) if index is not None else ():
            assert index is not None
            row, column = divide_out(index, of_var(name))
            row, column = row - row.constant, column - column.constant
            here = {moving: size for limit in limits for moving, size in _bounds(limit, defined, scalars)}
            for free, kept in ((row, column), (column, row)):
                if free in here or kept not in here or free not in asked or not _axes(free):
                    continue
                size, limit = asked[free]
                if (free == row and str(here[kept]) != name) or (free == column and str(size) != name):
                    continue
                if not _is_asked(free, limits, defined):
                    rows = size if free == row else here[kept]
                    found.append(
                        Suggested(
                            place,
                            rows * of_var(name),
                            limit,
                            False,
                            is_bare=True,
                            axes=_axes(free),
                            count=size,
                        )
                    )
    return found


def beyond_either(kernel: Function, defined: Mapping[str, Expr]) -> list[Suggested]:
    """Accesses at a row, a column (and a plane), of which a guard keeps one or the other within its size."""
    scalars = frozenset(p.name for p in kernel.params if not p.is_pointer and p.dtype.is_integer)
    passed = {p.name for p in kernel.params if p.is_pointer}
    kept = {id(place): limits for place, limits in reached_places(kernel)}
    found = []
    for place, limits in reached_places(kernel, _one_of):
        index = linear(substitute(place.index[0], defined)) if len(place.index) == 1 else None
        for either in limits if index is not None and place.array in passed else ():
            sides = [side for side in (either.left, either.right) if isinstance(side, Binary)]
            if either.op != "||" or len(sides) != 2 or index is None:
                continue
            loose = dict(bound for side in sides for bound in _bounds(side, defined, scalars))
            others = dict(bound for limit in kept[id(place)] for bound in _bounds(limit, defined, scalars))
            if len(loose) != 2 or loose.keys() & others.keys() or not all(map(_axes, loose)):
                continue
            extent = _extent(index, {**loose, **others}, frozenset(loose))
            if extent is not None:
                found.append(Suggested(place, extent, either, True))
    return found


def beyond_row_of_block(kernel: Function, defined: Mapping[str, Expr]) -> list[Suggested]:
    """Accesses in a row of its own for each block, at a place that a comparison lets go one too far."""
    scalars = frozenset(p.name for p in kernel.params if not p.is_pointer and p.dtype.is_integer)
    passed = {p.name for p in kernel.params if p.is_pointer}
    found = []
    for place, limits in reached_places(kernel):
        index = linear(substitute(place.index[0], defined)) if len(place.index) == 1 else None
        for limit in limits if index is not None and place.array in passed else ():
            assert index is not None
            for moving, size in _bounds(limit, defined, scalars, 1):
                row, column = divide_out(index, of_var(str(size)))
                if row.terms and column == moving and row.variables() <= _BLOCKS | _GRID:
                    found.append(Suggested(place, _last_block(row) * size + size, limit, True))
    return found


_BLOCKS, _GRID = (frozenset(f"{name}.{axis}" for axis in AXES) for name in ("blockIdx", "gridDim"))


def _last_block(row: Affine) -> Affine:
    """The number that the last block has."""
    last = {name: of_var(name.replace("blockIdx", "gridDim")) - 1 for name in _BLOCKS}
    total = Affine()
    for monomial, factor in row.terms:
        value = Affine((((), factor),))
        for atom in monomial:
            value = value * last.get(getattr(atom, "name", ""), of_atom(atom))
        total = total + value
    return total


def _extent(index: Affine, known: Mapping[Affine, Affine], asked: frozenset[Affine]) -> Affine | None:
    """How many elements there are of an index `(z * Y + y) * X + x` of bounded coordinates, all of those
    that are `asked` for among them."""
    if index in known and asked <= {index}:
        return known[index]
    for moving, size in known.items():
        row, column = divide_out(index, of_var(str(size)))
        if row.terms and column == moving:
            rest = {m: s for m, s in known.items() if m != moving}
            rows = _extent(row, rest, asked - {moving})
            if rows is not None:
                return rows * size
    return None


def _one_of(condition: Expr, value: bool) -> Iterator[Binary]:
    """Pairs of comparisons of which one holds if the condition is `value`."""
    match condition:
        case Unary(op="!", operand=operand):
            yield from _one_of(operand, not value)
        case Binary(op="&&" | "||", left=left, right=right) if (condition.op == "&&") is value:
            yield from _one_of(left, value)
            yield from _one_of(right, value)
        case Binary(op="&&" | "||", left=left, right=right):
            for one in holds(left, value):
                for other in holds(right, value):
                    yield Binary(BOOL, "||", one, other, range=condition.range)


def _bounds(
    limit: Binary, defined: Mapping[str, Expr], scalars: frozenset[str], beyond: int = 0
) -> Iterator[Bound]:
    """`moving + c < size` with a parameter `size`, exactly up to it, or so far beyond."""
    one, other = (linear(substitute(e, defined)) for e in (limit.left, limit.right))
    if one is None or other is None or one.variables() & scalars:
        return
    bound = other - one.constant + (1 if limit.op == "<=" else 0) - beyond
    if (
        not bound.constant
        and len(bound.terms) == 1
        and bound.terms[0][1] == 1
        and bound.variables() <= scalars
    ):
        yield one - one.constant, bound


def _axes(moving: Affine) -> str:
    """Of the launch, along which it is the number of a thread."""
    names = moving.variables()
    return "".join(a for a in AXES if f"blockIdx.{a}" in names and f"threadIdx.{a}" in names)


def _is_asked(free: Affine, limits: Limits, defined: Mapping[str, Expr]) -> bool:
    """Whether any comparison on the way speaks of what moves."""
    moving = {n for n in free.variables() if "Idx." in n}
    for limit in limits:
        for side in (limit.left, limit.right):
            form = linear(substitute(side, defined))
            if form is None or form.variables() & moving:
                return True
    return False
