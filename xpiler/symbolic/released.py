"""What a thread writes while it holds a lock, for the next holder to read: a fence has to stand before it
lets the lock go.

    while (atomicCAS(lock, 0, 1));   x = x + 1;   [__threadfence();]   atomicExch(lock, 0);

The atomics say that the lock is free, not that what was written has arrived. Within a block less would do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xpiler.ir.interpret_log import AccessKind, Event, Log
from xpiler.ir.interpret_state import BLOCK_BITS, EPOCH_BITS, EPOCH_MASK, THREAD_BITS
from xpiler.ir.nodes import Space

LET_GO = "; the lock that both hold does not order them without a __threadfence() before it is let go"
_WHO = ~(EPOCH_MASK << THREAD_BITS) & ((1 << (BLOCK_BITS + EPOCH_BITS + THREAD_BITS)) - 1)


@dataclass(frozen=True)
class Released:
    """By thread, and by block for its threads together, when they let locks go and came to fences."""

    releases: Mapping[int, list[int]]
    fences: Mapping[int, list[int]]

    @staticmethod
    def of(log: Log) -> Released:
        return Released(_by_thread(log.released), _by_thread(log.fences) if log.released else {})

    def too_early(self, event: Event, row: int) -> bool:
        """Whether its thread lets the lock go without a fence behind this write."""
        if event.kind is not AccessKind.WRITE or event.memory.space is not Space.GLOBAL:
            return False
        who = int(event.codes[row]) & _WHO
        if who not in self.releases:
            who = _block(who)  # another thread of its block lets the lock go
        times = self.releases.get(who, [])
        at = bisect_right(times, event.number)
        if at == len(times):
            return False
        fences = self.fences.get(who, [])
        fence = bisect_right(fences, event.number)
        return fence == len(fences) or fences[fence] > times[at]


def _by_thread(marks: Iterable[tuple[int, Any]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for number, codes in marks:
        for who in np.unique(np.concatenate([codes & _WHO, _block(codes)])):
            found.setdefault(int(who), []).append(number)
    return found


def _block(codes: Any) -> Any:
    """A number for all threads of a block together, that no thread has."""
    return -1 - (codes >> (EPOCH_BITS + THREAD_BITS) & ((1 << BLOCK_BITS) - 1))
