"""Plain C functions, with or without AVX-512, to BANG C: a kernel each, a wrapper that moves the arrays."""

from __future__ import annotations

from xpiler.backend import bang
from xpiler.backend.bang_wrapper import Moved, Wrapped, serial_file
from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.unit import Unit
from xpiler.gate.contract import Role
from xpiler.gate.infer import Inference
from xpiler.ir.nodes import Function
from xpiler.passes.canonical import canonicalise
from xpiler.routes.job import EntryJob, Produced, refuse_failed


def produce(unit: Unit, entries: list[EntryJob]) -> Produced:
    """BANG C for every function that can be had; those that cannot are refused."""
    jobs = {i.entry.kernels[0]: i for i in entries if i.entry.kind == "host" and i.entry.kernels}
    wrapped: dict[str, Wrapped] = {}
    failed: dict[str, Diagnostic] = {}
    for function in unit.program.kernels:
        item = jobs.get(function.name)
        if item is None or item.refused is not None or item.inference is None:
            continue
        try:
            arrays = _arrays(function, item.inference)
            canonical = canonicalise(function).function
            kernel = bang.generate(canonical, name=f"{function.name}_kernel")
            wrapped[function.name] = Wrapped(function, kernel, arrays)
        except Refusal as refusal:
            failed[function.name] = refusal.diagnostic
    refuse_failed(unit, entries, wrapped, failed)
    notes = tuple(note for w in wrapped.values() for note in w.kernel.notes)
    return Produced(serial_file(unit, wrapped, whole=bool(unit.host_functions)), notes)


def _arrays(function: Function, inference: Inference) -> dict[str, Moved]:
    found: dict[str, Moved] = {}
    for param in function.params:
        if not param.is_pointer:
            continue
        if param.name not in inference.extents:
            raise Refusal(
                "array-extent",
                f"how many elements `{param.name}` of {function.name} has cannot be told from its sizes",
                param.range or function.range,
                f"state it, for example --shape {param.name}=rows,columns",
            )
        role = inference.contract.argument(param.name).role
        found[param.name] = Moved(inference.extents[param.name], copy_in=True, copy_out=role is not Role.IN)
    return found
