"""What is wrong with a text, from everything that is known of it: refusals, faults, failed verifications.

The values that show a fault stand in the first line of its message. A finding about an older text is shown
where it is now, or no longer if its place was edited.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.uris import from_fs_path

import xpiler
from xpiler_server.analysis import LARGEST, Known
from xpiler_server.documents import Document
from xpiler_server.server import XpilerServer

SOURCE = "xpiler"
_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}
_PAGES = {"XP-DIFFERS": "repair.md"}  # codes that are not the checker's
_OTHER = "other."
_SYNTAX = (
    "syntax",
    "not-text",
    "contract-file",
)  # wrong in any language; other refusals are limits of Xpiler


def publish(ls: XpilerServer, document: Document) -> None:
    found = [*_of_document(ls, document), *_of_file(ls, document)]
    ls.text_document_publish_diagnostics(
        types.PublishDiagnosticsParams(uri=document.uri, version=document.version, diagnostics=found)
    )


def clear(ls: XpilerServer, uri: str) -> None:
    ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=uri, diagnostics=[]))


def _of_document(ls: XpilerServer, document: Document) -> list[types.Diagnostic]:
    known = ls.analyses.of(document)
    if known.too_large:
        return [_about_file(f"over {LARGEST:,} characters: not looked at while one types", "too-large")]
    if known.failure:
        return [_about_file(f"this text met an error of Xpiler itself: {known.failure}", "internal")]
    return [*_refusals(document, known), *_findings(document, known)]


def _about_file(message: str, code: str) -> types.Diagnostic:
    start = types.Position(0, 0)
    return types.Diagnostic(
        types.Range(start, start), message, types.DiagnosticSeverity.Information, code, source=SOURCE
    )


def _refusals(document: Document, known: Known) -> list[types.Diagnostic]:
    shown = []
    for refusal in (known.outline or {"diagnostics": []})["diagnostics"]:
        place = _place(document, refusal["span"], known.outline_revision)
        if place is None:
            continue
        severity = types.DiagnosticSeverity.Warning
        if refusal["code"] in _SYNTAX:
            severity = types.DiagnosticSeverity.Error
        elif refusal["code"] == "template-not-launched":
            severity = types.DiagnosticSeverity.Information
        shown.append(
            types.Diagnostic(place, _with_place(refusal), severity, code=refusal["code"], source=SOURCE)
        )
    return shown


def _with_place(refusal: dict[str, Any]) -> str:
    """The message, with its place where that is in another file."""
    if refusal["span"] is None and refusal["file"]:
        return f"{refusal['message']} ({refusal['file']}:{refusal['line']}:{refusal['column']})"
    return str(refusal["message"])


def _place(document: Document, span: list[int] | None, revision: int) -> types.Range | None:
    """Where a place of an earlier revision is; the first line for what has none in this file."""
    if span is None:
        return types.Range(types.Position(0, 0), types.Position(0, 0))
    now = document.carried(span, revision)
    return document.text.range(now) if now is not None else None


def _findings(document: Document, known: Known) -> list[types.Diagnostic]:
    shown = []
    for found in (known.check or {"findings": []})["findings"]:
        place = _place(document, found["span"], known.check_revision)
        if place is None:
            continue
        values = _values(found["counterexample"])
        message = found["message"] + (f" ({values})" if values else "")
        if found["assumption"]:
            message += f"\nif {found['assumption']}"
        shown.append(
            types.Diagnostic(
                place,
                message,
                _SEVERITIES[found["severity"]],
                code=found["code"],
                code_description=page_of(found["code"]),
                source=SOURCE,
                related_information=_related(document, found, known.check_revision),
            )
        )
    return shown


def _values(counterexample: dict[str, int]) -> str:
    """`threadIdx.x = 0; the other: threadIdx.x = 32; n = 256`: both threads by their own values."""
    mine = {k: v for k, v in counterexample.items() if not k.startswith(_OTHER)}
    other = {k.removeprefix(_OTHER): v for k, v in counterexample.items() if k.startswith(_OTHER)}
    here = {k: v for k, v in mine.items() if k in other or k.startswith(("blockIdx", "threadIdx"))}
    different = {k: v for k, v in other.items() if mine.get(k) != v}
    rest = {k: v for k, v in mine.items() if k not in here}
    parts = [_listed(here), f"the other: {_listed(different)}" if different else "", _listed(rest)]
    return "; ".join(filter(None, parts))


def _listed(values: dict[str, int]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items())


def _related(
    document: Document, found: dict[str, Any], revision: int
) -> list[types.DiagnosticRelatedInformation]:
    shown = []
    for related in found["related"]:
        if related["span"] is not None:
            place = _place(document, related["span"], revision)
            location = types.Location(document.uri, place) if place is not None else None
        else:
            location = _location(related)
        if location is not None:
            shown.append(types.DiagnosticRelatedInformation(location, related["message"]))
    return shown


def _location(place: dict[str, Any]) -> types.Location | None:
    """A place in another file, whose text is not at hand: columns are taken for the protocol's."""
    uri = from_fs_path(place["file"]) if place["file"] and place["line"] else None
    if uri is None:
        return None
    start = types.Position(place["line"] - 1, place["column"] - 1)
    return types.Location(uri, types.Range(start, start))


def _of_file(ls: XpilerServer, document: Document) -> list[types.Diagnostic]:
    """Findings that other features have about the document."""
    return [found for finder in ls.on_publish for found in finder(ls, document)]


def page_of(code: str) -> types.CodeDescription | None:
    """The page that explains a code, in a checkout or beside an installation."""
    roots = (Path(xpiler.__file__).parents[1], Path(sysconfig.get_path("data")) / "share" / "xpiler")
    name = _PAGES.get(code, f"checks/{code}.md")
    page = next((p for root in roots if (p := root / "docs" / name).is_file()), None)
    uri = from_fs_path(str(page)) if page is not None else None
    return types.CodeDescription(uri) if uri else None
