"""Texts with lines as the protocol counts them, and what edits do to places in them.

The protocol ends lines at `\\n`, `\\r\\n` and `\\r` and nothing else; Python's `splitlines` also at form
feeds, U+2028 and others. The protocol counts columns in units of the encoding that was agreed on. Everything
inside the server is an offset in characters; only this module converts.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from lsprotocol import types

_ENDS = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Edit:
    """Characters `[start, end)` were replaced by `length` others."""

    start: int
    end: int
    length: int


class Text:
    """An immutable text. `encoding` is that of the protocol's columns."""

    def __init__(self, source: str, encoding: str = "utf-16", starts: list[int] | None = None) -> None:
        self.source, self.encoding = source, encoding
        self._starts = starts

    @cached_property
    def starts(self) -> list[int]:
        """The offset of each line; a text that ends with a line's end has an empty last line."""
        return self._starts or [0, *(match.end() for match in _ENDS.finditer(self.source))]

    def lines(self) -> list[str]:
        """Lines with their ends, the empty one at the end left out."""
        bounds = [*self.starts, len(self.source)]
        pieces = [self.source[a:b] for a, b in pairwise(bounds)]
        return pieces if pieces[-1] else pieces[:-1]

    def offset(self, position: types.Position) -> int:
        """The character at a position; behind the end of a line stands for its end, as the protocol says."""
        if position.line >= len(self.starts):
            return len(self.source)
        start, end = self.line(position.line)
        line = self.source[start:end]
        if self.encoding == "utf-32" or line.isascii():
            return start + min(position.character, len(line))
        units = 0
        for number, character in enumerate(line):
            units += self._units(character)
            if units > position.character:
                return start + number
        return end

    def position(self, offset: int) -> types.Position:
        offset = max(0, min(offset, len(self.source)))
        line = bisect_right(self.starts, offset) - 1
        piece = self.source[self.starts[line] : offset]
        if self.encoding == "utf-32" or piece.isascii():
            return types.Position(line, len(piece))
        return types.Position(line, sum(map(self._units, piece)))

    def _units(self, character: str) -> int:
        code = ord(character)
        if self.encoding == "utf-16":
            return 2 if code > 0xFFFF else 1
        return 1 + (code > 0x7F) + (code > 0x7FF) + (code > 0xFFFF)

    def range(self, span: tuple[int, int] | list[int]) -> types.Range:
        return types.Range(self.position(span[0]), self.position(span[1]))

    def span(self, place: types.Range) -> tuple[int, int]:
        start, end = self.offset(place.start), self.offset(place.end)
        return min(start, end), max(start, end)

    def edited(self, edit: Edit, new: str) -> Text:
        """The text with an edit; only the lines around it are looked at again."""
        source = self.source[: edit.start] + new + self.source[edit.end :]
        # A line's end may begin just before the edit (`\r` that meets a `\n`) or end just behind it.
        first = bisect_right(self.starts, max(0, edit.start - 1)) - 1
        last = min(bisect_right(self.starts, min(len(self.source), edit.end + 1)), len(self.starts))
        moved = edit.length - (edit.end - edit.start)
        begin = self.starts[first]
        until = self.starts[last] + moved if last < len(self.starts) else len(source)
        ends = (match.end() for match in _ENDS.finditer(source, begin, until))
        inner = [end for end in ends if end < until or last == len(self.starts)]
        behind = [start + moved for start in self.starts[last:]]
        return Text(source, self.encoding, [*self.starts[: first + 1], *inner, *behind])

    def word(self, offset: int) -> tuple[int, int]:
        """The identifier around an offset; empty if there is none."""
        start = end = offset
        while start > 0 and (self.source[start - 1].isalnum() or self.source[start - 1] == "_"):
            start -= 1
        while end < len(self.source) and (self.source[end].isalnum() or self.source[end] == "_"):
            end += 1
        return start, end

    def line(self, line: int) -> tuple[int, int]:
        """A line without its end."""
        start = self.starts[line]
        if line + 1 == len(self.starts):
            return start, len(self.source)
        end = self.starts[line + 1]
        return start, end - (2 if self.source[start:end].endswith("\r\n") else 1)


def difference(old: str, new: str) -> Edit:
    """A whole new text as one edit of the old one."""
    most = min(len(old), len(new))
    start = _common(old, new, most)
    end = _common(old[start:][::-1], new[start:][::-1], most - start)
    return Edit(start, len(old) - end, len(new) - end - start)


def _common(old: str, new: str, most: int) -> int:
    """How many characters at the beginning are the same, by bisection on whole slices."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if old[low:middle] == new[low:middle] else (low, middle - 1)
    return low


def carried(span: tuple[int, int] | list[int], edits: Iterable[Edit]) -> tuple[int, int] | None:
    """Where a place is after edits; None if one of them changed it."""
    start, end = span
    for edit in edits:
        moved = edit.length - (edit.end - edit.start)
        if edit.end <= start:
            start, end = start + moved, end + moved
        elif edit.start < end:
            return None
    return start, end
