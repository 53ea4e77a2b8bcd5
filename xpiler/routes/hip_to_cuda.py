"""HIP to CUDA: the text is edited in place.

Where the text shuffles or votes over whole waves there are two ways to say so in CUDA
(`backend/cuda_waves.py`): by warps of 32 lanes, which is what code in terms of `warpSize` means, and by pairs
of warps. The first is taken if the results are those of the source on every case of the contracts; nothing
else can tell, since blocks and arrays may be sized for waves of 64.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.backend.cuda import to_cuda, waves_matter
from xpiler.backend.omit import kernel_at
from xpiler.errors import Refusal
from xpiler.frontend.unit import Unit
from xpiler.gate.execute import build
from xpiler.gate.verify import compare_programs, compare_target
from xpiler.routes.job import EntryJob, Produced, omit


def admit(unit: Unit, entries: list[EntryJob]) -> Unit:
    """The unit without the kernels that cannot be edited into CUDA, whose entries are refused.

    Raises the refusal if it is about no kernel, or if no kernel would be left.
    """
    while True:
        try:
            to_cuda(unit.text, unit.file)
            return unit
        except Refusal as refusal:
            place = refusal.diagnostic.range
            name = kernel_at(unit, place.file, place.line) if place else None
            if name is None:
                raise
            unit = omit(unit, name, refusal.diagnostic, entries)


def produce(unit: Unit, entries: list[EntryJob]) -> Produced:
    if waves_matter(unit.text, unit.file):
        try:
            native = to_cuda(unit.text, unit.file, native=True)
        except Refusal:
            native = None
        if native is not None and _is_right(native.text, unit.file, entries):
            note = "waves of 64 lanes are warps of 32 here: the results are the same on every case"
            return Produced(native.text, (*native.notes, note))
    translated = to_cuda(unit.text, unit.file)
    return Produced(translated.text, translated.notes)


def _is_right(text: str, file: str, entries: list[EntryJob]) -> bool:
    """Whether the text computes what the source computed, for every entry that ran."""
    asked = False
    for item in entries:
        if item.refused is not None or item.build is None or item.inference is None:
            continue
        contract = item.inference.contract
        target = build(text, file, "cuda", contract)
        if not target.ok:
            return False
        if item.entry.kind == "main":
            rungs = compare_programs(item.build, target)
        elif item.runs is not None and not item.runs.fault:
            rungs = compare_target(replace(contract), item.build, item.runs, target)
        else:
            continue
        asked = True
        if not all(rung.ok for rung in rungs):
            return False
    return asked
