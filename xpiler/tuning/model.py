"""A device that is nowhere: programs for it are estimated (`cost.py`), never measured."""

from __future__ import annotations

import math
from collections.abc import Callable

from xpiler.errors import Refusal
from xpiler.gate.timing import Timing
from xpiler.tuning.cost import estimated, machine_of
from xpiler.tuning.device import Device
from xpiler.tuning.measure import Job
from xpiler.tuning.peaks import Peaks


class Modelled:
    """Estimates in place of measurements, for a platform that has no device."""

    window = 1
    estimates = True

    def __init__(self, to: str) -> None:
        self.device = Device("estimated", machine_of(to), (to,))

    def begin(self, job: Job, until: float = math.inf) -> Callable[[], Timing]:
        return lambda: _estimate(job)

    def peaks(self) -> Peaks:
        raise Refusal("peaks", "there is no device whose limits could be measured")


def _estimate(job: Job) -> Timing:
    try:
        return Timing((estimated(job.program),))
    except Refusal as refusal:
        return Timing(why=f"no estimate: {refusal.diagnostic.message}")
