"""Where programs are measured: what a search needs of a device, here or elsewhere.

A program is timed in turn with the best one so far: the two share whatever the machine does meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from xpiler.gate.timing import Program, Timing, run_time
from xpiler.tuning.device import Device
from xpiler.tuning.peaks import Peaks, measured_peaks

SAMPLES = 7
DRIFT = 1.15  # times the best program's own time, above which the machine is busy with something else
PATIENCE = 3  # rounds of samples on a busy machine


@dataclass(frozen=True)
class Job:
    """A program to be timed. `best`: the fastest one so far, which took `best_seconds`."""

    program: Program
    best: Program | None = None
    best_seconds: float = 0.0


class Unmeasured(Exception):
    """A program could not be measured, through no fault of its own: nothing is known of it."""


class Measurer(Protocol):
    """Times programs on `device`, up to `window` of them under way at once. `estimates`: there is no such
    device, and times are a model's."""

    device: Device
    window: int
    estimates: bool

    def begin(self, job: Job, until: float = math.inf) -> Callable[[], Timing]:
        """Asks for a measurement. The function that is returned waits for it, where it is not made by the
        waiting itself, no longer than until the monotonic time `until`: then it raises TimeoutError. It
        raises Unmeasured where there is nothing to tell."""
        ...

    def peaks(self) -> Peaks:
        """Measures the limits of the device. Raises Refusal where that cannot be done."""
        ...


class Here:
    """This process measures, one program after the other: whoever waits for a time makes it."""

    window = 1
    estimates = False

    def __init__(self, device: Device) -> None:
        self.device = device

    def begin(self, job: Job, until: float = math.inf) -> Callable[[], Timing]:
        return lambda: in_turn(job)

    def peaks(self) -> Peaks:
        return measured_peaks()


def in_turn(job: Job) -> Timing:
    """Times of a program. While the best program itself is slower than it was, the machine is busy with
    something else: then more are taken, a bounded number of times. The least time counts."""
    timing = run_time(job.program, SAMPLES)
    for _ in range(PATIENCE):
        if not timing.samples or job.best is None:
            break
        again = run_time(job.best, SAMPLES)
        timing = Timing(timing.samples + run_time(job.program, SAMPLES).samples)
        if again.samples and min(again.samples) < job.best_seconds * DRIFT:
            break
    return timing
