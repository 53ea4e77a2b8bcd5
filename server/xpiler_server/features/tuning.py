"""Tuning in the background: a search for the fastest program as a job that rests, goes on, and is drawn."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from xpiler.platforms.registry import PLATFORMS
from xpiler_server import protocol
from xpiler_server.features import jobs, translation
from xpiler_server.features.tools import short_work
from xpiler_server.job import SEARCH, Job
from xpiler_server.server import XpilerServer
from xpiler_server.slots import Rank


def start(ls: XpilerServer, params: protocol.TuneParams) -> Job:
    """Starts a search; it goes on until its time is up, whoever asked for it. Raises Failed."""
    translation.require_running(ls)
    translate = protocol.TranslateParams(uri=params.uri, to=params.to, arguments=params.arguments)
    job = translation.translation_job(ls, translate)
    minutes = ls.settings.tune_minutes if params.minutes is None else params.minutes
    if not 0 < minutes <= 24 * 60 or params.trials < 0:
        raise protocol.Failed(f"{minutes:g} minutes, {params.trials} trials: not what a search can be given")
    given = {name: job.given[name] for name in ("text", "file", "to", "arguments")}
    given |= {"seconds": 60 * minutes, "trials": params.trials}
    title = f"Tune {PurePath(job.given['file']).name} for {PLATFORMS[params.to].title}"
    return ls.jobs.start(Job(SEARCH, title, job.uri, job.to, given, job.context, rank=Rank.SEARCH))


def go_on(ls: XpilerServer, left: list[Job]) -> None:
    """Takes up the searches that the last server of this workspace left unfinished."""
    for job in left:
        if not ls.settings.unrun:
            job.rank = Rank.SEARCH
            ls.jobs.start(job)


def publish(ls: XpilerServer, job: Job) -> None:
    """Sends the course of a search to clients that asked for jobs."""
    if job.kind == SEARCH and "jobs" in ls.opted_in:
        ls.soon(f"tuning {job.id}", lambda: ls.protocol.notify(protocol.TUNING, course(ls, job.id)))


def course(ls: XpilerServer, id: str) -> dict[str, Any]:
    """What a search has tried so far. Raises Failed."""
    job = jobs.find(ls, id)
    if job.kind != SEARCH:
        raise protocol.Failed(f"{job.title} is no search")
    return protocol.document(  # type: ignore[no-any-return]
        protocol.Tuning(
            job_id=job.id,
            source=job.uri,
            to=job.to or "",
            title=job.title,
            state=job.state,
            message=job.message,
            device=job.context.get("device", ""),
            size=job.context.get("size", 0),
            limit=job.context.get("limit"),
            estimated=job.context.get("estimated", False),
            spent=job.spent,
            budget=job.given["seconds"],
            trials=[protocol.Trial(**trial) for trial in job.told],
            has_result=job.result is not None and job.result["text"] is not None,
        )
    )


async def devices(ls: XpilerServer) -> dict[str, Any]:
    """What programs can be measured on. Raises Failed."""
    return await short_work("devices", {})
