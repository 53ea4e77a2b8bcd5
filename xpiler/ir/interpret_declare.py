"""Arrays that a program declares: how many copies, how large, and which of their elements are watched."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from xpiler.errors import Refusal
from xpiler.ir.interpret_expressions import Expressions
from xpiler.ir.interpret_memory import Memory, Parts, Shadow
from xpiler.ir.interpret_native import Native
from xpiler.ir.interpret_state import Lanes, Run, State, StepLimit
from xpiler.ir.nodes import Atomic, Decl, For, Function, Load, LoopKind, Ref, Space
from xpiler.ir.rewrite import arrays_written, walk
from xpiler.ir.types import DType

# Kernels compute on what lies behind the end of a tile and throw the results away: where accesses are logged
# such values are followed, else nothing is said of them.
_SCRATCH = (Space.NRAM, Space.WRAM)
_MANY = 1 << 22  # elements that are not filled where accesses are logged: a run comes to few of them
_MOST_BYTES = 1 << 28  # of an array, in all its copies
_ALIGNMENT = 16  # bytes; a copy begins at a multiple, so that it can be read as wider elements


@dataclass(frozen=True)
class Arrays:
    """What the text of a function says of its arrays."""

    numeric: Native
    granules: dict[str, int]  # bytes of the narrowest access
    written: frozenset[str]
    has_parallel_loops: bool
    mixed: frozenset[str] = (
        frozenset()
    )  # arrays of several types, of which the mode cannot view one as another

    @staticmethod
    def of(function: Function, numeric: Native) -> Arrays:
        types = _types_of_arrays(function)
        widths = {
            name: min(np.dtype(numeric.storage_type(dtype)).itemsize for dtype in used)
            for name, used in types.items()
        }
        mixed = (name for name, used in types.items() if not numeric.can_view(used))
        parallel = _has_parallel_loops(function)
        return Arrays(numeric, widths, arrays_written(function), parallel, frozenset(mixed))

    def declare(self, decl: Decl, expressions: Expressions) -> Run:
        extents = [expressions.compile(e) for e in decl.shape]
        init = [expressions.compile(e) for e in decl.init] if isinstance(decl.init, tuple) else None
        shared = decl.space is Space.SHARED

        def run(state: State, lanes: Lanes) -> Lanes:
            if shared and decl.name in state.memories:
                return lanes  # static storage: the declaration is passed again
            shape = tuple(_uniform(e(state, lanes), decl) for e in extents)
            memory = self._allocate(decl, shape, state, init is not None)
            state.memories[decl.name] = memory
            for number, value in enumerate(init or ()):
                data: Any = memory.data
                stored = self.numeric.stored(decl.dtype)
                element = value(state, lanes)
                base = np.asarray(state.vars[memory.base])
                where = (base if lanes is None or not base.ndim else base[lanes]) + number
                data[where] = stored(element) if stored is not None else element
            return lanes

        return run

    def _allocate(self, decl: Decl, shape: tuple[int, ...], state: State, has_init: bool) -> Memory:
        extent = int(np.prod(shape, dtype=np.int64))
        size = np.dtype(self.numeric.storage_type(decl.dtype)).itemsize
        pitch = -(-extent * size // _ALIGNMENT) * _ALIGNMENT // size
        copies, number = self._copies(decl, state)
        if copies * pitch * size > _MOST_BYTES:
            raise StepLimit(f"{_MOST_BYTES >> 20} MiB for `{decl.name}`")
        state.vars[f"@base {decl.name}"] = number * pitch if copies > 1 else np.int64(0)
        parts = Parts(copies * pitch * decl.dtype.bytes) if decl.name in self.mixed and not has_init else None
        count = copies * pitch if parts is None else 0
        is_told = state.log is not None and state.checks and count > _MANY  # what of it was never written
        data = self._again(decl, state, count, has_init)
        if data is None:
            data = self.blank(decl.dtype, count, has_init or is_told)
        memory = Memory(
            decl.name,
            decl.dtype,
            decl.space,
            data,
            extent,
            pitch,
            shape,
            self.granules[decl.name],
            state.level,
        )
        memory.parts = parts
        if state.checks and not has_init:
            memory.initialised = np.zeros(memory.granules(), np.bool_)
            memory.stale = state.log is None and decl.space in _SCRATCH
        if state.checks and (state.log is not None or decl.space not in _SCRATCH):
            shared = decl.space is Space.SHARED
            if state.log is None and (
                shared or (decl.space is Space.LOCAL and self.has_parallel_loops and state.level < 2)
            ):
                memory.shadow = Shadow.of(memory.granules())
        return memory

    def _again(self, decl: Decl, state: State, count: int, zero: bool) -> Any:
        """The storage of the array as it was declared in the turn before of a loop: fresh pages take longer
        to get than what a loop does in them."""
        before = state.memories.get(decl.name)
        if before is None or decl.space is Space.SHARED or before.level != state.level:
            return None
        kind = np.dtype(self.numeric.storage_type(decl.dtype))
        if before.data.size != count or before.data.dtype != kind or before.space is not decl.space:
            return None
        before.data.view(np.uint8).fill(0 if zero or kind == np.bool_ else self.numeric.fresh)
        return before.data

    def blank(self, dtype: DType, count: int, zero: bool) -> Any:
        """Zeros, or bits that no program would mean: NaN, -1."""
        kind = np.dtype(self.numeric.storage_type(dtype))
        if zero or kind == np.bool_:
            return np.zeros(count, kind)
        return np.full(count * kind.itemsize, self.numeric.fresh, np.uint8).view(kind)

    def _copies(self, decl: Decl, state: State) -> tuple[int, Any]:
        """How many copies, and the number of each lane's."""
        match decl.space:
            case Space.SHARED:
                return state.launch.blocks, state.vars["@block"]
            case Space.FRAGMENT:
                slots, size = state.launch.slots * state.launch.blocks, state.launch.warp_size
                return slots // size, state.vars["@slot"] // size
            case Space.LOCAL | Space.NRAM | Space.WRAM:
                return state.count, np.arange(state.count)
        return 1, np.int64(0)

    def parameter(self, name: str, dtype: DType, data: Any, extent: int, checks: bool) -> Memory:
        """A global array that was handed in."""
        granule = self.granules.get(name, data.itemsize)
        memory = Memory(name, dtype, Space.GLOBAL, data, extent, extent, (extent,), granule)
        if extent != data.size:
            memory.wrap = data.size
        if checks:
            self.watch(memory)
        return memory

    def watch(self, memory: Memory) -> None:
        """Remember what is done to a global array; only what the kernel writes can race."""
        count = memory.granules()
        memory.read, memory.written, memory.read_first = (np.zeros(count, np.bool_) for _ in range(3))
        if memory.name in self.written:
            memory.shadow = Shadow.of(count)


