"""Vector loops become tiles in a scratchpad: copies in, vector instructions, copies out.

    for i in 0..n VECTOR                   for (i0 = 0; i0 < n; i0 += tile) {
      out[i] = a[i] + s          -->         count = min(tile, n - i0);
                                             __memcpy(a_nram, a + i0, count, GDRAM2NRAM);
                                             __bang_add_scalar(out_nram, a_nram, s, count);
                                             __memcpy(out + i0, out_nram, count, NRAM2GDRAM); }

Every value that varies along the lanes lives in a buffer of `tile` elements. Serial loops inside stay around
the instructions; a scalar that collects over the lanes becomes a reduction. The tile's length follows
from the capacity of the scratchpad and the number of buffers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xpiler.ir.build import cast, const, is_const, lt, minimum, mul, sub
from xpiler.ir.nodes import (
    Assign,
    Block,
    Const,
    Decl,
    Expr,
    For,
    Function,
    If,
    Instr,
    Load,
    LoopKind,
    Ref,
    Space,
    Stmt,
    Var,
    While,
)
from xpiler.ir.rewrite import free_vars, map_stmt, substitute, walk
from xpiler.ir.types import I32
from xpiler.passes.aliasing import may_be_same
from xpiler.passes.apart_lanes import has_lanes, with_apart_lanes
from xpiler.passes.choices import branches, with_places
from xpiler.passes.digit_lanes import with_digit_lanes
from xpiler.passes.end_tests import with_end_tests
from xpiler.passes.facts import mutable_vars
from xpiler.passes.forwarded_places import forward_places
from xpiler.passes.knobs import Knob
from xpiler.passes.lane_buffers import Buffer, NotTileable, Scratchpad
from xpiler.passes.lane_tests import tests_as_numbers
from xpiler.passes.names import Names
from xpiler.passes.pipeline import pipeline
from xpiler.passes.repeated_hashes import name_hashes
from xpiler.passes.repeated_values import name_values
from xpiler.passes.resident_rows import resident_rows
from xpiler.passes.vector_loops import VectorLoop
from xpiler.passes.whole_quotients import with_whole_quotients
from xpiler.passes.window_bounds import uniform_windows
from xpiler.platforms.bang import (
    POOL_WINDOW,
    VECTOR_BYTES,
    Architecture,
)

PARTS = Knob("tile_scratchpad.parts", (1, 2, 4, 8, 16), 1, "tiles are so many times smaller than fit")


@dataclass(frozen=True)
class Tiled:
    """`notes`: what stays scalar, and why. `pipelines`: the variables of loops that are software
    pipelines."""

    function: Function
    notes: tuple[str, ...]
    tile: int
    pipelines: frozenset[str]


def tile_vectors(function: Function, architecture: Architecture, reserved: int = 0) -> Tiled:
    """All VECTOR loops of the function in tiles; `reserved` bytes of the scratchpad are in use otherwise."""
    tiler = _Tiler(architecture, Names(function))
    tiler.memory = {p.name: p.dtype for p in function.params if p.is_pointer}
    tiler.scratch = {
        d.name: d.dtype for d in walk(function.body) if isinstance(d, Decl) and d.space is Space.NRAM
    }
    tiler.lengths = {
        d.name: d.shape[0]
        for d in walk(function.body)
        if isinstance(d, Decl) and d.space is Space.NRAM and len(d.shape) == 1
    }
    changing = mutable_vars(function)
    tiler.known = {
        d.name: d.init
        for d in function.body.body
        if isinstance(d, Decl) and isinstance(d.init, Expr) and not ({d.name} | free_vars(d.init)) & changing
    }
    body = tiler.block(function.body)
    if not any(isinstance(node, Ref) and node.array == tiler.numbers for node in walk(body)):
        tiler.numbers = ""  # of a loop that stays scalar after all
    single = [b.name for b in tiler.buffers.values() if b.rows == 1]
    own_tiles = [name for name in single if name not in tiler.small]
    aliases = may_be_same(function.params)
    body = resident_rows(body, tiler.tile, tiler.rows, tiler.names, aliases)
    pipelined = pipeline(body, tiler.tile, own_tiles, tiler.names, function.params, tiler.rows)
    body, parts = pipelined.body, pipelined.parts
    capacity = architecture.usable_nram - reserved
    reductions = [b for b in tiler.buffers.values() if b.name in tiler.small]
    tiles = [b for b in tiler.buffers.values() if b.name not in tiler.small]
    tiles += [Buffer(tiler.numbers, I32)] if tiler.numbers else []
    capacity -= VECTOR_BYTES * len(reductions)
    widths = sum(b.dtype.bytes * parts.get(b.name, b.rows) for b in tiles)
    tile = 0
    if tiles:
        group = VECTOR_BYTES // min(b.dtype.bytes for b in tiles)
        tile = max(capacity // widths // PARTS.value // group, 1) * group
        tile = min(tile, POOL_WINDOW) if reductions or tiler.strided else tile
    body = _single_tiles(body, tiler.tile, tile, frozenset(pipelined.steps))
    head: list[Stmt] = [Decl(tiler.tile.name, I32, init=const(tile))] if tiles else []
    decls: list[Stmt] = [
        Decl(b.name, b.dtype, (mul(const(parts.get(b.name, b.rows)), tiler.tile),), Space.NRAM) for b in tiles
    ]
    decls += [Decl(b.name, b.dtype, (const(VECTOR_BYTES // b.dtype.bytes),), Space.NRAM) for b in reductions]
    if tiler.numbers:
        decls += _numbers(tiler, tile)
    own = [s for s in body.body if isinstance(s, Decl) and s.space in (Space.NRAM, Space.WRAM)]
    lengths = {v.name for d in own for e in d.shape for v in walk(e) if isinstance(v, Var)}
    own = [d for d in own if all(not isinstance(e, Const) for e in d.shape)]
    first = [s for s in body.body if s in own or (isinstance(s, Decl) and s.name in lengths)]
    rest = [s for s in body.body if s not in first]
    result = replace(function, body=Block((*first, *head, *decls, *rest), range=body.range))
    return Tiled(result, tuple(dict.fromkeys(tiler.notes)), tile, frozenset(pipelined.steps))


def _single_tiles(body: Block, name: Var, tile: int, kept: frozenset[str]) -> Block:
    """Loops over so few lanes that one tile has them all are no loops."""

    def change(stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        match stmt:
            case For(start=Const(value=start), stop=Const(value=stop), var=var) if (
                cast(name, stmt.dtype) == stmt.step and 0 < stop - start <= tile and var not in kept
            ):
                count, *rest = substitute(stmt.body, {var: stmt.start}).body
                if not isinstance(count, Decl):
                    return stmt
                return (replace(count, init=const(stop - start, count.dtype)), *rest)
        return stmt

    found = map_stmt(body, change)
    assert isinstance(found, Block)
    return found


def _numbers(tiler: _Tiler, tile: int) -> list[Stmt]:
    """Fills the buffer of numbers: the first ones one by one, then twice as many by every addition."""
    first = VECTOR_BYTES // I32.bytes
    i, known = (Var(I32, tiler.names.fresh(name)) for name in ("i", "known"))
    one = Assign(Load(I32, tiler.numbers, (i,)), i)
    here, there = Ref(I32, tiler.numbers, const(0)), Ref(I32, tiler.numbers, known)
    more = Instr("__bang_add_scalar", (there, here, known, minimum(known, sub(tiler.tile, known))))
    assert tile >= first
    grow = While(lt(known, tiler.tile), Block((more, Assign(known, mul(known, const(2))))))
    return [
        For(i.name, I32, const(0), const(first), const(1), Block((one,))),
        Decl(known.name, I32, init=const(first)),
        grow,
    ]


def _prepared(loop: For, names: Names, known: Mapping[str, Expr]) -> For:
    loop = with_end_tests(forward_places(loop), known)
    chosen = branches(name_hashes(loop, names), names)
    plain = with_whole_quotients(uniform_windows(tests_as_numbers(chosen), names))
    return name_values(plain, names)


class _Tiler(Scratchpad):
    """One run of the pass. `known`: what names of sizes stand for."""

    known: Mapping[str, Expr]

    def block(self, block: Block) -> Block:
        out: list[Stmt] = []
        for stmt in block.body:
            out += self.stmt(stmt)
        return Block(tuple(out), range=block.range)

    def stmt(self, stmt: Stmt) -> Sequence[Stmt]:
        match stmt:
            case For(kind=LoopKind.VECTOR):
                return self.vector(stmt)
            case For():
                if stmt.kind is not LoopKind.SERIAL and is_const(stmt.step, 1):
                    self.rows.add(stmt.var)
                counts = [stmt.stop] if is_const(stmt.start, 0) else []
                self.around += counts
                body = self.block(stmt.body)
                self.around = self.around[: len(self.around) - len(counts)]
                return (replace(stmt, body=body, kind=LoopKind.SERIAL),)
            case While(body=body):
                return (replace(stmt, body=self.block(body)),)
            case If(then=then, otherwise=otherwise):
                return (replace(stmt, then=self.block(then), otherwise=self.block(otherwise)),)
            case Block():
                return (self.block(stmt),)
        return (stmt,)

    def vector(self, loop: For) -> Sequence[Stmt]:
        digits = with_digit_lanes(with_places(loop), self.names)
        if digits is not None and not self.architecture.padded:
            return self.stmt(digits)
        begun = self.state()
        inner = with_apart_lanes(loop.body)
        rows = replace(loop, body=inner, kind=LoopKind.SERIAL) if has_lanes(inner) else None
        try:
            tiles = VectorLoop(self, _prepared(loop, self.names, self.known)).tiles()
        except NotTileable as reason:
            self.restore(begun)
            if rows is not None:
                return self.stmt(rows)
            place = f"line {loop.range.line}: " if loop.range else ""
            self.notes.append(f"{place}scalar code for the loop over `{loop.var}`: {reason}")
            return (replace(loop, kind=LoopKind.SERIAL),)
        if rows is None or not (apart := _one_by_one(tiles)):
            return tiles
        found = self.state()
        self.restore(begun)
        others = self.stmt(rows)
        if _one_by_one(others) < apart:
            return others
        self.restore(found)
        return tiles

    def state(self) -> tuple[Any, ...]:
        """What an attempt changes."""
        by_wish = {k: list(v) for k, v in self.by_wish.items()}
        kept = dict(self.buffers), set(self.small), by_wish, list(self.notes), set(self.rows)
        return *kept, self.strided, self.numbers

    def restore(self, state: tuple[Any, ...]) -> None:
        self.buffers, self.small, self.by_wish, self.notes, self.rows, self.strided, self.numbers = state


def _one_by_one(stmts: Sequence[Stmt]) -> int:
    """How many loops bring or take elements one at a time."""
    loops = [n for stmt in stmts for n in walk(stmt) if isinstance(n, For)]
    return sum(not any(isinstance(n, (Instr, For)) for n in walk(loop.body)) for loop in loops)
