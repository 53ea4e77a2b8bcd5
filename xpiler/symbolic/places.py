"""Threads and launches by the names that the program has for them.

A CUDA thread is `blockIdx.x = 1, threadIdx.x = 7`; a task of BANG C is `taskId = 3`, with `coreId` and
`clusterId` where cores work together. Iterations of a vector operation belong to the thread that makes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xpiler.ir.nodes import Function
from xpiler.symbolic.conflicts import Access
from xpiler.symbolic.shape import AXES
from xpiler.symbolic.trial import Trial, block_numbers


@dataclass(frozen=True)
class Places:
    kernel: Function
    trial: Trial

    def values(self, block: int, thread: int, prefix: str = "") -> dict[str, int]:
        """Where a thread is, on the axes that the launch has; `block` counts those that ran."""
        block = int(block_numbers(self.trial, block))
        if self.kernel.tasks:
            return self._task(block, thread, prefix)
        values: dict[str, int] = {}
        for kind, number, extents in (
            ("blockIdx", block, self.trial.grid),
            ("threadIdx", thread, self.trial.block),
        ):
            for position, (axis, extent) in enumerate(zip(AXES, extents, strict=True)):
                if extent > 1 or position == 0:
                    values[f"{prefix}{kind}.{axis}"] = number % extent
                number //= extent
        return values

    def _task(self, block: int, thread: int, prefix: str) -> dict[str, int]:
        cores = self.trial.block[0]
        found = {f"{prefix}taskId": block * cores + thread}
        return found | ({f"{prefix}coreId": thread} if cores > 1 else {})

    def renamed(self, values: dict[str, int]) -> dict[str, int]:
        """The interpreter's names of a thread as the program's."""
        if not self.kernel.tasks:
            return values
        rest = {k: v for k, v in values.items() if not k.startswith(("blockIdx.", "threadIdx."))}
        number, scale = 0, 1
        for axis, extent in zip(AXES, self.trial.grid, strict=True):
            number += values.get(f"blockIdx.{axis}", 0) * scale
            scale *= extent
        return self._task(number, values.get("threadIdx.x", 0), "") | rest

    def launch(self) -> dict[str, int]:
        if self.kernel.tasks:
            x, y, z = self.trial.grid
            return {"taskDim": x * y * z * self.trial.block[0]}
        if self.kernel.is_serial:
            return {}
        values = {}
        for kind, extents in (("blockDim", self.trial.block), ("gridDim", self.trial.grid)):
            for position, (axis, extent) in enumerate(zip(AXES, extents, strict=True)):
                if extent > 1 or position == 0:
                    values[f"{kind}.{axis}"] = extent
        return values

    def of_access(self, access: Access, prefix: str = "") -> dict[str, int]:
        """Its thread, and the loop variables around it."""
        values = {} if self._is_of_loop(access) else self.values(access.block, access.own_thread, prefix)
        for name, value in access.event.shown.items():
            one = value[access.lane] if isinstance(value, np.ndarray) and value.ndim else value
            if isinstance(one, (np.integer, int)):
                values[f"{prefix}{name}"] = int(one)
        return values

    def _is_of_loop(self, access: Access) -> bool:
        """Whether an iteration of a loop made the access, not a thread of the launch."""
        return self.kernel.is_serial or access.event.level == 1

    def thread(self, block: int, thread: int, with_block: bool) -> str:
        """`thread 3`, `thread (1, 0) of block 2`, `task 5`."""
        values = self.values(block, thread)
        if self.kernel.tasks:
            return f"task {values['taskId']}"
        text = f"thread {_tuple(values, 'threadIdx')}"
        return f"{text} of block {_tuple(values, 'blockIdx')}" if with_block else text

    def who(self, access: Access, other: Access, across: bool) -> str:
        """One side of a conflict, told apart from the other."""
        if self._is_of_loop(access):
            mine, others = self.of_access(access), self.of_access(other)
            shown = [f"{name} = {value}" for name, value in mine.items() if others.get(name) != value]
            return f"iteration {', '.join(shown) or access.block}"
        return self.thread(access.block, access.own_thread, across)


def _tuple(values: dict[str, int], kind: str) -> str:
    parts = [str(v) for k, v in values.items() if k.startswith(kind)]
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
