"""Rows that fit into a tile are loaded once, kept while they are computed on, and stored once.

    for r: for c0 by tile: x_nram <- x[r, c0..]           if (0 < C <= tile)
             peak = max(peak, x_nram)                        count = C;  g_nram <- g[0..]
           for c0 by tile: x_nram <- x[r, c0..]              for r: x_nram <- x[r, 0..]
             t = f(x_nram, peak);  y[r, c0..] <- t   -->       peak = max(peak, x_nram);  t = f(x_nram, peak)
           for c0 by tile: y_nram <- y[r, c0..]                t2 = g(t, g_nram)
             t2 = g(y_nram, g..);  y[r, c0..] <- t2            y[r, 0..] <- t2
                                                          else the loops as they were

Applies to independent rows whose tile loops all go over the same range. What is loaded or stored stays known
until its buffer, or the array, is written; what is the same for all rows is loaded before them; a store that
another one covers is left out. Rows of three stages then make a pipeline (`pipeline.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from xpiler.ir.build import add, and_, cast, const, le, lt, sub
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Ref,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import arrays_read, arrays_written, free_vars, map_expr, substitute, walk
from xpiler.ir.types import I32
from xpiler.passes.aliasing import Aliases, with_aliases
from xpiler.passes.names import Names

IN, OUT = "GDRAM2NRAM", "NRAM2GDRAM"


def resident_rows(body: Block, tile: Var, rows: Collection[str], names: Names, aliases: Aliases) -> Block:
    """The body of a function with such rows at hand. `rows`: the variables of independent
    loops."""

    def block(inner: Block) -> Block:
        out: list[Stmt] = []
        for stmt in inner.body:
            match stmt:
                case For(var=var) if var in rows and (made := _resident(stmt, tile, names, aliases)):
                    out += made
                case For():
                    out.append(replace(stmt, body=block(stmt.body)))
                case If(then=then, otherwise=otherwise):
                    out.append(replace(stmt, then=block(then), otherwise=block(otherwise)))
                case _:
                    out.append(stmt)
        return replace(inner, body=tuple(out))

    return block(body)


def _resident(loop: For, tile: Var, names: Names, aliases: Aliases) -> list[Stmt] | None:
    tiles = [s for s in loop.body.body if isinstance(s, For) and free_vars(s.step) == {tile.name}]
    inside = {loop.var, *(d.name for d in walk(loop.body) if isinstance(d, Decl))}
    inside |= {s.target.name for s in walk(loop.body) if isinstance(s, Assign) and isinstance(s.target, Var)}
    if not tiles or any(isinstance(s, (If, While, Block)) for s in loop.body.body):
        return None
    if any(isinstance(n, (For, If, While)) for t in tiles for s in t.body.body for n in walk(s)):
        return None
    start, stop = tiles[0].start, tiles[0].stop
    same = all((t.start, t.stop) == (start, stop) for t in tiles)
    if not same or free_vars(stop) & inside or arrays_read(stop) or start != const(0, start.dtype):
        return None
    count = Var(I32, names.fresh("count"))
    rows: list[Stmt] = []
    for stmt in loop.body.body:
        if stmt not in tiles:
            rows.append(stmt)
            continue
        assert isinstance(stmt, For)
        own, *rest = stmt.body.body
        if not isinstance(own, Decl):
            return None
        rows += [map_expr(substitute(s, {stmt.var: start, own.name: count}), _sum) for s in rest]
    kept = _Kept(aliases)
    try:
        shorter = kept.without_copies(rows)
    except _StillRead:
        return None
    before, shorter = _invariant(shorter, inside, aliases)
    if len(tiles) == 1 and not (any(_is(s, IN) for s in shorter) and len(shorter) > 2):
        return None  # nothing is won
    length = cast(sub(stop, start), I32)
    fits = and_(lt(const(0), length), le(length, tile))
    fast = replace(loop, body=Block(tuple(shorter)))
    return [If(fits, Block((Decl(count.name, I32, init=length), *before, fast)), Block((loop,)))]


def _sum(expr: Expr) -> Expr:
    """A sum with the zero that a start has become."""
    match expr:
        case Binary(op="+", left=left, right=right) if expr.dtype.is_integer:
            return add(left, right)
        case Cast(operand=Const() as number):
            return cast(number, expr.dtype)
    return expr


@dataclass
class _Kept:
    """What of memory the buffers hold, row by row."""

    aliases: Aliases
    held: dict[tuple[Expr, ...], str] = field(default_factory=dict)  # place and extent in memory -> buffer
    other: dict[str, str] = field(default_factory=dict)  # buffer that was not loaded -> the one to read

    def without_copies(self, stmts: Sequence[Stmt]) -> list[Stmt]:
        out: list[Stmt] = []
        for stmt in stmts:
            out += self.stmt(stmt)
        return _without_covered(out, self.aliases)

    def stmt(self, stmt: Stmt) -> list[Stmt]:
        direction = dict(stmt.attributes).get("direction") if isinstance(stmt, Instr) else None
        if isinstance(stmt, Instr) and direction == IN:
            to, *place = stmt.operands
            assert isinstance(to, Ref)
            key = tuple(place)
            found = self.held.get(key)
            if found == to.array and to.offset == const(0, to.offset.dtype):
                return []
            if found is not None and to.offset == const(0, to.offset.dtype):
                self.written(to.array)
                self.other[to.array] = found
                return []
            self.written(to.array)
            if to.offset == const(0, to.offset.dtype):
                self.held[key] = to.array
            return [stmt]
        stmt = self.renamed(stmt)
        if isinstance(stmt, Instr) and direction == OUT:
            to, source, *extent = stmt.operands
            assert isinstance(to, Ref) and isinstance(source, Ref)
            self.stored({to.array})
            if source.offset == const(0, source.offset.dtype) and len(extent) == 1:
                self.held[to, *extent] = source.array
            return [stmt]
        for node in walk(stmt):
            if isinstance(node, Instr) and isinstance(node.operands[0], Ref):
                self.written(node.operands[0].array)
        self.stored(set(arrays_written(stmt)))
        return [stmt]

    def renamed(self, stmt: Stmt) -> Stmt:
        """The operands that are read, from where they are."""
        if not isinstance(stmt, Instr):
            if set(self.other) & set(arrays_read(stmt)):
                raise _StillRead
            return stmt
        first, *rest = stmt.operands
        read = [
            replace(o, array=self.other[o.array]) if isinstance(o, Ref) and o.array in self.other else o
            for o in rest
        ]
        return replace(stmt, operands=(first, *read))

    def written(self, buffer: str) -> None:
        self.other.pop(buffer, None)
        self.held = {key: name for key, name in self.held.items() if name != buffer}
        if buffer in self.other.values():
            raise _StillRead

    def stored(self, arrays: set[str]) -> None:
        gone = with_aliases(arrays, self.aliases)
        self.held = {
            key: name
            for key, name in self.held.items()
            if not (isinstance(key[0], Ref) and key[0].array in gone)
        }


class _StillRead(Exception):
    """A buffer that stands for another one is written, or the other one is looked at by scalar code."""


def _without_covered(stmts: Sequence[Stmt], aliases: Aliases) -> list[Stmt]:
    """The statements without stores that a later one goes over, with no look at the array between."""
    out: list[Stmt] = []
    covered: list[tuple[Expr, ...]] = []  # by a later store
    for stmt in reversed(stmts):
        if _is(stmt, OUT):
            to, _, *extent = stmt.operands
            key = (to, *extent)
            if key in covered:
                continue
            covered.append(key)
        else:
            read = with_aliases(_read_in_memory(stmt), aliases)
            covered = [key for key in covered if not (isinstance(key[0], Ref) and key[0].array in read)]
        out.append(stmt)
    return out[::-1]


def _read_in_memory(stmt: Stmt) -> set[str]:
    found = set(arrays_read(stmt))
    for node in walk(stmt):
        if isinstance(node, Instr):
            found |= {o.array for o in node.operands[1:] if isinstance(o, Ref)}
    return found


def _invariant(stmts: Sequence[Stmt], inside: set[str], aliases: Aliases) -> tuple[list[Stmt], list[Stmt]]:
    """Loads that are the same for all rows, and the rest."""
    stored = with_aliases((name for s in stmts if not _is(s, IN) for name in arrays_written(s)), aliases)
    loads = [_to(s) for s in stmts if _is(s, IN)]
    before: list[Stmt] = []
    rest: list[Stmt] = []
    for stmt in stmts:
        same = _is(stmt, IN) and not frozenset().union(*map(free_vars, stmt.operands)) & inside
        if same and _to(stmt) not in stored and loads.count(_to(stmt)) == 1 and _from(stmt) not in stored:
            before.append(stmt)
        else:
            rest.append(stmt)
    return before, rest


def _is(stmt: Stmt, direction: str) -> TypeGuard[Instr]:
    return isinstance(stmt, Instr) and dict(stmt.attributes).get("direction") == direction


def _to(stmt: Stmt) -> str:
    assert isinstance(stmt, Instr) and isinstance(stmt.operands[0], Ref)
    return stmt.operands[0].array


def _from(stmt: Stmt) -> str:
    assert isinstance(stmt, Instr) and isinstance(stmt.operands[1], Ref)
    return stmt.operands[1].array
