"""Memory as a vector loop sees it: copies into and out of its buffers, and which of them are needed.

    x[i*s + k] for the lanes i   -->   x_nram <- x[i0*s + k ..], one element or a stride apart

What was loaded stays known until the array, or the buffer, is written.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from xpiler.ir.affine import bounds, coefficient, linear, to_expr
from xpiler.ir.build import add, cast, const, mul, sub
from xpiler.ir.nodes import (
    Binary,
    Expr,
    Instr,
    Load,
    Ref,
)
from xpiler.ir.rewrite import arrays_written, free_vars, substitute, walk
from xpiler.ir.types import I32, DType
from xpiler.passes.lane_buffers import VECTOR_TYPES, LaneBuffers, NotTileable


class LaneMemory(LaneBuffers):
    """One vector loop, with its loads and stores."""

    @abstractmethod
    def is_apart(self, place: Load) -> bool: ...

    @abstractmethod
    def is_table(self, load: Load) -> bool: ...

    @abstractmethod
    def move(self, dst: str, src: str, dtype: DType) -> None: ...

    def speculable(self, expr: Expr) -> bool:
        """Whether memory may be read for lanes that have no use for it: only where the loop reads or writes
        at the same index for every lane anyway, which is taken to mean arrays of the same length."""
        for node in walk(expr):
            if isinstance(node, Load) and node.array in self.arrays and not self.is_apart(node):
                continue  # each lane has an element of its own
            if isinstance(node, Load) and self.varies(node) and self.is_apart(node):
                if not self.is_table(node):
                    return False
            elif isinstance(node, Load) and self.varies(node) and node.array in self.tiler.scratch:
                form = linear(self.flat(node))  # an unsigned place before the first one wraps around
                low = bounds(form, {self.loop.var: (0, None)})[0] if form is not None else -1
                if low is not None and low < 0:  # of the first array in the scratchpad nothing lies before it
                    return False
            elif isinstance(node, Load) and self.varies(node):
                if (node.array, self.at_first(self.flat(node))) in self.loaded:
                    continue
                if not set(node.index) <= self.places:
                    return False
                self.tiler.notes.append(
                    f"`{node.array}` is read at every index of the loop over `{self.loop.var}`, also where "
                    "a condition does not ask for it"
                )
        return True

    def drop(self, array: str) -> None:
        """What was loaded of an array is out of date."""
        for key in [k for k in self.loaded if k[0] == array]:
            self.release(self.loaded.pop(key))

    def load(self, load: Load) -> str:
        index = self.flat(load)
        step = self.distance(index)
        if step is None or load.dtype not in VECTOR_TYPES:
            raise NotTileable(f"the elements of `{load.array}` it reads lie {apart(step)}")
        base = self.at_first(index)
        found = self.loaded.get((load.array, base))
        if found is not None:
            self.hold(found)
            return found
        unchanged = load.array in self.arrays or load.array not in arrays_written(self.loop.body)
        if self.in_place(load.array, step) and unchanged:
            buffer = f"{load.array}@{len(self.within)}"
            self.within[buffer] = load.array, base
            self.hold(buffer)
        else:
            buffer = self.acquire(load.array, load.dtype)
            self.copy(load, buffer, base, step, store=False)
        self.loaded[load.array, base] = buffer
        self.hold(buffer)
        return buffer

    def is_brought(self, load: Load) -> bool:
        """Whether the elements have to be copied from memory, as they are in no buffer yet."""
        index = self.flat(load)
        step = self.distance(index)
        if step is None or load.dtype not in VECTOR_TYPES or load.array in self.tiler.scratch:
            return False
        return (load.array, self.at_first(index)) not in self.loaded

    def bring(self, load: Load, buffer: str) -> None:
        """Copies the elements into a buffer that is to hold them."""
        index = self.flat(load)
        step = self.distance(index)
        assert step is not None
        self.copy(load, buffer, self.at_first(index), step, store=False)

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
        extent: tuple[Expr, ...] = (self.count,)
        if step != 1:
            self.tiler.strided = True
            apart = const(step) if isinstance(step, int) else step
            strides = (apart, const(1)) if store else (const(1), apart)
            if store and (back := self.back(step)) is not None:
                last = sub(self.count, 1)  # a copy may walk backwards in its source only
                memory = replace(memory, offset=sub(base, cast(mul(last, back), base.dtype)))
                pad = replace(pad, offset=add(pad.offset, last))
                strides = back, const(-1)
            extent = (const(1), *strides, sub(self.count, 1))
        ends = (memory, pad) if store else (pad, memory)
        direction = "NRAM2GDRAM" if store else "GDRAM2NRAM"
        if place.array in self.tiler.scratch:
            direction = "NRAM2NRAM"
        self.out.append(Instr("__memcpy", (*ends, *extent), (("direction", direction),)))

    def back(self, step: int | Expr) -> Expr | None:
        """How far a lane's element lies before that of the lane before, if it does. Where the sign of a
        distance does not show, the loop is for the sign that its form has."""
        form = linear(const(step) if isinstance(step, int) else step)
        if form is None:
            return None
        signs = {factor > 0 for monomial, factor in form.terms if monomial} or {form.constant > 0}
        back = to_expr(-form, I32) if signs == {False} else None
        if isinstance(step, Expr) and (back is not None or len(signs) > 1 or form.constant < 0):
            self.needs.append(back or step)
        return back

    def known(self, place: Load) -> None:
        """Refuses what lies neither in memory nor in the scratchpad as elements of its own type."""
        if len(place.index) != 1:
            raise NotTileable(f"`{place.array}` has several dimensions")
        kind = {**self.tiler.memory, **self.tiler.scratch}.get(place.array)
        if kind is None:
            raise NotTileable(f"`{place.array}` lies on the stack")
        if kind != place.dtype:
            raise NotTileable(f"it looks at `{place.array}` as {place.dtype}")

    def flat(self, place: Load) -> Expr:
        self.known(place)
        for node in walk(place.index[0]):
            if isinstance(node, Load) and self.varies(node):
                raise NotTileable(f"it reads `{place.array}` where `{node.array}` says")
        if free_vars(place.index[0]) & set(self.lanes):
            raise NotTileable(f"the place in `{place.array}` is computed lane by lane")
        return place.index[0]

    def at_first(self, index: Expr) -> Expr:
        here = substitute(index, {self.loop.var: self.first})
        none = sub(self.first, self.first)  # within a row of an array of the lanes
        match here:
            case Binary(op="+", left=row, right=lane) if lane == none:
                return row
        return const(0, here.dtype) if here == none else here

    def named(self, buffer: str, name: str) -> str:
        """What a variable keeps: of an array's element, which may change, a copy."""
        array, _ = self.within.get(buffer, ("", None))
        if array not in self.arrays:
            return buffer
        dtype = self.tiler.buffers[array].dtype
        kept = self.acquire(name, dtype)
        self.move(kept, buffer, dtype)
        self.release(buffer)
        return kept

    def forget(self) -> None:
        for buffer in self.loaded.values():
            self.release(buffer)
        self.loaded.clear()

    def varies(self, expr: Expr) -> bool:
        names = {self.loop.var, *self.lanes}
        if free_vars(expr) & names:
            return True
        written = arrays_written(self.loop.body)
        return any(isinstance(n, Load) and n.array in written for n in walk(expr))


def apart(step: int | Expr | None) -> str:
    return "at no constant distance" if step is None else f"{step} apart"
