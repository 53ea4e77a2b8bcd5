"""Asynchronous copies of threads to shared memory: each is under way from its call until its thread waits.

    copy s[t] <- x[t]   commit   barrier   s[u] is read      before    wait 0      is a hazard

The interpreter makes a copy at once, which is one of the times at which it may happen. An element that is
under way must not be used by its own thread. To other threads its write happens in every epoch until the
wait: it is logged again at each barrier that comes before, and at the wait itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xpiler.ir.interpret_memory import Memory
from xpiler.ir.interpret_state import Lanes, Site, State
from xpiler.ir.nodes import Space

if TYPE_CHECKING:
    from xpiler.ir.interpret_log import Event

_LANDED = -1


@dataclass
class Underway:
    """By granule of a memory: the copy that is under way to it and which of its rows, whose it is, and in
    which of the groups that its thread commits."""

    memory: Memory
    copy: Any
    row: Any
    lane: Any
    group: Any

    @staticmethod
    def of(memory: Memory) -> Underway:
        size = memory.granules()
        return Underway(memory, np.full(size, _LANDED, np.int64), *(np.zeros(size, np.int64) for _ in "rlg"))


@dataclass
class Copies:
    """`is_busy`: whether threads copy asynchronously at all; `is_copying`: whether the statements that run
    are such a copy; `committed`, `consumed`: by lane, groups that were closed, and stages given back."""

    is_busy: bool = False
    is_copying: bool = False
    events: list[Event] = field(default_factory=list)  # the copies
    memories: dict[int, Underway] = field(default_factory=dict)
    state: State | None = None
    committed: Any = None
    consumed: Any = None

    def mark(self, state: State, lanes: Lanes, word: str) -> list[Event]:
        """What threads come to; returns writes that land."""
        self._belongs_to(state)
        chosen: Any = slice(None) if lanes is None else lanes
        if word in ("begin", "end"):
            self.is_copying = word == "begin"
        elif word == "commit":
            self.committed[chosen] += 1
        elif word == "release":
            self.consumed[chosen] += 1
        elif word == "wait all":
            return self._wait(state, lanes, np.full(state.count, 1 << 30))
        elif word == "wait stage":
            return self._wait(state, lanes, self.consumed + 1)
        else:
            return self._wait(state, lanes, self.committed - int(word.removeprefix("wait ")))
        return []

    def _belongs_to(self, state: State) -> None:
        if self.state is not state:  # the next blocks of the launch
            self.state, self.memories, self.events = state, {}, []
            self.committed, self.consumed = (np.zeros(state.count, np.int64) for _ in "cs")

    def issued(self, state: State, event: Event) -> None:
        """A write of a copy that begins."""
        self._belongs_to(state)
        if event.memory.space is not Space.SHARED:
            return
        here = self.memories.setdefault(id(event.memory), Underway.of(event.memory))
        lanes = state.numbers(event.lanes)
        columns = event.granules.shape[1]
        flat = event.granules.reshape(-1)
        inside = (flat >= 0) & (flat < here.copy.size)
        flat, row = flat[inside], np.repeat(np.arange(lanes.size), columns)[inside]
        here.copy[flat], here.row[flat], here.lane[flat] = len(self.events), row, lanes[row]
        here.group[flat] = self.committed[lanes[row]]
        self.events.append(event)

    def access(
        self, state: State, memory: Memory, lanes: Lanes, granules: Any, site: Site, what: str
    ) -> None:
        """A thread must not use what its own copy is still on the way to."""
        here = self.memories.get(id(memory))
        if here is None or self.is_copying or self.state is not state:
            return
        numbers = state.numbers(lanes)
        place = np.clip(granules, 0, here.copy.size - 1)
        wrong = (here.copy[place] != _LANDED) & (here.lane[place] == numbers[:, None])
        if not wrong.any():
            return
        row, column = (int(n[0]) for n in np.nonzero(wrong))
        granule = int(place[row, column])
        index = granule * memory.granule // memory.data.itemsize % memory.pitch
        copied = self.events[here.copy[granule]].site.range
        message = (
            f"{memory.name}[{index}] is {what} while the asynchronous copy to it in line "
            f"{copied.line if copied else 0} may still be under way: the thread has not waited for it"
        )
        state.report(site, "stream-hazard", int(numbers[row]), message, {"index": index})

    def carried(self, state: State) -> list[Event]:
        """What is under way when a barrier was passed, as writes of the epoch that begins."""
        if self.state is not state:
            return []
        return [e for here in self.memories.values() for e in self._again(state, here, here.copy != _LANDED)]

    def _wait(self, state: State, lanes: Lanes, below: Any) -> list[Event]:
        """Groups of these lanes with numbers below some, by lane, have landed."""
        waiting = np.zeros(state.count, np.bool_)
        waiting[slice(None) if lanes is None else lanes] = True
        landed: list[Event] = []
        for here in self.memories.values():
            lands = (here.copy != _LANDED) & waiting[here.lane] & (here.group < below[here.lane])
            landed += self._again(state, here, lands)
            here.copy[lands] = _LANDED
        return landed

    def _again(self, state: State, here: Underway, chosen: Any) -> list[Event]:
        """The writes of some granules, in the epochs that their threads are in now."""
        found = []
        for number in np.unique(here.copy[chosen]):
            event = self.events[int(number)]
            rows = np.unique(here.row[chosen & (here.copy == number)])
            lanes = state.numbers(event.lanes)[rows]
            codes, epochs = state.of_lanes("@code", lanes), state.of_lanes("@warp_epoch", lanes)
            if (codes == event.codes[rows]).all() and (epochs == event.warp_epochs[rows]).all():
                continue
            values = event.values
            if isinstance(values, np.ndarray) and values.ndim:
                values = values[rows]
            found.append(
                replace(
                    event,
                    lanes=lanes,
                    granules=event.granules[rows],
                    codes=codes,
                    warp_epochs=epochs,
                    grid_epoch=state.clock.grid_epoch,
                    locks=None,
                    values=values,
                    threads=None,
                    under_way=True,
                )
            )
        return found
