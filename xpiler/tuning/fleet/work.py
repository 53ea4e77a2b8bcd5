"""What a worker does with a message."""

from __future__ import annotations

from collections.abc import Callable

from xpiler.errors import Refusal
from xpiler.gate.timing import Timing
from xpiler.tuning.fleet.messages import Told, job_in, told
from xpiler.tuning.measure import Job, in_turn
from xpiler.tuning.peaks import measured_peaks

Measure = Callable[[Job], Timing]

_measure: Measure | None = None


def serve(measure: Measure = in_turn) -> None:
    """This process is a worker: it measures what arrives."""
    global _measure
    _measure = measure


def measure(data: bytes) -> bytes:
    """The task of the fleet. It never raises: what goes wrong with this machine is told, and is measured
    elsewhere."""
    if _measure is None:
        raise RuntimeError("this process is no worker")
    job = job_in(data)
    if isinstance(job, Told):
        return told(job)
    try:
        if job is None:
            return told(Told(peaks=measured_peaks().to_json()))
        return told(Told(_measure(job)))
    except Refusal as refusal:
        return told(Told(failed=str(refusal)))
    except Exception as error:  # a full disk, no memory: of this machine, not of the program
        return told(Told(failed=f"{type(error).__name__}: {error}"))
