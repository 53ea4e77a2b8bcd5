"""Wavefronts of 64 lanes that exchange values within their halves alone are warps of 32.

    i = threadIdx.x / 32; ... __shfl_xor(v, mask, 32)      mask < 32

So that what each half does by itself, a row of its own say, is the same for all lanes of a warp. Applies
where all that lanes do together is such a shuffle: no votes, no barriers of a wavefront, no matrix
instructions.
"""

from __future__ import annotations

from xpiler.ir.nodes import (
    Assign,
    Barrier,
    Binary,
    Block,
    Cast,
    Collective,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Instr,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import walk_stmts

HALF = 32


def lanes_together(kernel: Function) -> int:
    """How many lanes the kernel's warps may be taken to have."""
    if kernel.warp_size <= HALF:
        return kernel.warp_size
    stmts = list(walk_stmts(kernel.body))
    meetings = [s for s in stmts if isinstance(s, (Barrier, Collective, Instr)) and not _is_of_block(s)]
    return HALF if meetings and all(_in_half(s, kernel.body) for s in meetings) else kernel.warp_size


def _is_of_block(stmt: Barrier | Collective | Instr) -> bool:
    return isinstance(stmt, (Barrier, Collective)) and stmt.scope == "block"


def _in_half(stmt: Stmt, body: Block) -> bool:
    match stmt:
        case Collective(kind=kind, args=(_, argument, Const(value=width)), mask=None):
            return kind.startswith("shfl") and 0 < int(width) <= HALF and _is_small(argument, body)
    return False


def _is_small(value: Expr, body: Block) -> bool:
    """Whether it surely lies in [0, 32): numbers, remainders, and counters that are halved from such on."""
    match value:
        case Const(value=number):
            return 0 <= int(number) < HALF
        case Cast(operand=operand):
            return _is_small(operand, body)
        case Binary(op="&", right=Const(value=number)):
            return 0 <= int(number) < HALF
        case Binary(op="%", right=Const(value=number)):
            return not value.dtype.is_signed and 0 < int(number) <= HALF
        case Var(name=name):
            return _stays_small(name, body)
    return False


def _stays_small(name: str, body: Block) -> bool:
    given: list[Expr] = []
    for stmt in walk_stmts(body):
        match stmt:
            case For(var=var) if var == name:
                return False
            case Decl(name=other, init=init) if other == name:
                if not isinstance(init, Expr):
                    return False
                given.append(init)
            case Assign(target=Var(name=other), value=value, reduce=reduce) if other == name:
                if reduce is not None:
                    return False
                given.append(value)
    return bool(given) and all(_is_halved(e, name) or (_is_small_number(e)) for e in given)


def _is_halved(value: Expr, name: str) -> bool:
    match value:
        case Binary(op="/" | ">>", left=Var(name=other), right=Const(value=by)):
            return other == name and int(by) >= 1
    return False


def _is_small_number(value: Expr) -> bool:
    return isinstance(value, Const) and 0 <= int(value.value) < HALF
