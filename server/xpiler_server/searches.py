"""A search as a job: it rests while it is held or its slot is wanted, in a process that stays.

    waits for a slot -> runs -> asked to rest: rests after its trial, gives the slot back -> waits ...

What was tried is in the record of trials, so that a search whose process or server has ended goes on where
it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from xpiler_server.engine.worker import Worker
from xpiler_server.job import PAUSED, QUEUED, RUNNING, WAITING, Job
from xpiler_server.slots import Rank, Slot, Slots


class Search:
    """One search under way. `changed` is called whenever there is something to show or to keep."""

    def __init__(self, job: Job, slots: Slots, changed: Callable[[], None]) -> None:
        self._job, self._slots, self._changed = job, slots, changed
        self._worker = Worker()
        self._before = job.spent  # seconds of work, in earlier processes
        self._slot: Slot | None = None
        self._wanted = self._resting = False

    async def run(self) -> dict[str, Any]:
        """The result. Raises Crashed, Broken, or CancelledError when the caller is cancelled."""
        job = self._job
        work: asyncio.Task[dict[str, Any]] | None = None
        try:
            while work is None or not work.done():
                await self._held()
                self._show(QUEUED, WAITING)
                self._wanted = False
                self._slot = await self._slots.take(Rank.SEARCH, self._give_up)
                self._show(RUNNING, "starting" if work is None else "going on")
                if work is None:
                    left = max(0.0, job.given["seconds"] - job.spent)
                    given = {**job.given, "seconds": left, "resumed": bool(job.told)}
                    work = asyncio.create_task(self._worker.ask(job.kind, given, self._progress, self._told))
                else:
                    await self._worker.pause(False)
                await self._until(work, lambda: job.held or self._wanted)
                if not work.done():
                    self._show(RUNNING, "rests after this trial")
                    await self._worker.pause(True)
                    await self._until(work, lambda: self._resting)
                self._slots.give(self._slot)
                self._slot = None
            return await work
        finally:
            if work is not None and not work.done():
                work.cancel()
                await asyncio.wait({work})
            await self._worker.kill()
            if self._slot is not None:
                self._slots.give(self._slot)
            job.seconds = job.spent

    async def _held(self) -> None:
        """Waits while the user wants it to rest."""
        while self._job.held:
            self._show(PAUSED, "paused")
            self._job.woken.clear()
            await self._job.woken.wait()

    async def _until(self, work: asyncio.Task[dict[str, Any]], condition: Callable[[], bool]) -> None:
        """Waits until something holds, or the work is done."""
        woken = self._job.woken
        while not condition() and not work.done():
            woken.clear()
            waiting = asyncio.create_task(woken.wait())
            await asyncio.wait({waiting, work}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()

    def _give_up(self) -> None:
        self._wanted = True
        self._job.woken.set()

    def _progress(self, step: str) -> None:
        if not self._resting:
            self._show(self._job.state, step)

    def _told(self, event: dict[str, Any]) -> None:
        job = self._job
        if "resting" in event:
            self._resting = event["resting"]
            job.woken.set()
            return
        trial = event["trial"]
        job.context |= {name: event[name] for name in ("size", "limit", "device", "estimated")}
        # After a restart what is known is told once more, and takes the place of what was told then.
        at = next((n for n, old in enumerate(job.told) if old["knobs"] == trial["knobs"]), len(job.told))
        job.told[at : at + 1] = [{**trial, "number": at + 1}]
        job.spent = self._before + event["spent"]
        job.result = event.get("result", job.result)
        job.percentage = min(99, int(100 * job.spent / job.given["seconds"]))
        self._changed()

    def _show(self, state: str, message: str) -> None:
        self._job.state, self._job.message = state, message
        self._changed()
