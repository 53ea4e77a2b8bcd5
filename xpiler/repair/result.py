"""What a repair tells: where the fault is, what was changed, and how the result was checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from xpiler.errors import Diagnostic
from xpiler.gate.evidence import Rung
from xpiler.ir.source import SourceRange
from xpiler.symbolic.findings import Edit

REPAIRED, NOTHING_WRONG, NOT_REPAIRED, REFUSED = "repaired", "nothing wrong", "not repaired", "refused"

# What found a repair: the trial of changes that the text and its source suggest, or a comparison with what
# the engine itself would have written.
SEARCH, COMPARISON = "search", "comparison"


@dataclass(frozen=True)
class Localized:
    """A statement that is wrong, and what shows it."""

    range: SourceRange
    message: str

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.range.file,
            "line": self.range.line,
            "column": self.range.column,
            "end_line": self.range.end_line,
            "end_column": self.range.end_column,
            "message": self.message,
        }


@dataclass(frozen=True)
class Repair:
    """`text` is the repaired one, with `edits` of the given text and `diff`; `symptom` says in words what was
    wrong with the results. `reason`: why there is no repair. `by`: what found it."""

    status: str
    text: str | None = None
    edits: tuple[Edit, ...] = ()
    localized: tuple[Localized, ...] = ()
    diff: str = ""
    evidence: tuple[Rung, ...] = ()
    symptom: str = ""
    reason: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    seconds: float = 0.0
    by: str = SEARCH
