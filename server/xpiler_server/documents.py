"""The open documents: synchronised by edits, with a history that old results are carried through."""

from __future__ import annotations

import re
from collections import deque
from pathlib import PurePath
from urllib.parse import unquote

from lsprotocol import types
from pygls.workspace import TextDocument, Workspace

from xpiler.platforms.registry import PLATFORMS, extensions
from xpiler_server.text import Edit, Text, carried, difference

_KEPT = 2000  # edits that results may be late by
_LANGUAGES = {
    "cuda": "cuda",
    "cuda-cpp": "cuda",
    "hip": "hip",
    "bang": "bang",
    "mlu": "bang",
    "cpp": "vnni",
    "c": "vnni",
}
_INTRINSICS = re.compile(r"\b_mm(?:256|512)?_\w+|\bimmintrin\.h")


class Document(TextDocument):
    """A text document whose copy here is the editor's, edit by edit."""

    def __init__(self, uri: str, source: str, version: int | None, language_id: str | None, encoding: str):
        super().__init__(uri, source, version, language_id)
        self.text = Text(source, encoding)
        self.revision = 0  # counts edits; a version of the protocol may hold several
        self._platform: tuple[int, str | None] | None = None
        self._edits: deque[Edit] = deque(maxlen=_KEPT)

    @property
    def source(self) -> str:
        return self.text.source

    @property
    def lines(self) -> list[str]:
        return self.text.lines()

    def apply_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        if isinstance(change, types.TextDocumentContentChangePartial):
            start, end = self.text.span(change.range)
            edit = Edit(start, end, len(change.text))
            new = change.text
        else:
            edit = difference(self.source, change.text)
            new = change.text[edit.start : edit.start + edit.length]
        self.text = self.text.edited(edit, new)
        self.revision += 1
        self._edits.append(edit)

    def carried(self, span: tuple[int, int] | list[int], since: int) -> tuple[int, int] | None:
        """Where a place of an earlier revision is now; None if it was changed since."""
        behind = self.revision - since
        if behind > len(self._edits):
            return None
        return carried(span, list(self._edits)[len(self._edits) - behind :])

    @property
    def file(self) -> str:
        """The path that the engine is told, with an extension that it knows if the editor knows the
        language; of what is not on disk only the name."""
        path = self.path or unquote(self.uri)
        if not self.uri.startswith("file:"):
            path = PurePath(path).name
        language = _LANGUAGES.get(self.language_id or "")
        if PurePath(path).suffix in extensions() or language is None:
            return path
        return path + PLATFORMS[language].extension

    @property
    def platform(self) -> str | None:
        """What the text is written in; None if it is no kernel file, or plain C++ without intrinsics."""
        if self._platform is None or self._platform[0] != self.revision:
            self._platform = (self.revision, self._written_in())
        return self._platform[1]

    def _written_in(self) -> str | None:
        platform = extensions().get(PurePath(self.file).suffix)
        if platform is None or PLATFORMS[platform].emulated:
            return platform
        head = self.source[:1_000_000]
        for other in PLATFORMS.values():
            if other.header and re.search(rf"^[ \t]*#\s*include\s*[<\"]{other.header}[>\"]", head, re.M):
                return other.name
        return platform if _INTRINSICS.search(head) else None


class Documents(Workspace):
    """The workspace of pygls with documents of our own."""

    def _create_text_document(
        self,
        doc_uri: str,
        source: str | None = None,
        version: int | None = None,
        language_id: str | None = None,
    ) -> TextDocument:
        if source is None:
            return super()._create_text_document(doc_uri, source, version, language_id)
        return Document(doc_uri, source, version, language_id, self.encoding)

    @property
    def encoding(self) -> str:
        """What columns are counted in: utf-8, utf-16 or utf-32."""
        agreed = self.position_encoding
        return agreed.value if isinstance(agreed, types.PositionEncodingKind) else agreed or "utf-16"

    def find(self, uri: str) -> Document | None:
        """The document if it is open."""
        found = self._text_documents.get(unquote(uri))
        return found if isinstance(found, Document) else None

    def open(self) -> list[Document]:
        return [found for found in self._text_documents.values() if isinstance(found, Document)]
