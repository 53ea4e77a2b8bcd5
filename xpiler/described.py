"""Sizes in the words of messages and evidence."""

from __future__ import annotations

from collections.abc import Iterable

_SHOWN = 12


def sizes_in_words(values: Iterable[tuple[str, object]]) -> str:
    """`M=37, N=20`; of a list of a hundred sizes the first ones."""
    shown = [f"{name}={value}" for name, value in values]
    if len(shown) > _SHOWN:
        shown[_SHOWN - 1 :] = [f"{len(shown) - _SHOWN + 1} others"]
    return ", ".join(shown) or "its fixed sizes"
