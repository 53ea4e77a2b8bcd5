"""Arrays too large for a core's scratchpad and stack lie in memory that the host allocates, a piece an
iteration.

    parallel for b in 0..16: float t[65552]; t[i] = 0   -->   parallel for b in 0..16: t[b * 65552 + i] = 0

The pieces are those of the independent loops around the array, which count from 0 by 1 as far as the
function's sizes say. What fits into the scratchpad stays, the first arrays first (`promote_arrays.py`).
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import add, cast, const, is_const, mul
from xpiler.ir.nodes import Block, Decl, Expr, For, Function, If, Load, Param, Space, Stmt, Var, While
from xpiler.ir.rewrite import free_vars, substitute, walk
from xpiler.ir.types import I64
from xpiler.passes.contraction import INDEPENDENT
from xpiler.passes.facts import mutable_vars
from xpiler.passes.promote_arrays import promote_arrays
from xpiler.passes.simt_memory import bytes_of, spread_in_pieces
from xpiler.platforms.bang import STACK_BYTES, Architecture

Taken = tuple[tuple[Param, Expr], ...]


def with_large_arrays_in_memory(function: Function, architecture: Architecture) -> tuple[Function, Taken]:
    """The function, and each new parameter with how many elements its memory needs."""
    placed = promote_arrays(function, architecture).offsets
    taken: list[tuple[Param, Expr]] = []
    for decl in [n for n in walk(function.body) if isinstance(n, Decl) and n.shape]:
        size = bytes_of(decl)
        if decl.name in placed or size is None or size <= STACK_BYTES or decl.init is not None:
            continue
        pieces = _pieces(function, decl)
        if decl.space is Space.LOCAL and pieces is not None:
            owner, count = pieces
            elements = const(size // decl.dtype.bytes, I64)
            function = replace(function, body=spread_in_pieces(function.body, decl, owner))
            param = Param(decl.name, decl.dtype, is_pointer=True, is_restrict=True)
            taken.append((param, mul(count, elements)))
    params = (*function.params, *(p for p, _ in taken))
    return (replace(function, params=params) if taken else function), tuple(taken)


def _pieces(function: Function, decl: Decl) -> tuple[Expr, Expr] | None:
    """Which piece is that of the array, and how many there are; None where the sizes do not say."""
    mutable = mutable_vars(function)
    sizes = frozenset(p.name for p in function.params if not p.is_pointer) - mutable
    known: dict[str, Expr] = {}
    result: tuple[Expr, Expr] = const(0, I64), const(1, I64)
    for stmt in _around(function.body, decl.name):
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init) if name not in mutable:
                known[name] = substitute(init, known)
            case For(var=var, start=start, stop=stop, step=step) if stmt.kind in INDEPENDENT:
                extent = substitute(stop, known)
                of_sizes = free_vars(extent) <= sizes and not any(isinstance(n, Load) for n in walk(extent))
                if not of_sizes or not is_const(start, 0) or not is_const(step, 1):
                    return None
                owner, count = result
                wide = cast(extent, I64)
                result = add(mul(owner, wide), cast(Var(stmt.dtype, var), I64)), mul(count, wide)
    return result


def _around(block: Block, array: str) -> list[Stmt]:
    """The loops around a declaration, and the declarations before them, in their order."""
    found: list[Stmt] = []
    for stmt in block.body:
        if not _declares(stmt, array):
            found += [stmt] if isinstance(stmt, Decl) else []
            continue
        match stmt:
            case For(body=body):
                return [*found, stmt, *_around(body, array)]
            case While(body=body):
                return [*found, *_around(body, array)]
            case Block():
                return [*found, *_around(stmt, array)]
            case If(then=then, otherwise=otherwise):
                side = then if _declares(then, array) else otherwise
                return [*found, *_around(side, array)]
        return found
    return found


def _declares(node: Stmt, array: str) -> bool:
    return any(isinstance(n, Decl) and n.name == array for n in walk(node))
