"""Translations that are kept beside their source: compared again after each change of either, and repaired.

What the user sees of a difference is a diagnostic in the target, at the statement that the repair engine
found where there is one; a repair is offered only if the gate has verified the repaired text.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote

from lsprotocol import types

from xpiler_server import protocol
from xpiler_server.comparisons import Comparison, Difference
from xpiler_server.documents import Document
from xpiler_server.features import translation
from xpiler_server.features.diagnostics import page_of
from xpiler_server.job import DONE, Job
from xpiler_server.server import XpilerServer
from xpiler_server.slots import Rank
from xpiler_server.store import digest, fingerprint
from xpiler_server.text import Text

_PAUSE = 1.0  # seconds without an edit before texts are compared
_DIFFERS = "XP-DIFFERS"


def pair(ls: XpilerServer, source: str, target: str | None) -> dict[str, Any]:
    """Says which file is the translation of which; without a target the source has none any more."""
    if target is None:
        for other, _ in ls.proofs.targets_of(source):
            ls.proofs.unpair(other)
            ls.comparisons.pop(other, None)
            _show(ls, other)
        return {}
    text, file, _ = translation.content(ls, target)
    to = translation.platform_named(file, text)
    if to is None:
        raise protocol.Failed(f"{PurePath(file).name} is no kernel file")
    ls.proofs.pair(source, target, to)
    _schedule(ls, target, 0.0)
    return {}


def changed(ls: XpilerServer, document: Document, *, edited: bool) -> None:
    """A document was opened or edited: what compares it is under way for an old text and stops."""
    targets = [document.uri] if ls.proofs.source_of(document.uri) else []
    for target in targets + [target for target, _ in ls.proofs.targets_of(document.uri)]:
        _schedule(ls, target, _PAUSE if edited else 0.0)


def _schedule(ls: XpilerServer, target: str, pause: float) -> None:
    known = ls.comparisons.setdefault(target, Comparison())
    if known.task is not None:
        known.task.cancel()
    if known.job is not None and known.job.is_active:
        ls.run(ls.jobs.cancel(known.job))
    if not ls.settings.unrun and ls.settings.verify_automatic:
        known.task = ls.run(_compare(ls, target, known, pause))


async def _compare(ls: XpilerServer, target: str, known: Comparison, pause: float) -> None:
    await asyncio.sleep(pause)
    paired = ls.proofs.source_of(target)
    if paired is None or ls.text_of(target) is None or ls.text_of(paired[0]) is None:
        return
    source, to = paired
    record = ls.proofs.record(source, to)
    text, file = ls.text_and_file(source)
    if record is not None and text is not None and ls.proofs.holds(record, text, file):
        return  # nothing has changed since
    texts = protocol.TextOf(uri=source), protocol.TextOf(uri=target)
    params = protocol.VerifyParams(source=texts[0], target=texts[1], to=to)
    known.job = translation.start(ls, replace(translation.verification_job(ls, params), rank=Rank.BACKGROUND))


# ------------------------------------------------------------------------------------------- outcomes


def job_changed(ls: XpilerServer, job: Job) -> None:
    """Takes over what a verification or a repair found out, whoever asked for it."""
    if job.state != DONE or job.result is None or job.id in ls.taken:
        return
    target = job.context.get("target", "")
    if ls.proofs.source_of(target) is None or job.kind not in ("verify", "repair"):
        return
    ls.taken.add(job.id)
    known = ls.comparisons.setdefault(target, Comparison())
    texts = (job.context["print"], job.context["targetPrint"])
    if job.kind == "repair":
        known.repair, known.repair_texts = job.result, texts
        places = [Difference(_pair(p["span"]), p["message"]) for p in job.result["localized"]]
        if places and known.texts == texts:
            known.differences = [_with_source(place, known) for place in places]
    else:
        known.texts, known.revision = texts, job.context["targetRevision"]
        known.links, known.source_text = job.result["links"], job.given["source"]["text"]
        known.differences = [_with_source(difference, known) for difference in _differences(job)]
        is_wrong = job.result["status"] == "unverified" and known.differences
        if is_wrong and ls.settings.repair_automatic and known.repair_texts != texts:
            known.job = translation.start(ls, replace(_repair_of(ls, job), rank=Rank.BACKGROUND))
    _show(ls, target)


def _with_source(difference: Difference, known: Comparison) -> Difference:
    """With the statement of the source that stands for the smallest one around the place."""
    span = difference.span
    if span is None:
        return difference
    around = [link for link in known.links if link["target"][0] <= span[0] < link["target"][1]]
    best = min(around, key=lambda link: link["target"][1] - link["target"][0], default=None)
    return replace(difference, source=_pair(best["source"])) if best is not None else difference


def _pair(span: list[int] | None) -> tuple[int, int] | None:
    return (span[0], span[1]) if span is not None else None


def _differences(job: Job) -> list[Difference]:
    """What a verification found wrong with the target: by the places that it tells, else by its words."""
    assert job.result is not None
    result = job.result
    if result["status"] == "verified":
        return []
    name = PurePath(job.given["source"]["file"]).name
    placed = [
        Difference(_pair(found["targetSpan"]), found["message"])
        for found in result["diagnostics"]
        if found["targetSpan"] is not None and found["severity"] == "error"
    ]
    if placed:
        return placed
    if result["status"] == "refused":
        return []  # it is the source that cannot be run; said there
    failed = [rung for rung in result["evidence"] if not rung["ok"]]
    text = job.given["target"]["text"]
    return [
        Difference(
            _entry(text, str(rung["detail"])), f"differs from {name}: {rung['rung']}: {rung['detail']}"
        )
        for rung in failed
    ]


def _entry(text: str, detail: str) -> tuple[int, int] | None:
    """The function that a rung is about, where the target has one of that name."""
    name = detail.split(":")[0].split(" ")[0]
    at = text.find(f"{name}(") if name.isidentifier() else -1
    return (at, at + len(name)) if at >= 0 else None


def diagnostics(ls: XpilerServer, document: Document) -> list[types.Diagnostic]:
    """Where a translation differs from its source."""
    known, paired = ls.comparisons.get(document.uri), ls.proofs.source_of(document.uri)
    if known is None or paired is None:
        return []
    shown = []
    start = types.Position(0, 0)
    source = Text(known.source_text, ls.encoding)
    for difference in known.differences:
        place = types.Range(start, start)
        if difference.span is not None:
            now = document.carried(difference.span, known.revision)
            if now is None:
                continue  # edited: the next comparison tells
            place = document.text.range(now)
        there = source.range(difference.source or (0, 0))
        related = types.DiagnosticRelatedInformation(
            types.Location(paired[0], there), f"what it should do, in {_name(paired[0])}"
        )
        shown.append(
            types.Diagnostic(
                place,
                difference.message,
                types.DiagnosticSeverity.Error,
                code=_DIFFERS,
                code_description=page_of(_DIFFERS),
                source="xpiler",
                related_information=[related],
            )
        )
    return shown


def _name(uri: str) -> str:
    return PurePath(unquote(uri)).name


def current(ls: XpilerServer, document: Document) -> dict[str, Any] | None:
    """The verified repair of the texts as they are."""
    known, paired = ls.comparisons.get(document.uri), ls.proofs.source_of(document.uri)
    if known is None or paired is None or known.repair is None or known.repair["status"] != "repaired":
        return None
    text, file = ls.text_and_file(paired[0])
    if text is None or known.repair_texts != (fingerprint(text, file), digest(document.source)):
        return None
    return known.repair


def _show(ls: XpilerServer, target: str) -> None:
    document = ls.documents.find(target)
    if document is not None:
        ls.document_changed(document)


# ------------------------------------------------------------------------------------------- on request


def _repair_of(ls: XpilerServer, verification: Job) -> Job:
    title = f"Repair {PurePath(verification.given['target']['file']).name}"
    given = {**verification.given, "seconds": ls.settings.repair_seconds}
    return Job("repair", title, verification.uri, verification.to, given, verification.context)


def repair_job(ls: XpilerServer, params: protocol.RepairParams) -> Job:
    """The job that a request for a repair asks for. Raises Failed."""
    texts = protocol.VerifyParams(source=params.source, target=params.target)
    return _repair_of(ls, translation.verification_job(ls, texts))


def answer(ls: XpilerServer, job: Job) -> dict[str, Any]:
    """A repair's result in the protocol's words."""
    assert job.result is not None
    result, target = job.result, Text(job.given["target"]["text"], ls.encoding)
    edits = [types.TextEdit(target.range((e["start"], e["end"])), e["text"]) for e in result["edits"]]
    first = next((place for place in result["localized"] if place["span"] is not None), None)
    localized = None
    if first is not None:
        localized = protocol.Localized(range=target.range(first["span"]), message=first["message"])
    return protocol.document(  # type: ignore[no-any-return]
        protocol.RepairResult(
            job_id=job.id,
            status=result["status"],
            text=result["text"],
            edits=edits if result["text"] is not None else None,
            localized=localized,
            evidence=result["evidence"],
            message=result["reason"] or result["symptom"],
        )
    )
