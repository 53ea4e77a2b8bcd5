"""Commands for any editor: a job with the editor's own progress, and the result as an edit that can be
undone."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any
from urllib.parse import quote, unquote

import attrs
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from xpiler_server import protocol
from xpiler_server.features import checking, jobs, models, repairs, translation, tuning
from xpiler_server.job import Job
from xpiler_server.server import XpilerServer


@attrs.define(kw_only=True)
class About:
    """The argument of every command; not each needs all of it."""

    uri: str = ""
    to: str = ""
    source: str = ""
    target: str = ""
    id: str = ""


def translate(ls: XpilerServer, about: About) -> dict[str, str]:
    """Starts a translation whose result becomes a new file beside the source; the answer is the job's id."""
    job = translation.translation_job(ls, protocol.TranslateParams(uri=about.uri, to=about.to))
    ls.run(_translated(ls, translation.start(ls, job)))
    return {"id": job.id}


def tune(ls: XpilerServer, about: About) -> dict[str, str]:
    """Starts a search; its best program becomes a new file, as a translation's does."""
    job = tuning.start(ls, protocol.TuneParams(uri=about.uri, to=about.to))
    ls.run(_translated(ls, job))
    return {"id": job.id}


async def list_models(ls: XpilerServer) -> dict[str, Any]:
    """The models of the endpoint; where there are none, the user is told why."""
    answer = await models.listed(ls, protocol.ModelParams())
    if answer["error"]:
        ls.tell(f"{answer['baseUrl']}: {answer['error']}", types.MessageType.Error)
    return answer


async def try_model(ls: XpilerServer) -> dict[str, Any]:
    """Asks the model a question of one word, and tells what came of it."""
    answer = await models.tried(ls, protocol.ModelParams())
    ls.tell(answer["message"], types.MessageType.Info if answer["ok"] else types.MessageType.Error)
    return answer


async def _translated(ls: XpilerServer, job: Job) -> None:
    if not await _shown(ls, job) or job.result is None:
        return
    text, status = job.result["text"], job.result["status"]
    if text is None:
        ls.tell(f"{job.title}: {_why(job)}", types.MessageType.Error)
        return
    name = job.context["fileName"] + ("" if status == "verified" else ".unverified")
    target = _free(ls, job.uri, name)
    edit = types.WorkspaceEdit(
        document_changes=[
            types.CreateFile(target),
            types.TextDocumentEdit(
                types.OptionalVersionedTextDocumentIdentifier(target, None),
                [types.TextEdit(types.Range(types.Position(0, 0), types.Position(0, 0)), text)],
            ),
        ]
    )
    applied = await ls.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, job.title))
    if not applied.applied:
        ls.tell(f"{job.title}: the editor did not take the file: {applied.failure_reason}")
        return
    if status == "verified":
        ls.proofs.pair(job.uri, target, job.context["to"])
    why = "" if status == "verified" else f": {_why(job)}"
    ls.tell(f"{job.title}: {status}{why}")
    window = ls.client_capabilities.window
    if window and window.show_document and window.show_document.support:
        await ls.window_show_document_async(types.ShowDocumentParams(target, take_focus=True))


def verify(ls: XpilerServer, about: About) -> dict[str, str]:
    """Compares a translation with its source; what differs is told as diagnostics of the target."""
    job = translation.verification_job(ls, _texts(ls, about))
    ls.run(_told(ls, translation.start(ls, job)))
    return {"id": job.id}


def repair(ls: XpilerServer, about: About) -> dict[str, str]:
    """Looks for a repair; it is then offered as a code action of the target."""
    texts = _texts(ls, about)
    job = repairs.repair_job(ls, protocol.RepairParams(source=texts.source, target=texts.target))
    ls.run(_told(ls, translation.start(ls, job)))
    return {"id": job.id}


async def check(ls: XpilerServer, about: About) -> dict[str, Any]:
    return await checking.check(ls, about.uri)


async def cancel(ls: XpilerServer, about: About) -> dict[str, bool]:
    return await jobs.cancel(ls, about.id)


async def restart(ls: XpilerServer) -> None:
    """New processes for everything; running jobs are cancelled."""
    await ls.jobs.stop()
    await ls.analyses.restart()
    for document in ls.documents.open():
        ls.analyses.schedule(document, edited=False)


def _texts(ls: XpilerServer, about: About) -> protocol.VerifyParams:
    target = about.target or about.uri
    paired = ls.proofs.source_of(target)
    source = about.source or (paired[0] if paired else "")
    if not source:
        raise protocol.Failed(f"{PurePath(unquote(target)).name}: nobody said what it is a translation of")
    if paired is None:
        repairs.pair(ls, source, target)
    return protocol.VerifyParams(source=protocol.TextOf(uri=source), target=protocol.TextOf(uri=target))


async def _shown(ls: XpilerServer, job: Job) -> bool:
    """Waits for a job with the editor's progress; what goes wrong is told. False if there is no result."""
    try:
        await jobs.show(ls, job)
    except JsonRpcException as error:
        ls.tell(f"{job.title}: {error.message}", types.MessageType.Error)
        return False
    return True


async def _told(ls: XpilerServer, job: Job) -> None:
    if await _shown(ls, job) and job.result is not None:
        status = job.result["status"]
        why = f": {_why(job)}" if status not in ("verified", "repaired", "nothing wrong") else ""
        ls.tell(f"{job.title}: {status}{why}")


def _why(job: Job) -> str:
    assert job.result is not None
    if "reason" in job.result:
        return str(job.result["reason"])
    told = [d["message"] for d in job.result["diagnostics"] if d["severity"] == "error"]
    told += [rung["detail"] for rung in job.result["evidence"] if not rung["ok"]]
    return str(told[0]) if told else "no reason was given"


def _free(ls: XpilerServer, source: str, name: str) -> str:
    """A file beside the source that does not exist yet: what is there is never overwritten."""
    folder = source.rpartition("/")[0]
    stem, dot, suffix = name.partition(".")
    for number in range(1, 1000):
        target = f"{folder}/{quote(name if number == 1 else f'{stem}-{number}{dot}{suffix}')}"
        if ls.text_of(target) is None:
            return target
    raise protocol.Failed(f"there are too many files called {name}")
