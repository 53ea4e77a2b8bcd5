"""What is known of an entry before anything was run: its arguments, and the variables its kernels use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xpiler.frontend.unit import Unit
from xpiler.gate.contract import Argument, Contract, Role
from xpiler.gate.entries import Entry
from xpiler.gate.observe import uninitialised_globals
from xpiler.ir.nodes import Barrier, Decl, Function, Param, Space
from xpiler.ir.rewrite import uses, walk
from xpiler.ir.types import U64


def provisional_contract(unit: Unit, entry: Entry) -> Contract:
    """What is known of an entry before anything was run: how to call it."""
    kernels = [k for k in unit.program.kernels if k.name in entry.kernels]
    arguments = tuple(argument_of(p, Role.OUT if p.is_pointer else Role.SCALAR) for p in entry.params)
    return Contract(
        entry.name,
        entry.kind,
        arguments,
        kernel_spelling=entry.spelling,
        globals=tuple(variable_of(decl) for decl in variables_of(kernels, arguments)),
        before=entry.before,
        handed=entry.handed,
        signature=entry.signature,
        cooperative=is_cooperative(entry, kernels),
    )


def is_cooperative(entry: Entry, kernels: Sequence[Function]) -> bool:
    """Whether the entry is a kernel whose blocks wait for one another."""
    barriers = (node for kernel in kernels for node in walk(kernel.body) if isinstance(node, Barrier))
    return entry.kind == "kernel" and any(barrier.scope == "grid" for barrier in barriers)


def variables_of(kernels: Sequence[Function], arguments: Sequence[Argument]) -> tuple[Decl, ...]:
    """Variables without initialiser that the kernels use; not those whose name an argument has too."""
    found = {decl.name: decl for kernel in kernels for decl in uninitialised_globals(kernel)}
    taken = {argument.name for argument in arguments}
    return tuple(decl for name, decl in found.items() if name not in taken and name.isidentifier())


def variable_of(decl: Decl) -> Argument:
    return Argument(decl.name, decl.dtype, True, Role.IN if decl.space is Space.CONSTANT else Role.INOUT)


def roles_of(kernel: Function, seen: Mapping[str, Role]) -> dict[str, Role]:
    """The roles that a launch showed; what another launch may write, with other data, is compared too."""
    written = uses(kernel.body).arrays_written
    return {name: Role.INOUT if role is Role.IN and name in written else role for name, role in seen.items()}


def argument_of(param: Param, role: Role) -> Argument:
    if is_handle(param):
        return Argument(param.name, U64, False, Role.SCALAR)
    return Argument(
        param.name, param.dtype, param.is_pointer, role, param.lanes, param.argument, param.member
    )


def is_handle(param: Param) -> bool:
    """A stream or other opaque object of the runtime: null stands for the default one."""
    return not param.is_pointer and any(
        word in param.spelling for word in ("Stream_t", "Event_t", "Handle_t", "stream_t")
    )
