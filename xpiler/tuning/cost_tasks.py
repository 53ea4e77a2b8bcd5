"""Estimated time of a job of tasks on an accelerator whose cores compute on scratchpads.

A loop over scratchpads is an instruction, as it is read back: it starts, and goes on by so many bytes a
cycle. Between a scratchpad and memory it is a copy. What touches memory element by element is scalar code.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from xpiler.gate.procedure import Step
from xpiler.ir.nodes import For, If, Space
from xpiler.ir.rewrite import arrays_read, arrays_written, walk
from xpiler.tuning.cost_processor import GUESS, SAMPLES
from xpiler.tuning.executed import Nest, executed
from xpiler.tuning.machines import Accelerator

_SCRATCHPADS = (Space.NRAM, Space.WRAM, Space.SHARED)
_SLOW = {
    "/": 4.0,
    "exp": 4.0,
    "exp2": 4.0,
    "log": 4.0,
    "tanh": 6.0,
    "sqrt": 4.0,
    "rsqrt": 4.0,
    "pow": 10.0,
    "erf": 8.0,
}
_SCALAR, _FAR = 2.0, 200.0  # cycles of a scalar operation, and of an element of memory for it


def on_accelerator(step: Step, machine: Accelerator) -> float:
    """Seconds of one job."""
    grid, block = step.launch.grid, step.launch.block
    scalars = {name: int(value) for name, value in step.arguments.items() if isinstance(value, int)}
    axes = []
    for name, extents in (("blockIdx", grid), ("threadIdx", block)):
        axes += [(f"{name}.{axis}", extents[i]) for i, axis in reversed(list(enumerate("xyz")))]
    for i, axis in enumerate("xyz"):
        scalars[f"gridDim.{axis}"], scalars[f"blockDim.{axis}"] = grid[i], block[i]
    root = executed(step.function.body, scalars, GUESS, tuple(axes), SAMPLES * 64)
    spaces = {name: decl.space for nest in root.all() for name, decl in nest.arrays.items()}
    spaces |= {decl.name: decl.space for decl in step.function.globals}
    memory = {p.name for p in step.function.params if p.is_pointer}
    computing, copied, copies = 0.0, 0.0, 0.0
    for nest, starts in _innermost(root, 1.0):
        arrays = [(a, spaces.get(a.array, Space.GLOBAL)) for a in nest.accesses.values()]
        pads = [a for a, space in arrays if space in _SCRATCHPADS]
        far = [a for a, space in arrays if space is Space.GLOBAL]
        if isinstance(nest.loop, For) and pads and far:
            copies += starts
            copied += sum(a.times * a.width for a in far)
        elif isinstance(nest.loop, For) and pads:
            weights = any(space is Space.WRAM for _, space in arrays)
            computing += starts * (0.0 if weights and _is_product(nest) else machine.start)
            for operation, times in nest.operations.items():
                if not operation.data:
                    continue
                if weights and operation.name == "fma":
                    computing += times / machine.matrix
                else:
                    width = max((a.width for a in pads), default=4)
                    computing += _SLOW.get(operation.name, 1.0) * times * width / machine.vector
        else:
            computing += _SCALAR * sum(times for op, times in nest.operations.items() if op.data)
            computing += _FAR * sum(a.times for a in far)
    tasks = max(1, math.prod(grid) * math.prod(block))
    cores = min(tasks, machine.cores)
    moving = copies * machine.copy / cores / machine.cycles + copied / (
        machine.memory * cores / machine.cores
    )
    working = computing / cores / machine.cycles
    return machine.launch + max(moving, working) + min(moving, working) / _overlapping(root, memory)


def _overlapping(root: Nest, memory: Collection[str]) -> float:
    """How many tiles share the time that they are copied and computed in: those of a loop that copies from or
    to arrays in `memory` under a condition of its own, and computes besides; one where nothing overlaps."""
    most = 1.0
    for nest in root.all():
        if isinstance(nest.loop, For):
            parts = [s for s in nest.loop.body.body if any(isinstance(n, For) for n in walk(s))]
            copying = [s for s in parts if (arrays_read(s) | arrays_written(s)) & set(memory)]
            stages = [s for s in parts if isinstance(s, If)]
            if any(isinstance(s, If) for s in copying) and len(copying) < len(parts):
                most = max(most, nest.trips - len(stages) + 1)
    return most


def _innermost(nest: Nest, starts: float) -> Iterator[tuple[Nest, float]]:
    """Loops without loops inside, and what else stands around them, with how often its instruction starts:
    the loops of one instruction come from one place in the text."""
    if nest.accesses or nest.operations:
        yield nest, starts
    for inner in nest.inner.values():
        same = (
            nest.loop is not None
            and inner.loop is not None
            and nest.loop.range == inner.loop.range is not None
        )
        yield from _innermost(inner, starts if same else inner.runs)


def _is_product(nest: Nest) -> bool:
    return any(operation.name == "fma" for operation in nest.operations)
