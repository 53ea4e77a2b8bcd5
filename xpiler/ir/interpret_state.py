"""What the interpreter knows while it runs: lanes and their variables, memories, findings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xpiler import cancellation
from xpiler.ir.interpret_memory import Memory
from xpiler.ir.interpret_native import Native, Value
from xpiler.ir.source import SourceRange

if TYPE_CHECKING:
    from xpiler.ir.interpret_log import Log

Lanes = npt.NDArray[np.intp] | None  # sorted lane numbers; None: all of them

# Fields of a lane's identity in one int64: block, epoch (number of the last barrier passed), thread.
THREAD_BITS = 21
EPOCH_BITS = 24
BLOCK_BITS = 18
THREAD_MASK = (1 << THREAD_BITS) - 1
EPOCH_MASK = (1 << EPOCH_BITS) - 1
AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Finding:
    """Something wrong in the program that ran, with the first thread that showed it.

    `values`: `blockIdx.x`, `threadIdx.x`..., loop variables, `index`, `extent`; of the second thread of a
    race with `other.` before the name; `rounds` of a loop that did not end. `array`: the array concerned, if
    any.
    """

    code: str
    message: str
    range: SourceRange | None
    values: dict[str, int]
    array: str = ""
    severity: str = "error"


@dataclass(frozen=True)
class Site:
    """A place in the program that may go wrong: a statement or expression, and the array it accesses, if
    any."""

    node: object
    array: str
    range: SourceRange | None
    loops: frozenset[str]  # variables of the loops around it
    fenced: bool = False  # the kernel orders blocks by atomics: races across blocks may be none
    flag: bool = False  # all that is ever stored in the array is one value: who sees it first is no matter
    retried: bool = False  # what a plain read saw there is held against the element before that is swapped


Origin = tuple[object, Finding]  # the statement or expression that read what was never written


@dataclass
class Recorder:
    """Findings, the first one a statement and code."""

    found: dict[tuple[str, int], Finding] = field(default_factory=dict)

    def is_new(self, code: str, node: object) -> bool:
        return (code, id(node)) not in self.found

    def add(self, node: object, finding: Finding) -> None:
        self.found.setdefault((finding.code, id(node)), finding)


class Cancelled(Exception):
    """Nobody wants the result any more."""


class StepLimit(Exception):
    """The program did not end within the steps or seconds allowed: which, in words.

    `loop` is the `while` of those under way that had gone round most often, `rounds` how often. `certain`:
    nothing could end it.
    """

    loop: SourceRange | None = None
    rounds = 0
    certain = False

    def within(self, loop: SourceRange | None, rounds: int) -> None:
        if rounds > self.rounds:
            self.loop, self.rounds = loop, rounds


@dataclass
class State:
    """Lanes running in lockstep. A variable is a NumPy scalar while it is the same in all lanes, else an
    array.

    Names that begin with `@` are the interpreter's own lane variables: `@block`, `@thread` (within the
    block), `@slot` (position in its warp, warps padded to full size), `@code` (identity, see above),
    `@warp_epoch`, and the place of each array's copy, `@base array`.
    """

    count: int
    vars: dict[str, Value]
    memories: dict[str, Memory]
    numeric: Native
    recorder: Recorder
    clock: Clock
    launch: Launch
    checks: bool
    undefined: dict[str, npt.NDArray[np.bool_]] = field(
        default_factory=dict
    )  # lanes where a scalar has no value
    origins: dict[str, Origin] = field(default_factory=dict)  # where what a scalar lacks comes from
    pending: list[tuple[npt.NDArray[np.intp], Origin]] | None = None  # see `report_missing`
    breaks: list[list[Lanes]] = field(default_factory=list)
    continues: list[list[Lanes]] = field(default_factory=list)
    ended: npt.NDArray[np.bool_] | None = None  # lanes that returned; None: none
    level: int = 0  # 0: the launch's own threads; 1: iterations of a parallel loop; 2: of a loop over threads
    log: Log | None = None  # where all accesses are written down

    def size(self, lanes: Lanes) -> int:
        return self.count if lanes is None else lanes.size

    def of_lanes(self, name: str, lanes: Lanes) -> Any:
        """A lane variable of the interpreter's own as an array."""
        value = self.vars[name]
        if not isinstance(value, np.ndarray):
            return np.full(self.size(lanes), value)
        return value if lanes is None else value[lanes]

    def numbers(self, lanes: Lanes) -> npt.NDArray[np.intp]:
        return np.arange(self.count) if lanes is None else lanes

    def report(
        self, site: Site, code: str, lane: int, message: str, more: dict[str, int], severity: str = "error"
    ) -> None:
        """A finding shown by a lane, with `more` values than its place."""
        if not self.recorder.is_new(code, site.node):
            return
        values = self.at(lane, site.loops) | more
        finding = Finding(code, message, site.range, values, site.array, severity)
        self.recorder.add(site.node, finding)

    def report_missing(
        self,
        site: Site,
        lanes: npt.NDArray[np.intp],
        message: str,
        more: dict[str, int],
        origin: Origin | None,
        severity: str = "error",
    ) -> None:
        """Lanes read what was never written. In an assignment to a thread's own memory that is no fault yet
        (`pending` is a list): what is assigned lacks a value then, and is told of where it comes to matter,
        as what was read first (`origin`)."""
        if origin is None:
            lane = int(lanes[0])
            values = self.at(lane, site.loops) | more
            finding = Finding("uninitialised-read", message, site.range, values, site.array, severity)
            origin = (site.node, finding)
        if self.pending is not None:
            self.pending.append((lanes, origin))
        else:
            self.recorder.add(*origin)

    def leniently(self, evaluate: Evaluate, lanes: Lanes) -> tuple[Value, list[tuple[Any, Origin]]]:
        """A value to be kept, and the lanes in which it is made of what was never written."""
        around, self.pending = self.pending, []
        try:
            return evaluate(self, lanes), self.pending
        finally:
            self.pending = around

    def mark_missing(self, name: str, missing: list[tuple[Any, Origin]]) -> None:
        """A scalar has no value in these lanes."""
        undefined = self.undefined.setdefault(name, np.zeros(self.count, np.bool_))
        for lanes, origin in missing:
            undefined[lanes] = True
            self.origins[name] = origin

    def at(self, lane: int, loops: frozenset[str]) -> dict[str, int]:
        """Where a lane is: block, thread, loop variables."""
        place: dict[str, int] = {}
        for axis in AXES:
            for name in (f"blockIdx.{axis}", f"threadIdx.{axis}"):
                if name in self.vars and self.launch.uses(name):
                    place[name] = int(self._one(name, lane))
        for name in sorted(loops):
            if name in self.vars:
                place[name] = int(self._one(name, lane))
        return place

    def _one(self, name: str, lane: int) -> Any:
        value = self.vars[name]
        return value[lane] if isinstance(value, np.ndarray) else value

    def assign(self, name: str, value: Value, lanes: Lanes) -> None:
        """Give a variable a value in some lanes; the others keep theirs."""
        if lanes is None:
            self.vars[name] = value
            self.undefined.pop(name, None)
            return
        old = self.vars.get(name)
        if isinstance(old, np.ndarray):
            new = old.copy()
        else:
            new = np.zeros(self.count, dtype=value.dtype) if old is None else np.full(self.count, old)
        new[lanes] = value
        self.vars[name] = new
        missing = self.undefined.get(name)
        if missing is not None:
            missing[lanes] = False


