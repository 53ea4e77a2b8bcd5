"""Elements that lie where each lane says: looked up in a table by one instruction, or brought one by one.

    y[i] = x[idx[i]] * w[i]            idx_nram <- idx[i0..];  w_nram <- w[i0..]
                               -->     for l in 0..count: x_nram[l] = x[idx_nram[l]]
                                       __bang_mul(x_nram, x_nram, w_nram, count);  y[i0..] <- x_nram

    s[i ^ h], s in the scratchpad  --> index = i ^ h by instructions;  __bang_lut(s_nram, index, s, count, n)

    inside ? x[idx[i]] : 0         --> x_nram <- 0;  for l in 0..count: if (mask_nram[l] != 0) x_nram[l] = ...

Places are computed by instructions as far as there are any; all else of the loop stays vectors. What is
written so goes out one by one, in the order of the lanes. Of what is only read under a condition nothing is
read for other lanes, whose elements are zeros.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from xpiler.ir.affine import coefficient
from xpiler.ir.build import add, and_, cast, const, div, lt, maximum, minimum, mul, ne, sub
from xpiler.ir.nodes import Assign, Block, Const, Decl, Expr, For, If, Instr, Load, Ref, Stmt, Var
from xpiler.ir.rewrite import free_vars, rebuild, substitute, walk
from xpiler.ir.types import I8, I32, U8, U32
from xpiler.passes.lane_buffers import VECTOR_TYPES, NotTileable
from xpiler.passes.lane_clamps import Clamped, clamped_place
from xpiler.passes.lane_memory import LaneMemory
from xpiler.platforms.bang import TABLE_GROUP


class LaneElements(LaneMemory):
    """One vector loop, with the elements whose places its lanes say."""

    @abstractmethod
    def number(self, wish: str, value: Expr) -> Expr: ...

    @abstractmethod
    def value(self, expr: Expr, wish: str) -> str: ...

    def is_apart(self, place: Load) -> bool:
        """Whether the lanes' elements lie at no constant distance."""
        if len(place.index) != 1:
            return False
        (index,) = place.index
        if any(isinstance(n, Load) and self.varies(n) for n in walk(index)):
            return True
        if free_vars(index) & set(self.lanes):
            return True
        found = coefficient(index, self.loop.var)
        return found is None or bool(found.variables() & {self.loop.var, *self.lanes})

    @contextmanager
    def guarded(self, mask: str) -> Iterator[None]:
        """What is computed meanwhile is for the lanes of the mask."""
        self.guards.append(mask)
        try:
            yield
        finally:
            self.guards.pop()

    def is_gathered(self, load: Load) -> bool:
        """Whether its elements are brought lane by lane: as they lie apart, or for those lanes only that
        ask for them."""
        return self.is_apart(load) or (bool(self.guards) and not self.speculable(load))

    def load(self, load: Load) -> str:
        if not self.is_gathered(load):
            return super().load(load)
        return self.gathered(load, None)

    def gathered(self, load: Load, into: str | None) -> str:
        """The elements in a buffer, the given one or another."""
        self.check_apart(load)
        (index,) = load.index
        table = self.is_table(load)
        held: list[str] = []
        clamped = clamped_place(index, self.loop.var, self.varies) if not (table or self.guards) else None
        if clamped is not None:
            return self.bordered(load, clamped, into)
        if table:
            places = self.value(index, "place")
            held.append(places)
            buffer = into or self.acquire(load.array, load.dtype)
            self.out.append(self.looked_up(load, buffer, places))
        else:
            lane = Var(I32, self.tiler.names.fresh("lane"))
            source = Load(load.dtype, load.array, (self.at_lane(index, lane, held),))
            buffer = into if into and into not in held else self.acquire(load.array, load.dtype)
            one: Stmt = Assign(self.element(load, buffer, lane), source)
            if self.guards:
                zeros = (self.ref(load.dtype, buffer), self.count, const(0, load.dtype))
                self.out.append(Instr("__bang_write_value", zeros))
                one = If(and_(*(self.is_set(mask, lane) for mask in self.guards)), Block((one,)))
            self.out.append(self.each(lane, (one,)))
            self.note(load.array, "read", index)
            if into is not None and into != buffer:
                self.move(into, buffer, load.dtype)
                self.release(buffer)
                buffer = into
        for each in held:
            self.release(each)
        return buffer

    def bordered(self, load: Load, clamped: Clamped, into: str | None) -> str:
        """The elements of the lanes inside, and on either side of them that of the border."""
        buffer = into or self.acquire(load.array, load.dtype)
        first, stop = self.skipped, add(self.skipped, self.count)
        inside = substitute(clamped.inside, {self.loop.var: self.first})
        begin, end = first, stop
        if clamped.low is not None:
            begin = self.number(
                "lane_begin", minimum(maximum(cast(sub(clamped.low, inside), I32), first), stop)
            )
            self.border(load, clamped.at(clamped.lowest()), buffer, first, begin)
        if clamped.high is not None:
            behind = cast(add(sub(clamped.high, inside), 1), I32)
            end = self.number("lane_end", minimum(maximum(behind, begin), stop))
            self.border(load, clamped.at(clamped.highest()), buffer, end, stop)
        place = replace(load, index=(clamped.at(clamped.inside),))
        kept = self.skipped, self.count, self.out
        count = Var(I32, self.tiler.names.fresh("lanes"))
        self.skipped, self.count, self.out = begin, count, []
        self.copy(place, buffer, self.at_first(place.index[0]), 1, store=False)
        inner = Block(tuple(self.out))
        self.skipped, self.count, self.out = kept
        self.out.append(Decl(count.name, I32, init=cast(sub(end, begin), I32)))
        self.out.append(If(lt(const(0), count), inner))
        return buffer

    def border(self, load: Load, index: Expr, buffer: str, begin: Expr, end: Expr) -> None:
        """The lanes from `begin` to `end` get one element."""
        value: Expr = replace(load, index=(index,))
        dtype = I8 if load.dtype == U8 else load.dtype
        array, offset = self.within.get(buffer, (buffer, const(0)))
        there = Ref(dtype, array, add(offset, cast(begin, offset.dtype)))
        fill = Instr("__bang_write_value", (there, cast(sub(end, begin), I32), cast(value, dtype)))
        self.out.append(If(lt(begin, end), Block((fill,))))

    def spread(self, target: Load, value: Expr, reduce: str | None, mask: str | None = None) -> None:
        """Writes the lanes' values where they belong; `mask`: only of lanes whose word there is not 0."""
        self.check_apart(target)
        (index,) = target.index
        lane = Var(I32, self.tiler.names.fresh("lane"))
        held: list[str] = []
        source = value
        if self.varies(value):
            held.append(self.value(value, target.array))
            source = self.element(target, held[0], lane)
        place = Load(target.dtype, target.array, (self.at_lane(index, lane, held),))
        stmt: Stmt = Assign(place, source, reduce)
        if mask is not None:
            stmt = If(self.is_set(mask, lane), Block((stmt,)))
        self.out.append(self.each(lane, (stmt,)))
        self.note(target.array, "written", index)
        for each in held:
            self.release(each)
        self.drop(target.array)

    def check_apart(self, place: Load) -> None:
        self.known(place)
        if place.dtype not in VECTOR_TYPES or self.tiler.architecture.padded:
            raise NotTileable(f"the place in `{place.array}` is computed lane by lane")

    def is_table(self, load: Load) -> bool:
        """Whether an instruction looks the elements up: then no place outside does any harm."""
        words = load.dtype.bytes == I32.bytes and load.index[0].dtype == I32
        return words and load.array in self.tiler.lengths and not self.tiler.architecture.padded

    def looked_up(self, load: Load, buffer: str, places: str) -> Stmt:
        length = self.tiler.lengths[load.array]
        groups = mul(div(add(length, TABLE_GROUP - 1), TABLE_GROUP), const(TABLE_GROUP))
        if isinstance(length, Const):
            groups = const(-(-int(length.value) // TABLE_GROUP) * TABLE_GROUP)
        table = Ref(I32, load.array, const(0))
        dst, at = self.ref(I32, buffer), self.ref(U32, places)
        return Instr("__bang_lut", (dst, at, table, self.count, groups))

    def at_lane(self, expr: Expr, lane: Var, held: list[str]) -> Expr:
        """The expression of one lane: what varies by data comes from buffers, which `held` gets."""
        if not self.varies(expr):
            return expr
        match expr:
            case Var(name=self.loop.var):
                return add(self.first, cast(add(self.skipped, lane), expr.dtype))
            case Var() | Load():
                return self.from_buffer(expr, lane, held)
        by_data = free_vars(expr) & set(self.lanes) or any(isinstance(n, Load) for n in walk(expr))
        if by_data and expr.dtype == I32:
            kept = self.state()
            try:
                return self.from_buffer(expr, lane, held)
            except NotTileable:
                self.restore(kept)
        changed = rebuild(expr, lambda child, _: self.at_lane(child, lane, held))
        assert isinstance(changed, Expr)
        return changed

    def from_buffer(self, expr: Expr, lane: Var, held: list[str]) -> Expr:
        buffer = self.value(expr, "place")
        held.append(buffer)
        return self.element(Load(expr.dtype, buffer, (lane,)), buffer, lane)

    def element(self, like: Load, buffer: str, lane: Expr) -> Load:
        array, offset = self.within.get(buffer, (buffer, const(0)))
        at = add(offset, cast(add(self.skipped, lane), offset.dtype))
        return Load(like.dtype, array, (at,))

    def is_set(self, mask: str, lane: Expr) -> Expr:
        return ne(self.element(Load(I32, mask, (const(0),)), mask, lane), const(0))

    def each(self, lane: Var, body: tuple[Stmt, ...]) -> For:
        return For(lane.name, I32, const(0), self.count, const(1), Block(body))

    def note(self, array: str, how: str, index: Expr) -> None:
        said = next((n.array for n in walk(index) if isinstance(n, Load)), "each lane")
        by = f"`{said}`" if said != "each lane" else said
        self.tiler.notes.append(f"`{array}` is {how} one element at a time, where {by} says")

    def state(self) -> tuple[Any, ...]:
        """What an attempt changes of the loop; the buffers that it made may be used by others."""
        return len(self.out), dict(self.loaded), dict(self.held), dict(self.lanes), dict(self.within)

    def restore(self, state: tuple[Any, ...]) -> None:
        length, self.loaded, self.held, self.lanes, self.within = state
        del self.out[length:]
