"""Data races in the log of a run: pairs of accesses of one element that nothing orders.

Two accesses conflict if different threads make them, one at least writes, and not both are atomic for the
other (`atomicAdd_block` is so among the threads of a block alone). They are
ordered by a barrier of their block (another epoch), within a warp also by a warp-level barrier (another warp
epoch), by a barrier of the grid, and by a lock that both threads hold, if there is a fence before it is let
go (`released.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from xpiler.ir.interpret import Cancelled
from xpiler.ir.interpret_log import NO_LOCK, AccessKind, Event, Log, Meetings
from xpiler.ir.interpret_memory import NOBODY
from xpiler.ir.interpret_state import BLOCK_BITS, EPOCH_BITS, EPOCH_MASK, THREAD_BITS, THREAD_MASK
from xpiler.ir.nodes import Space
from xpiler.symbolic.released import Released

NOWHERE: Mapping[str, int] = {}
_MOST_GROUPS = 400  # elements of a part of the run whose pairs are looked at one by one
_MOST_MEMBERS = 160  # accesses of one element that are compared with each other
_SAMPLES = 4  # of one place, block and time
_DENSE = 1 << 23  # elements in a table
_SPREAD = 7
_AT_ONCE = 24  # elements
_FEWER = 6  # of them in parts like others that showed nothing new
_ALIKE = 2  # of which so many did


@dataclass(frozen=True)
class Access:
    """One lane of an event."""

    event: Event
    row: int

    @cached_property
    def code(self) -> int:
        return int(self.event.codes[self.row])

    @cached_property
    def block(self) -> int:
        return self.code >> (EPOCH_BITS + THREAD_BITS) & ((1 << BLOCK_BITS) - 1)

    @cached_property
    def thread(self) -> int:
        return self.code & THREAD_MASK

    @property
    def own_thread(self) -> int:
        """The thread of the launch, also where its iterations are lanes."""
        threads = self.event.threads
        return self.thread if threads is None else int(threads[self.row])

    @cached_property
    def epoch(self) -> int:
        return self.code >> THREAD_BITS & EPOCH_MASK

    @cached_property
    def lock(self) -> int:
        return NO_LOCK if self.event.locks is None else int(self.event.locks[self.row])

    @property
    def value(self) -> Any:
        values = self.event.values
        if values is None:
            return None
        return values[self.row] if isinstance(values, np.ndarray) and values.ndim else values

    @property
    def lane(self) -> int:
        return self.row if self.event.lanes is None else int(self.event.lanes[self.row])


@dataclass(frozen=True)
class Conflict:
    """`element` of `array` is used by `first` and, not ordered with it, by `second`, the later in the text of
    the run. `same_value`: all conflicting writes of these two places write equal values; `unfenced`: both
    hold a lock that is let go before what was written has arrived."""

    array: str
    element: int
    first: Access
    second: Access
    across_blocks: bool
    same_warp: bool
    same_value: bool
    unfenced: bool


def conflicts(
    log: Log,
    warp_size: int,
    aliases: Mapping[str, str],
    starts: Mapping[str, int] = NOWHERE,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Conflict]:
    """One conflict for each pair of places, in the order of the run. Arrays that are one begin at elements of
    their own in it. Raises `Cancelled`."""
    by_array: dict[str, list[Event]] = {}
    shared = {*aliases, *aliases.values()}
    for event in log.events:
        name = event.memory.name
        if name in shared and (start := starts.get(name, 0)):
            begin = start * event.memory.data.itemsize // event.memory.granule
            event = replace(event, granules=event.granules + begin)
        by_array.setdefault(aliases.get(name, name), []).append(event)
    found: list[Conflict] = []
    released = Released.of(log)
    for name, events in by_array.items():
        if any(e.kind is not AccessKind.READ for e in events):
            found += _of_array(name, events, _Order(warp_size, log.meetings, released), cancelled)
    return found


@dataclass(frozen=True)
class _Order:
    """Which threads are of one warp, and what orders them; what locks do not order."""

    size: int
    meetings: Meetings
    released: Released

    def are_one(self, first: Access, second: Access) -> bool:
        return first.thread // self.size == second.thread // self.size

    def order(self, first: Access, second: Access) -> bool:
        one, two = (int(a.event.warp_epochs[a.row]) for a in (first, second))
        return one != two and self.meetings.order(first.block, (first.thread, one), (second.thread, two))


@dataclass
class _Part:
    """Events of an array that one barrier orders as a whole, and the elements that may have a conflict."""

    events: list[Event]

    @property
    def sites(self) -> frozenset[int]:
        return frozenset(id(event.site.node) for event in self.events)

    def suspects(self) -> Any:
        """Elements that a thread writes and another one uses; None if there are none."""
        writes = [e for e in self.events if e.kind is AccessKind.WRITE]
        atomics = [e for e in self.events if e.kind is AccessKind.ATOMIC]
        narrow = [e for e in atomics if e.of_block]
        if not writes and (not atomics or len(atomics) == len(self.events)) and not narrow:
            return None
        low = min(int(e.granules.min()) for e in self.events)
        high = max(int(e.granules.max()) for e in self.events)
        if high - low > _DENSE:
            return self._sparse_suspects()
        owner = np.full(high - low + 1, NOBODY, np.int64)
        bad = np.zeros(owner.size, np.bool_)
        if writes:
            for event in writes:
                owner[event.granules - low] = _someone(event)[:, None]
            for event in self.events:
                _mark(owner, bad, event.granules - low, _someone(event))
        if atomics:
            owner.fill(NOBODY)
            several = np.zeros(owner.size, np.bool_)
            for event in atomics:
                owner[event.granules - low] = _someone(event)[:, None]
            for event in atomics:
                _mark(owner, several, event.granules - low, _someone(event))
            for event in self.events:
                if event.kind is AccessKind.READ:
                    place = event.granules - low
                    _mark(owner, bad, place, _someone(event))
                    bad[place[several[place]]] = True
            for event in narrow:
                place = event.granules - low
                bad[place[several[place]]] = True
        found = np.flatnonzero(bad)
        return found + low if found.size else None

    def _sparse_suspects(self) -> Any:
        """The same for elements far apart."""
        written = np.unique(
            np.concatenate([e.granules.reshape(-1) for e in self.events if e.kind is not AccessKind.READ])
        )
        first = np.full(written.size, NOBODY, np.int64)
        bad = np.zeros(written.size, np.bool_)
        for event in self.events:
            flat = event.granules.reshape(-1)
            who = np.repeat(_someone(event), event.granules.shape[1])
            place = np.minimum(np.searchsorted(written, flat), written.size - 1)
            chosen = written[place] == flat
            place, who = place[chosen], who[chosen]
            free = first[place] == NOBODY
            first[place[free]] = who[free]
            bad[place[first[place] != who]] = True
        return written[bad] if bad.any() else None


def _mark(owner: Any, bad: Any, place: Any, who: Any) -> None:
    known = owner[place]
    wrong = (known != NOBODY) & (known != who[:, None])
    if wrong.any():
        bad[place[wrong]] = True


def _someone(event: Event) -> Any:
    """Block and thread of each lane."""
    return event.codes & ~(EPOCH_MASK << THREAD_BITS)


def _parts(events: list[Event]) -> list[_Part]:
    if events[0].memory.space is not Space.SHARED:
        by_grid: dict[int, list[Event]] = {}
        for event in events:
            by_grid.setdefault(event.grid_epoch, []).append(event)
        return [_Part(part) for part in by_grid.values()]
    by_epoch: dict[tuple[int, int], list[Event]] = {}
    for event in events:
        epochs = event.codes >> THREAD_BITS & EPOCH_MASK
        if (epochs == epochs[0]).all():
            by_epoch.setdefault((id(event.memory), int(epochs[0])), []).append(event)
            continue
        for epoch in np.unique(epochs):
            part = _rows(event, np.flatnonzero(epochs == epoch))
            by_epoch.setdefault((id(event.memory), int(epoch)), []).append(part)
    return [_Part(part) for part in by_epoch.values()]


def _rows(event: Event, rows: Any) -> Event:
    """The event of some of its lanes."""
    values = event.values
    return replace(
        event,
        lanes=rows if event.lanes is None else event.lanes[rows],
        granules=event.granules[rows],
        codes=event.codes[rows],
        warp_epochs=event.warp_epochs[rows],
        locks=None if event.locks is None else event.locks[rows],
        threads=None if event.threads is None else event.threads[rows],
        values=values[rows] if isinstance(values, np.ndarray) and values.ndim else values,
    )


def _of_array(name: str, events: list[Event], order: _Order, cancelled: Callable[[], bool]) -> list[Conflict]:
    seen: dict[tuple[int, int, bool], Conflict] = {}
    stale: Counter[frozenset[int]] = Counter()
    for part in _parts(events):
        if cancelled():
            raise Cancelled
        suspects = part.suspects()
        if suspects is None:
            continue
        if suspects.size > _MOST_GROUPS:
            suspects = suspects[np.unique(np.linspace(0, suspects.size - 1, _MOST_GROUPS).astype(np.int64))]
        known = len(seen)
        count = _FEWER if stale[part.sites] >= _ALIKE else _AT_ONCE
        _look_at(name, part.events, suspects, order, seen, cancelled, count)
        stale[part.sites] = 0 if len(seen) > known else stale[part.sites] + 1
    return sorted(seen.values(), key=lambda c: (c.second.event.site.range or _NOWHERE, c.element))


def _look_at(
    name: str,
    events: list[Event],
    suspects: Any,
    order: _Order,
    seen: dict[tuple[int, int, bool], Conflict],
    cancelled: Callable[[], bool],
    count: int,
) -> None:
    """Elements one after the other, spread over the array, until `count` and as many more in a row show
    nothing new. Writes of equal values are no bug only if all are equal: then every element counts. `count`
    is less where parts of the run like this one showed nothing new; it is over then, too, where nothing was
    found at all."""
    spread = [i for step in range(_SPREAD) for i in range(step, suspects.size, _SPREAD)]
    stale = 0
    for first in range(0, len(spread), count):
        known = len(seen)
        chosen = np.sort(suspects[spread[first : first + count]])
        for members in _members(events, chosen):
            if cancelled():
                raise Cancelled
            _pairs(name, members, order, seen)
        is_open = not seen and count == _AT_ONCE
        stale = 0 if len(seen) > known or is_open else stale + 1
        if stale >= 2 and not any(c.same_value for c in seen.values()):
            return


_NOWHERE: Any = ("", 0, 0, 0, 0)


def _members(events: list[Event], suspects: Any) -> Iterator[list[Access]]:
    """The accesses of each element, of those that are alike a few."""
    elements, numbers, rows = [], [], []
    for position, event in enumerate(events):
        flat = event.granules.reshape(-1)
        place = np.minimum(np.searchsorted(suspects, flat), suspects.size - 1)
        chosen = np.flatnonzero(suspects[place] == flat)
        if chosen.size:
            elements.append(flat[chosen])
            numbers.append(np.full(chosen.size, position))
            rows.append(chosen // event.granules.shape[1])
    element, number, row = (np.concatenate(parts) for parts in (elements, numbers, rows))
    order = np.argsort(element, kind="stable")
    element, number, row = element[order], number[order].tolist(), row[order].tolist()
    epochs = [event.warp_epochs.tolist() for event in events]
    starts = np.flatnonzero(np.r_[True, element[1:] != element[:-1]])
    for start, end in zip(starts, [*starts[1:], element.size], strict=True):
        taken: dict[tuple[object, ...], list[Access]] = {}
        for at in range(start, end):
            access = Access(events[number[at]], row[at])
            key = (
                id(access.event.site.node),
                access.code >> THREAD_BITS,
                epochs[number[at]][row[at]],
                access.lock,
            )
            alike = taken.setdefault(key, [])
            if len(alike) < _SAMPLES:
                alike.append(access)
            else:
                alike[-1] = access  # the first few and the last: of different warps, if there are any
        yield [access for alike in taken.values() for access in alike][:_MOST_MEMBERS]


def _pairs(
    name: str, members: list[Access], order: _Order, seen: dict[tuple[int, int, bool], Conflict]
) -> None:
    """Conflicts among the accesses of one element."""
    for index, first in enumerate(members):
        if first.event.kind is AccessKind.READ:
            others = [m for m in members[index + 1 :] if m.event.kind is not AccessKind.READ]
        else:
            others = members[index + 1 :]
        for second in others:
            _pair(name, first, second, order, seen)


def _pair(
    name: str, first: Access, second: Access, order: _Order, seen: dict[tuple[int, int, bool], Conflict]
) -> None:
    a, b = first.event, second.event
    across = first.block != second.block
    key = (id(a.site.node), id(b.site.node), across)
    if (key[1], key[0], across) in seen:
        key = (key[1], key[0], across)
    known = seen.get(key)
    if known is not None and not known.same_value and not known.same_warp:
        return
    both_atomic = a.kind is AccessKind.ATOMIC and b.kind is AccessKind.ATOMIC
    if both_atomic and not (across and (a.of_block or b.of_block)):
        return
    if not across and (first.thread == second.thread or a.memory.space is Space.LOCAL):
        return
    if across and (a.memory.space is Space.SHARED or a.grid_epoch != b.grid_epoch):
        return
    if not across and first.epoch != second.epoch:
        return
    same_warp = not across and order.are_one(first, second)
    if same_warp and order.order(first, second):
        return
    unfenced = False
    if first.lock != NO_LOCK and first.lock == second.lock:
        unfenced = across and any(order.released.too_early(s.event, s.row) for s in (first, second))
        if not unfenced:
            return
    both_write = a.kind is AccessKind.WRITE and b.kind is AccessKind.WRITE
    same = both_write and _equal(first.value, second.value)
    element = int(a.granules[first.row, 0]) * a.memory.granule // a.memory.data.itemsize
    if a.memory.space is Space.SHARED:
        element %= a.memory.pitch
    better = known is None or (known.same_value and not same) or (known.same_warp and not same_warp)
    if better:
        same = same and (known is None or known.same_value)
        warp = same_warp and (known is None or known.same_warp)
        seen[key] = Conflict(name, element, first, second, across, warp, same, unfenced)


def _equal(first: Any, second: Any) -> bool:
    return bool(first == second or (first != first and second != second))
