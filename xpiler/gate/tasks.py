"""Launches of BANG C, as the emulator makes them and as the interpreter runs them.

As launched: `grid` are the tasks, `block` is (job, 1, 1), where job is the number of cores that a job
occupies (1: Block, 4: Union1...). As interpreted: the blocks and threads that stand for the tasks in the IR.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.gate.contract import Launch
from xpiler.ir.nodes import Barrier, Function
from xpiler.ir.rewrite import walk
from xpiler.platforms.bang_tasks import blocks_of

_JOBS = (4, 8, 16, 32, 64)  # cores of a Union job


def interpreted(kernel: Function, launch: Launch) -> Launch | None:
    """The launch as the interpreter runs it; None where a job's clusters would not be full."""
    if not kernel.tasks:
        return launch
    shape = blocks_of(kernel, launch.grid)
    return None if shape is None else replace(launch, grid=shape[0], block=shape[1])


def launched(kernel: Function, blocks: Launch) -> Launch:
    """So many blocks as tasks of one job, if the tasks work together, else of Block jobs."""
    cores = kernel.block_size[0] or 1
    together = cores > 1 or any(isinstance(n, Barrier) for n in walk(kernel.body))
    tasks = (blocks.grid[0] * cores, blocks.grid[1], blocks.grid[2])
    job = next((j for j in reversed(_JOBS) if tasks[0] % j == 0), 1) if together else 1
    return Launch(tasks, (job, 1, 1))
