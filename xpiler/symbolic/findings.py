"""What the checker says: findings with stable codes, and a verdict a kernel."""

from __future__ import annotations

from dataclasses import dataclass, field

from xpiler.errors import Diagnostic
from xpiler.ir.source import SourceRange

CODES: dict[str, str] = {
    "XP-BOUNDS": "an access outside of an array",
    "XP-RACE": "two threads use an element at the same time, and one of them writes it",
    "XP-SYNCWARP": "threads of a warp rely on running in lockstep",
    "XP-SAME-VALUE": "several threads write the same value to one element",
    "XP-SCATTER": "two threads may write one element, if the data makes them",
    "XP-DIVERGENCE": "a barrier that not all threads of a block reach",
    "XP-MASK": "a warp operation with lanes that do not take part",
    "XP-UNINIT": "a value is read before there is one",
    "XP-CAPACITY": "more on-chip memory than there is",
    "XP-ALIGN": "a vector access at an address that is no multiple of its size",
    "XP-OVERLAP": "operands of an instruction, or sides of a copy, that share memory in part",
    "XP-SPACE": "an operand in a memory that the instruction, or the direction of a copy, does not take",
    "XP-OVERFLOW": "an index that does not fit its type",
    "XP-WARP-SIZE": "a warp size that the platform does not have",
    "XP-ZERO": "an integer division by zero",
    "XP-ASYNC": "memory that an asynchronous copy may still be using",
    "XP-UNWRITTEN": "a rest of a size that tasks share out is left",
    "XP-UNGUARDED": "a size that is passed but bounds nothing",
}
ERROR, WARNING, NOTE = "error", "warning", "note"  # proved and replayed; possible; style


@dataclass(frozen=True)
class Edit:
    """Replace `[start, end)` of the text (offsets) by `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Fix:
    """A change that removes the finding; `title` says which in words."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Related:
    """Another place that the finding is about."""

    range: SourceRange | None
    message: str


@dataclass(frozen=True)
class Found:
    """A finding. `counterexample`: values by the user's names, of the second thread of a conflict with
    `other.` before; `holds_if`: what has to be assumed, in words, "" if nothing; `replayed`: the interpreter
    ran into it with these values; `is_open`: nobody can tell from the text, so the kernel stays undecided."""

    code: str
    severity: str
    message: str
    range: SourceRange | None
    kernel: str
    counterexample: dict[str, int] = field(default_factory=dict)
    array: str = ""
    related: tuple[Related, ...] = ()
    fixes: tuple[Fix, ...] = ()
    holds_if: str = ""
    replayed: bool = False
    is_open: bool = False


CLEAN, BUGS, UNDECIDED, REFUSED = "clean", "bugs", "undecided", "refused"


@dataclass(frozen=True)
class Verdict:
    """`scope`: for which launches, sizes and data the verdict holds; `undecided`: what was too hard."""

    name: str
    status: str
    scope: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    file: str
    kernels: tuple[Verdict, ...]
    findings: tuple[Found, ...]
    refusals: tuple[Diagnostic, ...] = ()
    seconds: float = 0.0
