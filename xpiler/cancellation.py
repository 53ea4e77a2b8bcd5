"""Whether the work at hand was called off, or its time is over. An interrupt reaches the main thread alone,
which then waits for the others: they ask here, between steps that take milliseconds, and so do those that
wait for programs.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator

_asked = threading.Event()
_end = math.inf  # of `time.monotonic`, for all threads


class OutOfTime(Exception):
    """The time that the work was given is over."""


def call_off() -> None:
    """Ends what runs in other threads at their next step."""
    _asked.set()


def begin() -> None:
    """What follows is to run, whatever was called off before."""
    _asked.clear()


@contextlib.contextmanager
def until(end: float) -> Iterator[None]:
    """What is inside ends by then, in whatever thread: its next step raises `OutOfTime`. An `until` inside
    another one takes the place of that."""
    global _end
    before, _end = _end, end
    try:
        yield
    finally:
        _end = before


def left() -> float:
    """Seconds that are left, infinitely many where nothing is to end."""
    return _end - time.monotonic()


def check() -> None:
    """Raises KeyboardInterrupt in the thread that asks, if its work was called off, OutOfTime, if its time is
    over."""
    if _asked.is_set():
        raise KeyboardInterrupt
    if left() <= 0:
        raise OutOfTime
