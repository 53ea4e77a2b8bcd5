"""What is known of each translation compared with its source: where they differ, and what would repair it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from xpiler_server.job import Job


@dataclass(frozen=True)
class Difference:
    """A place of the target that is wrong. `span` is of the target's `revision`, None for the whole file;
    `source` is the statement of the source that it should do the work of, where one is known."""

    span: tuple[int, int] | None
    message: str
    source: tuple[int, int] | None = None


@dataclass
class Comparison:
    """The latest of one target. `texts` are digests of source and target that `differences` are about,
    `revision` that of the target; `repair` is the engine's answer for the texts `repair_texts`."""

    texts: tuple[str, str] = ("", "")
    revision: int = 0
    differences: list[Difference] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)  # of the engine, for `texts`
    repair: dict[str, Any] | None = None
    repair_texts: tuple[str, str] = ("", "")
    source_text: str = ""
    job: Job | None = None
    task: asyncio.Task[None] | None = None
