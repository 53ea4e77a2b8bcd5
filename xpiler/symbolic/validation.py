"""Every application of a pass in a translation, checked: program before against program after.

Both are run; where there is time their formulas are compared, too: that proves the application for all sizes.
A pass whose result is refuted by a run is not used: the form before it stays. One whose result can only be
seen to agree is, since passes show their preconditions themselves. What was checked goes into the evidence.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from xpiler.errors import Refusal
from xpiler.ir.nodes import Function
from xpiler.symbolic.equivalence_runs import Agreement, Level, Pair, Refuted, Runs, smaller
from xpiler.symbolic.forms import Formula, Unknown, formula
from xpiler.symbolic.settings import Setting, arguments, execute

_SECONDS = 0.25  # of processor time for the applications of one kernel's passes at all sizes
_MOST = 0.45  # at the smallest, and formulas as well
_FORMULAS = 0.2  # for their formulas
_QUICK = 0.02  # of processor time for one run: settings at which it takes longer are too large
_DIVISORS = (1, 3, 9, 27)


@dataclass
class Validation:
    """`check` is what `passes.canonical.canonicalise` asks. What a program computed serves both for the pass
    that made it and for the next one. Extents of `grid` that are fixed are part of the serial form: they stay
    at smaller sizes, too."""

    settings: Sequence[Setting]
    grid: tuple[int | None, ...] = (None, None, None)
    refuted: list[str] = field(default_factory=list)
    counts: Counter[Level | None] = field(default_factory=Counter)
    proved: int = 0  # for all sizes
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.tried: list[Setting] | None = None
        self.start = 0.0
        self.formulas: tuple[Function, Formula | None] | None = None  # of the last program
        self.spent = 0.0  # on formulas
        self.known: dict[tuple[int, int], tuple[Function, Runs]] = {}

    def check(self, before: Function, after: Function, name: str) -> str:
        """Why `after` is not `before`, "" where nothing speaks against it."""
        self.start = time.thread_time()
        try:
            return self._checked(before, after, name)
        finally:
            self.seconds += time.thread_time() - self.start

    def describe(self) -> str:
        """`9 applications of passes: ...`, "" if there were none."""
        total = sum(self.counts.values())
        if not total:
            return ""
        sizes = self.tried[-1].describe() if self.tried else ""
        parts = [f"{self.counts[level]} {words}" for level, words in _WORDS.items() if self.counts[level]]
        runs = f" at sizes up to {sizes}" if sizes and self.counts[None] < total else ""
        everywhere = f"{self.proved} proved for all sizes, " if self.proved else ""
        return f"{total} applications of passes: {everywhere}run before and after{runs}, {', '.join(parts)}"

    def _checked(self, before: Function, after: Function, name: str) -> str:
        if self.tried is None:
            self.tried = list(self._affordable(before))
        levels: list[Level] = []
        for number, setting in enumerate(self.tried):
            if self.seconds + time.thread_time() - self.start > (_SECONDS if number else _MOST):
                break
            pair = Pair(self._runs(before, number, setting), self._runs(after, number, setting))
            try:
                answer = pair.answer()
            except Refusal:
                continue
            if isinstance(answer, Refuted):
                self.refuted.append(f"{name}: {answer}")
                return str(answer)
            if isinstance(answer, Agreement):
                levels.append(answer.level)
        self.counts[min(levels) if levels else None] += 1
        self.proved += self._is_proved(before, after)
        return ""

    def _is_proved(self, before: Function, after: Function) -> bool:
        """Whether both have the same formulas."""
        start = time.thread_time()
        if self.spent > _FORMULAS or self.seconds + start - self.start > _MOST:
            return False
        known = self.formulas
        first = known[1] if known is not None and known[0] is before else _formula(before)
        second = _formula(after)
        self.formulas = after, second
        self.spent += time.thread_time() - start
        return first is not None and first == second

    def _affordable(self, function: Function) -> list[Setting]:
        """The largest two of the settings, divided, at which a run is quick; the smallest in any case."""
        found: list[Setting] = []
        for setting in self.settings[:1]:
            for by in reversed(_DIVISORS):
                smaller_one = self._smaller(setting, by) if by > 1 else setting
                if any(s.scalars == smaller_one.scalars and s.grid == smaller_one.grid for s in found):
                    continue
                start = time.thread_time()
                try:
                    outcome = Runs(function, smaller_one).at("trace", 1)
                except Refusal:
                    outcome = None
                if time.thread_time() - start > _QUICK and by < _DIVISORS[-1]:
                    break
                if (outcome is None or not outcome.fault) and _has_one_meaning(function, smaller_one):
                    found.append(smaller_one)
        return found[-2:]

    def _smaller(self, setting: Setting, by: int) -> Setting:
        reduced = smaller(setting, by)
        x, y, z = (
            divided if fixed is None else fixed
            for divided, fixed in zip(reduced.grid, self.grid, strict=True)
        )
        return replace(reduced, grid=(x, y, z))

    def _runs(self, function: Function, number: int, setting: Setting) -> Runs:
        found = self.known.get((id(function), number))
        if found is None:
            found = function, Runs(function, setting)
            self.known[id(function), number] = found
        return found[1]


def _has_one_meaning(function: Function, setting: Setting) -> bool:
    """Whether threads do not race there: a kernel may not be meant for sizes that were only divided."""
    given = arguments(function, setting, "native", 1)
    try:
        return not execute(function, given, setting, "native", checks=True, seconds=_MOST).fault
    except Refusal:
        return True


def _formula(function: Function) -> Formula | None:
    try:
        return formula(function)
    except Unknown:
        return None


_WORDS = {
    Level.ORDER: "by the same operations in the same order",
    Level.ALGEBRA: "equal over the reals with sums reassociated",
    Level.SAMPLES: "with the same numbers",
    None: "too long to run",
}
