"""Changes of a text: places of it (`Site`) with what could stand there instead (`Alternative`)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from xpiler.symbolic.findings import Edit


class Form(Enum):
    """How a site becomes a choice at run time."""

    VALUE = "value"  # an expression whose value is used
    CALL = "call"  # a call whose value is not used
    STATEMENT = "statement"  # a statement that declares nothing
    GUARD = "guard"  # a statement that alternatives put a condition before
    INSERT = "insert"  # between two statements; the site is empty


@dataclass(frozen=True)
class Alternative:
    """`text` is what runs instead of the site; `edits` is the change of the text, if it is not to put `text`
    in the site's place. `cost`: how unlikely a fault the change mends, and how large it is. `kind`: the
    fault, in a word or two; faults of rare kinds are as likely as those of frequent ones. `also`: choices of
    other sites that are a part of the change; `edits` has theirs, too."""

    text: str
    cost: float
    title: str
    edits: tuple[Edit, ...] = ()
    kind: str = ""
    also: tuple[tuple[Site, int], ...] = ()


@dataclass
class Site:
    """A place of the text and what else could stand there. `dtype`: of all that could, where that is another
    type than that of what stands there. `controls`: from where to where the statements go that run if this
    holds."""

    start: int
    end: int
    form: Form
    function: str
    alternatives: list[Alternative] = field(default_factory=list)
    dtype: str = ""
    controls: tuple[int, int] | None = None

    def edits(self, choice: int) -> tuple[Edit, ...]:
        """The change of the text for a choice (from 1)."""
        chosen = self.alternatives[choice - 1]
        return chosen.edits or (Edit(self.start, self.end, chosen.text),)


@dataclass(frozen=True)
class Change:
    """Edits of the text, each with what it is about."""

    edits: tuple[Edit, ...]
    titles: tuple[str, ...]
    cost: float


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text with the edits made; they must not overlap."""
    pieces: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        pieces += [text[at : edit.start], edit.text]
        at = max(at, edit.end)
    return "".join([*pieces, text[at:]])


def joined(first: Sequence[Edit], second: Sequence[Edit]) -> tuple[Edit, ...] | None:
    """Edits of a text, and then further ones of what they make of it, as edits of the text; None where they
    meet."""
    moved: list[Edit] = []
    for edit in second:
        shift = 0
        for earlier in sorted(first, key=lambda e: e.start):
            at = earlier.start + shift  # where it stands now
            if edit.start >= at + len(earlier.text) and edit.start > at:
                shift += len(earlier.text) - (earlier.end - earlier.start)
            elif edit.end > at or edit.start == at:
                return None
        moved.append(Edit(edit.start - shift, edit.end - shift, edit.text))
    return (*first, *moved)


def overlap(edits: Sequence[Edit]) -> bool:
    ordered = sorted(edits, key=lambda e: (e.start, e.end))
    return any(b.start < a.end for a, b in pairwise(ordered))


def edits_between(before: str, after: str) -> tuple[Edit, ...]:
    """The lines that differ, as edits of the first text."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    codes = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return tuple(Edit(starts[a], starts[b], "".join(new[c:d])) for tag, a, b, c, d in codes if tag != "equal")


def unified(before: str, after: str, file: str) -> str:
    """The change as a unified diff."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), file, f"{file} (repaired)", n=2
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
