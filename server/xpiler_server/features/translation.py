"""Translating and verifying: requests become jobs, and what the jobs find out becomes records of proof."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from pygls.uris import to_fs_path

from xpiler.errors import Refusal
from xpiler.platforms.registry import PLATFORMS, platform_of
from xpiler_server import protocol
from xpiler_server.analysis import engine_text
from xpiler_server.documents import Document
from xpiler_server.job import Job
from xpiler_server.proofs import Record
from xpiler_server.server import XpilerServer
from xpiler_server.store import digest, fingerprint
from xpiler_server.text import Text


def translation_job(ls: XpilerServer, params: protocol.TranslateParams) -> Job:
    """The job that a request for a translation asks for. Raises Failed."""
    text, file, version = content(ls, params.uri, params.text)
    if params.to not in PLATFORMS:
        raise protocol.Failed(f"{params.to!r} is no platform; known are {', '.join(PLATFORMS)}")
    given = {
        "text": engine_text(text),
        "file": file,
        "to": params.to,
        "entry": params.entry,
        "arguments": _stated(ls, params.arguments, params.to),
        "run": not ls.settings.unrun,
        "model": ls.settings.model,
    }
    name = PurePath(file)
    context = {
        "version": version,
        "print": fingerprint(text, file),
        "to": params.to,
        "unrun": ls.settings.unrun,
        "fileName": name.with_suffix(PLATFORMS[params.to].extension).name,
    }
    title = f"Translate {name.name} to {PLATFORMS[params.to].title}"
    return Job("translate", title, params.uri, params.to, given, context)


def verification_job(ls: XpilerServer, params: protocol.VerifyParams) -> Job:
    """The job that a request for a verification asks for. Raises Failed."""
    require_running(ls)
    source, source_file, version = content(ls, params.source.uri, params.source.text)
    target, target_file, _ = content(ls, params.target.uri, params.target.text)
    to = params.to or platform_named(target_file, target)
    if to not in PLATFORMS:
        raise protocol.Failed(f"{PurePath(target_file).name} is no kernel file")
    if PurePath(target_file).suffix not in (PLATFORMS[to].extension, *PLATFORMS[to].others):
        target_file = str(PurePath(target_file).with_suffix(PLATFORMS[to].extension))
    given = {
        "to": to,
        "source": {"text": engine_text(source), "file": source_file},
        "target": {"text": engine_text(target), "file": target_file},
        "entry": params.entry,
        "arguments": _stated(ls, params.arguments, to),
    }
    context = {
        "version": version,
        "print": fingerprint(source, source_file),
        "target": params.target.uri,
        "targetPrint": digest(target),
        "targetRevision": _revision(ls, params.target.uri),
        "fileName": PurePath(target_file).name,
    }
    title = f"Verify {PurePath(target_file).name} against {PurePath(source_file).name}"
    return Job("verify", title, params.source.uri, to, given, context)


def start(ls: XpilerServer, job: Job) -> Job:
    """Starts a job, and has its outcome recorded."""
    if job.kind in ("translate", "verify") and job.to is not None:
        ls.proofs.begins(job.uri, job.to, job.id, job.context["print"])
    ls.jobs.start(job)
    assert job.task is not None
    job.task.add_done_callback(lambda _: _record(ls, job))
    return job


def _record(ls: XpilerServer, job: Job) -> None:
    if job.kind not in ("translate", "verify") or job.to is None:
        return
    ls.proofs.ends(job.uri, job.to, job.id)
    if job.result is not None:
        text = job.result["text"]
        shown = (
            job.context["targetPrint"] if job.kind == "verify" else digest(text) if text is not None else ""
        )
        unrun = job.context.get("unrun", "")
        ls.proofs.found(Record(job.uri, job.to, job.context["print"], shown, job.result, job.id, unrun))
    ls.job_changed(job)


def answer(ls: XpilerServer, job: Job) -> dict[str, Any]:
    """A finished job's result in the protocol's words."""
    assert job.result is not None and job.to is not None
    result = job.result
    is_pair = job.kind == "verify"
    source = Text(_source_of(job)["text"], ls.encoding)
    target = Text((job.given["target"]["text"] if is_pair else result["text"]) or "", ls.encoding)
    links = [
        protocol.Link(source=source.range(link["source"]), target=target.range(link["target"]))
        for link in result["links"]
    ]
    return protocol.document(  # type: ignore[no-any-return]
        protocol.JobResult(
            job_id=job.id,
            source=job.uri,
            version=job.context.get("version"),
            to=job.to,
            file_name=job.context.get("fileName", ""),
            source_text=source.source,
            current=print_of(job) == job.context["print"],
            text=None if is_pair else result["text"],
            status=result["status"],
            evidence=[_not_run(rung, job) for rung in result["evidence"]],
            entries=result["entries"],
            diagnostics=[_diagnostic(found, source) for found in result["diagnostics"]],
            missing=[protocol.Missing(**missing) for missing in result["missing"]],
            links=links,
            events=[protocol.Event(**event) for event in result.get("events", [])],
            seconds=result["seconds"],
        )
    )


def print_of(job: Job) -> str:
    """The fingerprint of a job's source, with the headers and stated values that are beside it now."""
    source = _source_of(job)
    return fingerprint(source["text"], source["file"])


def _source_of(job: Job) -> dict[str, Any]:
    return dict(job.given.get("source", job.given))


def evidence(ls: XpilerServer, uri: str, to: str) -> dict[str, Any] | None:
    """The latest result for a document and a platform, whether or not it still holds; the status says
    that."""
    record = ls.proofs.record(uri, to)
    job = ls.jobs.find(record.job) if record is not None else None
    return answer(ls, job) if job is not None and job.result is not None else None


def _not_run(rung: dict[str, Any], job: Job) -> dict[str, Any]:
    unrun = job.context.get("unrun", "")
    return {**rung, "detail": unrun} if unrun and rung["rung"] == "executed" else rung


def _diagnostic(found: dict[str, Any], source: Text) -> dict[str, Any]:
    shown = {key: value for key, value in found.items() if key not in ("span", "targetSpan")}
    span = found.get("span")
    return {**shown, "range": protocol.document(source.range(span)) if span else None}


def content(ls: XpilerServer, uri: str, text: str | None = None) -> tuple[str, str, int | None]:
    """A document's text, the path that the engine is told, and its version. Raises Failed."""
    document = ls.documents.find(uri)
    if document is not None:
        return document.source if text is None else text, document.file, document.version
    found = ls.text_of(uri) if text is None else text
    if found is None:
        raise protocol.Failed(f"{uri} is neither open nor a file that can be read")
    return found, to_fs_path(uri) or Document(uri, "", None, None, ls.encoding).file, None


def platform_named(file: str, text: str) -> str | None:
    """What a file is written in; None if it is no kernel file."""
    try:
        return platform_of(file, text)
    except Refusal:
        return None


def _revision(ls: XpilerServer, uri: str) -> int:
    document = ls.documents.find(uri)
    return document.revision if document is not None else 0


def require_running(ls: XpilerServer) -> None:
    """Raises Failed where nothing may be executed."""
    if ls.settings.unrun:
        raise protocol.Failed(ls.settings.unrun)


def _stated(ls: XpilerServer, arguments: dict[str, str], to: str) -> dict[str, str]:
    """What the user states, with the settings' architecture where the target has one."""
    if to == "bang" and ls.settings.bang_arch:
        return {"arch": ls.settings.bang_arch, **arguments}
    return dict(arguments)
