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

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from xpiler.ir.affine import coefficient, to_expr
from xpiler.ir.build import add, and_, cast, const, is_const, lt, maximum, minimum, mul, not_, sub
from xpiler.ir.nodes import (
    EMPTY,
    Assign,
    Binary,
    Bitcast,
    Block,
    Call,
    Cast,
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
    Select,
    Space,
    Stmt,
    Unary,
    Var,
    While,
)
from xpiler.ir.rewrite import arrays_written, assigned_vars, children, free_vars, map_stmt, substitute, walk
from xpiler.ir.types import BOOL, F16, F32, I8, I16, I32, U32, DType
from xpiler.passes.aliasing import may_be_same
from xpiler.passes.arg_extremes import Search, search
from xpiler.passes.choices import branches
from xpiler.passes.lane_ranges import cut_of, joined, parts_of, positive
from xpiler.passes.names import Names
from xpiler.passes.padded_vectors import padded_vectors
from xpiler.passes.pipeline import pipeline
from xpiler.passes.resident_rows import resident_rows
from xpiler.platforms.bang import (
    POOL_WINDOW,
    VECTOR_BYTES,
    Architecture,
    Let,
    compose,
    matches,
    tests_as_floats,
)

VECTOR_TYPES = (F32, F16, I32, I16, I8)


class NotTileable(Exception):
    """Why a loop stays scalar."""


@dataclass(frozen=True)
class Tiled:
    """`notes`: what stays scalar, and why. `pipelines`: the variables of loops that are software
    pipelines."""

    function: Function
    notes: tuple[str, ...]
    tile: int
    pipelines: frozenset[str]


TILE = "tile"


