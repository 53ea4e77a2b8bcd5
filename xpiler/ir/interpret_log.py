"""Every access of a run, written down: what a checker needs to name both sides of a conflict.

Where the interpreter's own checks remember the last users of an element, a log keeps all of them, so that
nothing depends on the order in which lanes ran. Locks are followed too: a thread that swaps 0 for another
constant in memory holds that element until it puts 0 back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

from xpiler.ir.interpret_copies import Copies
from xpiler.ir.interpret_memory import Memory
from xpiler.ir.interpret_operands import Operands
from xpiler.ir.interpret_state import BLOCK_BITS, EPOCH_BITS, THREAD_BITS, Lanes, Site, State, StepLimit
from xpiler.ir.interpret_streams import Streams
from xpiler.ir.nodes import Atomic, Const, Space

NO_LOCK = 0


class AccessKind(IntEnum):
    READ = 0
    WRITE = 1
    ATOMIC = 2


@dataclass(frozen=True, slots=True)
class Event:
    """One execution of an access by some lanes.

    `granules`: one row a lane of the units of `granule` bytes that it touches. `codes` and `warp_epochs` say
    who and when (`lane_code`), `locks` what each lane holds (`NO_LOCK`: nothing). `values`: what was
    written, to tell harmless writes. `shown`: the variables that explain the access, one value or one a
    lane of the whole state, whose numbers `lanes` are.
    """

    kind: AccessKind
    site: Site
    memory: Memory
    lanes: Any
    granules: Any
    codes: Any
    warp_epochs: Any
    grid_epoch: int
    locks: Any
    values: Any
    shown: dict[str, Any]
    level: int  # of the state: 0 for the launch's own threads
    threads: Any  # of the launch, that the lanes work for; None where that is in `codes`
    of_block: bool = False  # atomic among the threads of a block alone
    under_way: bool = False  # of an asynchronous copy that began before
    number: int = 0  # of the accesses in the order of the run, fences among them


@dataclass(frozen=True, slots=True)
class BarrierEvent:
    """A barrier of blocks that a block reached in part: `here` and `ended` are lanes of the state."""

    site: Site
    block: int
    here: Any  # thread numbers of the block
    ended: Any
    threads: int
    shown: dict[str, Any]


@dataclass
class Meetings:
    """Barriers of a warp that only some of its lanes reach: by block, warp and epoch, the sets of lanes that
    met there, as bits. At any other epoch all lanes did."""

    size: int = 32
    partial: dict[tuple[int, int, int], list[int]] = field(default_factory=dict)

    def add(self, state: State, lanes: Lanes, mask: Any) -> None:
        self.size = size = state.launch.warp_size
        thread = state.of_lanes("@thread", lanes).astype(np.int64)
        block = state.of_lanes("@code", lanes) >> (EPOCH_BITS + THREAD_BITS) & ((1 << BLOCK_BITS) - 1)
        epoch = state.of_lanes("@warp_epoch", lanes)
        here = np.uint64(1) << (thread % size).astype(np.uint64)
        everyone = np.uint64((1 << size) - 1)
        masks = np.broadcast_to(everyone if mask is None else np.asarray(mask).astype(np.uint64), here.shape)
        order = np.lexsort((masks, thread // size, block))
        keys = np.stack([block, thread // size, masks.view(np.int64)])[:, order]
        starts = np.flatnonzero(np.r_[True, (keys[:, 1:] != keys[:, :-1]).any(axis=0)])
        met = np.bitwise_or.reduceat(here[order], starts) & masks[order][starts]
        for at, start in enumerate(starts):
            number, warp = int(keys[0, start]), int(keys[1, start])
            lanes_of_warp = min(size, state.launch.threads - warp * size)
            if int(met[at]) != (1 << lanes_of_warp) - 1:
                key = number, warp, int(epoch[order][start])
                self.partial.setdefault(key, []).append(int(met[at]))

    def order(self, block: int, first: tuple[int, int], second: tuple[int, int]) -> bool:
        """Whether something orders two threads of a warp, each with its epoch: a barrier of both, or one of
        the first and a third and then one of the third and the second."""
        (thread, begin), (other, end) = sorted((first, second), key=lambda side: side[1])
        reached = 1 << thread % self.size
        for epoch in range(begin, end):
            groups = self.partial.get((block, thread // self.size, epoch))
            if groups is None:
                return True
            for group in groups:
                if group & reached:
                    reached |= group
        return bool(reached >> other % self.size & 1)


@dataclass
class Log:
    """`shown`: by identity of an IR node, the variables to keep with it. `spins`: identities of atomics that
    are retried until they win and do nothing else: in a log they win at once, as they would some time.
    `waits`: identities of loops that end when another thread has written something: they end in a log, too.
    `whole_warps`: a warp operation without a mask is one of all lanes. `spaces`: of the arrays that are
    watched."""

    shown: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    spins: frozenset[int] = frozenset()
    waits: frozenset[int] = frozenset()
    whole_warps: bool = False
    spaces: frozenset[Space] = frozenset({Space.GLOBAL, Space.SHARED})
    limit: int = 8_000_000  # accesses
    events: list[Event] = field(default_factory=list)
    barriers: list[BarrierEvent] = field(default_factory=list)
    fences: list[tuple[int, Any]] = field(default_factory=list)  # when, and the codes of lanes
    released: list[tuple[int, Any]] = field(default_factory=list)  # likewise, of locks
    count: int = 0
    meetings: Meetings = field(default_factory=lambda: Meetings())
    streams: Streams = field(default_factory=Streams)
    copies: Copies = field(default_factory=Copies)
    operands: Operands = field(default_factory=Operands)
    _numbers: dict[str, int] = field(default_factory=dict)
    _time: int = 0

    def access(
        self,
        state: State,
        memory: Memory,
        lanes: Lanes,
        address: Any,
        width: int,
        site: Site,
        kind: AccessKind,
        values: Any = None,
        of_block: bool = False,
    ) -> None:
        if self.streams.is_busy:
            if not self.operands.rule:
                self.streams.scalar(memory)
            self.streams.access(state, memory, lanes, address, width, site, kind is AccessKind.READ)
        if self.operands.rule:
            self.operands.access(state, memory, address, width, site, kind is AccessKind.READ)
        if memory.space not in self.spaces and not _is_shared_out(memory, state):
            return
        codes = state.of_lanes("@code", lanes)
        if not codes.size:
            return
        flat = address if isinstance(address, np.ndarray) else np.full(codes.size, address, np.int64)
        units = max(1, width // memory.granule)
        granules = flat.astype(np.int64).reshape(-1, 1)
        if units > 1:
            granules = granules * units + np.arange(units)
        self.count += granules.size
        if self.count > self.limit:
            raise StepLimit(f"{self.limit} accesses")
        locks: Any = state.vars.get("@lock")
        if locks is not None:
            locks = locks if lanes is None else locks[lanes]
            if kind is AccessKind.WRITE:
                kind = self._released_by_store(state, memory, lanes, flat, locks)
            locks = np.where(locks == NO_LOCK, state.of_lanes("@lent", lanes), locks)
        event = Event(
            kind,
            site,
            memory,
            lanes,
            granules,
            codes,
            state.of_lanes("@warp_epoch", lanes),
            state.clock.grid_epoch,
            locks,
            values,
            self._shown(state, site),
            state.level,
            state.of_lanes("@thread", lanes) if state.level == 2 else None,
            of_block,
            number=self._tick(),
        )
        self.events.append(event)
        if self.copies.is_busy and memory.space is Space.SHARED:
            if self.copies.is_copying and kind is AccessKind.WRITE:
                self.copies.issued(state, event)
            else:
                what = "read" if kind is AccessKind.READ else "written"
                self.copies.access(state, memory, lanes, granules, site, what)

    def fence(self, state: State, lanes: Lanes) -> None:
        """What these lanes wrote before is seen by all before what they write later."""
        self.fences.append((self._tick(), state.of_lanes("@code", lanes)))

    def _tick(self) -> int:
        self._time += 1
        return self._time

    def passed(self, state: State) -> None:
        """A barrier was passed, and what was under way before it still is."""
        if self.copies.is_busy:
            self.events += self.copies.carried(state)
        if "@lock" in state.vars:
            self._lend(state)

    def _shown(self, state: State, site: Site) -> dict[str, Any]:
        names = self.shown.get(id(site.node), ())
        return {name: state.vars[name] for name in names if name in state.vars}

    def barrier(self, state: State, lanes: Lanes, site: Site) -> None:
        """Kept only where not all threads of a block are here, be it that some have ended."""
        if lanes is None and state.ended is None:
            return
        block, thread = state.of_lanes("@block", None), state.of_lanes("@thread", None)
        present = np.zeros(state.count, np.bool_)
        present[slice(None) if lanes is None else lanes] = True
        ended = np.zeros(state.count, np.bool_) if state.ended is None else state.ended
        threads = state.launch.threads
        here = np.bincount(block[present], minlength=state.launch.blocks)
        for number in np.flatnonzero((here > 0) & (here < threads)):
            mine = block == number
            event = BarrierEvent(
                site,
                int(state.of_lanes("@code", np.flatnonzero(mine)[:1])[0]),
                thread[mine & present],
                thread[mine & ended],
                threads,
                self._shown(state, site),
            )
            self.barriers.append(event)

    def meeting(self, state: State, lanes: Lanes, mask: Any) -> None:
        """Lanes of warps meet at a barrier of theirs."""
        if lanes is not None or mask is not None:
            self.meetings.add(state, lanes, mask)

    # ------------------------------------------------------------------------------------------ locks

    def lock(
        self,
        state: State,
        stmt: Atomic,
        memory: Memory,
        lanes: Lanes,
        address: Any,
        values: list[Any],
        old: Any,
    ) -> Any:
        """Follows `cas(0, 1)`, `exch(1)`, `exch(0)`; returns the old values as the program sees them."""
        constants = [int(a.value) if isinstance(a, Const) else None for a in stmt.args]
        if None in constants:
            return old
        wanted, new = (constants[0], constants[1]) if stmt.op == "cas" else (0, constants[0])
        if wanted == 0 and new != 0:
            if id(stmt) in self.spins:
                old = np.zeros_like(old)
            won = old == 0
            keys = self._keys(memory, address)
            self._hold(state, lanes, np.where(won, keys, self._held(state, lanes)))
        elif new == 0:
            self._let_go(state, lanes)
        return old

    def _keys(self, memory: Memory, address: Any) -> Any:
        number = self._numbers.setdefault(memory.name, len(self._numbers) + 1)
        return address.astype(np.int64) + (number << 48)

    def _held(self, state: State, lanes: Lanes) -> Any:
        locks: Any = state.vars.get("@lock")
        if locks is None:
            return np.full(state.size(lanes), NO_LOCK, np.int64)
        return locks if lanes is None else locks[lanes]

    def _hold(self, state: State, lanes: Lanes, keys: Any) -> None:
        locks: Any = state.vars.get("@lock")
        locks = np.full(state.count, NO_LOCK, np.int64) if locks is None else locks.copy()
        locks[slice(None) if lanes is None else lanes] = keys
        state.vars["@lock"] = locks
        state.vars.setdefault("@lent", np.full(state.count, NO_LOCK, np.int64))

    def _released_by_store(
        self, state: State, memory: Memory, lanes: Lanes, address: Any, locks: Any
    ) -> AccessKind:
        """A plain store to the lock that the thread itself holds gives it back: part of the protocol."""
        mine = locks == self._keys(memory, address)
        if not mine.all():
            return AccessKind.WRITE
        self._let_go(state, lanes)
        return AccessKind.ATOMIC

    def _lend(self, state: State) -> None:
        """What a thread holds at a barrier all threads of its block hold with it, until it lets it go."""
        block, locks = state.of_lanes("@block", None), state.vars["@lock"]
        lent = np.full(state.launch.blocks, NO_LOCK, np.int64)
        holding = locks != NO_LOCK
        lent[block[holding]] = locks[holding]
        state.vars["@lent"] = lent[block]

    def _let_go(self, state: State, lanes: Lanes) -> None:
        """These lanes hold nothing from here on. Other threads of their blocks had no share in what they held
        since the last barrier: nothing says that they were through by now."""
        codes = state.of_lanes("@code", lanes)
        self.released.append((self._tick(), codes))
        gone = self._held(state, lanes)
        self._hold(state, lanes, np.full(codes.size, NO_LOCK, np.int64))
        lent = state.vars["@lent"]
        lost = np.isin(lent, gone[gone != NO_LOCK])
        if not lost.any():
            return
        state.vars["@lent"] = np.where(lost, NO_LOCK, lent)
        phases = np.unique(codes >> THREAD_BITS)
        for event in reversed(self.events):
            if event.locks is None:
                break
            shared = np.isin(event.codes >> THREAD_BITS, phases) & ~np.isin(event.codes, codes)
            event.locks[shared] = NO_LOCK


def _is_shared_out(memory: Memory, state: State) -> bool:
    """A local array of a function whose loop is shared out among threads: all of them use the one array."""
    return memory.space is Space.LOCAL and memory.level < min(state.level, 1)
