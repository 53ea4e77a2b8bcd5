"""What a task of a worker is given, and how it speaks to the server while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Cancelled(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class Ask:
    """A task's input, and the way back: what is told between steps, and whether to go on. `tell` is for what
    the server keeps, `progress` for what it only shows."""

    given: dict[str, Any]
    progress: Callable[[str], None] = lambda step: None
    cancelled: Callable[[], bool] = lambda: False
    paused: Callable[[], bool] = lambda: False
    tell: Callable[[dict[str, Any]], None] = lambda event: None
