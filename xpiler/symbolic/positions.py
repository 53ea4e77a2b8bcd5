"""Offsets of a text and its lines and columns."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass
class Lines:
    """`starts`: offset of each line; lines and columns count from 1."""

    text: str
    starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.starts = [0, *(i + 1 for i, c in enumerate(self.text) if c == "\n")]

    def offset(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column - 1

    def place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def indentation(self, line: int) -> str:
        rest = self.text[self.starts[line - 1] :]
        return rest[: len(rest) - len(rest.lstrip(" \t"))]

    def region(self, start: int, end: int) -> dict[str, int]:
        (line, column), (end_line, end_column) = self.place(start), self.place(end)
        return {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}
