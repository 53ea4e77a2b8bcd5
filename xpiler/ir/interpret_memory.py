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
    origin: Any = None  # of `interpret_state`: what elements lack that were assigned what was never written
    shadow: Shadow | None = None
    read: npt.NDArray[np.bool_] | None = None
    written: npt.NDArray[np.bool_] | None = None
    read_first: npt.NDArray[np.bool_] | None = None
    outside: list[int] = field(default_factory=list)  # least and greatest index out of bounds
    views: dict[object, npt.NDArray[np.generic]] = field(default_factory=dict)

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
