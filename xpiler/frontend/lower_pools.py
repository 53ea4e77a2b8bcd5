"""Arrays that one pointer goes between are one array.

    __shared__ float a[64], b[64];                    __shared__ float a[128];
    float *from = a, *to = b;                  -->    int from = 0, to = 64;
    for (...) { to[t] = from[t]; swap(from, to) }     for (...) { a[to + t] = a[from + t]; swap(from, to) }

A pointer is an array and an offset. Where one would point into two arrays the kernel is lowered again with
these arrays laid one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xpiler.errors import Refusal
from xpiler.frontend.lower_types import Array, CType
from xpiler.frontend.lower_values import Element, Memory
from xpiler.ir import build
from xpiler.ir.nodes import Decl, Space, Stmt
from xpiler.ir.source import SourceRange
from xpiler.ir.types import DType

POOLED = frozenset({Space.SHARED, Space.NRAM, Space.WRAM})
Pools = frozenset[frozenset[str]]


class TwoArrays(Refusal):
    """A pointer would point into two arrays at different times."""

    def __init__(self, message: str, place: SourceRange | None, first: Memory, second: Memory) -> None:
        super().__init__(
            "pointer-base", message, place, "use one array with an offset, or a pointer for each"
        )
        self.first, self.second = first, second

    def pooled(self, pools: Pools) -> Pools | None:
        """The pools with these two arrays in one; None if they cannot be, or are already."""
        a, b = self.first, self.second
        if a.space not in POOLED or a.space is not b.space or a.dtype != b.dtype or not (a.shape and b.shape):
            return None
        together = frozenset({a.name, b.name})
        touched = [pool for pool in pools if pool & together]
        joined = together.union(*touched)
        return None if joined in pools else (pools - frozenset(touched)) | {joined}


@dataclass
class Pool:
    """An array that others are parts of; its declaration, in the prologue, grows with each."""

    memory: Memory
    used: int = 0

    def part(
        self,
        ctype: CType,
        shape: tuple[int, ...],
        alignment: int,
        prologue: list[Stmt],
        place: SourceRange | None,
    ) -> Element:
        dtype: DType = self.memory.dtype
        units = max(1, max(alignment, 16) // dtype.bytes)
        start = -(-self.used // units) * units
        self.used = start + prod(shape)
        extent = (build.const(self.used),)
        decl = Decl(self.memory.name, dtype, extent, self.memory.space, None, max(alignment, 16), range=place)
        for number, stmt in enumerate(prologue):
            if isinstance(stmt, Decl) and stmt.name == self.memory.name:
                prologue[number] = decl
                break
        else:
            prologue.append(decl)
        assert isinstance(ctype, Array)
        return Element(ctype, self.memory, None, build.const(start), dtype.bytes)
