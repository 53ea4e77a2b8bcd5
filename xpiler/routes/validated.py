"""The canonical form of a kernel, every application of a pass on the way checked, and the record of that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from xpiler.gate.evidence import Rung
from xpiler.ir.nodes import Function
from xpiler.passes.canonical import canonicalise
from xpiler.routes.job import EntryJob
from xpiler.symbolic.validation import Validation

Sizes = tuple[int | None, ...]
Known = dict[tuple[Function, Sizes | None, Sizes], Function]
"""Canonical forms of kernels, by what they are asked for with."""

_KNOWN: ContextVar[Known | None] = ContextVar("canonical forms", default=None)


_UNCHECKED: ContextVar[bool] = ContextVar("passes are not checked", default=False)


@contextmanager
def unchecked() -> Iterator[None]:
    """Applications of passes are not checked while the block lasts: for whoever believes nothing of the text
    before it has passed the gate, which asks the same of the whole."""
    token = _UNCHECKED.set(True)
    try:
        yield
    finally:
        _UNCHECKED.reset(token)


@contextmanager
def remembered(known: Known) -> Iterator[None]:
    """Canonical forms are kept, and taken from there, while the block lasts: for whoever writes one
    translation many times, with its entries' contracts as they are. What was checked is not told again."""
    token = _KNOWN.set(known)
    try:
        yield
    finally:
        _KNOWN.reset(token)


def validated(
    kernel: Function,
    entries: Iterable[EntryJob],
    rungs: list[Rung],
    block_size: Sizes | None = None,
    grid_size: Sizes = (None, None, None),
) -> Function:
    """Results of passes that do not compute what the program before them did are not used."""
    if _UNCHECKED.get():
        return canonicalise(kernel, block_size, grid_size).function
    known, key = _KNOWN.get(), (kernel, block_size, grid_size)
    if known is not None and key in known:
        return known[key]
    settings = [
        setting
        for item in entries
        if item.inference is not None
        for setting in item.inference.settings.get(kernel.name, ())
    ]
    validation = Validation(settings, grid_size)
    found = canonicalise(kernel, block_size, grid_size, check=validation.check).function
    doubts = [why for why in validation.refuted if why.startswith("loop recovery")]
    words = [validation.describe(), *(f"not used: {why}" for why in validation.refuted if why not in doubts)]
    detail = "; ".join(filter(None, [*words, *doubts]))
    if detail:
        what, seconds = f"{kernel.name}: {detail}", validation.seconds
        rungs.append(Rung("proved", True, "translation validation", what, seconds, undecided=bool(doubts)))
    if known is not None:
        known[key] = found
    return found
