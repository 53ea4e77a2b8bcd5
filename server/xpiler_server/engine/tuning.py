"""The search for the fastest program as a task of a worker: each trial is told, and between two it can
rest."""

from __future__ import annotations

import time
from typing import Any

from xpiler.errors import Refusal
from xpiler.tuning.device import devices
from xpiler.tuning.record import Record
from xpiler.tuning.tune import Budget, Step, measurer_here, tune
from xpiler_server.engine.asking import Ask, Cancelled
from xpiler_server.engine.outline import Places
from xpiler_server.engine.results import overrides_of, refused, result_of

_POLL = 0.1  # seconds between looks at whether to go on


class _Pace:
    """How long the search has been at work; it rests where it is asked whether to go on."""

    def __init__(self, ask: Ask, seconds: float) -> None:
        self._ask, self._seconds = ask, seconds
        self._began, self._rested = time.monotonic(), 0.0

    @property
    def spent(self) -> float:
        """Seconds of work."""
        return time.monotonic() - self._began - self._rested

    def is_over(self) -> bool:
        """Whether to stop now; returns once the search is to go on."""
        self.rest()
        return self._ask.cancelled() or self.spent >= self._seconds

    def rest(self) -> None:
        if not self._ask.paused() or self._ask.cancelled():
            return
        began = time.monotonic()
        self._ask.tell({"resting": True, "spent": self.spent})
        while self._ask.paused() and not self._ask.cancelled():
            time.sleep(_POLL)
        self._rested += time.monotonic() - began
        self._ask.tell({"resting": False})


def tuned(ask: Ask) -> dict[str, Any]:
    """The best program, verified, as the result of a translation; each trial is told as an event."""
    given = ask.given
    text, file, to = given["text"], given["file"], given["to"]
    places = Places(text, file)
    pace = _Pace(ask, given["seconds"])

    def told(step: Step) -> None:
        limit = step.line.limit
        event = {"trial": _trial(step), "spent": pace.spent, "size": step.size}
        event["limit"] = limit.seconds if limit is not None else None
        event |= {"device": measurer.device.fingerprint, "estimated": step.estimated}
        if step.best is step.trial and step.result is not None:
            event["result"] = result_of(step.result, places)
        ask.tell(event)

    def progress(step: str) -> None:
        pace.rest()
        ask.progress(step)

    try:
        measurer = measurer_here(to)
        with Record() as record:
            found = tune(
                text,
                file,
                to,
                overrides_of(given["arguments"]),
                budget=Budget(0.0, given["trials"], resumed=given["resumed"]),
                record=record,
                measurer=measurer,
                progress=progress,
                on_step=told,
                cancelled=pace.is_over,
            )
    except Refusal as refusal:
        return refused(refusal.diagnostic, places)
    if ask.cancelled():
        raise Cancelled
    over = pace.spent >= given["seconds"]
    return {
        **result_of(found.result, places),
        "gain": found.gain,
        "ended": f"{given['seconds']:.0f} s of work" if over else found.ended,
    }


def _trial(step: Step) -> dict[str, Any]:
    trial = step.trial
    return {
        "number": step.number,
        "knobs": dict(trial.point),
        "seconds": trial.seconds,
        "why": trial.why,
        "known": step.known,
        "best": step.best is trial,
    }


def devices_here(ask: Ask) -> dict[str, Any]:
    """What programs can be measured on."""
    return {"devices": [{"kind": d.kind, "name": d.name, "runs": list(d.runs)} for d in devices()]}
