"""Code actions: fixes that the checker has tried, repairs that the gate has verified, translations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lsprotocol import types

from xpiler.platforms.registry import PLATFORMS
from xpiler_server.documents import Document
from xpiler_server.features import repairs, status
from xpiler_server.server import XpilerServer

_TRANSLATE = "refactor.rewrite.xpiler"
KINDS = [types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll, _TRANSLATE]
_CONFIRM = "xpiler-repair"
Change = tuple[tuple[int, int], str]


def actions(ls: XpilerServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    document = ls.documents.find(params.text_document.uri)
    if document is None:
        return []
    only = params.context.only
    found: list[types.CodeAction] = []
    if _wanted(types.CodeActionKind.QuickFix, only):
        found += _fixes(ls, document, params.context.diagnostics)
        found += _repairs(ls, document)
    if only is not None and _wanted(types.CodeActionKind.SourceFixAll, only):
        found += _all_fixes(ls, document)
    if _wanted(_TRANSLATE, only):
        found += _translations(ls, document, params.range)
    return found


def _wanted(kind: str, only: Sequence[types.CodeActionKind | str] | None) -> bool:
    return only is None or any(kind == str(o) or kind.startswith(f"{o}.") for o in map(_name, only))


def _name(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind


# ------------------------------------------------------------------------------------------- fixes


def _fixes(
    ls: XpilerServer, document: Document, diagnostics: Sequence[types.Diagnostic]
) -> Iterator[types.CodeAction]:
    """What removes a finding; each was tried before it was offered."""
    known = ls.analyses.of(document)
    for diagnostic in diagnostics:
        found = next(
            (f for f in (known.check or {"findings": []})["findings"] if _is(document, f, diagnostic, ls)),
            None,
        )
        for number, fix in enumerate(found["fixes"] if found else []):
            changes = _changes(document, fix, known.check_revision)
            if changes is not None:
                yield types.CodeAction(
                    _capital(fix["title"]),
                    types.CodeActionKind.QuickFix,
                    [diagnostic],
                    is_preferred=number == 0,
                    edit=edit_of(ls, document, changes),
                )


def _is(document: Document, found: dict[str, Any], diagnostic: types.Diagnostic, ls: XpilerServer) -> bool:
    if found["code"] != diagnostic.code or found["span"] is None:
        return False
    now = document.carried(found["span"], ls.analyses.of(document).check_revision)
    return now is not None and document.text.range(now) == diagnostic.range


def _changes(document: Document, fix: dict[str, Any], revision: int) -> list[Change] | None:
    """A fix's edits in the text as it is; None if one of its places was edited."""
    changes: list[Change] = []
    for edit in fix["edits"]:
        now = document.carried((edit["start"], edit["end"]), revision)
        if now is None:
            return None
        changes.append((now, edit["text"]))
    return changes


def first_fixes(ls: XpilerServer, document: Document) -> Iterator[list[Change]]:
    """The first fix of each finding that has one, in the text as it is."""
    known = ls.analyses.of(document)
    for found in (known.check or {"findings": []})["findings"]:
        changes = _changes(document, found["fixes"][0], known.check_revision) if found["fixes"] else None
        if changes:
            yield changes


def _all_fixes(ls: XpilerServer, document: Document) -> Iterator[types.CodeAction]:
    """Every fix at once; where two meet, or are the same, the first alone."""
    taken: list[Change] = []
    for changes in first_fixes(ls, document):
        if not any(_meet(one[0], other[0]) for one in changes for other in taken):
            taken += changes
    if taken:
        yield types.CodeAction(
            "Fix all that Xpiler found",
            types.CodeActionKind.SourceFixAll,
            edit=edit_of(ls, document, taken),
        )


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one == other or (one[0] < other[1] and other[0] < one[1])


def _capital(title: str) -> str:
    return title[:1].upper() + title[1:]


# ------------------------------------------------------------------------------------------- repairs


def _repairs(ls: XpilerServer, document: Document) -> Iterator[types.CodeAction]:
    """A verified repair of a translation that differs from its source: applied, or looked at hunk by hunk."""
    repair = repairs.current(ls, document)
    if repair is None:
        return
    about = repairs.diagnostics(ls, document)
    changes = changes_of(repair)
    yield types.CodeAction(
        "Apply repair (verified)",
        types.CodeActionKind.QuickFix,
        about,
        is_preferred=True,
        edit=edit_of(ls, document, changes),
    )
    if _can_preview(ls):
        yield types.CodeAction(
            "Preview repair…",
            types.CodeActionKind.QuickFix,
            about,
            edit=edit_of(ls, document, changes, confirm=True),
        )


def changes_of(repair: dict[str, Any]) -> list[Change]:
    """A repair's edits."""
    return [((edit["start"], edit["end"]), edit["text"]) for edit in repair["edits"]]


def _can_preview(ls: XpilerServer) -> bool:
    workspace = ls.client_capabilities.workspace
    edit = workspace.workspace_edit if workspace else None
    return bool(edit and edit.change_annotation_support)


# ------------------------------------------------------------------------------------------- translations


def _translations(ls: XpilerServer, document: Document, place: types.Range) -> Iterator[types.CodeAction]:
    start, end = document.text.span(place)
    if not any(k["span"][0] <= end and start <= k["span"][1] for k in status.kernels_of(ls, document)):
        return
    own = "commands" in ls.opted_in
    for to, platform in PLATFORMS.items():
        if to == document.platform:
            continue
        title = f"Translate to {platform.title}"
        command = "xpiler.translateTo" if own else "xpiler.server.translate"
        arguments: list[Any] = [document.uri, to] if own else [{"uri": document.uri, "to": to}]
        yield types.CodeAction(title, _TRANSLATE, command=types.Command(title, command, arguments=arguments))


# ------------------------------------------------------------------------------------------- edits


def edit_of(
    ls: XpilerServer, document: Document, changes: list[Change], *, confirm: bool = False
) -> types.WorkspaceEdit:
    """Changes of a document, bound to its version where the client can: a late one is then refused."""
    edits = [types.TextEdit(document.text.range(span), text) for span, text in changes]
    workspace = ls.client_capabilities.workspace
    capability = workspace.workspace_edit if workspace else None
    if not (capability and capability.document_changes):
        return types.WorkspaceEdit(changes={document.uri: edits})
    identifier = types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    if not confirm:
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(identifier, list(edits))])
    annotated = [types.AnnotatedTextEdit(_CONFIRM, e.range, e.new_text) for e in edits]
    return types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(identifier, list(annotated))],
        change_annotations={_CONFIRM: types.ChangeAnnotation("Repair", needs_confirmation=True)},
    )
