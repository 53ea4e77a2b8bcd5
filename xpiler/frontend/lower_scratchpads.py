"""Which scratchpad of BANG C a declaration is for, by the words for them (`predefined_bang.py`)."""

from __future__ import annotations

from collections.abc import Set

from xpiler.frontend.predefined_bang import NRAM, WRAM
from xpiler.ir.nodes import Space


def scratchpad(words: Set[str], *, everywhere: bool = False) -> Space | None:
    """`__nram__` and `__wram__` are a task's own; None for every other declaration.

    At namespace scope (`everywhere`) what a cluster shares too: inside functions it is as in CUDA.
    """
    if NRAM in words:
        return Space.NRAM
    if WRAM in words:
        return Space.WRAM
    return Space.SHARED if everywhere and "__shared__" in words else None
