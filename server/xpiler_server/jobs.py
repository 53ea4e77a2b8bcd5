"""Long work as jobs: queued, at most so many at a time, each in a process that can be killed.

A job outlives the request that started it in the list of jobs, and its result outlives the server in the
store.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from xpiler_server.engine.worker import Broken, Crashed, Worker
from xpiler_server.store import Store

logger = logging.getLogger(__name__)
QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
_SHOWN = 50  # finished jobs in the list
_PERCENT = {
    "parsing": 5,
    "running the source": 15,
    "writing": 50,
    "compiling and comparing": 60,
    "proving": 80,
}


class JobFailed(Exception):
    """The job ended without a result; the message says why."""


@dataclass
class Job:
    """One piece of long work. `given` is what the worker is asked, `context` what the server needs to make
    sense of the answer; `keep` says whether the list of jobs shows it once it is done."""

    kind: str
    title: str
    uri: str
    to: str | None
    given: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    state: str = QUEUED
    message: str = "waiting for a free process"
    percentage: int | None = 0
    started_at: float = field(default_factory=time.time)
    seconds: float | None = None
    result: dict[str, Any] | None = None
    task: asyncio.Task[dict[str, Any]] | None = None
    watchers: list[Callable[[Job], None]] = field(default_factory=list)

    @property
    def is_active(self) -> bool:
        return self.state in (QUEUED, RUNNING)

    def saved(self) -> dict[str, Any]:
        names = ("kind", "title", "uri", "to", "given", "context", "id", "state", "message", "percentage")
        more = {"started_at": self.started_at, "seconds": self.seconds, "result": self.result}
        return {**{name: getattr(self, name) for name in names}, **more, "server": os.getpid()}


class Jobs:
    """The table of jobs. `changed` is called after every change of one."""

    def __init__(self, limit: Callable[[], int], changed: Callable[[Job], None]) -> None:
        self._limit, self._changed = limit, changed
        self._jobs: dict[str, Job] = {}
        self._store: Store | None = None
        self._running = 0
        self._freed = asyncio.Condition()
        self._idle: list[Worker] = []

    def remember(self, store: Store) -> None:
        """Takes over what earlier servers of this workspace left."""
        self._store = store
        for saved in store.all("jobs"):
            server = saved.pop("server", 0)
            try:
                job = Job(**saved)
            except TypeError:
                continue  # of another version
            if job.is_active and not _is_alive(server):
                job.state, job.message = FAILED, "the server ended during this job"
            if not job.is_active:
                self._jobs[job.id] = job

    def shown(self) -> list[Job]:
        """Active jobs and the latest others, oldest first."""
        jobs = sorted(self._jobs.values(), key=lambda job: job.started_at)
        done = [job for job in jobs if not job.is_active][-_SHOWN:]
        return [job for job in jobs if job.is_active or job in done]

    def find(self, id: str) -> Job | None:
        return self._jobs.get(id)

    def start(self, job: Job) -> Job:
        """Puts a job into the queue; `job.task` is its outcome: a result, JobFailed or cancellation."""
        self._jobs[job.id] = job
        job.task = asyncio.create_task(self._run(job))
        job.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._tell(job)
        return job

    async def cancel(self, job: Job) -> bool:
        """Whether there was something to cancel; its processes are gone when this returns."""
        if not job.is_active or job.task is None:
            return False
        job.task.cancel()
        await asyncio.wait({job.task})
        return True

    async def stop(self) -> None:
        """Cancels everything and ends all processes."""
        tasks = [job.task for job in self._jobs.values() if job.is_active and job.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for worker in self._idle:
            await worker.kill()
        self._idle.clear()

    async def limit_changed(self) -> None:
        async with self._freed:
            self._freed.notify_all()

    # -------------------------------------------------------------------------------------------- running

    async def _run(self, job: Job) -> dict[str, Any]:
        try:
            async with self._freed:
                await self._freed.wait_for(lambda: self._running < self._limit())
                self._running += 1
            try:
                return await self._work(job)
            finally:
                self._running -= 1
                async with self._freed:
                    self._freed.notify_all()
        except asyncio.CancelledError:
            self._finish(job, CANCELLED, "cancelled")
            raise
        except Crashed as error:
            self._finish(job, FAILED, str(error))
            raise JobFailed(str(error)) from None
        except Broken as error:
            logger.error("%s\n%s", error, error.trace)
            message = f"an error of Xpiler itself, please report it: {error}"
            self._finish(job, FAILED, message)
            raise JobFailed(message) from None
        except Exception as error:
            logger.exception("job %s", job.title)
            self._finish(job, FAILED, f"{type(error).__name__}: {error}")
            raise JobFailed(job.message) from error

    async def _work(self, job: Job) -> dict[str, Any]:
        began = time.monotonic()
        job.state, job.message = RUNNING, "starting"
        self._tell(job)

        def progress(step: str) -> None:
            job.message = step
            job.percentage = max(job.percentage or 0, _percent(step))
            self._tell(job)

        worker = self._idle.pop() if self._idle else Worker()
        try:
            result: dict[str, Any] = await worker.ask(job.kind, job.given, progress)
        except (Broken, Crashed, asyncio.CancelledError):
            await worker.kill()
            raise
        finally:
            job.seconds = time.monotonic() - began
        if self._idle:
            await worker.kill()
        else:
            self._idle.append(worker)
        job.result = result
        self._finish(job, DONE, str(result.get("status", "done")))
        return result

    def _finish(self, job: Job, state: str, message: str) -> None:
        job.state, job.message, job.percentage = state, message, None if state != DONE else 100
        self._tell(job)

    def _tell(self, job: Job) -> None:
        if self._store is not None and job.state != QUEUED and not (job.state == RUNNING and job.percentage):
            self._store.save("jobs", job.id, job.saved())
        for watch in (*job.watchers, self._changed):
            watch(job)


def _percent(step: str) -> int:
    return next((percent for words, percent in _PERCENT.items() if step.startswith(words)), 0)


def _is_alive(pid: int) -> bool:
    if pid == os.getpid() or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
