"""What a block writes before it counts itself done, for the last one to read: a fence has to stand between.

    part[b] = s;  [__threadfence();]  if (atomicAdd(count, 1) == blocks - 1)  sum over part[...]

The atomic tells the last block that the others have counted, not that what they wrote has arrived.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from xpiler.ir.interpret_log import AccessKind, Log
from xpiler.ir.interpret_state import BLOCK_BITS, EPOCH_BITS, THREAD_BITS
from xpiler.ir.nodes import Atomic, Function, Space
from xpiler.ir.rewrite import uses, walk
from xpiler.symbolic.conflicts import Access

NO_FENCE = (
    ": the atomic by which the other one knows of it does not order them without a __threadfence() before it"
)
_SHIFT = EPOCH_BITS + THREAD_BITS


@dataclass(frozen=True)
class Published:
    """By block, when in the run it came to fences, and to atomics of the grid by which it learns
    of others."""

    fences: Mapping[int, list[int]] = field(default_factory=dict)
    atomics: Mapping[int, list[int]] = field(default_factory=dict)

    @staticmethod
    def of(kernel: Function, log: Log) -> Published:
        used = uses(kernel.body).vars_read
        updates = (n for n in walk(kernel.body) if isinstance(n, Atomic) and not n.of_block)
        counting = {id(n.place) for n in updates if n.target is not None and n.target.name in used}
        atomics: dict[int, list[int]] = {}
        for event in log.events:
            if id(event.site.node) in counting and event.memory.space is Space.GLOBAL:
                for block in np.unique(event.codes >> _SHIFT & ((1 << BLOCK_BITS) - 1)):
                    atomics.setdefault(int(block), []).append(event.number)
        fences: dict[int, list[int]] = {}
        for number, codes in log.fences:
            for block in np.unique(codes >> _SHIFT & ((1 << BLOCK_BITS) - 1)):
                fences.setdefault(int(block), []).append(number)
        return Published(fences, atomics)

    def too_early(self, written: Access) -> bool:
        """Whether it is a write whose block goes on to an atomic without a fence."""
        if written.event.kind is not AccessKind.WRITE:
            return False
        number = written.event.number
        counted = self._next(self.atomics, written.block, number)
        fence = self._next(self.fences, written.block, number)
        return counted is not None and (fence is None or fence > counted)

    @staticmethod
    def _next(times: Mapping[int, list[int]], block: int, number: int) -> int | None:
        known = times.get(block, [])
        at = bisect_right(known, number)
        return known[at] if at < len(known) else None
