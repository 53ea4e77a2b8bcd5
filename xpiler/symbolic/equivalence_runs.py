"""Two programs run on the same data: do they agree, and what does that show.

Three kinds of data, in this order. *Traces*: symbols, each value the record of the operations that made it.
*Residues*: random points of a prime field, where equal rational functions are equal whatever the order of
their sums. *Reals*: doubles and any function, which refute: a difference in the fifth digit is a fault. What
cannot be told of a program in one of them is left to the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, Protocol

import numpy as np

from xpiler.errors import Refusal
from xpiler.ir.interpret_state import Finding
from xpiler.ir.nodes import Function
from xpiler.symbolic.comparisons import without_choices
from xpiler.symbolic.decisions import computes_whole_numbers
from xpiler.symbolic.settings import SYMBOLIC, Mode, Outcome, Setting, arguments, execute

NO_TIME = "there is no time to run them on residues"
_DIGITS = 1e-5  # two computations of one real number agree to more, constants being rounded to floats
_SEEDS = (1, 2)
_POINTS = (1, 2, 3, 4)  # at which whole numbers are compared, as they are no symbols
_STEPS = 400_000
_SECONDS = 0.4  # of processor time for one run


class Level(IntEnum):
    """What agreement shows, from weak to strong."""

    SAMPLES = 0
    ALGEBRA = 1
    ORDER = 2

    @property
    def words(self) -> str:
        return {
            Level.SAMPLES: "the same numbers to five digits",
            Level.ALGEBRA: "equal over the reals, sums reassociated (a difference of degree d escapes with "
            "probability (d/2^31)^2)",
            Level.ORDER: "the same operations in the same order",
        }[self]


@dataclass(frozen=True)
class Agreement:
    """`doubt`: why it is not more than samples, "" if it is. `points`: how many contents of whole numbers it
    was seen for."""

    setting: Setting
    level: Level
    doubt: str = ""
    points: int = 1


@dataclass(frozen=True)
class Refuted:
    """An input on which they differ: `element` of `array` after a run at `setting` on the data of `seed`.
    `fault`: what the target does wrong where that is no value, and `finding` the code and place of it."""

    setting: Setting
    seed: int
    array: str
    element: int
    expected: float | int
    got: float | int
    wrong: int = 1
    fault: str = ""
    finding: Finding | None = None

    def __str__(self) -> str:
        if self.fault:
            return f"refuted at {self.setting.describe()}: {self.fault}"
        more = f", one of {self.wrong} elements" if self.wrong > 1 else ""
        return (
            f"refuted at {self.setting.describe()}: {self.array}[{self.element}] is {self.got:.6g} "
            f"for {self.expected:.6g}{more}"
        )


@dataclass(frozen=True)
class Undecided:
    reason: str

    def __str__(self) -> str:
        return f"undecided: {self.reason}"


def compared(
    source: Function,
    target: Function,
    settings: Iterable[Setting],
    *,
    threads: bool | None = None,
) -> list[Agreement] | Refuted | Undecided:
    """The settings at which both ran to their ends and agree, or the first at which they do not.

    A setting that the source itself does not take (too long, out of bounds) is passed over.
    """
    found: list[Agreement] = []
    passed_over = ""
    for setting in settings:
        try:
            answer = Pair(Runs(source, setting, threads), Runs(target, setting)).answer()
        except Refusal as refusal:
            return Undecided(refusal.diagnostic.message)
        if isinstance(answer, Refuted):
            return answer
        if isinstance(answer, Undecided):
            passed_over = answer.reason
            continue
        found.append(answer)
    if not found and passed_over:
        return Undecided(passed_over)
    return found


@dataclass
class Runs:
    """A program at a setting, run once a kind of data and seed."""

    function: Function
    setting: Setting
    threads: bool | None = None

    def __post_init__(self) -> None:
        self.done: dict[tuple[Mode, int], Outcome] = {}

    @property
    def is_whole(self) -> bool:
        return computes_whole_numbers(self.function)

    def at(self, mode: Mode, seed: int) -> Outcome:
        """Raises Refusal where a program has what a mode has not."""
        found = self.done.get((mode, seed))
        if found is None:
            given = arguments(self.function, self.setting, mode, seed)
            found = self.done[mode, seed] = execute(
                without_choices(self.function) if mode in SYMBOLIC else self.function,
                given,
                self.setting,
                mode,
                threads=self.threads,
                seconds=_SECONDS,
                step_limit=_STEPS,
            )
        return found


class Ran(Protocol):
    """A program at a setting, of whatever kind it is."""

    @property
    def setting(self) -> Setting: ...

    @property
    def is_whole(self) -> bool:
        """Whether it computes with whole numbers out of arrays."""

    def at(self, mode: Mode, seed: int) -> Outcome: ...


@dataclass
class Pair:
    """Two programs at one setting."""

    source: Ran
    target: Ran

    def answer(self) -> Agreement | Refuted | Undecided:
        setting = self.source.setting
        try:
            ran = [side.at("trace", _SEEDS[0]) for side in (self.source, self.target)]
            if any(outcome.unfinished for outcome in ran):
                return Undecided(f"at {setting.describe()} it takes too long to run them")
            if not any(outcome.fault for outcome in ran) and self._equal("trace", _SEEDS[:1]):
                return self._at_points("trace", Level.ORDER, 1)
        except Refusal:
            pass  # it looks at numbers
        doubt = "as rational functions they differ, or have none"
        try:
            ran = [side.at("field", seed) for seed in _SEEDS for side in (self.source, self.target)]
            if any(outcome.unfinished for outcome in ran):
                doubt = NO_TIME
            elif not any(outcome.fault for outcome in ran) and self._equal("field", _SEEDS):
                return self._at_points("field", Level.ALGEBRA, len(_SEEDS))
        except Refusal as refusal:
            doubt = refusal.diagnostic.message
        try:
            found = self._by_numbers("reals")
        except Refusal as refusal:
            found, doubt = self._by_numbers("native"), refusal.diagnostic.message
        return found or Agreement(setting, Level.SAMPLES, doubt)

    def _at_points(self, mode: Mode, level: Level, seen: int) -> Agreement | Refuted | Undecided:
        """What was seen at some contents of arrays, for whole numbers at a few more while there is time."""
        setting = self.source.setting
        if not (self.source.is_whole or self.target.is_whole):
            return Agreement(setting, level)
        for seed in _POINTS[seen:]:
            if self.source.at(mode, seed).unfinished or self.target.at(mode, seed).unfinished:
                break
            if not self._equal(mode, (seed,)):
                found = self._by_numbers("reals", seed)
                return found or Agreement(setting, Level.SAMPLES, "as symbols they differ")
            seen += 1
        return Agreement(setting, level, points=seen)

    def _by_numbers(self, mode: Mode, seed: int = _SEEDS[0]) -> Refuted | Undecided | None:
        """Runs on numbers: a difference refutes; None if there is none.

        Small whole numbers in their own types serve where programs look at the bits of floats.
        """
        setting = self.source.setting
        expected, got = self.source.at(mode, seed), self.target.at(mode, seed)
        for outcome, which in ((expected, "the source itself"), (got, "the target")):
            if outcome.unfinished or (outcome.fault and outcome is expected):
                return Undecided(f"at {setting.describe()} {which} fails: {outcome.fault}")
        if got.fault:
            found = got.result.errors[0]
            return Refuted(setting, seed, "", 0, 0, 0, fault=got.fault, finding=found)
        digits = _DIGITS if mode == "reals" else 1e-4
        for name, mine, other in _arrays(expected, got):
            wrong = np.flatnonzero(~_close(mine, other, digits))
            if wrong.size:
                at = int(wrong[0])
                return Refuted(setting, seed, name, at, mine[at].item(), other[at].item(), int(wrong.size))
        return None

    def _equal(self, mode: Mode, seeds: Iterable[int]) -> bool:
        """Whether all arrays are the same in every bit."""
        return all(
            np.array_equal(mine, other)
            for seed in seeds
            for _, mine, other in _arrays(self.source.at(mode, seed), self.target.at(mode, seed))
        )


def _arrays(expected: Outcome, got: Outcome) -> Iterator[tuple[str, Any, Any]]:
    for name, mine in expected.arrays.items():
        other = got.arrays.get(name)
        if other is not None:
            yield name, mine.reshape(-1), other.reshape(-1)


def _close(mine: Any, other: Any, digits: float) -> Any:
    if mine.dtype.kind != "f":
        return mine == other
    finite = np.abs(mine[np.isfinite(mine)])
    scale = float(finite.max()) if finite.size else 1.0
    with np.errstate(all="ignore"):
        near = np.abs(mine - other) <= digits * np.maximum(np.abs(mine), 1e-3 * scale)
    return near | (mine == other) | (np.isnan(mine) & np.isnan(other))


def smaller(setting: Setting, by: int = 3) -> Setting:
    """Sizes and grid divided: guards and loops then end elsewhere. Different sizes stay different, as equal
    ones hide what is swapped."""
    sizes = {n: v for n, v in setting.scalars.items() if isinstance(v, int) and not isinstance(v, bool)}
    reduced: dict[str, int] = {}
    for name, value in sizes.items():
        reduced[name] = max(min(value, 2), value // by)
        while reduced[name] < value and any(
            reduced[name] == reduced[other] and sizes[other] != value for other in reduced if other != name
        ):
            reduced[name] += 1
    x, y, z = (-(-extent // by) for extent in setting.grid)
    return replace(setting, scalars={**setting.scalars, **reduced}, grid=(x, y, z))
