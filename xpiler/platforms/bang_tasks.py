"""Tasks of BANG C as blocks and threads.

A task is a block of one thread. Where the cores of a cluster work together (SRAM, cluster barriers, `coreId`)
a cluster is a block, and its cores are the threads. A kernel that only asks for `taskId` and `taskDim` does
not see how the tasks of a launch are laid out: they are a line of blocks ("linear"); otherwise the three
dimensions stay ("grid").
"""

from __future__ import annotations

from xpiler.ir.nodes import Function

CORES = 4  # of a cluster

LINEAR, GRID = "linear", "grid"

Dims = tuple[int, int, int]


def blocks_of(kernel: Function, tasks: Dims) -> tuple[Dims, Dims] | None:
    """Grid and block of a launch with so many tasks; None if clusters would not be full."""
    cores = kernel.block_size[0] or 1
    x, y, z = tasks
    if x % cores:
        return None
    if kernel.tasks == LINEAR:
        return (x * y * z // cores, 1, 1), (cores, 1, 1)
    return (x // cores, y, z), (cores, 1, 1)
