"""A job: one piece of long work, as it is kept, shown and taken up again."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from xpiler_server.slots import Rank

QUEUED, RUNNING, PAUSED = "queued", "running", "paused"
DONE, FAILED, CANCELLED = "done", "failed", "cancelled"
SEARCH = "tune"  # the kind of job that can rest, and go on after the server has ended
WAITING = "waiting for a free process"
_SAVED = (
    *("kind", "title", "uri", "to", "given", "context", "id", "state", "message", "percentage"),
    *("started_at", "seconds", "result", "told", "spent", "held"),
)


@dataclass
class Job:
    """One piece of long work. `given` is what the worker is asked, `context` what the server needs to make
    sense of the answer; `rank` says how long it may wait for a process. `told` is what the worker told on the
    way: what happened to a model's sketches, or the trials of a search. `spent`: seconds of work of a search;
    `held`: the user wants it to rest."""

    kind: str
    title: str
    uri: str
    to: str | None
    given: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)
    rank: Rank = Rank.ASKED
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    state: str = QUEUED
    message: str = WAITING
    percentage: int | None = 0
    started_at: float = field(default_factory=time.time)
    seconds: float | None = None
    result: dict[str, Any] | None = None
    told: list[dict[str, Any]] = field(default_factory=list)
    spent: float = 0.0
    held: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)  # something about resting has changed
    task: asyncio.Task[dict[str, Any]] | None = None
    watchers: list[Callable[[Job], None]] = field(default_factory=list)

    @property
    def is_active(self) -> bool:
        return self.state in (QUEUED, RUNNING, PAUSED)

    def saved(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in _SAVED}, "server": os.getpid()}