class NegativeExtent(Refusal):
    """The program asks for an array of fewer than no elements: it is not meant for these sizes."""


def _uniform(value: Any, decl: Decl) -> int:
    values = np.unique(np.asarray(value))
    if values.size != 1:
        raise Refusal("array-extent", f"the extent of {decl.name} differs between threads", decl.range)
    if int(values[0]) < 0:
        raise NegativeExtent("array-extent", f"the extent of {decl.name} is negative", decl.range)
    return int(values[0])


@functools.lru_cache(maxsize=64)  # a search runs a kernel many times
def _types_of_arrays(function: Function) -> dict[str, set[DType]]:
    """The types that each array is accessed as."""
    types: dict[str, set[DType]] = {p.name: {p.dtype} for p in function.params if p.is_pointer}
    for node in walk(function):
        match node:
            case Load(array=array) | Ref(array=array):
                types.setdefault(array, set()).add(node.dtype)
            case Decl(shape=shape) if shape:
                types.setdefault(node.name, set()).add(node.dtype)
    return types


@functools.lru_cache(maxsize=64)
def _has_parallel_loops(function: Function) -> bool:
    kinds = (LoopKind.PARALLEL, LoopKind.VECTOR, LoopKind.THREADS)
    return any(isinstance(n, For) and n.kind in kinds for n in walk(function))


@functools.lru_cache(maxsize=64)
def orders_blocks(function: Function) -> bool:
    """Whether the kernel has atomics on memory that all blocks see: they may order what blocks do."""
    declared = {n.name for n in walk(function.body) if isinstance(n, Decl)}
    return any(isinstance(n, Atomic) and n.place.array not in declared for n in walk(function.body))
