"""Local arrays into a core's scratchpad, where instructions reach them and the stack has no room for them.

    float row[256];         -->  row at byte 0 of the scratchpad, one-dimensional
    float tile[n + 1][32];       tile behind it, in a part of the scratchpad set aside for unknown sizes

What was memory shared by a block, or a value of each thread that lives across a barrier, is such an array
once threads are loops. An array whose elements may be looked up by `__bang_lut` has room for whole groups of
the table: nothing that is written while it is read may lie in the last of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from xpiler.ir.build import add, const, div, mul
from xpiler.ir.nodes import Binary, Const, Decl, Expr, For, Function, Load, Space, Stmt, Var
from xpiler.ir.rewrite import free_vars, map_body, map_expr, walk
from xpiler.passes.facts import mutable_vars
from xpiler.platforms.bang import TABLE_GROUP, VECTOR_BYTES, Architecture


@dataclass(frozen=True)
class Promoted:
    """`offsets`: where each array starts, in bytes. `bytes`: what they take; `open_sized`: the part of it for
    arrays whose sizes are not known; `limit`: their sizes in bytes together, to be checked."""

    function: Function
    offsets: Mapping[str, Expr]
    bytes: int
    limit: Expr | None


def promote_arrays(function: Function, architecture: Architecture, kept: Collection[str] = ()) -> Promoted:
    """All local arrays that can be: those without initial values, of sizes known at the function's start; but
    for those that are `kept` where they are."""
    decls = [d for d in walk(function.body) if isinstance(d, Decl) and d.shape and _movable(d, function)]
    decls = [d for d in decls if d.name not in kept]
    fixed = [d for d in decls if all(isinstance(e, Const) for e in d.shape)]
    open_ = [d for d in decls if d not in fixed]
    tables = _tables(function, {d.name for d in decls})
    units = {d.name: TABLE_GROUP * d.dtype.bytes if d.name in tables else VECTOR_BYTES for d in decls}
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
        at += -(-size // units[decl.name]) * units[decl.name]
    limit: Expr | None = None
    if open_:
        place: Expr = const(at)
        for decl in open_:
            offsets[decl.name] = place
            size_now: Expr = const(decl.dtype.bytes)
            for extent in decl.shape:
                size_now = mul(size_now, extent)
            unit = units[decl.name]
            place = add(place, mul(div(add(size_now, unit - 1), unit), unit))
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


def _tables(function: Function, arrays: set[str]) -> set[str]:
    """Those of them with elements of four bytes that are read at places other than what loops count."""
    counted = {n.var for n in walk(function.body) if isinstance(n, For)}
    set_once = {p.name for p in function.params} - mutable_vars(function)

    def plain(index: Expr) -> bool:
        for node in walk(index):
            if isinstance(node, Load) or (isinstance(node, Binary) and node.op not in ("+", "-", "*")):
                return False
            if isinstance(node, Var) and node.name not in counted | set_once:
                return False
        return True

    words = [
        n for n in walk(function.body) if isinstance(n, Load) and n.array in arrays and n.dtype.bytes == 4
    ]
    return {load.array for load in words if not all(plain(index) for index in load.index)}


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
