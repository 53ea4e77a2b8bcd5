"""A change that writes a text anew is none that mends it."""

from __future__ import annotations

from xpiler.repair.changes import Change
from xpiler.repair.comparison import is_small
from xpiler.symbolic.findings import Edit

TEXT = "int a = 1;\nint b = 2;\n" * 8


def test_few_statements_are_a_repair_and_many_a_rewriting() -> None:
    few = Change(tuple(Edit(n, n + 3, "long") for n in (0, 11, 22)), ("one", "two", "three"), 3.0)
    assert is_small(TEXT, few)
    assert not is_small(TEXT, Change((Edit(0, len(TEXT), "int c = 3;"),), ("all",), 1.0))
    assert not is_small(TEXT, Change((Edit(0, 10, TEXT),), ("one for many",), 1.0))
