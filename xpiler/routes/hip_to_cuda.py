"""HIP to CUDA: the text is edited in place wherever that is right.

Where the text shuffles or votes over whole waves there are two ways to say so in place
(`backend/cuda_waves.py`): by warps of 32 lanes, which is what code in terms of `warpSize` means, and by pairs
of warps. A third way are new kernels from the canonical form; it comes first for matrix instructions, which
pairs of warps can only imitate. The first way that compiles and whose results are those of the source on
every case of the contracts is taken: nothing else can tell, since blocks and arrays may be sized for waves
of 64. New kernels are also the way out where CUDA's compilers do not take what HIP's do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod
from pathlib import PurePath

from xpiler.backend.cuda import has_matrices, to_cuda, waves_matter
from xpiler.backend.omit import base_name, kernel_at
from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.unit import Unit
from xpiler.gate.contract import Contract
from xpiler.gate.execute import build
from xpiler.gate.toolchain import compile_check
from xpiler.gate.verify import compare_programs, compare_target
from xpiler.ir.nodes import Const, Decl, Space
from xpiler.ir.rewrite import walk_stmts
from xpiler.platforms import cuda
from xpiler.routes import to_simt
from xpiler.routes.hub import from_any_host
from xpiler.routes.job import EntryJob, Produced, omit
from xpiler.routes.libraries import unrun


def admit(unit: Unit, entries: list[EntryJob]) -> Unit:
    """The unit without the kernels that neither can be edited into CUDA nor have an IR.

    Raises the refusal if it is about no kernel, or if no kernel would be left.
    """
    entries += unrun(unit, entries)
    while True:
        try:
            to_cuda(unit.text, unit.file, operators=unit.vector_operators)
            return unit
        except Refusal as refusal:
            place = refusal.diagnostic.range
            name = kernel_at(unit, place.file, place.line) if place else None
            without_ir = {base_name(spelling) for spelling in unit.refusals}
            if not without_ir:
                return unit
            if name is None:
                raise
            if name not in without_ir:
                name = min(without_ir)
            unit = omit(unit, name, refusal.diagnostic, entries)


def produce(unit: Unit, entries: list[EntryJob]) -> Produced:
    reason: Refusal | None = None
    last: Produced | None = None
    given = {id(item): item.refused for item in entries}
    for way in _ways(unit, entries):
        try:
            made = way()
        except Refusal as refusal:
            reason = reason or refusal
            _restore(entries, given)
            continue
        if _is_right(made, str(PurePath(unit.file).with_suffix(".cu")), entries):
            return made
        last = last or made
        _restore(entries, given)
    if last is None:
        assert reason is not None
        raise reason
    return last


_anew = from_any_host(to_simt.produce)


def _ways(unit: Unit, entries: list[EntryJob]) -> Iterator[Callable[[], Produced]]:
    """The ways to have the text in CUDA, the most native first."""
    anew = not unit.refusals and bool(unit.program.kernels)
    matrices = has_matrices(unit.text, unit.file)
    if not waves_matter(unit.text, unit.file) and _fits(unit):
        yield lambda: _in_place(unit)
        if anew:
            yield lambda: _anew(unit, entries)
        return
    if matrices and anew:
        yield lambda: _anew(unit, entries)
    if not matrices:
        yield lambda: _in_place(unit, native=True)
    yield lambda: _in_place(unit)
    if not matrices and anew:
        yield lambda: _anew(unit, entries)


def _fits(unit: Unit) -> bool:
    """Whether the arrays of each block fit into what CUDA gives without asking: HIP gives more."""
    for kernel in unit.program.kernels:
        shared = [d for d in walk_stmts(kernel.body) if isinstance(d, Decl) and d.space is Space.SHARED]
        sizes = [prod(int(e.value) for e in d.shape if isinstance(e, Const)) * d.dtype.bytes for d in shared]
        if sum(sizes) > cuda.MAX_STATIC_SHARED_BYTES:
            return False
    return True


def _in_place(unit: Unit, *, native: bool = False) -> Produced:
    translated = to_cuda(unit.text, unit.file, native=native, operators=unit.vector_operators)
    notes = translated.notes
    if native:
        notes = (*notes, "waves of 64 lanes are warps of 32 here: the results are the same on every case")
    return Produced(translated.text, notes)


def _restore(entries: list[EntryJob], given: dict[int, Diagnostic | None]) -> None:
    """What one way refused another may have."""
    for item in entries:
        item.refused = given[id(item)]


def _is_right(made: Produced, file: str, entries: list[EntryJob]) -> bool:
    """Whether CUDA's compilers take the text and it computes what the source did, in all entries."""
    if not all(rung.ok for rung in compile_check(made.text, file, "cuda")):
        return False
    asked = False
    for item in entries:
        if item.refused is not None or item.build is None or item.inference is None:
            continue
        contract: Contract = item.inference.contract
        spelling = made.calls.get(contract.entry, contract.kernel_spelling)
        target = build(made.text, file, "cuda", replace(contract, kernel_spelling=spelling))
        if not target.ok:
            return False
        if item.entry.kind == "main":
            rungs = compare_programs(item.build, target, item.ran)
        elif item.runs is not None and not item.runs.fault:
            rungs = compare_target(contract, item.build, item.runs, target)
        else:
            continue
        asked = True
        if not all(rung.ok for rung in rungs):
            return False
    return asked
