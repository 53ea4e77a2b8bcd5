"""Edits of a text, and of what they make of it."""

from __future__ import annotations

from xpiler.repair.changes import apply, joined
from xpiler.symbolic.findings import Edit

TEXT = "for (i = 1; i < n; ++i) s = a[i];"
START, LINE = Edit(9, 10, "0"), Edit(24, 24, "    ")


def test_edits_of_a_changed_text_become_edits_of_the_text() -> None:
    made = apply(TEXT, [LINE, START])
    assert made == "for (i = 0; i < n; ++i)     s = a[i];"
    at = made.index("= a")
    edits = joined((LINE, START), (Edit(5, 6, "j"), Edit(at, at + 1, "+=")))
    assert edits is not None
    assert apply(TEXT, edits) == "for (j = 0; i < n; ++i)     s += a[i];"


def test_edits_that_meet_are_none() -> None:
    assert joined((START,), (Edit(8, 12, "2;"),)) is None
