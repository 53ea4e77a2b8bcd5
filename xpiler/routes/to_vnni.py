"""Any kernel with a canonical form to C++ with AVX-512/VNNI; the host code around it is edited in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from xpiler.backend.c import CPrinter
from xpiler.backend.host_cpp import comment_before, leading_comment, to_cpp
from xpiler.backend.host_torch import on_processor
from xpiler.backend.signature import signature_of, with_definitions
from xpiler.backend.vnni import CppFunction, assemble, generate
from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.unit import Unit
from xpiler.gate.evidence import Rung
from xpiler.gate.infer_launch import LaunchFormula
from xpiler.ir.nodes import Const, Function
from xpiler.routes.comments import comments_in
from xpiler.routes.job import EntryJob, Produced, refuse_failed, without_failed
from xpiler.routes.launches import launch_of
from xpiler.routes.parallelism import settled
from xpiler.routes.separate_arrays import with_separate_arrays
from xpiler.routes.validated import validated


def produce(unit: Unit, entries: list[EntryJob], *, scalar: type[CPrinter] | None = None) -> Produced:
    """C++ for every kernel that can be had; kernels that cannot refuse the entries that run them.

    With vectors, or as `scalar` prints loops.
    """
    bare = {
        item.entry.kernels[0]: item for item in entries if item.entry.kind == "kernel" and item.entry.kernels
    }
    has_host = any(item.entry.kind != "kernel" for item in entries) or bool(unit.launches)
    functions: dict[str, CppFunction] = {}
    failed: dict[str, Diagnostic] = {}
    rungs: list[Rung] = []
    for kernel in unit.program.kernels:
        item = bare.get(kernel.name)
        try:
            if item is None or has_host:
                functions[kernel.name] = _cpp_kernel(unit, kernel, None, entries, rungs, scalar)
            elif item.inference is not None and item.inference.assumed is not None:
                failed[kernel.name] = item.inference.assumed
            elif item.refused is None and item.inference is not None:
                formula = item.inference.formula
                functions[kernel.name] = _cpp_kernel(unit, kernel, formula, entries, rungs, scalar)
        except Refusal as refusal:
            failed[kernel.name] = refusal.diagnostic
    refuse_failed(unit, entries, functions, failed)
    unit = without_failed(unit, failed, entries)
    notes = tuple(note for function in functions.values() for note in function.notes)
    text = to_cpp(unit, functions) if has_host else _cpp_of_kernels(unit, functions)
    spaces = {k.name: k.namespace if has_host else "" for k in unit.program.kernels}
    calls = {name: spaces[name] + function.name for name, function in functions.items()}
    return Produced(on_processor(text), notes, calls, tuple(rungs))


def _cpp_of_kernels(unit: Unit, functions: Mapping[str, CppFunction]) -> str:
    """The file of kernels without host code: under its own title, each kernel under its own comment."""
    above = {kernel.name: comment_before(unit.text, kernel.span[0]) for kernel in unit.kernels}
    shown: dict[str, CppFunction] = {}
    for kernel in unit.program.kernels:
        if kernel.name in functions:
            comment = above.pop(kernel.template or kernel.name, "")
            own = functions[kernel.name]
            shown[kernel.name] = replace(own, text=f"{comment}\n{own.text}".lstrip())
    types = with_definitions(unit, [f.name for f in shown.values()], "").rstrip()
    return assemble(shown.values(), banner=leading_comment(unit.text), types=types)


def _cpp_kernel(
    unit: Unit,
    kernel: Function,
    formula: LaunchFormula | None,
    entries: list[EntryJob],
    rungs: list[Rung],
    scalar: type[CPrinter] | None,
) -> CppFunction:
    if formula is None:
        known = with_separate_arrays(unit, kernel)
        canonical = validated(known, entries, rungs, kernel.block_size, kernel.grid_size)
        canonical, rung = settled(kernel.name, canonical, entries)
        made = generate(canonical, comments=comments_in(unit, kernel), scalar=scalar)
        rungs.append(rung)
        return made
    launch, block = launch_of(formula)
    flat = tuple(int(e.value) if isinstance(e, Const) else None for e in formula.grid)
    canonical, rung = settled(kernel.name, validated(kernel, entries, rungs, block, flat), entries)
    name = kernel.template or kernel.name
    made = generate(
        canonical,
        name=name,
        extern_c=True,
        launch=launch,
        signature=None if unit.host_functions else signature_of(unit, name),
        comments=comments_in(unit, kernel),
        scalar=scalar,
    )
    rungs.append(rung)
    return made
