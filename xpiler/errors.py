"""Errors for people: what is wrong, where, why, and what to do next.

Every stage raises `Refusal` for input that it cannot handle faithfully. The command line turns it into
`file:line:column: error: message [code]` with exit code 2; the language server turns it into a diagnostic.
"""

from __future__ import annotations

import tempfile
import traceback
from dataclasses import dataclass

from xpiler.ir.source import SourceRange


@dataclass(frozen=True)
class Diagnostic:
    """One message about the user's text.

    `code` is stable and short (`unsupported-ptx`, `contract-grid`...). `remedy` says what to do next, or
    is empty.
    """

    code: str
    message: str
    range: SourceRange | None = None
    severity: str = "error"  # error | warning | note
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.range}: " if self.range else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{place}{self.severity}: {self.message}{remedy} [{self.code}]"


class Refusal(Exception):
    """The input is not supported or not valid: nothing was guessed and nothing was written."""

    def __init__(self, code: str, message: str, range: SourceRange | None = None, remedy: str = "") -> None:
        self.diagnostic = Diagnostic(code, message, range, "error", remedy)
        super().__init__(str(self.diagnostic))

    @staticmethod
    def of(told: Diagnostic) -> Refusal:
        """The refusal for what was told."""
        return Refusal(told.code, told.message, told.range, told.remedy)


def internal_error(error: Exception, file: str = "") -> Refusal:
    """A fault of xpiler itself as a refusal of `file`; where it happened is kept in a file of its own."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="xpiler-error-", suffix=".txt", delete=False, encoding="utf-8"
    ) as kept:
        traceback.print_exception(error, file=kept)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Refusal(
        "internal-error",
        f"xpiler itself failed: {what}",
        SourceRange(file, 1, 1, 1, 1) if file else None,
        f"report it with your input and {kept.name}",
    )
