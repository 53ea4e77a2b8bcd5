"""Long work as jobs: queued, at most so many at a time, each in a process that can be killed.

A job outlives the request that started it in the list of jobs, and its result outlives the server in the
store. A search (`searches.py`) outlives the server as a whole: the next one goes on with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from xpiler_server.engine.worker import Broken, Crashed, Worker
from xpiler_server.job import CANCELLED, DONE, FAILED, PAUSED, QUEUED, RUNNING, SEARCH, WAITING, Job
from xpiler_server.searches import Search
from xpiler_server.slots import Slots
from xpiler_server.store import Store

logger = logging.getLogger(__name__)
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


class Jobs:
    """The table of jobs. `changed` is called after every change of one."""

    def __init__(self, slots: Slots, changed: Callable[[Job], None]) -> None:
        self._slots, self._changed = slots, changed
        self._jobs: dict[str, Job] = {}
        self._store: Store | None = None
        self._idle: list[Worker] = []
        self._ending = False

    def remember(self, store: Store) -> list[Job]:
        """Takes over what earlier servers of this workspace left; the searches that are to go on."""
        left = []
        self._store = store
        for saved in store.all("jobs"):
            server = saved.pop("server", 0)
            try:
                job = Job(**saved)
            except TypeError:
                continue  # of another version
            if job.is_active and not _is_alive(server):
                if job.kind == SEARCH:
                    left.append(job)
                    continue
                job.state, job.message = FAILED, "the server ended during this job"
            if not job.is_active:
                self._jobs[job.id] = job
        return left

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
        job.state, job.message = QUEUED, WAITING
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

    def hold(self, job: Job, held: bool) -> bool:
        """Has a search rest, or go on; whether there was something to do."""
        if job.kind != SEARCH or not job.is_active or job.held == held:
            return False
        job.held = held
        job.woken.set()
        return True

    async def stop(self, *, ending: bool = False) -> None:
        """Cancels everything and ends all processes; searches go on with the next server if this one is
        ending."""
        self._ending = ending
        tasks = [job.task for job in self._jobs.values() if job.is_active and job.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for worker in self._idle:
            await worker.kill()
        self._idle.clear()

    # -------------------------------------------------------------------------------------------- running

    async def _run(self, job: Job) -> dict[str, Any]:
        try:
            if job.kind == SEARCH:
                return await self._search(job)
            return await self._slots.run(job.rank, lambda: self._work(job))
        except asyncio.CancelledError:
            if job.kind == SEARCH and self._ending:
                self._keep(job)
            else:
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

        def told(event: dict[str, Any]) -> None:
            job.told.append(event)
            self._tell(job)

        job.told.clear()
        worker = self._idle.pop() if self._idle else Worker()
        try:
            result: dict[str, Any] = await worker.ask(job.kind, job.given, progress, told)
        except asyncio.CancelledError:
            await worker.kill()
            # Its slot is wanted, and it begins again; or it is cancelled, which is told next.
            job.state, job.message, job.percentage = QUEUED, WAITING, 0
            self._tell(job)
            raise
        except (Broken, Crashed):
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

    async def _search(self, job: Job) -> dict[str, Any]:
        def changed() -> None:
            self._keep(job)
            self._tell(job)

        result = await Search(job, self._slots, changed).run()
        job.result = result
        self._finish(job, DONE, str(result["status"]))
        return result

    def _finish(self, job: Job, state: str, message: str) -> None:
        job.state, job.message, job.percentage = state, message, None if state != DONE else 100
        self._tell(job)

    def _tell(self, job: Job) -> None:
        if job.state not in (QUEUED, PAUSED) and not (job.state == RUNNING and job.percentage):
            self._keep(job)
        for watch in (*job.watchers, self._changed):
            watch(job)

    def _keep(self, job: Job) -> None:
        if self._store is not None:
            self._store.save("jobs", job.id, job.saved())


def _percent(step: str) -> int:
    return next((percent for words, percent in _PERCENT.items() if step.startswith(words)), 0)


def _is_alive(pid: int) -> bool:
    if pid == os.getpid() or pid <= 0 or os.name == "nt":  # Windows takes 0 for a signal
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
