"""`tune`: the fastest verified program that a budget finds.

    for each point of the space, the default first:
        its text -> (the same as another's: that one's time, and no trial) -> built, run in turn with the
                    best so far -> faster: through the whole gate, and only then it is the best

Every trial is written to the record at once; what is there already is not tried again.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from xpiler.errors import Refusal
from xpiler.gate import cache
from xpiler.gate.overrides import Overrides
from xpiler.gate.timing import Program, Timing
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler.translate import Progress, Result, Trusted, largest_case, writer
from xpiler.tuning.cost import estimated
from xpiler.tuning.device import Device, device_for
from xpiler.tuning.measure import Here, Job, Measurer, Unmeasured
from xpiler.tuning.model import Modelled
from xpiler.tuning.record import Question, Record, Trial
from xpiler.tuning.roofline import Roofline, corrected, roofline
from xpiler.tuning.search import SIMULATIONS, Known, Reward, proposals
from xpiler.tuning.space import Made, Point, Space, space_of

WINS = 0.98  # of the best time, below which a program is faster and not lucky
_ORDERING = 0.2  # of the time for a search: how much of it may go into the order of a small space
TROUBLE = 3  # points in a row that could not be measured


@dataclass(frozen=True)
class Budget:
    """When a search ends: seconds, trials that were measured, or the part of the device's limit that the best
    program reaches; 0 means no limit. `resumed`: trials that an earlier search made count as well."""

    seconds: float = 300.0
    trials: int = 0
    resumed: bool = False
    until: float = 0.0


@dataclass(frozen=True)
class Step:
    """One trial as it is told: its number, the size of the space, what was tried, and the best so far with
    what the gate says of it; `line` is how fast a program could be."""

    number: int
    size: int
    trial: Trial
    known: bool
    best: Trial | None
    result: Result | None
    line: Roofline
    estimated: bool


@dataclass
class Tuned:
    """What a search came to. `default` and `best` are trials; `result` is the gate's of the best text.
    `whole_calls`: what was timed is all that an entry does, else its kernels alone. `estimated`: nothing was
    timed, all seconds are a model's."""

    space: Space
    device: Device
    default: Trial | None
    best: Trial | None
    result: Result
    line: Roofline
    whole_calls: bool
    estimated: bool
    trials: list[Trial] = field(default_factory=list)
    seconds: float = 0.0
    ended: str = ""

    @property
    def gain(self) -> float:
        """How many times as fast as the default."""
        if self.default is None or self.best is None or not self.default.seconds or not self.best.seconds:
            return 1.0
        return self.default.seconds / self.best.seconds


