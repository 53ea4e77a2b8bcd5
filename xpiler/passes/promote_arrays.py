"""Local arrays into a core's scratchpad, where instructions reach them and the stack has no room for them.

    float row[256];         -->  row at byte 0 of the scratchpad, one-dimensional
    float tile[n + 1][32];       tile behind it, in a part of the scratchpad set aside for unknown sizes

What was memory shared by a block, or a value of each thread that lives across a barrier, is such an array
once threads are loops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xpiler.ir.build import add, const, div, mul
from xpiler.ir.nodes import Const, Decl, Expr, For, Function, Load, Space, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_body, map_expr, walk
from xpiler.passes.facts import mutable_vars
from xpiler.platforms.bang import VECTOR_BYTES, Architecture


@dataclass(frozen=True)
class Promoted:
    """`offsets`: where each array starts, in bytes. `bytes`: what they take; `open_sized`: the part of it for
    arrays whose sizes are not known; `limit`: their sizes in bytes together, to be checked."""

    function: Function
    offsets: Mapping[str, Expr]
    bytes: int
    limit: Expr | None


def promote_arrays(function: Function, architecture: Architecture) -> Promoted:
    """All local arrays that can be: those without initial values, of sizes known at the function's start."""
    decls = [d for d in walk(function.body) if isinstance(d, Decl) and d.shape and _movable(d, function)]
    fixed = [d for d in decls if all(isinstance(e, Const) for e in d.shape)]
    open_ = [d for d in decls if d not in fixed]
    offsets: dict[str, Expr] = {}
    at = 0
    # The rest is for tiles; of arrays whose extents are known that leaves enough when it is small.
    room = architecture.usable_nram // 2 if open_ else architecture.usable_nram * 7 // 8
    for decl in fixed:
        size = decl.dtype.bytes
        for extent in decl.shape:
            assert isinstance(extent, Const)
            size *= int(extent.value)
        if at + size > room:
            continue
        offsets[decl.name] = const(at)
        at += -(-size // VECTOR_BYTES) * VECTOR_BYTES
    limit: Expr | None = None
    if open_:
        place: Expr = const(at)
        for decl in open_:
            offsets[decl.name] = place
            size_now: Expr = const(decl.dtype.bytes)
            for extent in decl.shape:
                size_now = mul(size_now, extent)
            place = add(place, mul(div(add(size_now, VECTOR_BYTES - 1), VECTOR_BYTES), VECTOR_BYTES))
        limit, at = place, at + room
    shapes = {d.name: d.shape for d in decls if d.name in offsets}
    moved = map_body(flat_loads(function, shapes), _Flat(shapes))
    return Promoted(moved, offsets, at, limit)


def _movable(decl: Decl, function: Function) -> bool:
    changing = mutable_vars(function)
    inside = {d.name for d in walk(function.body) if isinstance(d, Decl)}
    loops = {n.var for n in walk(function.body) if isinstance(n, For)}
    names = {name for e in decl.shape for name in free_vars(e)}
    known = not names & (changing | inside | loops)
    return decl.init is None and decl.space in (Space.LOCAL, Space.SHARED) and known


class _Flat:
    """Makes declarations and accesses of these arrays one-dimensional."""

    def __init__(self, shapes: Mapping[str, tuple[Expr, ...]]) -> None:
        self.shapes = shapes

    def __call__(self, stmt: Stmt) -> Stmt:
        if isinstance(stmt, Decl) and stmt.name in self.shapes:
            extent: Expr = const(1)
            for e in stmt.shape:
                extent = mul(extent, e)
            return replace(stmt, shape=(extent,), space=Space.NRAM)
        return stmt


def flat_loads(function: Function, shapes: Mapping[str, tuple[Expr, ...]]) -> Function:
    """Accesses with several indices as row-major positions."""

    def change(e: Expr) -> Expr:
        if isinstance(e, Load) and e.array in shapes and len(e.index) == len(shapes[e.array]) > 1:
            position = e.index[0]
            for index, extent in zip(e.index[1:], shapes[e.array][1:], strict=True):
                position = add(mul(position, extent), index)
            return replace(e, index=(position,))
        return e

    def place(target: Var | Load) -> Var | Load:
        changed = change(target)
        assert isinstance(changed, (Var, Load))
        return changed

    body = map_expr(function.body, change, place)
    return replace(function, body=body)