@dataclass
class Clock:
    """Steps taken and barriers passed, over the whole run."""

    limit: int
    deadline: float  # of time.thread_time: a busy machine must not change what is found
    steps: int = 0
    epoch: int = 0
    grid_epoch: int = 0  # epoch of the last synchronisation of all blocks
    joined: bool = True  # whether the iterations of the last parallel loop met at its end
    cancelled: Callable[[], bool] | None = None  # whether nobody wants the result any more

    def tick(self) -> None:
        self.steps += 1
        self.poll()
        if self.steps > self.limit:
            raise StepLimit(f"{self.limit} loop iterations")
        if not self.steps & 3 and time.thread_time() > self.deadline:
            raise StepLimit("the time allowed")

    def poll(self) -> None:
        """Asked between operations on all lanes, which take milliseconds at the most."""
        cancellation.check()
        if self.cancelled is not None and self.cancelled():
            raise Cancelled

    def next_epoch(self) -> int:
        self.epoch = (self.epoch + 1) & EPOCH_MASK
        return self.epoch


@dataclass(frozen=True)
class Launch:
    """Shape of the launch, and of the chunk of its blocks that is running."""

    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    warp_size: int
    shared_bytes: int
    blocks: int  # in the chunk

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.block[0] * self.block[1] * self.block[2]

    @property
    def slots(self) -> int:
        """Threads of a block with its last warp filled up."""
        return -(-self.threads // self.warp_size) * self.warp_size

    def uses(self, name: str) -> bool:
        """Whether an axis of the launch has more than one value (x is always told)."""
        extents = self.grid if name.startswith("blockIdx") else self.block
        axis = AXES.index(name[-1])
        return axis == 0 or extents[axis] > 1


def lane_code(block: Any, epoch: int, thread: Any) -> Any:
    """The identity of lanes for race checks."""
    place = (block & ((1 << BLOCK_BITS) - 1)) << (EPOCH_BITS + THREAD_BITS)
    return place | (epoch << THREAD_BITS) | (thread & THREAD_MASK)


def union(parts: list[Lanes], count: int) -> Lanes:
    """Lanes of disjoint parts, sorted; None if these are all."""
    if any(p is None for p in parts):
        return None
    arrays = [p for p in parts if p is not None and p.size]
    if not arrays:
        return EMPTY
    merged = arrays[0] if len(arrays) == 1 else np.sort(np.concatenate(arrays))
    return None if merged.size == count else merged


EMPTY: npt.NDArray[np.intp] = np.zeros(0, dtype=np.intp)
Run = Callable[[State, Lanes], Lanes]
Evaluate = Callable[[State, Lanes], Value]
