"""Any kernel with a canonical form to BANG C; the host code around it is edited in place."""

from __future__ import annotations

import os

from xpiler.backend import bang, bang_host
from xpiler.backend.launch_extents import grid_formulas
from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.unit import Unit
from xpiler.gate.evidence import Rung
from xpiler.ir.nodes import Function
from xpiler.platforms.bang import ARCHITECTURES, DEFAULT
from xpiler.routes.job import EntryJob, Produced, refuse_failed, without_failed
from xpiler.routes.launches import launch_of
from xpiler.routes.own_names import fresh_in
from xpiler.routes.separate_arrays import with_separate_arrays
from xpiler.routes.validated import validated


def produce(unit: Unit, entries: list[EntryJob]) -> Produced:
    """BANG C for every kernel that can be had; kernels that cannot refuse the entries that run them."""
    bare = {i.entry.kernels[0]: i for i in entries if i.entry.kind == "kernel" and i.entry.kernels}
    has_host = any(item.entry.kind != "kernel" for item in entries) or bool(unit.launches)
    functions: dict[str, bang.BangFunction] = {}
    wrapped: dict[str, tuple[bang.BangFunction, Function]] = {}
    failed: dict[str, Diagnostic] = {}
    rungs: list[Rung] = []
    arch = next((i.inference.contract.arch for i in entries if i.inference is not None), "")
    architecture = ARCHITECTURES.get(arch or os.environ.get("XPILER_BANG_ARCH", ""), DEFAULT)
    for kernel in unit.program.kernels:
        item = bare.get(kernel.name)
        try:
            if item is None:
                known = with_separate_arrays(unit, kernel)
                canonical = validated(known, entries, rungs, kernel.block_size)
                known_extents = bang_host.known_dimensions(unit, kernel.name)
                launch = grid_formulas(unit, kernel, canonical) | known_extents
                functions[kernel.name] = bang.generate(canonical, launch=launch, architecture=architecture)
            elif item.inference is not None and item.inference.assumed is not None:
                failed[kernel.name] = item.inference.assumed
            elif item.refused is None and item.inference is not None:
                block, launch = kernel.block_size, bang_host.known_dimensions(unit, kernel.name)
                if item.inference.formula is not None:
                    launch, block = launch_of(item.inference.formula)
                canonical = validated(kernel, entries, rungs, block)
                function = bang.generate(
                    canonical,
                    name=fresh_in(unit.text, f"{kernel.name}_kernel"),
                    launch=launch,
                    architecture=architecture,
                )
                functions[kernel.name] = function
                wrapped[kernel.name] = function, kernel
        except Refusal as refusal:
            failed[kernel.name] = refusal.diagnostic
    refuse_failed(unit, entries, functions, failed)
    unit = without_failed(unit, failed, entries)
    notes = tuple(note for function in functions.values() for note in function.notes)
    host = bang_host.to_bang(unit, functions, wrapped) if has_host else bang_host.with_wrapper(unit, wrapped)
    spaces = {k.name: k.namespace if has_host else "" for k in unit.program.kernels}
    return Produced(host, notes, {name: spaces[name] + name for name in wrapped}, tuple(rungs))
