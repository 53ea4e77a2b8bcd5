"""Whether the work at hand was called off. An interrupt reaches the main thread alone, which then waits for
the others: they ask here, between steps that take milliseconds."""

from __future__ import annotations

import threading

_asked = threading.Event()


def call_off() -> None:
    """Ends what runs in other threads at their next step."""
    _asked.set()


def begin() -> None:
    """What follows is to run, whatever was called off before."""
    _asked.clear()


def check() -> None:
    """Raises KeyboardInterrupt in the thread that asks, if its work was called off."""
    if _asked.is_set():
        raise KeyboardInterrupt
