"""Any kernel with a canonical form to CUDA or HIP: kernels of its own for the target, bound to its threads.

Host code is CUDA's here (`hub.py`). A kernel without host code becomes a function of its name that chooses
the launch. HIP is made from the CUDA text, by the edits that any CUDA text gets.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from xpiler.backend.bang import with_known_dimensions
from xpiler.backend.bang_host import known_dimensions
from xpiler.backend.hip import to_hip
from xpiler.backend.idle_macros import without_idle_macros
from xpiler.backend.simt import CudaFunction, generate
from xpiler.backend.simt_host import with_host, with_wrappers
from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend import parse
from xpiler.frontend.unit import Unit
from xpiler.gate.evidence import Rung
from xpiler.ir.nodes import Function
from xpiler.routes.comments import comments_in
from xpiler.routes.job import EntryJob, Produced, refuse_failed
from xpiler.routes.launches import launch_of
from xpiler.routes.own_names import fresh_in
from xpiler.routes.separate_arrays import with_separate_arrays
from xpiler.routes.validated import validated


def produce(unit: Unit, entries: list[EntryJob]) -> Produced:
    """CUDA for every kernel that can be had; kernels that cannot refuse the entries that run them."""
    bare = {i.entry.kernels[0]: i for i in entries if i.entry.kind == "kernel" and i.entry.kernels}
    has_host = any(item.entry.kind != "kernel" for item in entries) or bool(unit.launches)
    functions: dict[str, CudaFunction] = {}
    failed: dict[str, Diagnostic] = {}
    rungs: list[Rung] = []
    for kernel in unit.program.kernels:
        item = bare.get(kernel.name)
        try:
            if item is None:
                functions[kernel.name] = _with_its_launch(unit, kernel, entries, rungs)
            elif item.inference is not None and item.inference.assumed is not None:
                failed[kernel.name] = item.inference.assumed
            elif item.refused is None and item.inference is not None:
                functions[kernel.name] = _without_launch(unit, kernel, item, rungs)
        except Refusal as refusal:
            failed[kernel.name] = refusal.diagnostic
    refuse_failed(unit, entries, functions, failed)
    unit = replace(unit, refusals={**unit.refusals, **failed})
    notes = tuple(note for function in functions.values() for note in function.notes)
    names = {name: name for name in functions if name in bare}
    text = with_host(unit, functions, names) if has_host else with_wrappers(unit, functions)
    return Produced(text, notes, names, tuple(rungs))


def produce_hip(unit: Unit, entries: list[EntryJob]) -> Produced:
    return as_hip(produce(unit, entries), unit)


def as_hip(made: Produced, unit: Unit) -> Produced:
    """What was produced in CUDA as HIP, by the edits that any CUDA text gets."""
    file = str(Path(unit.file).with_suffix(".cu"))
    text = without_idle_macros(made.text, file)  # what they hold has no form in HIP
    translated = to_hip(text, file, parse(text, file, platform="cuda"))
    return Produced(translated.text, (*made.notes, *translated.notes), made.calls, made.rungs)


def _with_its_launch(
    unit: Unit, kernel: Function, entries: list[EntryJob], rungs: list[Rung]
) -> CudaFunction:
    separate = with_separate_arrays(unit, kernel)
    canonical = validated(separate, entries, rungs, kernel.block_size, kernel.grid_size)
    known = with_known_dimensions(canonical, known_dimensions(unit, kernel.name))
    return generate(known, comments=comments_in(unit, kernel), beside=unit.text)


def _without_launch(unit: Unit, kernel: Function, item: EntryJob, rungs: list[Rung]) -> CudaFunction:
    assert item.inference is not None
    launch, block = known_dimensions(unit, kernel.name), kernel.block_size
    if item.inference.formula is not None:
        launch, block = launch_of(item.inference.formula)
    canonical = validated(kernel, [item], rungs, block)
    known = with_known_dimensions(canonical, launch)
    name = fresh_in(unit.text, f"{kernel.name}_kernel")
    return generate(known, name=name, comments=comments_in(unit, kernel), beside=unit.text)