def tile_vectors(function: Function, architecture: Architecture, reserved: int = 0) -> Tiled:
    """All VECTOR loops of the function in tiles; `reserved` bytes of the scratchpad are in use otherwise."""
    tiler = _Tiler(architecture, Names(function))
    tiler.memory = {p.name: p.dtype for p in function.params if p.is_pointer}
    tiler.scratch = {
        d.name: d.dtype for d in walk(function.body) if isinstance(d, Decl) and d.space is Space.NRAM
    }
    body = tiler.block(function.body)
    own_tiles = [name for name in tiler.buffers if name not in tiler.small]
    aliases = may_be_same(function.params)
    body = resident_rows(body, tiler.tile, tiler.rows, tiler.names, aliases)
    pipelined = pipeline(body, tiler.tile, own_tiles, tiler.names, function.params, tiler.rows)
    body, parts = pipelined.body, pipelined.parts
    capacity = architecture.usable_nram - reserved
    reductions = [b for b in tiler.buffers.values() if b.name in tiler.small]
    tiles = [b for b in tiler.buffers.values() if b.name not in tiler.small]
    tiles += [_Buffer(tiler.numbers, I32)] if tiler.numbers else []
    capacity -= VECTOR_BYTES * len(reductions)
    widths = sum(b.dtype.bytes * parts.get(b.name, 1) for b in tiles)
    tile = 0
    if tiles:
        group = VECTOR_BYTES // min(b.dtype.bytes for b in tiles)
        tile = capacity // widths // group * group
        tile = min(tile, POOL_WINDOW) if reductions or tiler.strided else tile
    body = _single_tiles(body, tiler.tile, tile, frozenset(pipelined.steps))
    head: list[Stmt] = [Decl(tiler.tile.name, I32, init=const(tile))] if tiles else []
    decls: list[Stmt] = [
        Decl(b.name, b.dtype, (mul(const(parts.get(b.name, 1)), tiler.tile),), Space.NRAM) for b in tiles
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


@dataclass
class _Buffer:
    name: str
    dtype: DType


@dataclass
class _Tiler:
    """One run of the pass: the buffers of all loops share the scratchpad, equal names one buffer."""

    architecture: Architecture
    names: Names
    buffers: dict[str, _Buffer] = field(default_factory=dict)
    small: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.strided = False  # some copy takes elements apart, and so many at most
        self.scratch: dict[str, DType] = {}  # arrays that other passes have put into the scratchpad
        self.memory: dict[str, DType] = {}  # and those in device memory
        self.tile = Var(I32, self.names.fresh(TILE))
        self.by_wish: dict[tuple[str, DType], list[str]] = {}
        self.rows: set[str] = set()  # variables of independent loops around
        self.numbers = ""  # the buffer that holds 0, 1, 2...

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
                return (replace(stmt, body=self.block(stmt.body), kind=LoopKind.SERIAL),)
            case If(then=then, otherwise=otherwise):
                return (replace(stmt, then=self.block(then), otherwise=self.block(otherwise)),)
            case Block():
                return (self.block(stmt),)
        return (stmt,)

    def vector(self, loop: For) -> Sequence[Stmt]:
        kept = dict(self.buffers), set(self.small), {k: list(v) for k, v in self.by_wish.items()}
        try:
            return _Loop(self, branches(loop, self.names)).tiles()
        except NotTileable as reason:
            self.buffers, self.small, self.by_wish = kept
            place = f"line {loop.range.line}: " if loop.range else ""
            self.notes.append(f"{place}scalar code for the loop over `{loop.var}`: {reason}")
            return (replace(loop, kind=LoopKind.SERIAL),)

    def buffer(self, wish: str, dtype: DType, busy: set[str], *, small: bool = False) -> str:
        """A buffer that is not busy, named like `wish`: one of an earlier loop, or a new one."""
        known = self.by_wish.setdefault((wish, dtype), [])
        for name in known:
            if name not in busy:
                return name
        name = self.names.fresh(f"{wish}_nram")
        known.append(name)
        self.buffers[name] = _Buffer(name, dtype)
        if small:
            self.small.add(name)
        return name


class _Loop:
    """One vector loop on its way into tiles."""

    def __init__(self, tiler: _Tiler, loop: For) -> None:
        self.tiler, self.loop = tiler, loop
        self.first = Var(loop.dtype, tiler.names.fresh(f"{loop.var}0"))  # the tile's first lane
        self.count = Var(I32, tiler.names.fresh("count"))
        self.lanes: dict[str, str] = {}  # scalar that varies along the lanes -> its buffer
        self.uniform: set[str] = set()  # scalars declared inside that do not vary
        self.inside: set[str] = {n.name for n in walk(loop.body) if isinstance(n, Decl)}
        self.loaded: dict[tuple[str, Expr], str] = {}
        self.held: dict[str, int] = {}  # buffers in use
        self.fixed: set[str] = set()  # buffers of variables that loops change
        self.out: list[Stmt] = []
        self.acquired = False  # a buffer of its own
        self.within: dict[str, tuple[str, Expr]] = {}  # part of an array in the scratchpad
        self.skipped: Expr = const(0)  # lanes at the start of the tile that have no part in this
        self.needs: list[Expr] = []  # what must be positive for the ranges of lanes to be right
        self.places = set(_places(loop.body))  # indices of memory that all lanes at work read or write

    # ---------------------------------------------------------------------------------- the loop

    def tiles(self) -> Sequence[Stmt]:
        loop = self.loop
        if any(isinstance(n, Decl) and n.shape for n in walk(loop.body)):
            raise NotTileable("an array of each lane")
        tile_count = self.count
        self.body(loop.body)
        if frozenset().union(*map(free_vars, self.needs)) & (self.inside | {loop.var}):
            raise NotTileable("a range of its lanes depends on a number computed in it")
        tiles = self.whole(tile_count)
        if not self.needs:
            return tiles
        slow = replace(loop, kind=LoopKind.SERIAL)
        return (If(and_(*positive(self.needs)), Block(tuple(tiles)), Block((slow,))),)

    def whole(self, tile_count: Var) -> Sequence[Stmt]:
        """The loop over the tiles around what was found to do for one."""
        loop = self.loop
        ends: list[Stmt] = []
        stop = loop.stop
        if not isinstance(stop, (Var, Const)):
            name = Var(loop.dtype, self.tiler.names.fresh(f"{loop.var}_end"))
            ends.append(Decl(name.name, loop.dtype, init=cast(stop, loop.dtype)))
            stop = name
        if not self.acquired and self.tiler.architecture.padded:
            raise NotTileable("its vectors lie in arrays of the kernel's own")
        if not self.acquired:  # everything lies in the scratchpad already, in one piece
            count = Decl(tile_count.name, I32, init=cast(sub(stop, loop.start), I32))
            whole = Block(tuple(substitute(s, {self.first.name: loop.start}) for s in self.out))
            if isinstance(count.init, Const) and count.init.value > 0:
                return (count, *whole.body)
            return (*ends, count, If(lt(const(0), tile_count), whole))
        if self.tiler.architecture.padded:
            padded = padded_vectors(self.out, tile_count, self.tiler.buffers, self.tiler.names)
            if padded is None:
                raise NotTileable(f"vectors of {self.tiler.architecture.name} are whole and start at buffers")
            self.out = padded
        length = cast(minimum(cast(self.tiler.tile, loop.dtype), sub(stop, self.first)), I32)
        count = Decl(tile_count.name, I32, init=length)
        step = cast(self.tiler.tile, loop.dtype)
        body = Block((count, *self.out))
        tiles = replace(
            loop, var=self.first.name, stop=stop, step=step, body=body, kind=LoopKind.SERIAL, unroll=0
        )
        return (*ends, tiles)

    def body(self, block: Block) -> None:
        for stmt in block.body:
            self.stmt(stmt)

    def stmt(self, stmt: Stmt) -> None:
        match stmt:
            case Decl(init=None, name=name) if name in self._becomes_varying():
                if stmt.dtype not in VECTOR_TYPES:
                    raise NotTileable(f"`{name}` of type {stmt.dtype} varies along it")
                self.lanes[name] = self.acquire(name, stmt.dtype)
                self.fixed.add(self.lanes[name])
            case Decl(init=None):
                self.out.append(stmt)  # whether it varies shows when it is assigned
                self.uniform.add(stmt.name)
            case Decl(name=name, init=Expr() as init):
                self.declare(stmt, name, init)
            case Assign(target=Var() as target):
                self.assign(stmt, target)
            case Assign(target=Load() as target):
                self.store(stmt, target)
            case For():
                self.serial(stmt)
            case Block():
                self.body(stmt)
            case If():
                self.branch(stmt)
            case _:
                raise NotTileable(f"{_in_words(stmt)} in it")

    def declare(self, decl: Decl, name: str, init: Expr) -> None:
        if not self.varies(init) and name not in self._becomes_varying():
            self.out.append(decl)
            self.uniform.add(name)
            return
        if decl.dtype not in VECTOR_TYPES:
            raise NotTileable(f"`{name}` of type {decl.dtype} varies along it")
        if name in self._assigned_in_loops():
            self.lanes[name] = self.acquire(name, decl.dtype)
            self.fixed.add(self.lanes[name])
            self.into(self.lanes[name], decl.dtype, init)
        else:
            self.lanes[name] = self.named(self.value(init, name), name)

    def _becomes_varying(self) -> set[str]:
        """Scalars declared in the loop that some assignment makes vary along the lanes."""
        if not hasattr(self, "_varying"):
            varying = {self.loop.var}
            while True:
                more = {
                    s.target.name
                    for s in walk(self.loop.body)
                    if isinstance(s, Assign)
                    and isinstance(s.target, Var)
                    and s.target.name in self.inside
                    and free_vars(s.value) & varying
                } | {
                    d.name
                    for d in walk(self.loop.body)
                    if isinstance(d, Decl) and isinstance(d.init, Expr) and free_vars(d.init) & varying
                }
                for branch in walk(self.loop.body):
                    if isinstance(branch, If) and free_vars(branch.condition) & varying:
                        more |= assigned_vars(branch) & self.inside
                if more <= varying:
                    break
                varying |= more
            self._varying = varying
        return self._varying

    def _assigned_in_loops(self) -> set[str]:
        """Scalars that a serial loop or a branch inside changes: they keep one buffer."""
        inner = [n for n in walk(self.loop.body) if isinstance(n, (For, If))]
        return {
            s.target.name
            for each in inner
            for s in walk(each)
            if isinstance(s, Assign) and isinstance(s.target, Var)
        }

    def assign(self, stmt: Assign, target: Var) -> None:
        name = target.name
        if name in self.lanes:
            value = stmt.value if stmt.reduce is None else _combined(target, stmt.value, stmt.reduce)
            if self.lanes[name] in self.fixed:
                self.into(self.lanes[name], target.dtype, value)
            else:
                old = self.lanes[name]
                self.lanes[name] = self.named(self.value(value, name), name)
                self.release(old)
        elif name in self.inside:
            if self.varies(stmt.value):
                raise NotTileable(f"`{name}` comes to vary along it")
            self.out.append(stmt)
        else:
            self.reduction(stmt, target)

    def reduction(self, stmt: Assign, target: Var) -> None:
        """`sum += value` into a scalar outside of the loop."""
        op = stmt.reduce
        if op not in ("+", "max", "min") or not self.varies(stmt.value) or target.dtype != F32:
            raise NotTileable(f"`{target.name}` collects by `{op}`")
        buffer = self.value(stmt.value, target.name)
        result = self.tiler.buffer("result", target.dtype, set(), small=True)
        dst, src = Ref(target.dtype, result, const(0)), self.ref(target.dtype, buffer)
        one = const(1)
        if op == "+":
            operands: tuple[Expr, ...] = (dst, src, one, one, self.count, one, self.count, one, one)
            self.out.append(Instr("__bang_sumpool", operands))
        else:
            self.out.append(Instr(f"__bang_arg{op}", (dst, src, self.count)))
        self.release(buffer)
        self.out.append(replace(stmt, value=Load(target.dtype, result, (const(0),))))

    def serial(self, loop: For) -> None:
        if any(self.varies(e) for e in (loop.start, loop.stop, loop.step)):
            raise NotTileable(f"the bounds of the loop over `{loop.var}` vary along it")
        outer, self.out = self.out, []
        self.forget()
        self.body(loop.body)
        self.forget()
        self.out, body = outer, self.out
        self.out.append(replace(loop, body=Block(tuple(body)), kind=LoopKind.SERIAL))

    def branch(self, stmt: If) -> None:
        """A branch that all lanes take together, or assignments that some lanes do."""
        found = search(stmt)
        if found is not None and found.best.name not in self.inside and self.varies(found.value):
            self.search(found)
            return
        condition, turned = joined(stmt.condition, self.loop.var, self.varies)
        if turned and self.varies(condition):
            stmt = replace(stmt, condition=condition, then=stmt.otherwise, otherwise=stmt.then)
        parts = parts_of(stmt.condition, self.loop.var, self.varies)
        if not self.varies(stmt.condition):
            self.uniformly(stmt.condition, stmt.then, stmt.otherwise)
            return
        if parts.uniform and not parts.other:
            within = Block((If(_all(parts.cuts), stmt.then, stmt.otherwise),))
            self.uniformly(_all(parts.uniform), within, stmt.otherwise)
            return
        if parts.uniform and not stmt.otherwise.body:
            rest = If(_all((*parts.cuts, *parts.other)), stmt.then)
            self.uniformly(_all(parts.uniform), Block((rest,)), EMPTY)
            return
        if parts.cuts and (not parts.other or not stmt.otherwise.body):
            then = Block((If(_all(parts.other), stmt.then),)) if parts.other else stmt.then
            self.ranged(parts.cuts, then, stmt.otherwise)
            return
        self.masked(stmt.then, stmt.condition)
        if stmt.otherwise.body:
            targets = {
                s.target.name for s in stmt.then.body if isinstance(s, Assign) and isinstance(s.target, Var)
            }
            if targets & free_vars(stmt.condition):
                raise NotTileable("a branch that changes its own condition")
            self.masked(stmt.otherwise, not_(stmt.condition))

    def search(self, found: Search) -> None:
        """The extreme of the tile and its place, which the instruction puts behind it."""
        if found.at.name in self.inside or {found.best.name, found.at.name} & free_vars(self.loop.stop):
            raise NotTileable(f"`{found.at.name}` is one lane's own")
        buffer = self.value(found.value, found.best.name)
        result = self.tiler.buffer("result", F32, set(), small=True)
        operands = (Ref(F32, result, const(0)), self.ref(F32, buffer), self.count)
        self.out.append(Instr(f"__bang_arg{found.op}", operands))
        self.release(buffer)
        value = Load(F32, result, (const(0),))
        lane = Load(U32, result, (const(1),))
        place = add(self.first, cast(add(cast(lane, I32), self.skipped), self.first.dtype))
        better = Binary(BOOL, ">" if found.op == "max" else "<", value, found.best)
        then = Block(
            (
                Assign(found.at, substitute(found.place, {self.loop.var: place})),
                Assign(found.best, value),
            )
        )
        self.out.append(If(better, then))

    def uniformly(self, condition: Expr, then: Block, otherwise: Block) -> None:
        outer, places = self.out, self.places
        sides = []
        for side in (then, otherwise):
            self.out, self.places = [], places | set(_places(side))
            self.forget()
            self.body(side)
            self.forget()
            sides.append(Block(tuple(self.out)))
        self.out, self.places = [*outer, If(condition, sides[0], sides[1])], places

    def ranged(self, cuts: Sequence[Expr], then: Block, otherwise: Block) -> None:
        """`then` on the lanes that satisfy all the cuts, `otherwise` on those before and behind."""
        begins: list[Expr] = []
        ends: list[Expr] = []
        for condition in cuts:
            cut = cut_of(condition, self.loop.var, self.first)
            begins += [cut.begin] if cut.begin is not None else []
            ends += [cut.end] if cut.end is not None else []
            self.needs += [cut.needs] if cut.needs is not None else []
        stop = add(self.skipped, self.count)
        start, end = self.skipped, stop
        for each in begins:
            start = maximum(start, each)
        for each in ends:
            end = minimum(end, each)
        if otherwise.body and begins:
            start = minimum(start, stop)
        if otherwise.body and ends:
            end = maximum(end, self.skipped)
        start = self.number("lane_begin", start)
        end = self.number("lane_end", end)
        if then.body:
            self.on_lanes(start, end, then)
        if otherwise.body and begins:
            self.on_lanes(self.skipped, minimum(start, end) if ends else start, otherwise)
        if otherwise.body and ends:
            self.on_lanes(maximum(start, end) if begins else end, stop, otherwise)

    def number(self, wish: str, value: Expr) -> Expr:
        if isinstance(value, (Const, Var)):
            return value
        name = Var(I32, self.tiler.names.fresh(wish))
        self.out.append(Decl(name.name, I32, init=cast(value, I32)))
        return name

    def on_lanes(self, start: Expr, stop: Expr, body: Block) -> None:
        """A body on the lanes from `start` up to `stop` of the tile."""
        kept = self.skipped, self.count, self.out, dict(self.loaded)
        places, self.places = self.places, self.places | set(_places(body))
        start = self.number("lane_begin", start)
        lanes = Var(I32, self.tiler.names.fresh("lanes"))
        self.skipped, self.count, self.out = start, lanes, []
        self.body(body)
        inner = Block(tuple(self.out))
        for key in [k for k in self.loaded if k not in kept[3] or self.loaded[k] != kept[3][k]]:
            self.release(self.loaded.pop(key))
        self.skipped, self.count, self.out, _ = kept
        self.places = places
        self.out.append(Decl(lanes.name, I32, init=cast(sub(stop, start), I32)))
        self.out.append(If(lt(const(0), lanes), inner))

    def masked(self, block: Block, condition: Expr) -> None:
        """Assignments for the lanes where a condition holds."""
        for stmt in block.body:
            match stmt:
                case Decl(shape=(), init=Expr() as init) if self.speculable(init):
                    self.declare(stmt, stmt.name, init)
                case If(condition=inner, then=then, otherwise=otherwise):
                    self.masked(then, and_(condition, inner))
                    self.masked(otherwise, and_(condition, not_(inner)))
                case Assign(target=Load() as target, value=value, reduce=op) if self.speculable(target):
                    new = value if op is None else _combined(target, value, op)
                    chosen = Select(target.dtype, condition, new, target)
                    self.store(Assign(target, chosen), target)
                case Assign(target=Var(name=name) as target, value=value, reduce=op) if name in self.lanes:
                    if len(block.body) > 1 and name in free_vars(condition):
                        raise NotTileable("a branch that changes its own condition")
                    new = value if op is None else _combined(target, value, op)
                    self.assign(Assign(target, Select(target.dtype, condition, new, target)), target)
                case Assign(target=Var(name=name) as target, value=value, reduce=op) if (
                    op in _NEUTRAL and name not in self.inside
                ):
                    neutral = const(_NEUTRAL[op], target.dtype)
                    self.reduction(
                        replace(stmt, value=Select(target.dtype, condition, value, neutral)), target
                    )
                case _:
                    raise NotTileable(f"{_in_words(stmt)} under a condition that varies along it")

    # ---------------------------------------------------------------------------------- memory

    def speculable(self, expr: Expr) -> bool:
        """Whether memory may be read for lanes that have no use for it: only where the loop reads or writes
        at the same index for every lane anyway, which is taken to mean arrays of the same length."""
        for node in walk(expr):
            if isinstance(node, Load) and self.varies(node) and node.array not in self.tiler.scratch:
                if (node.array, self.at_first(self.flat(node))) in self.loaded:
                    continue
                if not set(node.index) <= self.places:
                    return False
                self.tiler.notes.append(
                    f"`{node.array}` is read at every index of the loop over `{self.loop.var}`, also where "
                    "a condition does not ask for it"
                )
        return True

    def store(self, stmt: Assign, target: Load) -> None:
        index = self.flat(target)
        step = self.distance(index)
        if step is None or step == 0 or target.dtype not in VECTOR_TYPES:
            raise NotTileable(f"the elements of `{target.array}` it writes lie {_apart(step)}")
        value = stmt.value if stmt.reduce is None else _combined(target, stmt.value, stmt.reduce)
        base = self.at_first(index)
        if self.in_place(target.array, step):
            self.within[place := f"{target.array}@{len(self.within)}"] = target.array, base
            self.drop(target.array)
            self.into(place, target.dtype, value)
            self.drop(target.array)
            return
        buffer = self.value(value, target.array)
        self.copy(target, buffer, base, step, store=True)
        self.drop(target.array)
        if step == 1 and buffer not in self.fixed:
            self.loaded[target.array, base] = buffer  # what was stored is what a load would bring
        else:
            self.release(buffer)

    def drop(self, array: str) -> None:
        """What was loaded of an array is out of date."""
        for key in [k for k in self.loaded if k[0] == array]:
            self.release(self.loaded.pop(key))

    def load(self, load: Load) -> str:
        index = self.flat(load)
        step = self.distance(index)
        if step is None or load.dtype not in VECTOR_TYPES:
            raise NotTileable(f"the elements of `{load.array}` it reads lie {_apart(step)}")
        base = self.at_first(index)
        found = self.loaded.get((load.array, base))
        if found is not None:
            self.hold(found)
            return found
        if self.in_place(load.array, step) and load.array not in arrays_written(self.loop.body):
            buffer = f"{load.array}@{len(self.within)}"
            self.within[buffer] = load.array, base
            self.hold(buffer)
        else:
            buffer = self.acquire(load.array, load.dtype)
            self.copy(load, buffer, base, step, store=False)
        self.loaded[load.array, base] = buffer
        self.hold(buffer)
        return buffer

    def distance(self, index: Expr) -> int | Expr | None:
        """From the element of one lane to that of the next; None if it changes along the lanes."""
        found = coefficient(index, self.loop.var)
        if found is None or found.variables() & {self.loop.var, *self.lanes}:
            return None
        return found.as_int if found.as_int is not None else to_expr(found, I32)

    def in_place(self, array: str, step: int | Expr) -> bool:
        """Whether instructions can work on the elements where they lie."""
        return array in self.tiler.scratch and step == 1

    def copy(self, place: Load, buffer: str, base: Expr, step: int | Expr, *, store: bool) -> None:
        if self.skipped != const(0):
            at = add(self.first, cast(self.skipped, self.first.dtype))
            base = substitute(self.flat(place), {self.loop.var: at})
        memory, pad = Ref(place.dtype, place.array, base), self.ref(place.dtype, buffer)
        if isinstance(step, int) and step < 0:
            raise NotTileable(f"it runs backwards through `{place.array}`")
        extent: tuple[Expr, ...] = (self.count,)
        if step != 1:
            self.tiler.strided = True
            apart = const(step) if isinstance(step, int) else step
            strides = (apart, const(1)) if store else (const(1), apart)
            extent = (const(1), *strides, sub(self.count, 1))
        ends = (memory, pad) if store else (pad, memory)
        direction = "NRAM2GDRAM" if store else "GDRAM2NRAM"
        if place.array in self.tiler.scratch:
            direction = "NRAM2NRAM"
        self.out.append(Instr("__memcpy", (*ends, *extent), (("direction", direction),)))

    def flat(self, place: Load) -> Expr:
        if len(place.index) != 1:
            raise NotTileable(f"`{place.array}` has several dimensions")
        kind = {**self.tiler.memory, **self.tiler.scratch}.get(place.array)
        if kind is None:
            raise NotTileable(f"`{place.array}` lies on the stack")
        if kind != place.dtype:
            raise NotTileable(f"it looks at `{place.array}` as {place.dtype}")
        for node in walk(place.index[0]):
            if isinstance(node, Load) and self.varies(node):
                raise NotTileable(f"it reads `{place.array}` where `{node.array}` says")
        if free_vars(place.index[0]) & set(self.lanes):
            raise NotTileable(f"the place in `{place.array}` is computed lane by lane")
        return place.index[0]

    def at_first(self, index: Expr) -> Expr:
        return substitute(index, {self.loop.var: self.first})

    def forget(self) -> None:
        for buffer in self.loaded.values():
            self.release(buffer)
        self.loaded.clear()

    # ---------------------------------------------------------------------------------- values

    def varies(self, expr: Expr) -> bool:
        names = {self.loop.var, *self.lanes}
        if free_vars(expr) & names:
            return True
        written = arrays_written(self.loop.body)
        return any(isinstance(n, Load) and n.array in written for n in walk(expr))

    def value(self, expr: Expr, wish: str) -> str:
        """The buffer that holds the expression for every lane of the tile; the caller releases it."""
        match expr:
            case Var(name=name) if name in self.lanes:
                self.hold(self.lanes[name])
                return self.lanes[name]
            case Load() if self.varies(expr):
                return self.load(expr)
        return self.compute(expr, wish, None)

    def into(self, buffer: str, dtype: DType, expr: Expr) -> None:
        """Computes into the buffer."""
        match expr:
            case Var(name=name) if name in self.lanes:
                self.move(buffer, self.lanes[name], dtype)
            case Load() if self.varies(expr):
                source = self.load(expr)
                self.move(buffer, source, dtype)
                self.release(source)
            case _:
                self.compute(expr, "", buffer)

    def move(self, dst: str, src: str, dtype: DType) -> None:
        ends = self.ref(dtype, dst), self.ref(dtype, src)
        self.out.append(Instr("__memcpy", (*ends, self.count), (("direction", "NRAM2NRAM"),)))

    def compute(self, expr: Expr, wish: str, into: str | None) -> str:
        if not self.varies(expr):
            buffer = into or self.acquire(wish, expr.dtype)
            operands = (self.ref(expr.dtype, buffer), self.count, expr)
            self.out.append(Instr("__bang_write_value", operands))
            return buffer
        normal = _normal(expr)
        architecture = self.tiler.architecture
        found = matches(normal, self.varies, architecture)
        if found is None and architecture.padded:  # without instructions that take a scalar: a vector of it
            found = matches(normal, lambda _: True, architecture)
        if found is not None:
            allowed = architecture.integers or expr.dtype.is_float
            if not allowed:
                raise NotTileable("vectors of integers")
            sources = {name: self.value(e, "tmp") for name, e in found.vectors.items()}
            buffer = into or self.result(wish, expr.dtype, sources.values(), found.intrinsic.overlap)
            refs = [self.ref(found.vectors[n].dtype, b) for n, b in sources.items()]
            scalar = () if found.scalar is None else (found.scalar,)
            operands = (self.ref(expr.dtype, buffer), *refs, *scalar, self.count)
            suffix = found.intrinsic.suffix
            attributes = (("suffix", suffix),) if suffix else ()
            self.out.append(Instr(found.intrinsic.name, operands, attributes))
            for source in sources.values():
                self.release(source)
            return buffer
        match normal:
            case Select(condition=condition) if self.varies(condition):
                return self.choice(normal, wish, into)
            case Bitcast(operand=operand):
                return self.same_bytes(operand, normal.dtype, wish, into)
            case Binary(op="&" | "|" | "^" as op, dtype=dtype) if dtype == I32:
                return self.bitwise(_BITWISE[op], normal, into)
        if isinstance(normal, Var) and normal.name == self.loop.var:
            return self.index(wish, into)
        simpler = compose(normal, self.varies, self.tiler.architecture)
        if simpler is None or simpler == expr:
            raise NotTileable(f"no instruction for {_in_words(expr)}")
        if isinstance(simpler, Let):
            return self.let(simpler, wish, into)
        return self.compute_or_value(simpler, wish, into)

    def same_bytes(self, operand: Expr, dtype: DType, wish: str, into: str | None) -> str:
        buffer = self.value(operand, "bits")
        result = into or self.acquire(wish, dtype)
        self.move(result, buffer, dtype)
        self.release(buffer)
        return result

    def bitwise(self, name: str, expr: Binary, into: str | None) -> str:
        """With an operand that is the same for all lanes, which no instruction takes as a scalar."""
        left, right = self.value(expr.left, "tmp"), self.value(expr.right, "bits")
        result = into or self.acquire("bits", I32)
        self.bits(name, result, left, right)
        self.release(left)
        self.release(right)
        return result

    def index(self, wish: str, into: str | None) -> str:
        """The numbers of the lanes: those within a tile, which are kept, and the first one."""
        buffer = into or self.acquire(wish, I32)
        self.tiler.numbers = self.tiler.numbers or self.tiler.names.fresh("numbers_nram")
        numbers = Ref(I32, self.tiler.numbers, cast(self.skipped, I32))
        start = cast(self.first, I32)
        self.out.append(Instr("__bang_add_scalar", (self.ref(I32, buffer), numbers, start, self.count)))
        return buffer

    def let(self, steps: Let, wish: str, into: str | None) -> str:
        """Intermediate results that are needed more than once, then the result."""
        mine: list[str] = []
        names: dict[str, Expr] = {}
        for name, value in steps.bindings:
            own = Var(value.dtype, self.tiler.names.fresh(name))
            self.lanes[own.name] = self.value(substitute(value, names), name)
            names[name] = own
            mine.append(own.name)
        result = self.compute_or_value(substitute(steps.result, names), wish, into)
        for each in mine:
            self.release(self.lanes.pop(each))
        return result

    def choice(self, expr: Select, wish: str, into: str | None) -> str:
        """`condition ? a : b` by masks of bits: exact for every value."""
        if expr.dtype.bytes < I32.bytes:
            wide = F32 if expr.dtype == F16 else I32
            sides = (cast(side, wide) for side in (expr.then, expr.otherwise))
            return self.compute_or_value(Cast(expr.dtype, Select(wide, expr.condition, *sides)), wish, into)
        if expr.dtype.bytes != I32.bytes:
            raise NotTileable(f"a choice between values of {expr.dtype}")
        mask = self.mask(expr.condition)
        for side in (expr.then, expr.otherwise):
            if not self.speculable(side):
                raise NotTileable("it reads memory only where a condition holds")
        chosen = self.value(expr.then, "tmp")
        result = self.acquire("choice", expr.dtype)
        self.bits("__bang_band", result, chosen, mask)
        self.release(chosen)
        if expr.otherwise != const(0, expr.dtype):
            other = self.value(expr.otherwise, "tmp")
            rest = self.acquire("rest", I32)
            self.bits("__bang_bnot", mask, mask)
            self.bits("__bang_band", rest, other, mask)
            self.bits("__bang_bor", result, result, rest)
            self.release(other)
            self.release(rest)
        self.release(mask)
        if into is None:
            return result
        self.move(into, result, expr.dtype)
        self.release(result)
        return into

    def mask(self, condition: Expr) -> str:
        """All bits of the lanes where the condition holds."""
        match condition:
            case Binary(op="&&" | "||" as op, left=left, right=right):
                first, second = self.mask(left), self.mask(right)
                self.bits("__bang_band" if op == "&&" else "__bang_bor", first, first, second)
                self.release(second)
                return first
            case Unary(op="!", operand=operand):
                inner = self.mask(operand)
                self.bits("__bang_bnot", inner, inner)
                return inner
            case Binary(op=op, left=left, right=right) if left.dtype in (F16, I16, I8):
                wide = F32 if left.dtype == F16 else I32
                return self.mask(Binary(condition.dtype, op, cast(left, wide), cast(right, wide)))
            case Binary(left=left) if left.dtype in (F32, I32):
                ones = self.compute(Cast(left.dtype, condition), "tmp", None)
                result = self.acquire("mask", I32)
                whole, part = self.ref(I32, result), self.ref(left.dtype, ones)
                if left.dtype == F32:
                    convert = Instr("__bang_float2int32_tz", (whole, part, self.count), (("suffix", "0"),))
                    self.out.append(convert)
                    part = whole
                self.out.append(Instr("__bang_mul_scalar", (whole, part, const(-1), self.count)))
                self.release(ones)
                return result
        raise NotTileable(f"{_in_words(condition)} as a condition")

    def bits(self, name: str, *buffers: str) -> None:
        refs = tuple(self.ref(I32, b) for b in buffers)
        self.out.append(Instr(name, (*refs, self.count), (("suffix", "bytes"),)))

    def compute_or_value(self, expr: Expr, wish: str, into: str | None) -> str:
        if into is None:
            return self.value(expr, wish)
        self.into(into, expr.dtype, expr)
        return into

    # ---------------------------------------------------------------------------------- buffers

    def acquire(self, wish: str, dtype: DType) -> str:
        if dtype not in VECTOR_TYPES:
            raise NotTileable(f"vectors of {dtype}")
        busy = {b for b, uses in self.held.items() if uses > 0}
        self.acquired = True
        name = self.tiler.buffer(wish or "tmp", dtype, busy)
        self.hold(name)
        return name

    def result(self, wish: str, dtype: DType, sources: object, overlap: bool) -> str:
        """Where a result goes: over an operand that nothing else needs, else into another buffer."""
        if overlap:
            for source in dict.fromkeys(sources):  # type: ignore[call-overload]
                if (
                    self.held.get(source) == 1
                    and source in self.tiler.buffers
                    and source not in self.fixed
                    and self.tiler.buffers[source].dtype == dtype
                ):
                    self.hold(source)
                    return str(source)
        return self.acquire(wish, dtype)

    def ref(self, dtype: DType, buffer: str) -> Ref:
        array, offset = self.within.get(buffer, (buffer, const(0)))
        return Ref(dtype, array, add(offset, cast(self.skipped, offset.dtype)))

    def named(self, buffer: str, name: str) -> str:
        return buffer

    def hold(self, buffer: str) -> None:
        self.held[buffer] = self.held.get(buffer, 0) + 1

    def release(self, buffer: str) -> None:
        self.held[buffer] = self.held.get(buffer, 0) - 1


# ---------------------------------------------------------------------------------------------- small parts

_BITWISE = {"&": "__bang_band", "|": "__bang_bor", "^": "__bang_bxor"}
_NEUTRAL = {"+": 0.0, "max": -math.inf, "min": math.inf}


def _all(conditions: Sequence[Expr]) -> Expr:
    return and_(*conditions)


def _places(body: Block) -> list[Expr]:
    """Indices of memory that statements at the top of a loop's body read or write, whatever the data."""
    found: list[Expr] = []
    for stmt in body.body:
        match stmt:
            case Assign() | Decl():
                found += _unconditional(stmt)
            case If(condition=condition):
                found += _unconditional(condition)
    return found


def _unconditional(node: Expr | Stmt) -> list[Expr]:
    match node:
        case Select(condition=first) | Binary(op="&&" | "||", left=first):
            return _unconditional(first)
    found = list(node.index) if isinstance(node, Load) else []
    for child in children(node):
        if isinstance(child, (Expr, Stmt)):
            found += _unconditional(child)
    return found


def _combined(target: Var | Load, value: Expr, op: str) -> Expr:
    if op in ("min", "max"):
        return Call(target.dtype, op, (target, value))
    return Binary(target.dtype, op, target, value)


def _normal(expr: Expr) -> Expr:
    """`x > 0 ? x : 0` and its kin as max and min; the sum with a negation as a difference; sums of tests by
    floats."""
    match expr:
        case Select(condition=Binary(op="<" | "<=" | ">" | ">=" as op, left=a, right=b), then=x, otherwise=y):
            if (x, y) in ((a, b), (b, a)):
                larger = (op[0] == ">") == ((x, y) == (a, b))
                return Call(expr.dtype, "max" if larger else "min", (x, y))
        case Binary(op="+", left=x, right=Unary(op="-", operand=y)):
            return Binary(expr.dtype, "-", x, y)
        case Cast(operand=operand, dtype=dtype) if dtype == F32:
            return tests_as_floats(operand) or expr
    return expr


def _apart(step: int | Expr | None) -> str:
    return "at no constant distance" if step is None else f"{step} apart"


def _in_words(node: Expr | Stmt) -> str:
    match node:
        case If():
            return "a branch"
        case Call(function=function):
            return f"`{function}`"
        case Binary(op=op, dtype=dtype):
            return f"`{op}` of {node.left.dtype} values"
        case Cast(operand=operand, dtype=dtype):
            return f"a conversion from {operand.dtype} to {dtype}"
        case Select():
            return "a choice lane by lane"
        case Var(name=name):
            return f"the index `{name}` itself"
    return f"`{type(node).__name__}`"
