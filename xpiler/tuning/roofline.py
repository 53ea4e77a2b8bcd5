"""How fast a translation could be at most on a device: the work of the source over the device's limits.

gemm 512^3: 268 MFLOP at 356 GFLOP/s  -->  0.75 ms; a program that takes 0.94 ms is at 80 % of the limit
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from xpiler.errors import Refusal
from xpiler.translate import Trusted
from xpiler.tuning.calls import source_calls
from xpiler.tuning.measure import Measurer
from xpiler.tuning.peaks import Limit
from xpiler.tuning.record import Record
from xpiler.tuning.work import Work, work_of


@dataclass(frozen=True)
class Roofline:
    """`limit`: of all entries' calls together, as they are timed; None where it is not known, `why`."""

    work: Work
    limit: Limit | None
    why: str = ""

    def part(self, seconds: float | None) -> float | None:
        """How much of what is possible a program is that takes so long: 1 is the limit."""
        if self.limit is None or not seconds:
            return None
        return self.limit.seconds / seconds

    def describe(self) -> str:
        if self.limit is None:
            return f"the limit is not known: {self.why}"
        limit = f"{self.limit.seconds * 1e6:.1f} us, of {self.limit.bound}"
        return f"the limit is {limit}, for {self.work.describe()}"


def roofline(trusted: Trusted, measurer: Measurer, record: Record) -> Roofline:
    """The limits of a device are measured once, and recorded under its fingerprint."""
    try:
        works = [work_of(call) for call in source_calls(trusted)]
        peaks = record.peaks(measurer.device.fingerprint)
        if peaks is None:
            peaks = record.learn(measurer.device.fingerprint, measurer.peaks())
    except Refusal as refusal:
        return Roofline(Work(), None, refusal.diagnostic.message)
    limits = [peaks.limit(work) for work in works]
    known = [limit for limit in limits if limit is not None]
    if not known or len(known) < len(limits):
        return Roofline(_together(works), None, "the source is not seen to do anything")
    longest = max(known, key=lambda limit: limit.seconds)
    return Roofline(_together(works), Limit(sum(limit.seconds for limit in known), longest.bound))


def corrected(line: Roofline, trusted: Trusted, measurer: Measurer, record: Record) -> Roofline:
    """Anew, after a program was faster than the limit: the device was busy when that was measured."""
    try:
        record.learn(measurer.device.fingerprint, measurer.peaks())
    except Refusal:
        return line
    return roofline(trusted, measurer, record)


def _together(works: list[Work]) -> Work:
    operations: dict[str, float] = defaultdict(float)
    for work in works:
        for kind, count in work.operations.items():
            operations[kind] += count
    return Work(operations, sum(w.read for w in works), sum(w.written for w in works))
