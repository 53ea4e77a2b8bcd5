"""The list of jobs: asked for, told of, cancelled, tried again."""

from __future__ import annotations

import asyncio
from typing import Any

from lsprotocol import types

from xpiler_server import protocol
from xpiler_server.features import repairs, translation
from xpiler_server.job import SEARCH, Job
from xpiler_server.jobs import JobFailed
from xpiler_server.server import XpilerServer


def publish(ls: XpilerServer, job: Job) -> None:
    """Tells clients that asked for it what the jobs are doing."""
    if "jobs" in ls.opted_in:
        ls.soon("jobs", lambda: ls.protocol.notify(protocol.JOBS, listed(ls)))


def listed(ls: XpilerServer) -> dict[str, Any]:
    return {"jobs": [protocol.document(_item(job)) for job in ls.jobs.shown()]}


def _item(job: Job) -> protocol.JobItem:
    return protocol.JobItem(
        id=job.id,
        kind=job.kind,
        title=job.title,
        uri=job.uri,
        to=job.to,
        state=job.state,
        message=job.message,
        percentage=job.percentage,
        events=[] if job.kind == SEARCH else [protocol.Event(**event) for event in job.told],
        started_at=job.started_at,
        seconds=job.seconds,
    )


async def cancel(ls: XpilerServer, id: str) -> dict[str, bool]:
    job = ls.jobs.find(id)
    return {"cancelled": job is not None and await ls.jobs.cancel(job)}


def retry(ls: XpilerServer, id: str) -> dict[str, str]:
    """The same job again, of the texts that it was given."""
    old = find(ls, id)
    if old.is_active:
        raise protocol.Failed(f"{old.title} has not ended")
    if old.kind != "translate":
        translation.require_running(ls)
    context = {
        **old.context,
        "print": translation.print_of(old),
    }  # headers and stated values may be others now
    given = dict(old.given)
    if "run" in given:
        given["run"], context["unrun"] = not ls.settings.unrun, ls.settings.unrun  # it may be trusted by now
    job = Job(old.kind, old.title, old.uri, old.to, given, context)
    translation.start(ls, job)
    return {"id": job.id}


def result(ls: XpilerServer, id: str) -> dict[str, Any]:
    """The result of a job that is done, also of an earlier session."""
    job = find(ls, id)
    if job.result is None:
        raise protocol.Failed(f"{job.title}: {job.message}")
    return repairs.answer(ls, job) if job.kind == "repair" else translation.answer(ls, job)


def hold(ls: XpilerServer, id: str, held: bool) -> dict[str, bool]:
    """Has a search rest, or go on; false where there was nothing to do."""
    return {"done": ls.jobs.hold(find(ls, id), held)}


def find(ls: XpilerServer, id: str) -> Job:
    """The job of an id. Raises Failed."""
    job = ls.jobs.find(id)
    if job is None:
        raise protocol.Failed(f"there is no job {id}")
    return job


async def follow(ls: XpilerServer, job: Job, token: protocol.Token | None) -> dict[str, Any]:
    """Waits for a job and tells its progress; whoever cancels the waiting cancels the job."""
    assert job.task is not None

    def report(job: Job) -> None:
        if token is not None and job.is_active:
            value = types.WorkDoneProgressReport(message=job.message, percentage=job.percentage)
            _tell(ls, token, value)

    if token is not None:
        _tell(ls, token, types.WorkDoneProgressBegin(title=job.title, cancellable=True, percentage=0))
    job.watchers.append(report)
    try:
        return await asyncio.shield(job.task)
    except asyncio.CancelledError:
        await ls.jobs.cancel(job)
        raise
    except JobFailed as error:
        raise protocol.Failed(str(error)) from None
    finally:
        job.watchers.remove(report)
        if token is not None:
            _tell(ls, token, types.WorkDoneProgressEnd(message=job.message))


async def show(ls: XpilerServer, job: Job) -> dict[str, Any]:
    """Waits for a job that a command started, with progress that the editor shows and can cancel."""
    window = ls.client_capabilities.window
    if window is None or not window.work_done_progress:
        return await follow(ls, job, None)
    token = f"xpiler {job.id}"
    await ls.work_done_progress.create_async(token)
    ls.work_done_progress.tokens[token].add_done_callback(lambda _: ls.run(ls.jobs.cancel(job)))
    try:
        return await follow(ls, job, token)
    finally:
        ls.work_done_progress.tokens.pop(token, None)


def _tell(
    ls: XpilerServer,
    token: protocol.Token,
    value: types.WorkDoneProgressBegin | types.WorkDoneProgressReport | types.WorkDoneProgressEnd,
) -> None:
    ls.progress(types.ProgressParams(token=token, value=value))
