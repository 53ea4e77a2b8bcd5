"""Arrays too large for a core's scratchpad and stack lie in memory that the host allocates, a piece an
iteration.

    parallel for b in 0..16: float t[65552]; t[i] = 0   -->   parallel for b in 0..16: t[b * 65552 + i] = 0
    parallel for b in 0..n step 8: float t[m]           -->   t[b / 8 * m + i]

The pieces are those of the independent loops around the array, as far as the function's sizes say how many
iterations they have. What fits into the scratchpad stays, the first arrays first (`promote_arrays.py`); of an
array whose size is no number nobody knows that.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import add, cast, ceil_div, const, div, mul, sub
from xpiler.ir.nodes import Block, Const, Decl, Expr, For, Function, If, Load, Param, Space, Stmt, Var, While
from xpiler.ir.rewrite import free_vars, substitute, walk
from xpiler.ir.types import I64
from xpiler.passes.contraction import INDEPENDENT
from xpiler.passes.facts import mutable_vars
from xpiler.passes.promote_arrays import promote_arrays
from xpiler.passes.simt_memory import bytes_of, elements, spread_in_pieces
from xpiler.passes.sizes_at_start import with_sizes_at_start
from xpiler.platforms.bang import STACK_BYTES, Architecture

Taken = tuple[tuple[Param, Expr], ...]


def with_large_arrays_in_memory(function: Function, architecture: Architecture) -> tuple[Function, Taken]:
    """The function, and each new parameter with how many elements its memory needs."""
    function = with_sizes_at_start(function)
    placed = promote_arrays(function, architecture).offsets
    taken: list[tuple[Param, Expr]] = []
    for decl in [n for n in walk(function.body) if isinstance(n, Decl) and n.shape]:
        size = bytes_of(decl)
        if decl.init is not None or decl.space is not Space.LOCAL:
            continue
        if size is not None and (decl.name in placed or size <= STACK_BYTES):
            continue
        pieces = _pieces(function, decl)
        if pieces is not None:
            owner, count, of_each = pieces
            function = replace(function, body=spread_in_pieces(function.body, decl, owner))
            param = Param(decl.name, decl.dtype, is_pointer=True, is_restrict=True)
            taken.append((param, mul(count, of_each)))
    params = (*function.params, *(p for p, _ in taken))
    return (replace(function, params=params) if taken else function), tuple(taken)


def _pieces(function: Function, decl: Decl) -> tuple[Expr, Expr, Expr] | None:
    """Which piece is that of the array, how many there are and the elements of each; None where the sizes do
    not say."""
    mutable = mutable_vars(function)
    sizes = frozenset(p.name for p in function.params if not p.is_pointer) - mutable
    known: dict[str, Expr] = {}

    def told(expr: Expr) -> bool:
        return free_vars(expr) <= sizes and not any(isinstance(n, Load) for n in walk(expr))

    owner: Expr = const(0, I64)
    count: Expr = const(1, I64)
    for stmt in _around(function.body, decl.name):
        match stmt:
            case Decl(name=name, shape=(), init=Expr() as init) if name not in mutable:
                known[name] = substitute(init, known)
            case For(var=var, start=start, stop=stop, step=step) if stmt.kind in INDEPENDENT:
                extent, first = substitute(stop, known), substitute(start, known)
                if not told(extent) or not told(first) or not isinstance(step, Const):
                    return None
                wide = ceil_div(sub(cast(extent, I64), first), step)
                piece = div(sub(cast(Var(stmt.dtype, var), I64), first), step)
                owner, count = add(mul(owner, wide), piece), mul(count, wide)
    of_each = substitute(elements(decl), known)
    return (owner, count, of_each) if told(of_each) else None


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
