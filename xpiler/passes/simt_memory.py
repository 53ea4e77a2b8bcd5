"""Where values live on a GPU: scalars and arrays of a serial function moved to global memory.

float s; kernel 1 sets s; kernel 2 reads s      -->  s_buffer[0], allocated around both
parallel for i: float t[n]; ...                 -->  t[thread + n_threads * k], one array for all threads
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from xpiler.errors import Refusal
from xpiler.ir.build import add, cast, const, mul
from xpiler.ir.nodes import Assign, Atomic, Block, Const, Decl, Expr, Load, Ref, Space, Stmt
from xpiler.ir.rewrite import map_stmt, rebuild, substitute, uses, walk, walk_stmts
from xpiler.ir.types import I64, DType

Place = Callable[[Load], tuple[Expr, Expr]]

_REDUCES = {"add": "+", "min": "min", "max": "max", "and": "&", "or": "|", "xor": "^", "exch": None}


def elements(decl: Decl) -> Expr:
    count: Expr = const(1, I64)
    for size in decl.shape:
        count = mul(count, cast(size, I64))
    return count


def bytes_of(decl: Decl) -> int | None:
    count = elements(decl)
    return int(count.value) * decl.dtype.bytes if isinstance(count, Const) else None


def to_memory(body: Block, decl: Decl, name: str) -> Block:
    """A variable as an element, or an array of any rank as one of rank 1, of the global array `name`."""
    place = Load(decl.dtype, name, (const(0),))

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        if isinstance(stmt, Decl) and stmt.name == decl.name:
            return _initialising(stmt, place)
        return stmt

    out = map_stmt(body, change)
    assert isinstance(out, Block)
    return flattened(out, decl) if decl.shape else substitute(out, {decl.name: place})


def spread_array(kernel: Block, decl: Decl, owner: Expr, owners: Expr) -> Block:
    """An array that each thread has for itself, as its part of a global one, where element k of all threads
    lies side by side: at `owner + owners * k`. Wide accesses to it find what they join in one piece."""
    if any(width != decl.dtype for width in _access_types(kernel, decl.name)):
        return spread_in_pieces(kernel, decl, owner)
    return _spread(kernel, decl, lambda load: (cast(owner, I64), owners))


def spread_in_pieces(kernel: Block, decl: Decl, owner: Expr) -> Block:
    """An array that each block has for itself, as a piece of a global one, see `with_whole_pieces`."""

    def place(load: Load) -> tuple[Expr, Expr]:
        size = elements(decl)
        if load.dtype != decl.dtype:
            assert isinstance(size, Const)
            size = const(int(size.value) * decl.dtype.bytes // load.dtype.bytes, I64)
        return mul(cast(owner, I64), size), const(1, I64)

    return _spread(kernel, decl, place)


def with_whole_pieces(decl: Decl, kernel: Block) -> Decl:
    """The array with so many elements that every piece starts where its widest access may.

    Raises Refusal where accesses are of several types and the size is not a number.
    """
    widths = {decl.dtype, *_access_types(kernel, decl.name)}
    size, widest = elements(decl), max(t.bytes for t in widths)
    if len(widths) == 1:
        return decl
    if not isinstance(size, Const):
        raise Refusal(
            "array-size",
            f"the array `{decl.name}` is accessed as {', '.join(sorted(t.name for t in widths))}, "
            "and how long it is depends on sizes",
            decl.range,
            "give it a constant size",
        )
    whole = -(-int(size.value) * decl.dtype.bytes // widest) * widest // decl.dtype.bytes
    return decl if whole == int(size.value) else replace(decl, shape=(const(whole),))


def _access_types(kernel: Block, array: str) -> set[DType]:
    return {n.dtype for n in walk(kernel) if isinstance(n, (Load, Ref)) and n.array == array}


def _spread(kernel: Block, decl: Decl, place: Place) -> Block:
    flat = flattened(kernel, decl, place)

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        return () if isinstance(stmt, Decl) and stmt.name == decl.name else stmt

    out = map_stmt(flat, change)
    assert isinstance(out, Block)
    return out


def _initialising(decl: Decl, place: Load) -> tuple[Stmt, ...]:
    if isinstance(decl.init, Expr):
        return (Assign(place, decl.init, range=decl.range),)
    if isinstance(decl.init, tuple):
        count = elements(decl)
        assert isinstance(count, Const)
        rest = int(count.value) - len(decl.init)
        values = [*decl.init, *(const(0, decl.dtype) for _ in range(rest))]
        return tuple(
            Assign(replace(place, index=(const(n),)), v, range=decl.range) for n, v in enumerate(values)
        )
    return ()


def flattened(body: Block, decl: Decl, place: Place | None = None) -> Block:
    """Accesses to an array of several dimensions as accesses to one of one; at the `place` of each access,
    `start + stride * index`."""

    def go(node: Any) -> Any:
        node = rebuild(node, lambda child, _: go(child))
        if isinstance(node, Load) and node.array == decl.name and node.index:
            index = node.index[0]
            if len(node.index) > 1:
                for extent, more in zip(decl.shape[1:], node.index[1:], strict=True):
                    index = add(mul(index, cast(extent, index.dtype)), more)
            if place is not None:
                start, stride = place(node)
                index = add(mul(cast(index, I64), stride), start)
            return replace(node, index=(index,))
        return node

    result = go(body)
    assert isinstance(result, Block)
    return result


def mentions(stmt: Stmt, name: str) -> bool:
    found = uses(stmt)
    return name in found.vars_read | found.vars_assigned | found.arrays_read | found.arrays_written


def plain_atomics(body: Block) -> Block:
    """Atomic operations on a thread's own arrays are plain ones."""
    private = {d.name for d in walk_stmts(body) if isinstance(d, Decl) and d.shape and d.space is Space.LOCAL}

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        match stmt:
            case Atomic(op=op, place=place, args=(value,), target=target) if (
                place.array in private and op in _REDUCES
            ):
                before = (Assign(target, place, range=stmt.range),) if target is not None else ()
                return (*before, Assign(place, value, _REDUCES[op], range=stmt.range))
        return stmt

    out = map_stmt(body, change)
    assert isinstance(out, Block)
    return out
