"""Arrays of the interpreter, and what is remembered about each of their elements to check accesses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from xpiler.ir.nodes import Space
from xpiler.ir.types import DType

NOBODY = -1


@dataclass
class Usage:
    """How a launch used a global array; indices and bitmaps count elements of the array's own type.

    `low`, `high`: least and greatest index accessed, also out of bounds; None if there was no access.
    `read_first`: elements that were read before anything was written to them.
    """

    name: str
    low: int | None
    high: int | None
    read: npt.NDArray[np.bool_]
    written: npt.NDArray[np.bool_]
    read_first: npt.NDArray[np.bool_]


@dataclass
class Reads:
    """Reads in one epoch of all that read. `code`, `warp_epoch`: of all lanes, by which it is known."""

    code: object
    warp_epoch: object
    since: int  # the first epoch that some lane is in
    columns: list[npt.NDArray[np.int64]] = field(default_factory=list)  # granules
    codes: list[npt.NDArray[np.int64]] = field(default_factory=list)  # who
    warps: list[npt.NDArray[np.int32]] = field(default_factory=list)


@dataclass
class Shadow:
    """Per granule (element, or part of one where accesses are narrower): who used it last. See
    `lane_code`."""

    writer: npt.NDArray[np.int64]
    reader: npt.NDArray[np.int64]
    atomic: npt.NDArray[np.int64]
    writer_warp: npt.NDArray[np.int32]  # warp epoch of the last writer
    reader_warp: npt.NDArray[np.int32]
    many: npt.NDArray[
        np.int8
    ]  # readers of the same epoch: 0 one, 1 several of a warp, 2 of a block, 3 of several
    changed: int = NOBODY  # epoch of the last write or atomic
    reads: Reads | None = None  # that are not noted yet in the above

    @staticmethod
    def of(size: int) -> Shadow:
        return Shadow(
            np.full(size, NOBODY, np.int64),
            np.full(size, NOBODY, np.int64),
            np.full(size, NOBODY, np.int64),
            np.zeros(size, np.int32),
            np.zeros(size, np.int32),
            np.zeros(size, np.int8),
        )


class Parts:
    """Memory that holds numbers of several types at a time, in a mode whose floats have no bits.

        (float *)nram_buffer + 16, (int *)(nram_buffer + 4096)

    By the byte where each number begins: the number itself, and of what type it is. A number can only be read
    as it was written, and whole. What was never written has bits that no program would mean.
    """

    _REST = 1  # a byte of a number that begins before it
    _FIRST = 2  # the number of the first type

    def __init__(self, size: int) -> None:
        self.numbers = np.zeros(size, np.int64)
        self.types = np.zeros(size, np.int8)
        self.known: list[DType] = []

    def load(self, at: Any, dtype: DType, kind: npt.DTypeLike) -> tuple[Any, bool]:
        """The numbers of a type at some bytes, and whether all of them are that, or nothing."""
        own = self.types[at]
        as_written = own == self._type(dtype)
        unused = own == 0
        for byte in range(1, dtype.bytes):
            rest = self.types[at + byte]
            as_written = as_written & (rest == self._REST)
            unused = unused & (rest == 0)
        bits = np.where(unused, -1, self.numbers[at])
        return self._as(bits, kind), bool(np.all(as_written | unused))

    def store(self, at: Any, value: Any, dtype: DType, kind: npt.DTypeLike) -> None:
        number = np.asarray(value, kind)
        bits = number.view(np.int64) if number.dtype == np.float64 else number.astype(np.int64)
        for byte in range(1, dtype.bytes):
            self.types[at + byte] = self._REST
        self.types[at] = self._type(dtype)
        self.numbers[at] = bits

    def _type(self, dtype: DType) -> int:
        if dtype not in self.known:
            self.known.append(dtype)
        return self._FIRST + self.known.index(dtype)

    @staticmethod
    def _as(bits: Any, kind: npt.DTypeLike) -> Any:
        numbers = np.asarray(bits)
        return (numbers.view(np.float64) if np.dtype(kind) == np.float64 else numbers.astype(kind))[()]


@dataclass
class Memory:
    """All copies of an array, one after the other: one in global memory, one a block, or one a lane.

    `extent`: elements of a copy; `pitch`: distance of copies in elements; `level` of the state that owns the
    copies.
    """

    name: str
    dtype: DType
    space: Space
    data: npt.NDArray[np.generic]
    extent: int
    pitch: int
    shape: tuple[int, ...]
    granule: int  # bytes
    level: int = 0
    null: bool = False  # no array was handed in
    phase: int = 0  # bytes that its begin is away from an address aligned to everything
    wrap: int = 0  # elements that exist; later ones share their storage. 0: all of `extent` exist
    initialised: npt.NDArray[np.bool_] | None = None  # per granule; None: everything is
    stale: bool = False  # what was never written is left from before: kernels read it where it does no harm
    origin: Any = None  # of `interpret_state`: what elements lack that were assigned what was never written
    shadow: Shadow | None = None
    read: npt.NDArray[np.bool_] | None = None
    written: npt.NDArray[np.bool_] | None = None
    read_first: npt.NDArray[np.bool_] | None = None
    outside: list[int] = field(default_factory=list)  # least and greatest index out of bounds
    views: dict[object, npt.NDArray[np.generic]] = field(default_factory=dict)
    parts: Parts | None = None  # in place of `data`

    @property
    def base(self) -> str:
        return f"@base {self.name}"

    def view(self, wanted: npt.DTypeLike) -> npt.NDArray[np.generic]:
        """The memory as elements of another type."""
        if self.data.dtype == wanted:
            return self.data
        found = self.views.get(wanted)
        if found is None:
            size = np.dtype(wanted).itemsize
            found = self.data[: self.data.nbytes // size * size // self.data.itemsize].view(wanted)
            self.views[wanted] = found
        return found

    def granules(self) -> int:
        return max(1, self.data.nbytes // self.granule)

    def note_outside(self, index: int) -> None:
        low, high = (self.outside or [index, index])[:2]
        self.outside[:] = [min(low, index), max(high, index)]

    def usage(self) -> Usage:
        per_element = max(1, self.data.itemsize // self.granule)

        def elements(bits: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_]:
            if bits is None:
                return np.zeros(self.extent, np.bool_)
            whole = bits[: self.extent * per_element].reshape(self.extent, per_element)
            return np.asarray(whole.any(axis=1))

        read, written = elements(self.read), elements(self.written)
        touched = np.flatnonzero(read | written)
        ends = [*self.outside, *([int(touched[0]), int(touched[-1])] if touched.size else [])]
        low, high = (min(ends), max(ends)) if ends else (None, None)
        return Usage(self.name, low, high, read, written, elements(self.read_first))
