"""Repairs as inline suggestions: with the cursor on a line that a verified repair or a tried fix changes, the
line as it would be. What changes several lines is an action only: a suggestion is taken as a whole or not at
all.
"""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from xpiler_server.documents import Document
from xpiler_server.features import actions, repairs
from xpiler_server.server import XpilerServer
from xpiler_server.text import difference


def suggestions(ls: XpilerServer, uri: str, position: types.Position) -> list[types.InlineCompletionItem]:
    """What could stand at a position, best first, each with the piece of the line that it replaces."""
    document = ls.documents.find(uri)
    if document is None:
        return []
    cursor = document.text.offset(position)
    start, end = document.text.line(position.line)
    found: dict[tuple[tuple[int, int], str], types.InlineCompletionItem] = {}
    for offered in _offered(ls, document):
        changes = [_least(document.source, change) for change in offered]
        if all(start <= span[0] and span[1] <= end for span, _ in changes):
            piece = (
                min(cursor, *(span[0] for span, _ in changes)),
                max(cursor, *(span[1] for span, _ in changes)),
            )
            text = _changed(document.source, piece, changes)
            found.setdefault(
                (piece, text), types.InlineCompletionItem(text, range=document.text.range(piece))
            )
    return list(found.values())


def _offered(ls: XpilerServer, document: Document) -> Iterator[list[actions.Change]]:
    repair = repairs.current(ls, document)
    if repair is not None:
        yield actions.changes_of(repair)
    yield from actions.first_fixes(ls, document)


def _least(source: str, change: actions.Change) -> actions.Change:
    """A change without what stays at its ends, as where whole lines are given."""
    (start, end), new = change
    edit = difference(source[start:end], new)
    return (start + edit.start, start + edit.end), new[edit.start : edit.start + edit.length]


def _changed(source: str, piece: tuple[int, int], changes: list[actions.Change]) -> str:
    text, at = "", piece[0]
    for (start, end), new in sorted(changes):
        text += source[at:start] + new
        at = end
    return text + source[at : piece[1]]
