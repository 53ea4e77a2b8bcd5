"""The canonical form of a kernel, every application of a pass on the way checked, and the record of that."""

from __future__ import annotations

from collections.abc import Iterable

from xpiler.gate.evidence import Rung
from xpiler.ir.nodes import Function
from xpiler.passes.canonical import canonicalise
from xpiler.routes.job import EntryJob
from xpiler.symbolic.validation import Validation

Sizes = tuple[int | None, ...]


def validated(
    kernel: Function,
    entries: Iterable[EntryJob],
    rungs: list[Rung],
    block_size: Sizes | None = None,
    grid_size: Sizes = (None, None, None),
) -> Function:
    """Results of passes that do not compute what the program before them did are not used."""
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
    return found
