"""What a call has to do, whatever program does it: arithmetic, and memory that has to move at least once.

    gemm, 512 x 512 x 512, f32   -->   2 * 512^3 operations; A and B read once, C written once

Counted from the canonical form of the source, which no target has shaped. What data decide counts as not
done, so that it is the least that there is to do: of the source's way to compute it. A program that saves
arithmetic, as by taking a sum out of a loop, does less.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from xpiler.gate.procedure import Procedure, Step
from xpiler.gate.trace import Memory, TracedCopy
from xpiler.ir.nodes import Function
from xpiler.passes.canonical import canonicalise
from xpiler.tuning.executed import Access, Nest, Operation, Unknown, executed
from xpiler.tuning.footprint import touched_together

_LEAST = Unknown(branch=0.0, trips=0.0)
_SAMPLES = 1024
_NO_ARITHMETIC = frozenset(["convert", "select", "&&", "||", "!", "<", "<=", ">", ">=", "==", "!="])
_WORTH = {"fma": 2, "dp4a": 8, "dp2a": 4}
_LIMIT = {"f64": "f64", "f32": "f32", "bf16": "bf16", "f16": "f16", "i8": "i8"}


@dataclass(frozen=True)
class Work:
    """`operations`: arithmetic, a multiply-add is two, by what it is done in (`f32`, `bf16`, `i8`, ...);
    `read` and `written`: bytes."""

    operations: Mapping[str, float] = field(default_factory=dict)
    read: float = 0.0
    written: float = 0.0

    @property
    def bytes(self) -> float:
        return self.read + self.written

    def describe(self) -> str:
        """`268.4 MFLOP, 3.1 MB`."""
        return f"{_short(sum(self.operations.values()))}OP, {_short(self.bytes)}B"

    def to_json(self) -> dict[str, object]:
        return {"operations": dict(self.operations), "bytes": round(self.bytes)}


def work_of(procedure: Procedure) -> Work:
    """Of one call: its launches one after the other. What one launch leaves for the next need not go through
    memory."""
    operations: dict[str, float] = defaultdict(float)
    read = written = 0.0
    made: set[str] = set()  # memory that a launch before has written
    left = {c.source.key for c in procedure.steps if isinstance(c, TracedCopy) and c.source is not None}
    for step in procedure.steps:
        if isinstance(step, TracedCopy):
            continue
        function = _canonical(step)
        root = executed(function.body, _scalars(step), _LEAST, samples=_SAMPLES)
        nests = root.all()
        for nest in nests:
            for operation, times in nest.operations.items():
                operations[_kind(operation)] += times * _worth(operation)
        for name, memory in step.arguments.items():
            if not isinstance(memory, Memory):
                continue
            reads, writes = (_touched(nests, name, memory.size, w) for w in (False, True))
            if memory.key not in made:
                read += reads
            if memory.name or memory.key in left:
                written += writes
        written_now = {a.array for nest in nests for a in nest.accesses.values() if a.is_write}
        made |= {m.key for n, m in step.arguments.items() if isinstance(m, Memory) and n in written_now}
    counted = {kind: count for kind, count in operations.items() if kind and count}
    return Work(counted, read, written)


def _canonical(step: Step) -> Function:
    launch = step.launch
    return canonicalise(step.function, launch.block, launch.grid, shared_bytes=launch.shared_bytes).function


def _scalars(step: Step) -> dict[str, int]:
    found = {n: int(v) for n, v in step.arguments.items() if isinstance(v, int)}
    for axis, blocks, threads in zip("xyz", step.launch.grid, step.launch.block, strict=True):
        found[f"gridDim.{axis}"], found[f"blockDim.{axis}"] = blocks, threads
    return found


def _touched(nests: list[Nest], array: str, size: int, writes: bool) -> float:
    own = [(a, n) for n in nests for a in n.accesses.values() if a.array == array and a.is_write == writes]
    trips = {nest.number: nest.trips for nest in nests}
    known: list[Access] = [access for access, _ in own if access.moves is not None and access.times]
    return min(float(size), touched_together(known, trips))


def _kind(operation: Operation) -> str:
    """The unit that does it; "" for what is no arithmetic on data."""
    if not operation.data or operation.name in _NO_ARITHMETIC:
        return ""
    return _LIMIT.get(operation.dtype, "" if operation.dtype in ("bool",) else "i32")


def _worth(operation: Operation) -> int:
    return _WORTH.get(operation.name, 1)


def _short(number: float) -> str:
    for unit in ("", "k", "M", "G", "T"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} P"
