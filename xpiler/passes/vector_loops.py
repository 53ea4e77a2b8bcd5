"""The statements of a vector loop as instructions on tiles: branches are ranges of lanes, or masks.

    for i: s = a[i];                  for i0 by tile: a_nram <- a[i0..]
      if (s > 0) out[i] = s    -->      mask = all bits where a_nram > 0; choice of a_nram and out_nram by it
                                        out[i0..] <- choice

Serial loops inside stay around the instructions; a scalar that collects over the lanes becomes a reduction.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.build import add, and_, cast, const, lt, maximum, minimum, ne, not_, sub
from xpiler.ir.nodes import (
    EMPTY,
    Assign,
    Atomic,
    Binary,
    Block,
    Call,
    Const,
    Decl,
    Expr,
    For,
    If,
    Instr,
    Load,
    LoopKind,
    Ref,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import arrays_read, assigned_vars, free_vars, substitute, walk
from xpiler.ir.types import BOOL, F32, I32, U32
from xpiler.passes.arg_extremes import Search, search
from xpiler.passes.lane_arrays import as_rows, elements_of, is_lane_array
from xpiler.passes.lane_buffers import VECTOR_TYPES, NotTileable, places_of
from xpiler.passes.lane_memory import apart
from xpiler.passes.lane_ranges import clamped, cut_of, is_clamped, joined, parts_of, positive
from xpiler.passes.lane_values import LaneValues, in_words
from xpiler.passes.padded_vectors import padded_vectors
from xpiler.platforms.bang_integers import range_of


class VectorLoop(LaneValues):
    """One vector loop, with its statements."""

    def tiles(self) -> Sequence[Stmt]:
        self.loop = loop = self.with_rows_of_arrays(self.loop)
        tile_count = self.count
        self.body(loop.body)
        if frozenset().union(*map(free_vars, self.needs)) & (self.inside | {loop.var}):
            raise NotTileable("a range of its lanes depends on a number computed in it")
        tiles = self.whole(tile_count)
        changed = assigned_vars(loop.body)
        known = [e for e in self.tiler.around if not free_vars(e) & changed]
        self.needs = [need for need in self.needs if need not in known]
        if not self.needs:
            return tiles
        slow = replace(loop, kind=LoopKind.SERIAL)
        return (If(and_(*positive(self.needs)), Block(tuple(tiles)), Block((slow,))),)

    def with_rows_of_arrays(self, loop: For) -> For:
        """The loop with its arrays in the scratchpad, a vector for each element."""
        decls = [n for n in walk(loop.body) if isinstance(n, Decl) and n.shape]
        rows: dict[str, str] = {}
        for decl in decls:
            if decl.dtype not in VECTOR_TYPES or not is_lane_array(decl) or self.tiler.architecture.padded:
                raise NotTileable("an array of each lane")
            taken = set(self.arrays)
            rows[decl.name] = self.tiler.buffer(decl.name, decl.dtype, taken, rows=elements_of(decl))
            self.arrays.add(rows[decl.name])
            self.tiler.scratch[rows[decl.name]] = decl.dtype
        if not rows:
            return loop
        self.acquired = True
        lane = sub(Var(loop.dtype, loop.var), self.first)
        body = as_rows(loop.body, decls, rows, self.tiler.tile, lane)
        self.places = set(places_of(body))
        return replace(loop, body=body)

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
        last = {name: at for at, stmt in enumerate(block.body) for name in free_vars(stmt)}
        for at, stmt in enumerate(block.body):
            self.stmt(stmt)
            for name in [
                d.name for d in block.body[: at + 1] if isinstance(d, Decl) and last.get(d.name) == at
            ]:
                if name in self.lanes and self.lanes[name] not in self.fixed:
                    self.release(self.lanes[name])  # nothing behind it asks for it

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
            case Atomic(op=op, target=None) if op in _ATOMICS:
                self.atomic(stmt)
            case _:
                raise NotTileable(f"{in_words(stmt)} in it")

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
            self.lanes[name] = self.named(self.value(init, stem(name)), stem(name))
        within = range_of(init, self.ranges)
        changed = (isinstance(n, Assign) and n.target == Var(decl.dtype, name) for n in walk(self.loop.body))
        if within is not None and not any(changed):
            self.ranges[name] = within

    def _becomes_varying(self) -> set[str]:
        """Scalars declared in the loop that some assignment makes vary along the lanes."""
        if not hasattr(self, "_varying"):
            varying = {self.loop.var}
            assigned = {
                n.target.name
                for n in walk(self.loop.body)
                if isinstance(n, (Assign, Atomic)) and isinstance(n.target, Var)
            }
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
                        more |= assigned_vars(branch) & self.inside & assigned
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

    def serial(self, loop: For, condition: Expr | None = None) -> None:
        """A loop inside; `condition`: for the lanes where it holds."""
        if any(self.varies(e) for e in (loop.start, loop.stop, loop.step)):
            raise NotTileable(f"the bounds of the loop over `{loop.var}` vary along it")
        outer, self.out = self.out, []
        self.forget()
        if condition is None:
            places, self.places = self.places, self.places | set(places_of(loop.body))
            self.body(loop.body)
            self.places = places
        else:
            self.masked(loop.body, condition)
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
        if parts.cuts and not parts.other and self.is_filled(stmt.then, stmt.otherwise):
            self.body(stmt.otherwise)
            stmt = replace(stmt, otherwise=EMPTY)
        if parts.uniform and not parts.other:
            within = Block((If(and_(*parts.cuts), stmt.then, stmt.otherwise),))
            self.uniformly(and_(*parts.uniform), within, stmt.otherwise)
            return
        if parts.uniform and not stmt.otherwise.body:
            rest = If(and_(*(*parts.cuts, *parts.other)), stmt.then)
            self.uniformly(and_(*parts.uniform), Block((rest,)), EMPTY)
            return
        if parts.cuts and (not parts.other or not stmt.otherwise.body):
            then = Block((If(and_(*parts.other), stmt.then),)) if parts.other else stmt.then
            self.ranged(parts.cuts, then, stmt.otherwise)
            return
        self.sides(stmt.condition, stmt.then, stmt.otherwise)

    def sides(self, condition: Expr, then: Block, otherwise: Block, around: tuple[Expr, ...] = ()) -> None:
        """Both sides of a branch, each for its lanes. A condition that they change is kept as it was.
        `around`: the condition of the branch that it stands in."""
        inside = [n for side in (then, otherwise) for n in walk(side)]
        changing = [n for n in inside if isinstance(n, Assign)]
        changed = {n.target.name if isinstance(n.target, Var) else n.target.array for n in changing}
        again = any(isinstance(n, For) for n in inside)
        asking = len(changing) + sum(
            isinstance(n, Decl) and isinstance(n.init, Expr) and not self.speculable(n.init) for n in inside
        )
        dear = again or asking > 2 or _is_compound(and_(*around, condition))
        uses = free_vars(condition) | arrays_read(condition)
        kept = ""
        if (again or asking > 1) and (dear or changed & uses):
            kept = self.tiler.names.fresh("hit")
            self.lanes[kept] = self.mask(and_(*around, condition))
            self.masks.add(kept)
            condition = ne(Var(I32, kept), const(0))
        self.masked(then, condition if kept else and_(*around, condition))
        if otherwise.body:
            self.masked(otherwise, and_(*around, not_(condition)))
        if kept:
            self.release(self.lanes.pop(kept))

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
            self.out, self.places = [], places | set(places_of(side))
            self.forget()
            self.body(side)
            self.forget()
            sides.append(Block(tuple(self.out)))
        self.out, self.places = [*outer, If(condition, sides[0], sides[1])], places

    def ranged(self, cuts: Sequence[Expr], then: Block, otherwise: Block) -> None:
        """`then` on the lanes that satisfy all the cuts, `otherwise` on those before and behind."""
        begins: list[Expr] = []
        ends: list[Expr] = []
        stop = add(self.skipped, self.count)
        for condition in cuts:
            cut = cut_of(condition, self.loop.var, self.first)
            begins += [clamped(cut.begin, self.skipped, stop)] if cut.begin is not None else []
            ends += [clamped(cut.end, self.skipped, stop)] if cut.end is not None else []
            self.needs += [cut.needs] if cut.needs is not None else []
        start, end = self.skipped, stop
        for each in begins:
            start = maximum(start, each)
        for each in ends:
            end = each if end == stop and is_clamped(each) else minimum(end, each)
        if otherwise.body and begins and not all(map(is_clamped, begins)):
            start = minimum(start, stop)
        start = self.number("lane_begin", start)
        if otherwise.body and begins and ends:
            end = maximum(end, start)  # of no lanes at all the others are those before and behind
        elif otherwise.body and ends and not all(map(is_clamped, ends)):
            end = maximum(end, self.skipped)
        end = self.number("lane_end", end)
        if then.body:
            self.on_lanes(start, end, then)
        if otherwise.body and begins:
            self.on_lanes(self.skipped, start, otherwise)
        if otherwise.body and ends:
            self.on_lanes(end, stop, otherwise)

    def is_filled(self, then: Block, otherwise: Block) -> bool:
        """Whether all lanes may get what those outside of a range get: numbers that are the same for all
        of them, in buffers that the range then is loaded into."""
        places = [_plain_target(s) for s in otherwise.body]
        loaded = [_plain_target(s) for s in then.body if isinstance(s, Assign) and isinstance(s.value, Load)]
        if not places or None in places or len(loaded) != len(then.body) or set(places) != set(loaded):
            return False
        values = [s.value for s in otherwise.body if isinstance(s, Assign)]
        held = [self.lanes.get(name, "") in self.fixed for name in places if name is not None]
        return all(held) and not any(self.varies(value) for value in values)

    def number(self, wish: str, value: Expr) -> Expr:
        if isinstance(value, (Const, Var)):
            return value
        name = Var(I32, self.tiler.names.fresh(wish))
        self.out.append(Decl(name.name, I32, init=cast(value, I32)))
        return name

    def on_lanes(self, start: Expr, stop: Expr, body: Block) -> None:
        """A body on the lanes from `start` up to `stop` of the tile."""
        kept = self.skipped, self.count, self.out, dict(self.loaded)
        places, self.places = self.places, self.places | set(places_of(body))
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
                case Decl(init=None):
                    self.stmt(stmt)
                case Decl(shape=(), init=Expr() as init) if self.speculable(init):
                    self.declare(stmt, stmt.name, init)
                case Decl(shape=(), init=Expr() as init):
                    mask = self.mask(condition)
                    with self.guarded(mask):
                        self.declare(stmt, stmt.name, init)
                    self.release(mask)
                case Block():
                    self.masked(stmt, condition)
                case For():
                    self.serial(stmt, condition)
                case If(condition=inner, then=then, otherwise=otherwise):
                    self.sides(inner, then, otherwise, (condition,))
                case Assign(target=Load() as target, value=value, reduce=op) if not self.is_apart(
                    target
                ) and self.speculable(target):
                    new = value if op is None else _combined(target, value, op)
                    chosen = Select(target.dtype, condition, new, target)
                    self.store(Assign(target, chosen), target)
                case Assign(target=Load() as target, value=value, reduce=op):
                    mask = self.mask(condition)
                    with self.guarded(mask):
                        self.spread(target, value, op, mask)
                    self.release(mask)
                case Assign(target=Var(name=name) as target, value=value, reduce=op) if name in self.lanes:
                    new = value if op is None else _combined(target, value, op)
                    self.assign(Assign(target, Select(target.dtype, condition, new, target)), target)
                case Assign(target=Var(name=name) as target, value=value, reduce=op) if (
                    op in _NEUTRAL and name not in self.inside
                ):
                    neutral = const(_NEUTRAL[op], target.dtype)
                    self.reduction(
                        replace(stmt, value=Select(target.dtype, condition, value, neutral)), target
                    )
                case Atomic(op=op, place=place, args=(value,), target=None) if (
                    op in _ATOMICS and place.dtype == F32 and self.speculable(place)
                ):
                    neutral = const(_NEUTRAL[_ATOMICS[op]], F32)
                    self.atomic(replace(stmt, args=(Select(F32, condition, value, neutral),)))
                case _:
                    raise NotTileable(f"{in_words(stmt)} under a condition that varies along it")

    def atomic(self, stmt: Atomic) -> None:
        """Neighbouring elements that all tasks may update: one instruction takes a tile of values."""
        place = stmt.place
        index = self.flat(place)
        if (
            self.tiler.architecture.padded
            or place.dtype not in (F32, I32, U32)
            or place.array in self.tiler.scratch
        ):
            raise NotTileable(f"no atomic instruction takes several elements of `{place.array}`")
        if self.distance(index) != 1:
            raise NotTileable(f"the elements of `{place.array}` it updates lie {apart(self.distance(index))}")
        updated = [n.place for n in walk(self.loop.body) if isinstance(n, Atomic)]
        if any(
            isinstance(n, (Load, Ref)) and n.array == place.array and not any(n is u for u in updated)
            for n in walk(self.loop.body)
        ):
            raise NotTileable(f"`{place.array}` is updated and read")
        (value,) = stmt.args
        buffer = self.value(value, place.array)
        lane: Expr = self.first
        if self.skipped != const(0):
            lane = add(lane, cast(self.skipped, lane.dtype))
        first = substitute(index, {self.loop.var: lane})
        operands = (Ref(place.dtype, place.array, first), self.ref(place.dtype, buffer), self.count)
        self.out.append(Instr(f"__bang_atomic_reduce_{stmt.op}", operands))
        self.release(buffer)

    def store(self, stmt: Assign, target: Load) -> None:
        if self.is_apart(target):
            self.spread(target, stmt.value, stmt.reduce)
            return
        index = self.flat(target)
        step = self.distance(index)
        if step is None or step == 0 or target.dtype not in VECTOR_TYPES:
            raise NotTileable(f"the elements of `{target.array}` it writes lie {apart(step)}")
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


def stem(name: str) -> str:
    """A name as it was before it was made unique: variables of one kind take turns in a buffer."""
    return re.sub(r"_\d+$", "", name)


def _is_compound(condition: Expr) -> bool:
    """Whether several instructions compare."""
    return any(isinstance(n, Binary) and n.op in ("&&", "||") for n in walk(condition))


def _plain_target(stmt: Stmt) -> str | None:
    """The scalar that a statement gives a value, whatever that was before."""
    match stmt:
        case Assign(target=Var(name=name), reduce=None):
            return name
    return None


_ATOMICS = {"add": "+", "max": "max", "min": "min"}
_NEUTRAL = {"+": 0.0, "max": -math.inf, "min": math.inf}


def _combined(target: Var | Load, value: Expr, op: str) -> Expr:
    if op in ("min", "max"):
        return Call(target.dtype, op, (target, value))
    return Binary(target.dtype, op, target, value)
