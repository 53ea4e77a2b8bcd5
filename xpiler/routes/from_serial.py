"""Plain C functions, with or without AVX-512, to a device: kernels of their own, and wrappers of their names
that move the arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from xpiler.backend import bang, simt, simt_host
from xpiler.backend.bang_wrapper import Moved, Wrapped, serial_file
from xpiler.backend.serial_host import with_functions
from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.c_text import as_cpp, is_c
from xpiler.frontend.unit import Unit
from xpiler.gate.contract import Role
from xpiler.gate.evidence import Rung
from xpiler.gate.infer import Inference
from xpiler.ir.build import const
from xpiler.ir.nodes import RETURN, Function
from xpiler.ir.source import SourceRange
from xpiler.ir.types import I64
from xpiler.passes.argument_checks import with_checks_apart
from xpiler.passes.arrays_spilled import with_large_arrays_in_memory
from xpiler.passes.memory_taken import with_arrays_of_any_size_in_memory
from xpiler.passes.whole_copies import without_whole_copies
from xpiler.passes.whole_steps import in_whole_steps
from xpiler.platforms.bang import DEFAULT
from xpiler.routes.comments import comments_in
from xpiler.routes.job import EntryJob, Produced, refuse_failed
from xpiler.routes.own_names import fresh_in
from xpiler.routes.to_simt import as_hip
from xpiler.routes.validated import validated

Made = TypeVar("Made")


def to_bang(unit: Unit, entries: list[EntryJob]) -> Produced:
    """BANG C for every function that can be had; those that cannot are refused."""
    rungs: list[Rung] = []

    def made(function: Function, inference: Inference) -> Wrapped:
        checked = with_checks_apart(function)
        arrays, direct = _direct(_apart(checked.function), inference)
        sized, of_any_size = with_arrays_of_any_size_in_memory(validated(direct, entries, rungs))
        canonical, large = with_large_arrays_in_memory(sized, DEFAULT)
        taken = of_any_size + large
        arrays |= {p.name: Moved(count, copy_in=False, copy_out=False) for p, count in taken}
        kernel = bang.generate(canonical, name=fresh_in(unit.text, f"{function.name}_kernel"))
        return Wrapped(function, kernel, arrays, tuple(p for p, _ in taken), checked)

    wrapped = _each(unit, entries, made)
    notes = tuple(note for w in wrapped.values() for note in w.kernel.notes)
    text = serial_file(unit, wrapped, whole=bool(unit.host_functions))
    return Produced(_as_cpp(text, unit), notes, rungs=tuple(rungs))


def to_cuda(unit: Unit, entries: list[EntryJob]) -> Produced:
    """CUDA for every function that can be had; those that cannot are refused."""
    rungs: list[Rung] = []

    def made(function: Function, inference: Inference) -> tuple[simt.CudaFunction, str]:
        checked = with_checks_apart(function)
        params = {p.name: p for p in function.params}
        moves, direct = _direct(_apart(checked.function), inference)
        arrays = {
            name: simt_host.Array(params[name], moved.extent, moved.copy_in, moved.copy_out, moved.room)
            for name, moved in moves.items()
        }
        canonical = in_whole_steps(validated(direct, entries, rungs))
        kernels = simt.generate(
            canonical,
            name=fresh_in(unit.text, f"{function.name}_kernel"),
            comments=comments_in(unit, function),
            beside=unit.text,
        )
        whole = bool(unit.host_functions)
        host = simt_host.wrapper(kernels, function, arrays, checked, unit, whole=whole)
        return kernels, "\n\n".join([*kernels.kernels, host])

    functions = _each(unit, entries, made)
    texts = {name: text for name, (_, text) in functions.items()}
    body = with_functions(unit, texts, whole=bool(unit.host_functions))
    notes = tuple(note for kernels, _ in functions.values() for note in kernels.notes)
    text = simt_host.with_preamble(body, [kernels for kernels, _ in functions.values()])
    return Produced(_as_cpp(text, unit), notes, rungs=tuple(rungs))


def _as_cpp(text: str, unit: Unit) -> str:
    return as_cpp(text, unit.file) if is_c(unit.file) else text


def _apart(function: Function) -> Function:
    """The wrapper gives every pointer device memory of its own."""
    params = tuple(replace(p, is_restrict=True) if p.is_pointer else p for p in function.params)
    return replace(function, params=params)


def to_hip_code(unit: Unit, entries: list[EntryJob]) -> Produced:
    """HIP, by the edits that any CUDA text gets."""
    return as_hip(to_cuda(unit, entries), unit)


def _each(
    unit: Unit, entries: list[EntryJob], make: Callable[[Function, Inference], Made]
) -> dict[str, Made]:
    if not unit.kernels:
        raise Refusal(
            "no-kernel",
            "no function of this file can be a kernel: none takes its arrays by pointer",
            SourceRange(unit.file, 1, 1, 1, 1),
            "put the loops into a function, no template, that takes pointers to its arrays",
        )
    jobs = {i.entry.kernels[0]: i for i in entries if i.entry.kind == "host" and i.entry.kernels}
    done: dict[str, Made] = {}
    failed: dict[str, Diagnostic] = {}
    for function in unit.program.kernels:
        item = jobs.get(function.name)
        if item is None or item.refused is not None or item.inference is None:
            continue
        try:
            done[function.name] = make(function, item.inference)
        except Refusal as refusal:
            failed[function.name] = refusal.diagnostic
    refuse_failed(unit, entries, done, failed)
    return done


def _direct(function: Function, inference: Inference) -> tuple[dict[str, Moved], Function]:
    """The arrays that the wrapper moves, and the function without copies of them of its own."""
    arrays = _arrays(function, inference)
    direct = without_whole_copies(function, {name: moved.extent for name, moved in arrays.items()})
    roomy = {name: replace(moved, room=direct.room.get(name, 0)) for name, moved in arrays.items()}
    return roomy, direct.function


def _arrays(function: Function, inference: Inference) -> dict[str, Moved]:
    found: dict[str, Moved] = {}
    for param in function.params:
        if not param.is_pointer:
            continue
        if param.name == RETURN:
            found[param.name] = Moved(const(1, I64), copy_in=False, copy_out=True)
            continue
        if param.name not in inference.extents:
            if inference.findings:
                bug = inference.findings[0]
                raise Refusal(
                    bug.code,
                    f"{function.name} is itself wrong, and the sizes of its arrays unknown: {bug.message}",
                    bug.range or function.range,
                    "mend it",
                )
            raise Refusal(
                "array-extent",
                f"how many elements `{param.name}` of {function.name} has cannot be told from its sizes",
                param.range or function.range,
                f"state it, for example --shape {param.name}=rows,columns",
            )
        role = inference.contract.argument(param.name).role
        found[param.name] = Moved(inference.extents[param.name], copy_in=True, copy_out=role is not Role.IN)
    return found
