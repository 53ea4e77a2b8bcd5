"""Operands of one instruction that overlap although they must not.

    operands same:  reads a[0..512), writes a[1..513)  apart      neither one place nor two

The interpreter makes the elements one after the other, or all at once; an instruction promises neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xpiler.ir.interpret_memory import Memory
from xpiler.ir.interpret_state import Lanes, Site, State
from xpiler.ir.nodes import Space


@dataclass
class Operands:
    """What the instruction that is under way has accessed, by place of the text. `rule`: `same`, `none`,
    `any`, or "" between instructions."""

    rule: str = ""
    read: dict[int, tuple[Memory, list[Any]]] = field(default_factory=dict)
    written: dict[int, tuple[Memory, list[Any]]] = field(default_factory=dict)

    def begin(self, rule: str) -> None:
        self.rule = rule
        self.read.clear()
        self.written.clear()

    def access(
        self, state: State, memory: Memory, address: Any, width: int, site: Site, is_read: bool
    ) -> None:
        if self.rule == "any" or memory.space not in (Space.NRAM, Space.WRAM):
            return  # other tasks use these, too: whose element is whose is not told apart here
        units = max(1, width // memory.granule)
        granules = np.atleast_1d(np.asarray(address, np.int64)).reshape(-1, 1) * units + np.arange(units)
        if not granules.size:  # all beyond the end
            return
        side = self.read if is_read else self.written
        side.setdefault(id(site.node), (memory, []))[1].append(granules.reshape(-1))

    def end(self, state: State, lanes: Lanes, site: Site) -> None:
        rule, self.rule = self.rule, ""
        for to, places in self.written.values():
            for source, others in self.read.values():
                if source is not to:
                    continue
                low = min(int(part.min()) for part in (*places, *others))
                target, used = (_marked(side, low) for side in (places, others))
                shared = np.flatnonzero(target[: used.size] & used[: target.size])
                if not shared.size or (rule == "same" and np.array_equal(target, used)):
                    continue
                index = (low + int(shared[0])) * to.granule // to.data.itemsize % to.pitch
                needed = "be the same or apart" if rule == "same" else "be apart"
                message = f"source and result share {to.name}[{index}], but must {needed}"
                lane = int(state.numbers(lanes)[0])
                state.report(site, "operand-overlap", lane, message, {"index": index})
                return


def _marked(places: list[Any], low: int) -> Any:
    """Which granules from `low` on are among the places."""
    marks = np.zeros(max(int(part.max()) for part in places) - low + 1, np.bool_)
    for part in places:
        marks[part - low] = True
    return marks
