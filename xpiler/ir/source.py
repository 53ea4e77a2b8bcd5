"""Places in the user's text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class SourceRange:
    """A half-open range of the original text. Lines and columns count from 1; columns count characters."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def contains(self, other: SourceRange) -> bool:
        return (
            self.file == other.file
            and (self.line, self.column) <= (other.line, other.column)
            and (other.end_line, other.end_column) <= (self.end_line, self.end_column)
        )

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
