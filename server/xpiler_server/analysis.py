"""What is known of each open document, in two speeds: its outline while one types, its faults in the
background.

Both come from processes of their own. A newer edit supersedes what is under way; an answer about an older
text is kept as what it is, with the revision that it is about. Looking for faults is heavy work and takes one
of the slots of the jobs; the outline never waits for one.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from xpiler_server.documents import Document
from xpiler_server.engine.worker import Broken, Crashed, Worker
from xpiler_server.settings import Settings
from xpiler_server.slots import Rank, Slots
from xpiler_server.store import fingerprint

logger = logging.getLogger(__name__)
LARGEST = 2_000_000  # characters of a text that is looked at while one types
_PAUSE = 0.03  # seconds without an edit before the text is parsed
_HALVES = re.compile("[\ud800-\udfff]")
_NICE = {"outline": 0, "check": 10}


@dataclass
class Known:
    """The latest answers about a document; each with the revision of the text that it is about.

    `failure` says why there is no outline although the text is not too large. `check_print` is the
    fingerprint of what was checked.
    """

    outline: dict[str, Any] | None = None
    outline_revision: int = -1
    check: dict[str, Any] | None = None
    check_revision: int = -1
    check_print: str = ""
    checking: bool = False
    failure: str = ""
    too_large: bool = False
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Analyses:
    """Keeps `Known` of every open document up to date. `changed` is called with a document whenever something
    new is known of it."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        slots: Slots,
        changed: Callable[[Document], None],
        report: Callable[[str], None],
    ) -> None:
        self._settings, self._slots = settings, slots
        self._changed, self._report = changed, report
        self._known: dict[str, Known] = {}
        self._workers = {work: Worker(nice, patient=True) for work, nice in _NICE.items()}

    async def start(self) -> None:
        """Starts the process that parses, before the first document is open."""
        await self._workers["outline"].start()

    async def stop(self) -> None:
        for known in self._known.values():
            if known.task is not None:
                known.task.cancel()
        tasks = [known.task for known in self._known.values() if known.task is not None]
        if tasks:
            await asyncio.wait(tasks)
        for worker in self._workers.values():
            await worker.kill()

    async def restart(self) -> None:
        """New processes; what was under way is asked again by whoever needs it."""
        for worker in self._workers.values():
            await worker.kill()

    def of(self, document: Document) -> Known:
        return self._known.setdefault(document.uri, Known())

    def pids(self) -> dict[str, int | None]:
        return {work: worker.pid for work, worker in self._workers.items()}

    def schedule(self, document: Document, *, edited: bool) -> None:
        """Looks at the document once its text rests; what was under way for it stops."""
        known = self.of(document)
        if known.task is not None:
            known.task.cancel()
        if document.platform is None and known.outline is not None:  # it was a kernel file before the edit
            known.outline, known.check = None, None
            self._changed(document)
        if document.platform is not None:
            known.task = asyncio.create_task(self._look(document, known, edited=edited))

    def forget(self, uri: str) -> None:
        known = self._known.pop(uri, None)
        if known is not None and known.task is not None:
            known.task.cancel()

    async def check_now(self, document: Document) -> dict[str, Any]:
        """The faults of the text as it is. Raises Crashed or Broken."""
        known = self.of(document)
        if known.task is not None:
            known.task.cancel()
        if known.outline_revision != document.revision:
            await self._outline(document, known)
        return await self._check(document, known, Rank.ASKED)

    async def ask(self, work: str, given: dict[str, Any]) -> Any:
        """A short piece of other work, in the process that also checks. Raises Crashed or Broken."""
        return await self._workers["check"].ask(work, given)

    # -------------------------------------------------------------------------------------------- looking

    async def _look(self, document: Document, known: Known, *, edited: bool, again: bool = False) -> None:
        settings = self._settings()
        if edited:
            await asyncio.sleep(_PAUSE)
        try:
            await self._outline(document, known)
            if known.outline is None or not settings.check_enable or (edited and not settings.check_on_type):
                return
            if edited:
                await asyncio.sleep(max(0.0, settings.debounce_ms / 1000 - _PAUSE))
            await self._check(document, known, Rank.BACKGROUND)
        except Crashed as error:
            self._report(f"{error}; another one is started")
            if again:
                known.failure = str(error)  # it is this text: the next edit tries again
                self._changed(document)
            else:
                await self._look(document, known, edited=False, again=True)
        except Broken as error:
            known.failure = str(error)
            logger.error("%s\n%s", error, error.trace)
            self._changed(document)

    async def _outline(self, document: Document, known: Known) -> None:
        known.failure, known.too_large = "", len(document.source) > LARGEST
        if known.too_large:
            known.outline, known.check = None, None
            self._changed(document)
            return
        revision = document.revision
        known.outline = await self._workers["outline"].ask("outline", _given(document))
        known.outline_revision = revision
        self._changed(document)

    async def _check(self, document: Document, known: Known, rank: Rank) -> dict[str, Any]:
        revision = document.revision
        print_ = fingerprint(document.source, document.file)
        if known.check is not None and known.check_print == print_:
            known.check_revision = revision  # an edit and its undoing
            self._changed(document)
            return known.check
        known.checking = True
        self._changed(document)
        try:
            given = {**_given(document), "seconds": self._settings().check_seconds}

            async def ask() -> dict[str, Any]:
                answer: dict[str, Any] = await self._workers["check"].ask("check", given)
                return answer

            checked = await self._slots.run(rank, ask)
            known.check, known.check_revision, known.check_print = checked, revision, print_
            return checked
        finally:
            known.checking = False
            self._changed(document)


def _given(document: Document) -> dict[str, Any]:
    return {"text": engine_text(document.source), "file": document.file}


def engine_text(source: str) -> str:
    """The text as the engine can encode it: halves of characters, which only editors have, are replaced."""
    return source if source.isascii() else _HALVES.sub("\ufffd", source)
