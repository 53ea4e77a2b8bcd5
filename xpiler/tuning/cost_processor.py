"""Estimated time of a function on a core with vectors and caches.

A short loop over lanes is what vector instructions are, as they are read back. A loop takes, for each
iteration, as long as its busiest unit, or as long as a sum takes that waits for itself; values that have no
register are stored and loaded. The whole takes as long as that, or as what comes into its caches.
"""

from __future__ import annotations

from dataclasses import dataclass

from xpiler.gate.procedure import Step
from xpiler.ir.nodes import Const, Decl, For, LoopKind
from xpiler.tuning.executed import Access, Nest, Unknown, executed
from xpiler.tuning.footprint import by_array, touched, touched_together
from xpiler.tuning.machines import Processor

GUESS = Unknown(branch=0.5, trips=16.0)
SAMPLES = 64
_LINE = 64
_LANES = 64  # iterations of a loop over lanes at most
_WAIT = 4.0  # cycles that a sum waits for the one before
_SLOW = {
    "/": 10.0, "%": 20.0, "sqrt": 12.0, "exp": 9.0, "exp2": 8.0, "log": 12.0, "tanh": 14.0, "erf": 14.0,
    "pow": 30.0, "sin": 14.0, "cos": 14.0, "rsqrt": 4.0, "rcp": 4.0,
}  # fmt: skip
_INDEX = 0.05  # cycles of arithmetic on indices, most of which a compiler takes out of loops
_SPILLED = 0.7  # of what is faster: how much of it hides behind the slower


@dataclass
class _Units:
    """Cycles of what a body does: arithmetic, loads, stores, and all instructions."""

    arithmetic: float = 0.0
    loads: float = 0.0
    stores: float = 0.0
    instructions: float = 0.0

    @property
    def cycles(self) -> float:
        return max(self.arithmetic / 2, self.loads / 2, self.stores, self.instructions / 6)


def on_processor(step: Step, machine: Processor) -> float:
    """Seconds of one call."""
    scalars = {name: int(value) for name, value in step.arguments.items() if isinstance(value, int)}
    root = executed(step.function.body, scalars, GUESS, samples=SAMPLES)
    registers = {
        name for nest in root.all() for name, decl in nest.arrays.items() if _is_register(decl, machine)
    }
    model = _Model(machine, registers)
    computing = model.cycles(root)
    moving = [model.traffic(root, size * 0.8) / rate for size, rate in machine.levels]
    slowest = max(computing, *moving)
    rest = computing + sum(moving) - slowest
    return (slowest + rest * (1 - _SPILLED) + model.overhead) / machine.cycles


def _is_register(decl: Decl, machine: Processor) -> bool:
    count = 1
    for extent in decl.shape:
        if not isinstance(extent, Const):
            return False
        count *= int(extent.value)
    return count * decl.dtype.bytes <= machine.vector


@dataclass
class _Model:
    machine: Processor
    registers: set[str]
    overhead: float = 0.0

    def cycles(self, nest: Nest, threads: int = 1) -> float:
        """Of all runs of a nest, with what is inside."""
        loop = nest.loop
        if isinstance(loop, For) and loop.kind is LoopKind.PARALLEL and threads == 1 and nest.trips > 1:
            shared = min(self.machine.threads, round(nest.trips))
            self.overhead += nest.runs * self.machine.start
            return self._body(nest, shared) / shared
        return self._body(nest, threads)

    def _body(self, nest: Nest, threads: int) -> float:
        units = _Units()
        sums: dict[str, float] = dict(nest.sums)
        live: set[str] = set()
        self._add(units, nest, self._width(nest))
        rest = 0.0
        for inner in nest.inner.values():
            if self._is_lanes(inner):
                self._add(units, inner, round(inner.trips))
                live |= {a.array for a in inner.accesses.values() if a.array in self.registers}
                for name, times in inner.sums.items():
                    sums[name] = sums.get(name, 0.0) + times / max(inner.trips, 1.0)
            else:
                rest += self.cycles(inner, threads)
        if nest.iterations and nest.loop is not None:
            spilled = max(0, len(live) - self.machine.registers + 1) * nest.iterations
            units.loads += spilled
            units.stores += 2 * spilled  # and the next load waits for it
            units.instructions += nest.iterations * 2
        waiting = _WAIT * max(sums.values(), default=0.0) if nest.loop is not None else 0.0
        return max(units.cycles, waiting / self._width(nest)) + rest

    def _is_lanes(self, nest: Nest) -> bool:
        return (
            isinstance(nest.loop, For)
            and nest.loop.kind in (LoopKind.THREADS, LoopKind.VECTOR)
            and not nest.inner
            and nest.trips <= _LANES
        )

    def _width(self, nest: Nest) -> int:
        """Iterations of a plain loop that a compiler has done by one instruction."""
        moving = [a.moves for a in nest.accesses.values()]
        plain = isinstance(nest.loop, For) and not nest.inner and moving and not nest.sums
        if not plain:
            return 1
        for access in nest.accesses.values():
            if access.moves is None or access.moves.get(nest.number, 0) not in (0, access.width):
                return 1
        return max(1, self.machine.vector // max(a.width for a in nest.accesses.values()))

    def _add(self, units: _Units, nest: Nest, lanes: int) -> None:
        """The instructions of a body of so many lanes."""
        for operation, times in nest.operations.items():
            bits = {"f64": 64, "i64": 64, "u64": 64, "f16": 32, "i8": 8, "u8": 8}.get(operation.dtype, 32)
            together = max(1.0, min(float(lanes), self.machine.vector * 8 / bits))
            if not operation.data:
                units.instructions += _INDEX * times / together
                continue
            cost = _SLOW.get(operation.name, 1.0)
            units.arithmetic += cost * times / together
            units.instructions += cost * times / together
        for access in nest.accesses.values():
            if access.array not in self.registers:
                self._move(units, nest, access, lanes)

    def _move(self, units: _Units, nest: Nest, access: Access, lanes: int) -> None:
        step = 0 if access.moves is None else access.moves.get(nest.number, 0)
        scattered = lanes > 1 and (access.moves is None or step not in (0, access.width))
        together = 1.0 if scattered else max(1.0, min(float(lanes), self.machine.vector / access.width))
        count = access.times / together
        if access.is_write:
            units.stores += count
        else:
            units.loads += count
        units.instructions += count

    # ------------------------------------------------------------------------------------------ caches

    def traffic(self, nest: Nest, room: float) -> float:
        """Bytes that come into a cache of that size while all runs of the nest are done. A cache that
        all of the program fits into has them already: calls that are timed follow each other."""
        inside = nest.all()
        trips = {one.number: one.trips for one in inside}
        accesses = [a for one in inside for a in one.accesses.values() if a.array not in self.registers]
        used = sum(touched_together(own, trips, _LINE) for own in by_array(accesses).values())
        if used <= room:
            return used * nest.runs if nest.loop is not None else 0.0
        own = [a for a in nest.accesses.values() if a.array not in self.registers]
        direct = sum(touched(a, {nest.number: nest.trips}, _LINE) for a in own) * nest.runs
        return direct + sum(self.traffic(inner, room) for inner in nest.inner.values())
