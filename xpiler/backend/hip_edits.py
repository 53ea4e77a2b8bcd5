"""Edits of a text in place, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Edit:
    """Replace text[span[0]:span[1]] by `replacement`. An empty span is an insertion."""

    span: tuple[int, int]
    replacement: str
    reason: str


@dataclass
class EditList:
    """The edits, the helper definitions they rely on and the notes for the user, as the rules collect them."""

    edits: list[Edit] = field(default_factory=list)
    helpers: set[str] = field(default_factory=set)
    notes: dict[str, None] = field(default_factory=dict)

    def replace(self, start: int, end: int, replacement: str, reason: str) -> None:
        """Replace text[start:end]."""
        self.edits.append(Edit((start, end), replacement, reason))

    def insert(self, at: int, text: str, reason: str) -> None:
        """Insert before offset `at`."""
        self.edits.append(Edit((at, at), text, reason))

    def need(self, helper: str) -> None:
        """The emitted text uses this helper definition."""
        self.helpers.add(helper)

    def note(self, message: str) -> None:
        """Tell the user; a message is given once."""
        self.notes[message] = None

    def settled(self) -> tuple[Edit, ...]:
        """The edits in order of place, without those that lie inside a larger replacement."""
        ordered = sorted(
            enumerate(self.edits), key=lambda p: (p[1].span[0], p[1].span[1] > p[1].span[0], p[0])
        )
        kept: list[Edit] = []
        for _, edit in ordered:
            outer = [o for _, o in ordered if o is not edit and _inside(edit, o)]
            if not outer:
                kept.append(edit)
        return tuple(kept)


def _inside(inner: Edit, outer: Edit) -> bool:
    (a, b), (c, d) = inner.span, outer.span
    if (a, b) == (c, d):
        return False
    return c <= a and b <= d and not (a == b and a in (c, d))


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
