"""Errors for people: what is wrong, where, why, and what to do next.

Every stage raises `Refusal` for input that it cannot handle faithfully. The command line turns it into
`file:line:column: error: message [code]` with exit code 2; the language server turns it into a diagnostic.
"""

from __future__ import annotations

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
