"""Queries of z3 that end when nobody wants their answer: they are asked in C and look at nothing else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import z3

_EVERY = 0.01  # seconds


@contextlib.contextmanager
def interrupted_if(cancelled: Callable[[], bool]) -> Iterator[None]:
    """Queries of the block are interrupted soon after `cancelled` says yes; their answer is `unknown`."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_EVERY):
            if cancelled():
                z3.main_ctx().interrupt()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
