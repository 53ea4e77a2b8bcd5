"""Small tables of constants that lanes look things up in, in the scratchpad, where an instruction does it.

    __constant__ int t[16]; for i VECTOR: y[i] = t[x[i] & 15]
      -->  t_copy <- t[0..16];  for i VECTOR: y[i] = t_copy[x[i] & 15]

Every task brings them once. Applies to constants of the program that have a known length, and words for
elements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from xpiler.ir.affine import coefficient
from xpiler.ir.build import const
from xpiler.ir.nodes import Block, Const, Decl, Expr, For, Function, Instr, Load, LoopKind, Ref, Space
from xpiler.ir.rewrite import free_vars, map_expr, walk
from xpiler.ir.types import I32
from xpiler.passes.names import Names
from xpiler.platforms.bang import TABLE_GROUP, Architecture

_MOST_BYTES = 4096


@dataclass(frozen=True)
class Resident:
    """`bytes`: of the scratchpad that the tables take."""

    function: Function
    bytes: int


def resident_tables(function: Function, architecture: Architecture) -> Resident:
    """The function with the tables that its vector loops look things up in."""
    names, taken = Names(function), 0
    heads: list[Decl | Instr] = []
    for table in [] if architecture.padded else function.globals:
        length = _length(table)
        if length is None or not _is_looked_up(function, table.name):
            continue
        room = -(-length // TABLE_GROUP) * TABLE_GROUP
        if (taken + room * I32.bytes) > _MOST_BYTES:
            continue
        taken += room * I32.bytes
        own = names.fresh(f"{table.name}_copy")
        ends = Ref(table.dtype, own, const(0)), Ref(table.dtype, table.name, const(0))
        heads.append(Decl(own, table.dtype, (const(room),), Space.NRAM))
        heads.append(Instr("__memcpy", (*ends, const(length)), (("direction", "GDRAM2NRAM"),)))
        function = _with_own(function, table.name, own)
    if not heads:
        return Resident(function, 0)
    return Resident(replace(function, body=Block((*heads, *function.body.body))), taken)


def _with_own(function: Function, name: str, own: str) -> Function:
    def change(expr: Expr) -> Expr:
        return replace(expr, array=own) if isinstance(expr, Load) and expr.array == name else expr

    return replace(function, body=map_expr(function.body, change))


def _length(table: Decl) -> int | None:
    match table.shape:
        case (Const(value=int(length)),) if table.dtype.bytes == I32.bytes:
            return length
    return None


def _is_looked_up(function: Function, name: str) -> bool:
    """Whether a lane of some vector loop reads the table where its own data say, and nothing else uses it."""
    if any(isinstance(n, Ref) and n.array == name for n in walk(function.body)):
        return False
    for loop in walk(function.body):
        if not isinstance(loop, For) or loop.kind is not LoopKind.VECTOR:
            continue
        own = {n.name for n in walk(loop.body) if isinstance(n, Decl)}
        for load in walk(loop.body):
            if not isinstance(load, Load) or load.array != name or len(load.index) != 1:
                continue
            (index,) = load.index
            data = free_vars(index) & own or any(isinstance(n, Load) for n in walk(index))
            if data or (loop.var in free_vars(index) and coefficient(index, loop.var) is None):
                return True
    return False
