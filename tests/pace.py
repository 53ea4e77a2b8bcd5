"""What a test may say of speed: processor time, with that of programs that it starts, as a multiple of the
time of a loop of plain Python, measured beside it. Seconds would be those of one machine."""

from __future__ import annotations

import resource
from collections.abc import Callable


def paces(action: Callable[[], object]) -> float:
    """How many times as long as the loop an action takes, which is about 8 ms on a processor of 2021."""
    before = _seconds(_loop)
    spent = _seconds(action)
    return spent / max(before, _seconds(_loop))


def _loop() -> None:
    total, table = 0, {}
    for i in range(100_000):
        total += i % 7
        table[i % 97] = total


def _seconds(action: Callable[[], object]) -> float:
    start = _spent()
    action()
    return _spent() - start


def _spent() -> float:
    own, started = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + started.ru_utime + started.ru_stime
