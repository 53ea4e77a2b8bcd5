"""Estimated time of a launch on a GPU.

As long as its instructions take on all multiprocessors that have blocks, or its memory: a warp's access takes
as many sectors as its lanes touch; what fits into the cache comes from memory once.
"""

from __future__ import annotations

import math

from xpiler.gate.procedure import Step
from xpiler.gate.trace import Memory
from xpiler.ir.nodes import Space
from xpiler.tuning.cost_processor import GUESS, SAMPLES
from xpiler.tuning.executed import Access, Nest, executed
from xpiler.tuning.footprint import by_array, touched_together
from xpiler.tuning.machines import Gpu

_SECTOR = 32
_SLOW = {"/": 8.0, "sqrt": 8.0, "exp": 4.0, "log": 4.0, "tanh": 12.0, "erf": 16.0, "pow": 20.0, "%": 16.0}
_ATOMIC, _BARRIER, _INDEX, _SHUFFLE = 16.0, 20.0, 0.5, 4.0
_MULTIPLY_ADDS = 16 * 16 * 16  # of an instruction on matrix fragments
_ENOUGH = 512  # resident threads of a multiprocessor that hide the time of its memory


def on_gpu(step: Step, machine: Gpu) -> float:
    """Seconds of one launch."""
    grid, block = step.launch.grid, step.launch.block
    scalars = {name: int(value) for name, value in step.arguments.items() if isinstance(value, int)}
    axes = []
    for name, extents in (("blockIdx", grid), ("threadIdx", block)):
        axes += [(f"{name}.{axis}", extents[i]) for i, axis in reversed(list(enumerate("xyz")))]
    for i, axis in enumerate("xyz"):
        scalars[f"gridDim.{axis}"], scalars[f"blockDim.{axis}"] = grid[i], block[i]
    root = executed(step.function.body, scalars, GUESS, tuple(axes), SAMPLES * 4)
    nests = root.all()
    shared = {n for nest in nests for n, d in nest.arrays.items() if d.space is Space.SHARED}
    private = {n for nest in nests for n, d in nest.arrays.items() if d.space is not Space.SHARED}
    lane = next((nest.number for nest in nests if nest.axis == "threadIdx.x"), 0)
    width = min(machine.warp, block[0])

    instructions = matrix = sectors = 0.0
    for nest in nests:
        for operation, times in nest.operations.items():
            cost = _SLOW.get(operation.name, 1.0) if operation.data else _INDEX
            cost = _ATOMIC if operation.name.startswith("atomic") else cost
            instructions += times * (_SHUFFLE if operation.name.startswith("shfl") else cost)
        instructions += nest.barriers * _BARRIER
        matrix += sum(times for name, times in nest.instructions.items() if "mma" in name or "mfma" in name)
        for access in nest.accesses.values():
            if access.array in private:
                continue
            instructions += access.times
            if access.array in shared:
                instructions += access.times * (_conflicts(access, lane, width) - 1)
            else:
                sectors += access.times / width * _sectors(access, lane, width)
    threads, blocks = math.prod(block), math.prod(grid)
    waves = blocks / machine.units
    busy = min(1.0, waves) if waves < 1 else waves / math.ceil(waves)
    a_unit = max(1, min(math.ceil(waves), machine.resident // max(threads, machine.warp))) * threads
    hidden = min(1.0, a_unit / _ENOUGH)
    whole_warps = threads / (math.ceil(threads / machine.warp) * machine.warp)
    rate = machine.units * machine.lanes * machine.cycles * busy * whole_warps * max(hidden, 0.1)
    computing = instructions / rate + matrix * 2 * _MULTIPLY_ADDS / machine.warp / (machine.matrix * busy)
    near = sectors * _SECTOR
    once = _once(nests, step, shared | private)
    far = once if once <= machine.cache_bytes else max(once, near)
    moving = max(near / machine.cache, far / machine.memory) / max(min(busy, hidden), 0.05)
    return machine.launch + max(computing, moving)


def _sectors(access: Access, lane: int, width: int) -> float:
    """Of a warp's access."""
    if access.moves is None:
        return float(width)
    step = abs(access.moves.get(lane, 0))
    return max(1.0, min(width, (width - 1) * step / _SECTOR + access.width / _SECTOR))


def _conflicts(access: Access, lane: int, width: int) -> int:
    """How many lanes want the same bank of shared memory, 32 banks of four bytes."""
    step = 0 if access.moves is None else abs(access.moves.get(lane, 0)) // 4
    return math.gcd(step, width) if step else 1


def _once(nests: list[Nest], step: Step, own: set[str]) -> float:
    """Bytes of different memory that the launch touches."""
    trips = {nest.number: nest.trips for nest in nests}
    accesses = [a for nest in nests for a in nest.accesses.values() if a.array not in own]
    sizes = {name: memory.size for name, memory in step.arguments.items() if isinstance(memory, Memory)}
    return sum(
        min(float(sizes.get(array, math.inf)), touched_together(found, trips, _SECTOR))
        for array, found in by_array(accesses).items()
    )
