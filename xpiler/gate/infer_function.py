"""The sizes of a plain C function on arrays: it is run in the IR interpreter with candidate sizes.

Sizes that the user states may take the interpreter too long. Then the function is run at smaller ones, the
extents found there are made formulas, and these say the extents at the sizes stated. Whether they are right
shows where the compiled function runs: between guard pages.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations, islice
from math import lcm, prod

from xpiler.errors import Refusal
from xpiler.gate.contract import Launch, Role, make_case
from xpiler.gate.extents import extent_formula, extent_value, is_in_doubt
from xpiler.gate.infer_launch import stated_extent
from xpiler.gate.infer_search import (
    SECONDS,
    Question,
    Search,
    Trial,
    badness,
    in_modes,
)
from xpiler.gate.infer_sizes import candidates, one_large, scaled_down, structured
from xpiler.gate.infer_telling import Started
from xpiler.gate.largest_index import largest_elements
from xpiler.gate.observe import Buffer, Fill, Step
from xpiler.gate.whole_arrays import is_product, overruns, rounded_up, steps_of, whole_multiples, whole_rows
from xpiler.ir.build import const, mul
from xpiler.ir.index_arrays import index_arrays
from xpiler.ir.interpret_declare import NegativeExtent
from xpiler.ir.nodes import Expr, Function
from xpiler.ir.types import I64
from xpiler.passes.canonical import canonicalise
from xpiler.passes.parallel import mark_parallel
from xpiler.passes.serial import serial_form
from xpiler.passes.twin_branches import merge_twins

_FURTHER = 24  # sizes tried to hold formulas of extents against
_GRANULES = (1, 4, 16, 64)  # of them, where all sizes are stated
_VECTORS = (16, 64)  # lanes of a register
_FEW, _ENOUGH = 3, 5  # of them that did something: with fewer others are tried, until there are enough
_ONCE = Launch((1, 1, 1), (1, 1, 1))


def _with_separate_arrays(function: Function) -> Function:
    """No array is another one: every run gives each memory of its own."""
    params = tuple(replace(p, is_restrict=True) if p.is_pointer else p for p in function.params)
    return replace(function, params=params)


def _at_others(step: Step | Fill) -> Step | Fill:
    """The call with other integers, all of them larger."""
    if isinstance(step, Fill):
        return step
    return replace(step, arguments=tuple(2 * v + 1 if type(v) is int else v for v in step.arguments))


class FunctionSearch(Search):
    """Interprets the function, its independent loops as lanes."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.kernel = _with_separate_arrays(self.kernels[self.entry.kernels[0]])
        self.runnable = mark_parallel(merge_twins(serial_form(self.kernel))).function
        self.seen: list[tuple[dict[str, int], dict[str, int]]] = []  # sizes and extents that go together
        self.roles: dict[str, Role] = {}  # of the arrays, at any of these sizes
        self.learning = False
        self.in_steps = False  # whether loops in steps may use the whole of their last one

    @property
    def units(self) -> dict[str, int]:
        """Also the steps of loops: what takes no part of one goes beyond its arrays at other sizes."""
        steps, divisors = steps_of(self.kernel, self.sizes), super().units
        return {n: lcm(steps.get(n, 1), divisors.get(n, 1)) for n in (*steps, *divisors)}

    def index_uses(self) -> dict[str, str]:
        return dict(index_arrays(self.kernel))

    def room_for_data(self, steps: Sequence[Step | Fill], buffers: Mapping[str, Buffer]) -> dict[str, int]:
        """Only whole products of sizes, and tables of one length whatever the sizes: a device gets copies as
        long as the formulas say, and where a mask ends a row is not seen. In the canonical form, where lanes
        of indices are indices and their masks are conditions."""
        shown = [replace(s, kernel=self.shapely()) if isinstance(s, Step) else s for s in steps]
        found = super().room_for_data(shown, buffers)
        within = self.anywhere
        fixed = super().room_for_data([_at_others(s) for s in shown], buffers)
        widths = {p.name: p.dtype.bytes for p in self.kernel.params}
        (step,) = (s for s in steps if isinstance(s, Step))
        sizes = [v for v in step.arguments if isinstance(v, int) and v > 0]
        products = {prod(some) for count in range(1, len(sizes) + 1) for some in combinations(sizes, count)}
        room = {n: s for n, s in found.items() if s // widths[n] in products or fixed.get(n) == s}
        self.anywhere = within and len(room) == len(found)
        return room

    def run(self) -> list[Trial]:
        """The trials of sizes whose extents formulas explain, if there are any.

        A function of whole vectors that is given a part of one reaches beyond its rows:

            for (n = 0; n < N; n += 16) y[n ... n + 16] = x[n*K ... n*K + 16]       N = 8: 16 elements of y

        What no whole vectors explain either fills its last step, as a packed copy does.
        """
        found = self.two_sizes()
        if not found or badness(found[0])[:2] != (False, False) or self.fixed:
            return found
        if self.is_explained():
            return self.whole_steps() or found
        first = list(self.seen), dict(self.roles)
        for granule in _VECTORS:
            self.seen, self.roles = [], {}
            self.deadline = time.thread_time() + SECONDS
            whole = [
                trial
                for seed in (0, 1)
                for trial in self.collect(iter([structured(self.sizes, granule, seed)]), 1)
                if badness(trial) == (False, False, 0)
            ]
            if len(whole) == 2:
                self.learn(scaled_down(dict.fromkeys(self.sizes, granule), granule))
                if self.is_explained():
                    return whole
        self.seen, self.roles = first
        self.in_steps = True
        return self.whole_steps() or found if self.is_explained() else found

    def written(self) -> list[str]:
        return [name for name, role in self.roles.items() if role is not Role.IN]

    def observed(self, name: str) -> list[tuple[dict[str, int], int]]:
        """The elements that an array was seen to have, by sizes."""
        return [(sizes, extents[name]) for sizes, extents in self.seen if name in extents]

    def whole_steps(self) -> list[Trial]:
        """Trials of multiples of the steps of loops, if rows are written over into others between them."""
        steps = steps_of(self.kernel, self.sizes)
        if not steps or all(is_product(self.observed(name), self.sizes) for name in self.written()):
            return []
        first = list(self.seen), dict(self.roles)
        self.seen, self.roles = [], {}
        self.deadline = time.thread_time() + SECONDS
        multiples = list(whole_multiples(self.sizes, steps))
        tried = [trial for sizes in multiples for trial in self.collect(iter([sizes]), 1)]
        clean = [trial for trial in tried if badness(trial) == (False, False, 0)]
        if len(clean) < len(multiples):  # sizes that go together: as many heads as groups, or more
            multiples = [rounded_up(sizes, steps) for sizes, _ in first[0][: len(multiples)]]
            tried = [trial for sizes in multiples for trial in self.collect(iter([sizes]), 1)]
            clean = [trial for trial in tried if badness(trial) == (False, False, 0)]
        if len(clean) == len(multiples) and any(
            overruns([(s, e[name]) for s, e in first[0]], self.observed(name), steps, self.sizes)
            for name in self.written()
        ):
            return clean[:2]
        self.seen, self.roles = first
        return []

    def wholes(self) -> dict[str, tuple[str, ...]]:
        """The sizes whose product an array has, of which the function reads all but a part of its end."""
        given = dict(self.overrides.shapes)
        read = [name for name, role in self.roles.items() if role is Role.IN and name not in given]
        found = {name: whole_rows(self.observed(name), self.sizes) for name in read}
        return {name: factors for name, factors in found.items() if factors}

    def is_explained(self) -> bool:
        return len(self.formulas()) == sum(param.is_pointer for param in self.kernel.params)

    def formulas(self) -> dict[str, Expr]:
        """The extents of the arrays as formulas: stated, else found (see `extents.py`)."""
        others = (
            [scaled_down(self.fixed, granule) for granule in _GRANULES]
            if self.all_stated
            else [candidates(self.sizes, self.fixed, 2, super().units)]
        )
        known, found = list(self.seen), self.explained()
        different = len({tuple(sizes.items()) for sizes, _ in known})
        for further in others if different < _FEW and self.sizes else ():
            self.seen = list(known)
            self.learn(further)
            found = self.explained()
            if len(found) == sum(param.is_pointer for param in self.kernel.params):
                break
        if found and self.sizes and not self.all_stated and self.is_in_doubt():
            self.learn(one_large(self.sizes, self.fixed), enough=_FURTHER)
            found = self.explained()
        return found

    def learn(self, further: Iterator[dict[str, int]], enough: int = _ENOUGH) -> None:
        """Runs the function at further sizes until formulas have enough to be held against."""
        self.learning = True
        for sizes in islice(further, _FURTHER):
            deque(self.attempt(sizes), maxlen=0)
            if len(self.seen) >= enough and not (self.all_stated and self.is_in_doubt()):
                break
        self.learning = False

    def is_in_doubt(self) -> bool:
        """Whether the sizes seen do not tell what the extents are at others, or at those stated: all images
        were square, no window took a second step."""
        given = dict(self.overrides.shapes)
        places = [self.fixed] if self.all_stated else list(one_large(self.sizes, self.fixed))
        return any(
            is_in_doubt(
                self.shapely(),
                p.name,
                [(sizes, extents[p.name]) for sizes, extents in self.seen],
                places,
                in_steps=self.in_steps,
            )
            for p in self.kernel.params
            if p.is_pointer and p.name not in given
        )

    def explained(self) -> dict[str, Expr]:
        """Formulas that are right at all sizes seen, by array."""
        found: dict[str, Expr] = {}
        given = dict(self.overrides.shapes)
        for param in self.kernel.params:
            if not param.is_pointer:
                continue
            if param.name in given:
                elements: Expr = const(1, I64)
                for extent in given[param.name]:
                    elements = mul(elements, stated_extent(extent, self.kernel))
                found[param.name] = elements
                continue
            observed = [(sizes, extents[param.name]) for sizes, extents in self.seen]
            formula = extent_formula(self.shapely(), param.name, observed, in_steps=self.in_steps)
            if formula is None:  # what is read for nothing, to have it near, is not in the canonical form
                formula = extent_formula(self.kernel, param.name, observed, in_steps=self.in_steps)
            if formula is not None:
                found[param.name] = formula
        return found

    @property
    def all_stated(self) -> bool:
        return bool(self.sizes) and len(self.fixed) == len(self.sizes)

    @cache  # noqa: B019 - a search lives as long as a translation
    def shapely(self) -> Function:
        """The canonical form, whose loops end where arrays do; the function itself if it has none."""
        try:
            return canonicalise(self.kernel).function
        except Refusal:
            return self.runnable

    def started_at(self, candidates: Sequence[Mapping[str, int]]) -> Iterator[list[Started] | None]:
        for sizes in candidates:
            yield [Started(self.kernel.name, self.kernel, {**self.numbers, **sizes}, (1, 1, 1))]

    def attempt(self, sizes: Mapping[str, int]) -> Iterator[Trial]:
        try:
            yield from in_modes(self.index_uses(), lambda mode: self._observed(sizes, mode))
        except NegativeExtent as refusal:  # a window larger than the image: sizes that are not meant
            case = make_case({**self.numbers, **sizes}, {})
            yield Trial(sizes, case, {}, (), 0, refusal.diagnostic.message)

    def _observed(self, sizes: Mapping[str, int], mode: int) -> Trial:
        scalars = {**self.numbers, **sizes}
        values = self.values(mode)
        buffers, arguments = self.memory(self.kernel, scalars, values)
        # What is learnt is a guess, for which the form with the fewest statements is good enough.
        function = self.shapely() if self.learning else self.runnable
        reach = self._settled([Step(function, _ONCE, arguments)], buffers, values, sizes, {})
        extents, shapes = self.extents(reach, sizes)
        roles = {name: used.role for name, used in reach.reach.items()}
        case = make_case(scalars, extents, shapes=shapes, values=values)
        unused = sum(used.high == 0 for used in reach.reach.values())
        if reach.clean and not unused:
            self.seen.append(({**sizes, **largest_elements(values, extents)}, extents))
            self.roles = {n: r if self.roles.get(n, r) == r else Role.INOUT for n, r in roles.items()}
        why = reach.unfinished
        trial = Trial(
            sizes,
            case,
            roles,
            reach.findings,
            unused,
            why,
            unfinished=bool(why),
            slow=bool(why),
            endless=reach.endless,
        )
        if trial.unfinished and self.all_stated and not self.learning:
            return self.calculated(trial) or trial
        return trial

    def calculated(self, trial: Trial) -> Trial | None:
        """The trial of stated sizes at which the interpreter takes too long, its extents by the formulas."""
        extents = {name: extent_value(formula, trial.sizes) for name, formula in self.formulas().items()}
        known = {name: extent for name, extent in extents.items() if extent is not None and extent > 0}
        if not self.roles or known.keys() != dict(trial.case.extents).keys():
            return None
        case = replace(trial.case, extents=tuple(known.items()))
        return Trial(trial.sizes, case, self.roles, trial.findings, 0)
