"""Cases other than those that a search found: other flags and factors, further sizes, and any asked for.

Extents are formulas over the sizes; where there are none the call is interpreted, while there is time.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import prod

from xpiler.gate.contract import Case, Scalar, Values
from xpiler.gate.conversions import converts
from xpiler.gate.extents import extent_value
from xpiler.gate.further_cases import (
    fitted_extent,
    further_sizes,
    granule,
    least_sizes,
    with_many_places,
)
from xpiler.gate.host_arrays import with_empty_parts
from xpiler.gate.infer_function import FunctionSearch
from xpiler.gate.infer_program import ProgramSearch
from xpiler.gate.infer_search import Search, Trial, badness
from xpiler.gate.kept_orders import keeping_orders
from xpiler.gate.largest_index import largest_elements
from xpiler.gate.overrides import Overrides
from xpiler.gate.scalar_cases import compared, far_limits, float_limits, scalar_cases, wide_numbers
from xpiler.gate.setups import Setups
from xpiler.ir.largest_index import largest_of
from xpiler.ir.nodes import Const, Decl, Expr
from xpiler.ir.rewrite import walk_stmts

_SEED = 1001
_WIDE_SEED = 8301
_ASKED_SEED = 8501  # of cases that somebody asks for
_FEW_PLACES = 8  # that indices of further cases choose among
_REACH = 4  # times the largest size: how far data lead that may lead anywhere
_SECONDS = 1.0  # of processor time, where further cases have to be interpreted
_SECONDS_ASKED = 4.0  # for all cases that are asked for
_MOST_ELEMENTS = 1 << 23  # of all arrays of a further case
_MOST_WORK = 1 << 21  # the product of all sizes of a case that is asked for

_Extents = dict[str, Callable[[Mapping[str, int]], int | None]]


class Elsewhere:
    """Where else an entry may be run, as `usable` trials of a `search` say."""

    def __init__(
        self, search: Search, usable: Sequence[Trial], overrides: Overrides, formulas: Mapping[str, Expr]
    ) -> None:
        self._search, self._overrides = search, overrides
        found = [trial for trial in usable if not trial.stated]
        self._base = found[0] if found and not isinstance(search, ProgramSearch) else None
        free = [name for name in search.sizes if name not in search.fixed]
        self._numbers = {n: v for n, v in search.numbers.items() if not overrides.scalar_choices(n)}
        self._asked = {
            name: values
            for name, values in compared(search.entry, search.kernels.values(), search.unit.launches).items()
            if name in free
        }
        self._limits = float_limits(search.entry, search.kernels.values(), search.unit.launches)
        wide = wide_numbers(search.entry, search.kernels.values(), search.unit.launches)
        if search.entry.kind == "host":
            reached = Setups(search.unit).reached_by_name(search.entry.function)
            bodies = [function.body for function in reached]
            wide |= far_limits(search.entry, search.kernels.values(), search.unit.launches, bodies)
        self._wide = {name: value for name, value in wide.items() if name in free}
        self._stated = not free
        if self._stated:
            found = list(usable)
            free = [n for n in search.sizes if len(set(overrides.scalar_choices(n))) > 1]
        if self._base is not None:  # what callers choose, types of elements for one, decides on extents
            found = [t for t in found if all(t.sizes[n] == self._base.sizes[n] for n in search.choosing)]
        self._found, self._free = found, free
        self._formulas = formulas
        self._deadline = 0.0
        self._left = _SECONDS_ASKED

    @cached_property
    def _extents(self) -> _Extents | None:
        """The extents as functions of the sizes, unless the call says otherwise at some of the further ones:
        a number of blocks may be the same at all sizes that were found, and has a limit."""
        if self._base is None or self._overrides.shapes or _has_own_arrays(self._search):
            return None
        at = _extents_at([*self._found, *self._search.dropped], self._free, self._formulas)
        further = list(further_sizes([trial.sizes for trial in self._found], self._free)) if at else []
        meant = [sizes for sizes in further if self._search.is_meant(sizes)]
        for sizes, case in zip(meant, self._search.told(meant), strict=True):
            said = dict(case.extents) if case is not None else {}
            if at is not None and any(at[name](sizes) != extent for name, extent in said.items()):
                return None
        return at

    def cases(self) -> Iterator[Case]:
        """Cases with other flags and factors, then at further sizes."""
        if self._base is None:
            return
        yield from scalar_cases(self._base.case, self._numbers, self._asked, self._limits)
        if (case := with_empty_parts(self._base.case)) is not None:
            yield case
        if self._overrides.shapes:
            return
        self._deadline = time.thread_time() + _SECONDS
        for number, (name, value) in enumerate(self._wide.items()):
            if (case := self._case({**self._base.sizes, name: value})) is not None:
                yield replace(case, seed=_WIDE_SEED + number)
        tried = [trial.sizes for trial in self._found]
        lengths = [] if self._extents is None else [name for name in self._free if self._is_length(name)]
        further = (
            least_sizes(tried, self._free) if self._stated else further_sizes(tried, self._free, lengths)
        )
        for number, sizes in enumerate(self._with_orders(further, tried)):
            case = self._case(sizes)
            if case is not None:
                yield replace(case, seed=_SEED + number)
                if self._search.anywhere:
                    yield self._spread(replace(case, seed=_SEED + number))
        if self._search.anywhere and not self._stated:
            for sizes in with_many_places(self._base.sizes, self._free):
                case = self._case(sizes)
                if case is not None:
                    yield self._spread(replace(case, seed=_SEED))

    def _with_orders(
        self, further: Iterator[dict[str, int]], tried: Sequence[Mapping[str, int]]
    ) -> Iterator[dict[str, int]]:
        """The sizes, and those with another one raised that was never less before."""
        for sizes in further:
            yield sizes
            for name, value in keeping_orders(sizes, self._free, tried):
                yield {**sizes, name: value}

    def _spread(self, case: Case) -> Case:
        """The case with data that lead anywhere: guards bound what they pick."""
        sizes = [int(value) for _, value in case.scalars if isinstance(value, int) and value > 0]
        most = _REACH * max(sizes, default=_FEW_PLACES)
        beyond = tuple(sorted({-1, *sizes, *(size - 1 for size in sizes)}))
        spread = Values("spread", 0, most, beyond=beyond)
        known = dict(self._overrides.values)
        uses = self._search.index_uses()
        values = tuple(
            (n, spread if uses.get(n) == "index" and n not in known else v) for n, v in case.values
        )
        if any(map(converts, self._search.kernels.values())):
            case = replace(case, fill="spread", landmarks=(float(most),))
        return replace(case, values=values)

    def at(self, changes: Mapping[str, Scalar], kept: str = "") -> Case | None:
        """The first case with other values of scalars that nobody stated; None where there is none, or it
        would be much work. `kept`: a size that is large only as another one is, as strides are."""
        known = {*self._numbers, *(() if self._stated else self._free)}
        if self._base is None or not changes.keys() <= known:
            return None
        case: Case | None = self._base.case
        sizes = {name: int(value) for name, value in changes.items() if name in self._free}
        if sizes:
            if any(size % granule([t.sizes[n] for t in self._found]) for n, size in sizes.items()):
                return None
            counted = [max(1, abs(v)) for name, v in sizes.items() if name != kept]
            if self._overrides.shapes or prod(counted) > _MOST_WORK:
                return None
            rest = {**self._base.sizes, **sizes}
            if prod(rest[name] for name in self._free if name != kept) > _MOST_WORK:
                return None
            begun = time.thread_time()
            self._deadline = begun + self._left
            case = self._case(rest)
            self._left -= time.thread_time() - begun
            if case is not None and self._search.anywhere:
                case = self._spread(case)
        if case is None:
            return None
        return replace(case, scalars=tuple({**dict(case.scalars), **changes}.items()), seed=_ASKED_SEED)

    def _case(self, sizes: Mapping[str, int]) -> Case | None:
        """The case at other sizes, None where they are not meant or not known to be right."""
        search, base = self._search, self._base
        assert base is not None
        if not search.is_meant(sizes):
            return None
        case: Case | None = None
        if self._extents is not None:
            values = self._tame(min(sizes[name] for name in self._free))
            values |= dict(self._overrides.values)
            told = {**sizes, **largest_elements(values, {})}
            known = {name: extent(told) or 0 for name, extent in self._extents.items()}
            if min(known.values(), default=0) > 0:
                case = search.case_at(sizes, known, values)
        elif (call := search.told([sizes])[0]) is not None:
            case = call
        elif time.thread_time() < self._deadline:
            trial = min(search.attempt(sizes), key=badness)
            case = trial.case if badness(trial) <= (False, False, base.flaws) else None
        if case is not None and self._is_without_room(sizes, case):
            return None
        small = case is not None and sum(extent for _, extent in case.extents) <= _MOST_ELEMENTS
        return case if small else None

    def _is_without_room(self, sizes: Mapping[str, int], case: Case) -> bool:
        """Whether a size below 0 leaves nothing of arrays that have elements at others: what the host then
        asks for means nothing."""
        base = self._base
        assert base is not None
        negative = any(sizes[name] < 0 <= base.sizes[name] for name in self._free)
        return negative and any(e <= 1 < base.case.extent(name) for name, e in case.extents)

    def _is_length(self, name: str) -> bool:
        """Whether an array is longer where this size is larger."""
        assert self._extents is not None
        picked = {largest_of(array).name: _FEW_PLACES for array in self._search.index_uses()}
        sizes = {**self._found[0].sizes, **picked}
        larger = {**sizes, name: 2 * sizes[name]}
        return any(extent(larger) != extent(sizes) for extent in self._extents.values())

    def _tame(self, smallest: int) -> dict[str, Values]:
        """Contents of the base case's arrays, indices none beyond the smallest of the sizes: whatever they
        choose among has as many elements."""
        values = dict(self._found[0].case.values)
        for name, use in self._search.index_uses().items():
            known = values.get(name)
            if use in ("index", "lengths") and (known is None or known.kind == "index"):
                high = _FEW_PLACES if known is None else known.high
                most = smallest + 1 if use == "lengths" else smallest
                values[name] = Values("index", 0, max(1, min(high, most)))
        return values


def _has_own_arrays(search: Search) -> bool:
    """Whether a plain function asks for memory. No guard page lies behind that: whether sizes are within
    its meaning shows only where it is interpreted."""
    return isinstance(search, FunctionSearch) and any(
        isinstance(s, Decl) and not all(isinstance(extent, Const) for extent in s.shape)
        for s in walk_stmts(search.kernel.body)
    )


def _extents_at(found: Sequence[Trial], free: Sequence[str], formulas: Mapping[str, Expr]) -> _Extents | None:
    """The extents of all arrays as functions of the sizes; None if some array has none, or a single size
    tells none."""
    at: _Extents = {}
    for name in dict(found[0].case.extents):
        fitted = fitted_extent([(trial.sizes, trial.case.extent(name)) for trial in found], free)
        if name in formulas:
            at[name] = functools.partial(extent_value, formulas[name])
        elif fitted is not None and len(found) > 1:
            at[name] = fitted
        else:
            return None
    return at
