"""From places in the expanded text back to places in the files that the user wrote."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

from xpiler.ir.source import SourceRange


@dataclass(frozen=True)
class SourceFile:
    """An original text. `text` is what the user sees: offsets, lines and columns count its characters."""

    name: str
    text: str
    line_starts: tuple[int, ...]

    @classmethod
    def of(cls, name: str, text: str) -> SourceFile:
        starts = [0]
        find = text.find
        at = find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = find("\n", at + 1)
        return cls(name, text, tuple(starts))

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of an offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def range(self, start: int, end: int) -> SourceRange:
        line, column = self.place(start)
        end_line, end_column = self.place(max(start, end))
        return SourceRange(self.name, line, column, end_line, end_column)


class Origin(NamedTuple):
    """Where one run of expanded text comes from.

    A copied run maps character by character from `start` on. The text of a macro's body (`is_macro`) maps as
    a whole to the use of the macro, [start, end).
    """

    file: int
    start: int
    end: int
    is_macro: bool = False


@dataclass
class SourceMap:
    """Runs of the expanded text in order; `begins[i]` is where run `i` starts."""

    files: list[SourceFile] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)

    def add(self, begin: int, origin: Origin) -> None:
        self.begins.append(begin)
        self.origins.append(origin)

    def origin(self, offset: int) -> tuple[Origin, int]:
        """The run an expanded offset lies in and its distance from the run's begin."""
        index = max(0, bisect_right(self.begins, offset) - 1)
        return self.origins[index], offset - self.begins[index]

    def span(self, start: int, end: int) -> tuple[int, int, int]:
        """(file index, start, end) in the original text of the expanded range [start, end)."""
        first, into = self.origin(start)
        last, behind = self.origin(max(start, end - 1))
        begin = first.start if first.is_macro else first.start + into
        finish = last.end if last.is_macro else last.start + behind + (1 if end > start else 0)
        if first.file != last.file:
            return first.file, begin, first.end
        # half from a macro's body, half from its arguments: the whole use
        if last.is_macro and last.start <= begin < last.end:
            begin = last.start
        if first.is_macro and first.start < finish <= first.end:
            finish = first.end
        return first.file, begin, max(begin, finish)

    def is_from_macro(self, offset: int) -> bool:
        return self.origin(offset)[0].is_macro

    def range(self, start: int, end: int) -> SourceRange:
        file, begin, finish = self.span(start, end)
        return self.files[file].range(begin, finish)

    def with_insertions(self, insertions: list[tuple[int, int]]) -> SourceMap:
        """The map of the text into which runs of (offset, length) were inserted; offsets ascend."""
        result = SourceMap(self.files)
        begins = [*self.begins, 1 << 62]
        shift = run = 0
        result.add(begins[0], self.origins[0])
        for offset, length in insertions:
            while begins[run + 1] <= offset:
                run += 1
                result.add(begins[run] + shift, self.origins[run])
            origin, into = self.origins[run], offset - begins[run]
            here = (
                origin if origin.is_macro else Origin(origin.file, origin.start + into, origin.start + into)
            )
            if result.begins[-1] == offset + shift:  # nothing of the run stands before the insertion
                result.begins.pop()
                result.origins.pop()
            result.add(offset + shift, here._replace(is_macro=True))
            shift += length
            after = origin if origin.is_macro else origin._replace(start=origin.start + into)
            result.add(offset + shift, after)
        for index in range(run + 1, len(self.origins)):
            result.add(begins[index] + shift, self.origins[index])
        return result
