"""Edits of a text in place, each with its reason."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Edit:
    """Replace text[span[0]:span[1]] by `replacement`. An empty span is an insertion."""

    span: tuple[int, int]
    replacement: str
    reason: str


@dataclass
class EditList:
    """The edits, the helper definitions they rely on and the notes for the user, as the rules collect them.

    Insertions at one place are put in the order in which the constructs they belong to are nested.
    """

    edits: list[Edit] = field(default_factory=list)
    helpers: set[str] = field(default_factory=set)
    notes: dict[str, None] = field(default_factory=dict)
    _nesting: dict[int, tuple[int, int]] = field(default_factory=dict)

    def replace(self, start: int, end: int, replacement: str, reason: str) -> None:
        """Replace text[start:end]."""
        self.edits.append(Edit((start, end), replacement, reason))

    def insert(self, at: int, text: str, reason: str) -> None:
        """Insert before offset `at`."""
        self.edits.append(Edit((at, at), text, reason))

    def open(self, at: int, text: str, until: int, reason: str) -> None:
        """Insert the beginning of a construct that ends at offset `until`: outer constructs come first."""
        self._nesting[len(self.edits)] = (2, -until)
        self.insert(at, text, reason)

    def close(self, at: int, text: str, since: int, reason: str) -> None:
        """Insert the end of a construct that begins at offset `since`: inner constructs come first."""
        self._nesting[len(self.edits)] = (0, -since)
        self.insert(at, text, reason)

    def wrap(self, start: int, end: int, before: str, after: str, reason: str) -> None:
        """Put `before` and `after` around text[start:end]."""
        self.open(start, before, end, reason)
        self.close(end, after, start, reason)

    def need(self, helper: str) -> None:
        """The emitted text uses this helper definition."""
        self.helpers.add(helper)

    def note(self, message: str) -> None:
        """Tell the user; a message is given once."""
        self.notes[message] = None

    def settled(self) -> tuple[Edit, ...]:
        """The edits in order of place, without those that lie inside a larger replacement."""
        wide = sorted((e.span for e in self.edits if e.span[1] > e.span[0]), key=lambda s: (s[0], -s[1]))
        outer: list[tuple[int, int]] = []
        for span in wide:
            if not outer or span[1] > outer[-1][1]:
                outer.append(span)
        starts = [start for start, _ in outer]
        order = sorted(range(len(self.edits)), key=self._place)
        return tuple(e for e in map(self.edits.__getitem__, order) if not _is_covered(e.span, outer, starts))

    def _place(self, i: int) -> tuple[int, tuple[int, int]]:
        start, end = self.edits[i].span
        return start, (3, 0) if end > start else self._nesting.get(i, (1, 0))


def _is_covered(span: tuple[int, int], outer: list[tuple[int, int]], starts: list[int]) -> bool:
    i = bisect_right(starts, span[0]) - 1
    if i < 0 or span == outer[i] or outer[i][1] < span[1]:
        return False
    return span[0] < span[1] or outer[i][0] < span[0] < outer[i][1]


def apply(text: str, edits: tuple[Edit, ...]) -> str:
    """The text with non-overlapping edits, sorted by place, carried out."""
    parts: list[str] = []
    position = 0
    for edit in edits:
        start, end = edit.span
        if start < position:
            raise ValueError(f"overlapping edits at offset {start}: {edit.reason}")
        parts += [text[position:start], edit.replacement]
        position = end
    return "".join([*parts, text[position:]])
