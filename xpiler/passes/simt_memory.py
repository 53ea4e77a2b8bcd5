"""Where values live on a GPU: scalars and arrays of a serial function moved to global memory.

float s; kernel 1 sets s; kernel 2 reads s      -->  s_buffer[0], allocated around both
parallel for i: float t[n]; ...                 -->  t[thread + n_threads * k], one array for all threads
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from xpiler.ir.build import add, cast, const, mul
from xpiler.ir.nodes import Assign, Atomic, Block, Const, Decl, Expr, Load, Space, Stmt
from xpiler.ir.rewrite import map_stmt, rebuild, substitute, uses, walk_stmts
from xpiler.ir.types import I64

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
    return flattened(out, decl, {}) if decl.shape else substitute(out, {decl.name: place})


def spread_array(kernel: Block, decl: Decl, start: Expr, stride: Expr) -> Block:
    """An array that each thread or block has for itself, as its part of a global one: element k is at
    `start + stride * k`."""
    flat = flattened(kernel, decl, {"start": cast(start, I64), "stride": stride})

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


def flattened(body: Block, decl: Decl, place: Mapping[str, Expr]) -> Block:
    """Accesses to an array of several dimensions as accesses to one of one; at `start + stride * index`."""

    def go(node: Any) -> Any:
        node = rebuild(node, lambda child, _: go(child))
        if isinstance(node, Load) and node.array == decl.name and node.index:
            index = node.index[0]
            if len(node.index) > 1:
                for extent, more in zip(decl.shape[1:], node.index[1:], strict=True):
                    index = add(mul(index, cast(extent, index.dtype)), more)
            if place:
                index = add(mul(cast(index, I64), place["stride"]), place["start"])
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
