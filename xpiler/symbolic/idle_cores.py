"""Sizes at which all cores of a cluster have work: what the first one does alone is right without barriers.

__memcpy(s, x, n, GDRAM2SRAM);                                        n = 512: one core reads s
if (coreId * 2048 < n) __memcpy(y, s + coreId * 2048, .., SRAM2NRAM)  n = 65536: four of them do
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from xpiler.ir.interpret_state import THREAD_BITS
from xpiler.ir.nodes import Decl, Function, Space
from xpiler.ir.rewrite import walk
from xpiler.symbolic.findings import Found
from xpiler.symbolic.hosts import as_launched
from xpiler.symbolic.trial import ENDLESS, Observed, Trial

_FACTORS = (16, 128)
_MOST = 1 << 17  # that a size counts
_ORDER = ("XP-RACE", "XP-ASYNC")


@dataclass
class Cores:
    """`shared`: arrays of a cluster; `busy`: its cores that read them in some run."""

    shared: frozenset[str]
    busy: set[int] = field(default_factory=set)

    @staticmethod
    def of(kernel: Function) -> Cores:
        found = (n.name for n in walk(kernel.body) if isinstance(n, Decl) and n.space is Space.SHARED)
        return Cores(frozenset(found) if kernel.tasks else frozenset())

    def look_at(self, seen: Observed) -> None:
        for event in seen.log.events if self.shared else ():
            if event.memory.name in self.shared and event.kind.name == "READ":
                self.busy |= set((np.unique(event.codes) & ((1 << THREAD_BITS) - 1)).tolist())

    def larger(self, trials: Sequence[Trial], given: Collection[str]) -> Iterator[Trial]:
        """Trials with one size larger, as long as some cores are idle."""
        first = trials[0]
        extents = dict.fromkeys(first.extents, ENDLESS)
        for name, value in first.scalars.items():
            for factor in _FACTORS if isinstance(value, int) and name not in given else ():
                grown = replace(first, scalars={**first.scalars, name: value * factor}, extents=extents)
                is_meant = as_launched(trials, grown).scalars == grown.scalars and value * factor <= _MOST
                if is_meant and 0 < len(self.busy) < prod(first.block):
                    yield replace(grown, is_launched=False)

    def among(self, found: Sequence[Found]) -> list[Found]:
        """What is about the order of the cores; a size that is too large for something else shows nothing."""
        if any(f.code not in _ORDER for f in found):
            return []
        return [f for f in found if f.array in self.shared]
