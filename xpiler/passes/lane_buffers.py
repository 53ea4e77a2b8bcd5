"""What a vector loop has while it becomes tiles: buffers in the scratchpad, and who holds them.

Every value that varies along the lanes lives in a buffer of `tile` elements. The loops of a function share
the scratchpad: equal names are one buffer. In a loop a buffer is busy as long as somebody holds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from xpiler.ir.build import add, cast, const
from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Decl,
    Expr,
    For,
    If,
    Load,
    Ref,
    Select,
    Stmt,
    Var,
)
from xpiler.ir.rewrite import children, walk
from xpiler.ir.types import BF16, F16, F32, I8, I16, I32, U8, U32, DType
from xpiler.passes.names import Names
from xpiler.platforms.bang import (
    Architecture,
)
from xpiler.platforms.bang_integers import Range

VECTOR_TYPES = (F32, F16, BF16, I32, U32, I16, I8, U8)  # which may be moved; instructions have their own
TILE = "tile"


class NotTileable(Exception):
    """Why a loop stays scalar."""


@dataclass
class Buffer:
    """`rows`: vectors in it, one behind the other."""

    name: str
    dtype: DType
    rows: int = 1


@dataclass
class Scratchpad:
    """The buffers of a function, and what else its loops share."""

    architecture: Architecture
    names: Names
    buffers: dict[str, Buffer] = field(default_factory=dict)
    small: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.strided = False  # some copy takes elements apart, and so many at most
        self.scratch: dict[str, DType] = {}  # arrays that other passes have put into the scratchpad
        self.lengths: dict[str, Expr] = {}  # of those, how many elements they have
        self.memory: dict[str, DType] = {}  # and those in device memory
        self.tile = Var(I32, self.names.fresh(TILE))
        self.by_wish: dict[tuple[str, DType], list[str]] = {}
        self.rows: set[str] = set()  # variables of independent loops around
        self.around: list[Expr] = []  # what loops around count to, which is positive there
        self.numbers = ""  # the buffer that holds 0, 1, 2...

    def buffer(self, wish: str, dtype: DType, busy: set[str], *, small: bool = False, rows: int = 1) -> str:
        """A buffer that is not busy, named like `wish`: one of an earlier loop, or a new one."""
        known = self.by_wish.setdefault((wish, dtype), [])
        for name in known:
            if name not in busy and self.buffers[name].rows == rows:
                return name
        name = self.names.fresh(f"{wish}_nram")
        known.append(name)
        self.buffers[name] = Buffer(name, dtype, rows)
        if small:
            self.small.add(name)
        return name


class LaneBuffers:
    """One vector loop on its way into tiles, and its buffers."""

    def __init__(self, tiler: Scratchpad, loop: For) -> None:
        self.tiler, self.loop = tiler, loop
        self.first = Var(loop.dtype, tiler.names.fresh(f"{loop.var}0"))  # the tile's first lane
        self.count = Var(I32, tiler.names.fresh("count"))
        self.ranges: dict[str, Range] = {}  # of integers that vary along the lanes
        self.masks: set[str] = set()  # scalars that say of each lane whether a condition holds: all bits
        self.lanes: dict[str, str] = {}  # scalar that varies along the lanes -> its buffer
        self.uniform: set[str] = set()  # scalars declared inside that do not vary
        self.inside: set[str] = {n.name for n in walk(loop.body) if isinstance(n, Decl)}
        self.loaded: dict[tuple[str, Expr], str] = {}
        self.held: dict[str, int] = {}  # buffers in use
        self.fixed: set[str] = set()  # buffers of variables that loops change
        self.arrays: set[str] = set()  # buffers with a vector for each element of an array of a lane
        self.out: list[Stmt] = []
        self.acquired = False  # a buffer of its own
        self.within: dict[str, tuple[str, Expr]] = {}  # part of an array in the scratchpad
        self.guards: list[str] = []  # masks of the conditions that what is computed now is for
        self.skipped: Expr = const(0)  # lanes at the start of the tile that have no part in this
        self.needs: list[Expr] = []  # what must be positive for the ranges of lanes to be right
        self.places = set(places_of(loop.body))  # indices of memory that all lanes at work read or write

    def acquire(self, wish: str, dtype: DType) -> str:
        if dtype not in VECTOR_TYPES:
            raise NotTileable(f"vectors of {dtype}")
        busy = {b for b, uses in self.held.items() if uses > 0}
        self.acquired = True
        name = self.tiler.buffer(wish or "tmp", dtype, busy)
        self.hold(name)
        return name

    def result(self, wish: str, dtype: DType, sources: Iterable[str], overlap: bool) -> str:
        """Where a result goes: over an operand that nothing else needs, else into another buffer."""
        if overlap:
            for source in dict.fromkeys(sources):
                if (
                    self.held.get(source) == 1
                    and source in self.tiler.buffers
                    and source not in self.fixed
                    and self.tiler.buffers[source].dtype == dtype
                ):
                    self.hold(source)
                    return source
        return self.acquire(wish, dtype)

    def ref(self, dtype: DType, buffer: str) -> Ref:
        array, offset = self.within.get(buffer, (buffer, const(0)))
        return Ref(dtype, array, add(offset, cast(self.skipped, offset.dtype)))

    def share_memory(self, result: str | None, sources: Iterable[str]) -> bool:
        """Whether a result lies where an operand may, in a buffer or an array."""
        arrays = {self.within.get(b, (b, None))[0] for b in sources}
        return result is not None and self.within.get(result, (result, None))[0] in arrays

    def named(self, buffer: str, name: str) -> str:
        return buffer

    def hold(self, buffer: str) -> None:
        self.held[buffer] = self.held.get(buffer, 0) + 1

    def release(self, buffer: str) -> None:
        self.held[buffer] = self.held.get(buffer, 0) - 1


def places_of(body: Block) -> list[Expr]:
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
