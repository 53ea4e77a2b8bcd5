"""CUDA to HIP: the text is edited in place, the IR is only for checks."""

from __future__ import annotations

import re

from xpiler.backend.hip import to_hip
from xpiler.backend.hip_host import twin_of
from xpiler.backend.omit import kernel_at
from xpiler.errors import Refusal
from xpiler.frontend.unit import Unit
from xpiler.routes.job import EntryJob, Produced, omit
from xpiler.routes.libraries import unrun


def admit(unit: Unit, entries: list[EntryJob]) -> Unit:
    """The unit without the kernels that cannot be edited into HIP, whose entries are refused.

    Raises the refusal if it is about no kernel, or if no kernel would be left.
    """
    entries += unrun(unit, entries)
    while True:
        try:
            to_hip(unit.text, unit.file, unit)
            return unit
        except Refusal as refusal:
            place = refusal.diagnostic.range
            name = kernel_at(unit, place.file, place.line) if place else None
            if name is None:
                raise
            unit = omit(unit, name, refusal.diagnostic, entries)


def produce(unit: Unit, entries: list[EntryJob]) -> Produced:
    translated = to_hip(unit.text, unit.file, unit)
    return Produced(translated.text, translated.notes)


def spell(types: str) -> str:
    """CUDA's types by HIP's names: `cudaStream_t` is `hipStream_t`."""
    return re.sub(r"\b[A-Za-z_]\w*", lambda name: twin_of(name[0]) or name[0], types)