def tune(
    text: str,
    file: str,
    to: str,
    overrides: Overrides | None = None,
    *,
    budget: Budget | None = None,
    record: Record,
    seed: int = 0,
    measurer: Measurer | None = None,
    progress: Progress = lambda step: None,
    on_step: Callable[[Step], None] = lambda step: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Tuned:
    """Searches the space of a translation, measuring on this machine unless `measurer` says otherwise.
    Raises Refusal where there is nothing to translate or to measure on."""
    measurer = measurer or measurer_here(to)
    trusted, write = writer(text, file, to, overrides, progress)
    progress("finding out what the device can do at most")
    line = roofline(trusted, measurer, record)
    if budget and budget.until and line.limit is None:
        raise Refusal("no-limit", line.describe(), remedy="tune without --until")
    progress("finding the knobs")
    search = _Search(
        trusted,
        space_of(write),
        measurer,
        _about(trusted, text, file, to, measurer.device),
        record,
        budget or Budget(),
        file,
        to,
        line,
    )
    search.progress, search.on_step, search.cancelled = progress, on_step, cancelled
    return search.run(seed)


def measurer_here(to: str, name: str | None = None) -> Measurer:
    """The device of this machine for a platform; without one, and without a name that it must have, the model
    estimates. Raises Refusal if there is none of that name."""
    if name is None and device_for(to) is None:
        return Modelled(to)
    return Here(device_here(to, name))


def device_here(to: str, name: str | None = None) -> Device:
    """The device of this machine for a platform. Raises Refusal if there is none, or none of that name."""
    device = device_for(to, name)
    if device is None:
        called = f" called {name}" if name else ""
        raise Refusal(
            "no-device",
            f"there is no device for {PLATFORMS[to].title}{called} here, so nothing can be measured",
            remedy="tune on a machine that has one, in a fleet (--scheduler), or by estimates (no --device)",
        )
    return device


def _about(trusted: Trusted, text: str, file: str, to: str, device: Device) -> Question:
    """Of the sizes those that are timed, and the first ones: how many others are run besides is decided by
    processor time, and a search that goes on must know what it measured on a busier machine."""
    cases: list[str] = []
    for item in trusted.entries:
        largest = largest_case(item)
        if item.inference is not None and largest is not None:
            cases += (item.inference.contract.cases[0].describe(), largest.describe())
    source = cache.key(text, platform_of(file, text))
    return Question(source, cache.key(*cases), device.fingerprint, to)


@dataclass
class _Search:
    trusted: Trusted
    space: Space
    measurer: Measurer
    about: Question
    record: Record
    budget: Budget
    file: str
    to: str
    line: Roofline
    progress: Progress = lambda step: None
    on_step: Callable[[Step], None] = lambda step: None
    cancelled: Callable[[], bool] = lambda: False
    best: Trial | None = None
    result: Result | None = None
    default: Trial | None = None
    trials: list[Trial] = field(default_factory=list)
    measured: int = 0
    unmeasured: int = 0
    until: float = math.inf
    corrected: bool = False
    known: dict[Point, Trial] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    by_program: dict[str, Trial] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def run(self, seed: int) -> Tuned:
        start = time.monotonic()
        self.until = start + self.budget.seconds if self.budget.seconds else math.inf
        if not self.measurer.estimates:  # an estimate is made anew, by the model as it is now
            self.known = {trial.point: trial for trial in self.record.trials(self.about)}
        ended = ""
        try:
            for _ in self._points(seed):
                if self.cancelled():
                    ended = "cancelled"
                    break
                if self._is_enough():
                    ended = f"{100 * self.budget.until:.0f} % of the limit"
                    break
                if time.monotonic() >= self.until:
                    raise TimeoutError
        except TimeoutError:
            ended = f"{self.budget.seconds:.0f} s"
        if not ended:
            ended = "every program that was found was tried" if self._window() else f"{self.measured} trials"
        result = self.result or self._verified(self.space.default)
        return Tuned(
            self.space,
            self.measurer.device,
            self.default,
            self.best,
            result,
            self.line,
            self._program(result.text or "").whole_calls,
            self.measurer.estimates,
            self.trials,
            time.monotonic() - start,
            ended,
        )

    def _is_enough(self) -> bool:
        """Whether the best program is as near to the limit as was asked for."""
        part = self.line.part(self.best.seconds) if self.best is not None else None
        return bool(self.budget.until) and part is not None and part >= self.budget.until

    def _window(self) -> int:
        """How many points may be under way: none more once all trials of the budget are."""
        used_up = self.budget.trials and self.measured >= self.budget.trials
        return 0 if used_up else self.measurer.window

    def _points(self, seed: int) -> Iterator[Point]:
        """The default, points that were best at other sizes, then what the search proposes."""
        first = dict.fromkeys((self.space.default, *self.record.similar(self.about)))
        names = {knob.name for knob in self.space.knobs}
        for one in first:
            if {name for name, _ in one} == names and self._window():
                begun = self._begin(one)
                if not isinstance(begun, Known):
                    begun()
                yield one
        order = None if self.measurer.estimates else self._ordered
        yield from proposals(self.space, self._begin, seed, SIMULATIONS, self._window, order)

    def _ordered(self, points: list[Point]) -> list[Point]:
        """Best first as the model estimates, so that a search that is ended early has seen what is likely
        good. Points that there is no time for, or no estimate of, keep their order behind the others."""
        until = time.monotonic() + _ORDERING * (self.budget.seconds or math.inf)
        worth: dict[Point, float] = {}
        known: dict[str, float] = {}
        for one in points:
            if time.monotonic() > until or self.cancelled():
                break
            made = self.space.make(one)
            if made is None:
                continue
            self.progress(f"estimating {len(worth) + 1} of {len(points)} points")
            try:
                if made.program not in known:
                    known[made.program] = estimated(self._program(made.text))
            except Refusal:
                known[made.program] = math.inf
            worth[one] = known[made.program]
        return sorted(points, key=lambda one: worth.get(one, math.inf))

    def _begin(self, one: Point) -> Reward | Known:
        """Has a point's program measured, unless it was, or another point has it measured."""
        made = self.space.make(one)
        if made is None:  # the translation has no such form
            return Known(lambda: None)
        if made.program in self.begun:
            return Known(lambda: self._reward_of(made.program))
        self.begun.add(made.program)
        known = self.known.get(one)
        if known is not None and known.program != made.program:
            known = None  # the engine writes another program than it did
        wait = self._measured(made) if known is None else None
        if known is not None and self.budget.resumed:
            self.measured += 1
        self.texts[made.program] = made.text

        def reward() -> float | None:
            try:
                trial = known if wait is None else wait()
            except Unmeasured as lost:
                self._lost(one, lost)
                return None
            assert trial is not None
            self.unmeasured = 0
            return self._reward(self._settled(trial, made, known is not None))

        return reward

    def _lost(self, one: Point, lost: Unmeasured) -> None:
        """A point of which nothing is known is not for the record, and several in a row are the device's
        trouble."""
        self.unmeasured += 1
        if self.unmeasured == TROUBLE or self.default is None:
            raise Refusal(
                "not-measured",
                f"{self.measurer.device.fingerprint} cannot measure: {lost}",
                remedy="what was measured is kept: once that is mended, tune with --resume",
            )
        self.on_step(
            Step(
                len(self.trials),
                self.space.size,
                Trial(one, "", False, None, why=f"not measured: {lost}"),
                False,
                self.best,
                self.result,
                self.line,
                self.measurer.estimates,
            )
        )

    def _reward_of(self, program: str) -> float | None:
        """That of a program that was begun; None if it could not be measured."""
        trial = self.by_program.get(program)
        return None if trial is None else self._reward(trial)

    def _reward(self, trial: Trial) -> float | None:
        """The default's time over this trial's, halved: 1/2 for the default, 1 for twice as fast or more."""
        if trial.seconds is None or self.default is None or not self.default.seconds:
            return None
        return min(1.0, self.default.seconds / trial.seconds / 2)

    def _settled(self, trial: Trial, made: Made, known: bool) -> Trial:
        """What becomes of a trial: perhaps the best one, and one for the record."""
        if trial.seconds is not None and (self.best is None or trial.seconds < self.best.seconds * WINS):  # type: ignore[operator]
            trial = self._accepted(trial)
        self.by_program[made.program] = trial
        self.trials.append(trial)
        if not known and not self.measurer.estimates:
            self.record.add(self.about, trial)
        if self.default is None:
            self.default = trial
        if not self.corrected and (self.line.part(trial.seconds) or 0.0) > 1.0:
            self.progress("measuring again what the device can do at most")
            self.corrected, self.line = True, corrected(self.line, self.trusted, self.measurer, self.record)
        number, size, estimates = len(self.trials), self.space.size, self.measurer.estimates
        self.on_step(Step(number, size, trial, known, self.best, self.result, self.line, estimates))
        return trial

    def _accepted(self, trial: Trial) -> Trial:
        """A faster program becomes the best if the gate has no objection."""
        self.progress("verifying the faster program")
        result = self._verified(trial.point)
        if result.status == "verified":
            self.best, self.result = replace(trial, verified=True), result
            return self.best
        return Trial(trial.point, trial.program, False, None, trial.samples, "the gate does not verify it")

    def _measured(self, made: Made) -> Callable[[], Trial]:
        """Has the program of a point measured."""
        doing = "estimating" if self.measurer.estimates else "measuring"
        self.progress(f"{doing} {', '.join(f'{name}={value}' for name, value in made.point)}")
        self.measured += 1
        wait = self.measurer.begin(self._job(made.text), self.until)
        return lambda: _trial(made.point, made.program, wait())

    def _job(self, text: str) -> Job:
        program = self._program(text)
        if self.best is None or self.best.seconds is None:
            return Job(program)
        return Job(program, self._program(self._text_of(self.best)), self.best.seconds)

    def _program(self, text: str) -> Program:
        return self.trusted.program(text, self._target_file())

    def _text_of(self, trial: Trial) -> str:
        if trial.program not in self.texts:
            made = self.space.make(trial.point)
            assert made is not None
            self.texts[trial.program] = made.text
        return self.texts[trial.program]

    def _verified(self, one: Point) -> Result:
        made = self.space.make(one)
        assert made is not None
        return self.trusted.verify(made.text, self._target_file())

    def _target_file(self) -> str:
        return str(PurePath(self.file).with_suffix(PLATFORMS[self.to].extension))


def _trial(one: Point, program: str, timing: Timing) -> Trial:
    return Trial(one, program, False, min(timing.samples, default=None), timing.samples, timing.why)


def spread(trial: Trial) -> float:
    """The median sample over the best one, minus one: how noisy the measurement was."""
    return statistics.median(trial.samples) / min(trial.samples) - 1 if trial.samples else 0.0
