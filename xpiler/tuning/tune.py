"""`tune`: the fastest verified program that a budget finds.

    for each point of the space, the default first:
        its text -> (the same as another's: that one's time) -> built, run in turn with the best so far
                 -> faster: through the whole gate, and only then it is the best

Every trial is written to the record at once; what is there already is not tried again.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from xpiler.errors import Refusal
from xpiler.gate import cache
from xpiler.gate.overrides import Overrides
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler.translate import Progress, Result, Trusted, writer
from xpiler.tuning.device import Device, device_for
from xpiler.tuning.record import Question, Record, Trial
from xpiler.tuning.search import SIMULATIONS, proposals
from xpiler.tuning.space import Made, Point, Space, space_of

SAMPLES = 7
WINS = 0.98  # of the best time, below which a program is faster and not lucky
DRIFT = 1.15  # times the best program's own time, above which the machine is busy with something else
PATIENCE = 3  # rounds of samples on a busy machine


@dataclass(frozen=True)
class Budget:
    """When a search ends: seconds, or trials that were measured; 0 means no limit."""

    seconds: float = 300.0
    trials: int = 0


@dataclass(frozen=True)
class Step:
    """One trial as it is told: how many of how many points, what was tried, and the best so far."""

    number: int
    size: int
    trial: Trial
    known: bool
    best: Trial | None


@dataclass
class Tuned:
    """What a search came to. `default` and `best` are trials; `result` is the gate's of the best text."""

    space: Space
    device: Device
    default: Trial | None
    best: Trial | None
    result: Result
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
    progress: Progress = lambda step: None,
    on_step: Callable[[Step], None] = lambda step: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Tuned:
    """Searches the space of a translation. Raises Refusal where there is nothing to translate or to measure
    on."""
    device = device_for(to)
    if device is None:
        raise Refusal(
            "no-device",
            f"there is no device for {PLATFORMS[to].title} here, so nothing can be measured",
            remedy="tune on a machine that has one; `xpiler devices` lists them",
        )
    trusted, write = writer(text, file, to, overrides, progress)
    progress("finding the knobs")
    search = _Search(
        trusted,
        space_of(write),
        device,
        _about(trusted, text, file, to, device),
        record,
        budget or Budget(),
        file,
        to,
    )
    search.progress, search.on_step, search.cancelled = progress, on_step, cancelled
    return search.run(seed)


def _about(trusted: Trusted, text: str, file: str, to: str, device: Device) -> Question:
    cases = [
        case.describe()
        for item in trusted.entries
        if item.inference is not None
        for case in item.inference.contract.cases
    ]
    source = cache.key(text, platform_of(file, text))
    return Question(source, cache.key(*cases), device.fingerprint, to)


@dataclass
class _Search:
    trusted: Trusted
    space: Space
    device: Device
    about: Question
    record: Record
    budget: Budget
    file: str
    to: str
    progress: Progress = lambda step: None
    on_step: Callable[[Step], None] = lambda step: None
    cancelled: Callable[[], bool] = lambda: False
    best: Trial | None = None
    result: Result | None = None
    default: Trial | None = None
    trials: list[Trial] = field(default_factory=list)
    measured: int = 0
    by_program: dict[str, Trial] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def run(self, seed: int) -> Tuned:
        start = time.monotonic()
        self.known = {trial.point: trial for trial in self.record.trials(self.about)}
        ended = "every point was tried"
        for _ in self._points(seed):
            if self.cancelled():
                ended = "cancelled"
            elif self.budget.trials and self.measured >= self.budget.trials:
                ended = f"{self.measured} trials"
            elif self.budget.seconds and time.monotonic() - start >= self.budget.seconds:
                ended = f"{self.budget.seconds:.0f} s"
            else:
                continue
            break
        result = self.result or self._verified(self.space.default)
        return Tuned(
            self.space,
            self.device,
            self.default,
            self.best,
            result,
            self.trials,
            time.monotonic() - start,
            ended,
        )

    def _points(self, seed: int) -> Iterator[Point]:
        """The default, points that were best at other sizes, then what the search proposes."""
        first = dict.fromkeys((self.space.default, *self.record.similar(self.about)))
        for one in first:
            if len(one) == len(self.space.knobs):
                self._reward(one)
                yield one
        yield from proposals(self.space, self._reward, seed, SIMULATIONS)

    def _reward(self, one: Point) -> float | None:
        """The default's time over this point's, halved: 1/2 for the default, 1 for twice as fast or more."""
        trial = self._trial(one)
        if trial is None or trial.seconds is None or self.default is None or not self.default.seconds:
            return None
        return min(1.0, self.default.seconds / trial.seconds / 2)

    def _trial(self, one: Point) -> Trial | None:
        done = next((trial for trial in self.trials if trial.point == one), None)
        if done is not None:
            return done
        known = self.known.get(one)
        made = self.space.make(one)
        if known is not None and made is not None and known.program != made.program:
            known = None  # the engine writes another program than it did
        trial = known or self._measure(one, made)
        if trial.seconds is not None and (self.best is None or trial.seconds < self.best.seconds * WINS):  # type: ignore[operator]
            trial = self._accepted(trial, made)
        if made is not None:
            self.by_program[made.program] = trial
        self.trials.append(trial)
        if known is None:
            self.record.add(self.about, trial)
        if self.default is None:
            self.default = trial
        self.on_step(Step(len(self.trials), self.space.size, trial, known is not None, self.best))
        return trial

    def _accepted(self, trial: Trial, made: Made | None) -> Trial:
        """A faster program becomes the best if the gate has no objection."""
        self.progress("verifying the faster program")
        result = self._verified(trial.point)
        if result.status == "verified":
            self.best, self.result = replace(trial, verified=True), result
            return self.best
        return Trial(trial.point, trial.program, False, None, trial.samples, "the gate does not verify it")

    def _measure(self, one: Point, made: Made | None) -> Trial:
        if made is None:
            return Trial(one, "", False, None, why="the translation has no such form")
        if made.program in self.by_program:
            same = self.by_program[made.program]
            return Trial(one, made.program, same.verified, same.seconds, same.samples, "the same program")
        self.progress(f"measuring {', '.join(f'{name}={value}' for name, value in one)}")
        self.measured += 1
        samples = self._samples(made.text)
        if samples:
            trial = Trial(one, made.program, False, min(samples), tuple(samples))
        else:
            trial = Trial(one, made.program, False, None, why="it does not build or run")
        self.texts[made.program] = made.text
        return trial

    def _samples(self, text: str) -> list[float]:
        """Times of a program. While the best program itself is slower than it was, the machine is busy with
        something else: then more are taken, a bounded number of times. The least time counts."""
        file = self._target_file()
        samples = self.trusted.run_time(text, file, SAMPLES)
        for _ in range(PATIENCE):
            if not samples or self.best is None or self.best.seconds is None:
                break
            again = self.trusted.run_time(self._text_of(self.best), file, SAMPLES)
            samples += self.trusted.run_time(text, file, SAMPLES)
            if again and min(again) < self.best.seconds * DRIFT:
                break
        return samples

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


def spread(trial: Trial) -> float:
    """The median sample over the best one, minus one: how noisy the measurement was."""
    return statistics.median(trial.samples) / min(trial.samples) - 1 if trial.samples else 0.0
