"""Checks of memory accesses: uninitialised reads and data races, by what each element remembers of its last
users.

Two accesses of one element race if different threads make them, one at least writes, not both are atomic,
and nothing orders them: a barrier of the block (another epoch), for threads of one warp a warp-level barrier
(another warp epoch), or the end of a parallel loop. Blocks of a launch are never ordered but by a barrier of
the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xpiler.ir.interpret_memory import Memory, Reads, Shadow
from xpiler.ir.interpret_state import (
    BLOCK_BITS,
    EPOCH_BITS,
    EPOCH_MASK,
    THREAD_BITS,
    THREAD_MASK,
    Lanes,
    Origin,
    Site,
    State,
)
from xpiler.ir.nodes import Space

Array = Any  # of NumPy; one element a lane

_PUT_OFF = 64  # reads of one array
_PLAIN_READ = "a plain read"


@dataclass(frozen=True)
class Access:
    """One execution of a site: `granules` is one row a lane of the granules that the lane touches."""

    state: State
    memory: Memory
    lanes: Array
    granules: Array
    site: Site


def locate(state: State, memory: Memory, lanes: Lanes, address: Any, width: int, site: Site) -> Access:
    """`address`: element numbers in units of `width` bytes, or one for all lanes."""
    numbers = state.numbers(lanes)
    flat = address if isinstance(address, np.ndarray) else np.full(numbers.size, address, np.int64)
    per_access = max(1, width // memory.granule)
    if width == memory.granule:
        granules = flat.reshape(-1, 1)
    else:
        granules = (flat * per_access).reshape(-1, 1) + np.arange(per_access)
    return Access(state, memory, numbers, granules, site)


def note_read(access: Access) -> None:
    memory, granules = access.memory, access.granules
    if memory.initialised is not None:
        fresh = ~memory.initialised[granules].all(axis=1)
        if fresh.any():
            _report_uninitialised(access, fresh)
    if memory.read is not None and memory.written is not None and memory.read_first is not None:
        memory.read[granules] = True
        unwritten = granules[~memory.written[granules]]
        memory.read_first[unwritten] = True
    if memory.shadow is not None:
        for column in granules.T:
            if not _put_off(access, memory.shadow, column):
                _race_of_read(access, memory.shadow, column)


def note_write(access: Access, old: Any, new: Any) -> None:
    """`old`, `new`: the elements before and after, to tell harmless writes of equal values."""
    memory, granules = access.memory, access.granules
    if memory.initialised is not None:
        memory.initialised[granules] = True
    if memory.written is not None:
        memory.written[granules] = True
    if memory.shadow is not None:
        _changes(access, memory.shadow)
        for column in granules.T:
            _race_of_write(access, memory.shadow, column, old, new)


def note_atomic(access: Access) -> None:
    memory, granules = access.memory, access.granules
    if memory.initialised is not None:
        fresh = ~memory.initialised[granules].all(axis=1)
        if fresh.any():
            _report_uninitialised(access, fresh)
    if memory.read is not None and memory.written is not None and memory.read_first is not None:
        memory.read[granules] = True
        memory.read_first[granules[~memory.written[granules]]] = True
        memory.written[granules] = True
    shadow = memory.shadow
    if shadow is None:
        return
    _changes(access, shadow)
    for column in granules.T:
        mine, warp = _identity(access)
        conflict = _concurrent(access.state, shadow.writer[column], shadow.writer_warp[column], mine, warp)
        if conflict.any():
            _report_race(access, conflict, shadow.writer[column], "an atomic", "a plain write")
        conflict = _reader_conflict(access, shadow, column, mine, warp)
        if conflict.any():
            _report_race(access, conflict, shadow.reader[column], "an atomic", _PLAIN_READ)
        shadow.atomic[column] = mine


def _identity(access: Access) -> tuple[Array, Array]:
    state, lanes = access.state, access.lanes
    return state.of_lanes("@code", lanes), state.of_lanes("@warp_epoch", lanes)


def _concurrent(state: State, other: Array, other_warp: Array, mine: Array, warp: Array) -> Array:
    """Which accesses are by another thread and not ordered before mine."""
    suspicious = (other >= 0) & (other != mine)
    if not suspicious.any():
        return suspicious
    epoch = (other >> THREAD_BITS) & EPOCH_MASK
    same_block = (other ^ mine) >> (EPOCH_BITS + THREAD_BITS) == 0
    same_epoch = epoch == (mine >> THREAD_BITS) & EPOCH_MASK
    suspicious &= epoch >= state.clock.grid_epoch
    suspicious &= ~same_block | same_epoch
    size = state.launch.warp_size
    same_warp = same_block & ((other & THREAD_MASK) // size == (mine & THREAD_MASK) // size)
    suspicious &= ~(same_warp & (other_warp != warp))
    return suspicious


def _race_of_read(access: Access, shadow: Shadow, column: Array) -> None:
    mine, warp = _identity(access)
    writer = shadow.writer[column]
    conflict = _concurrent(access.state, writer, shadow.writer_warp[column], mine, warp)
    if conflict.any():
        _report_race(access, conflict, writer, "a read", "a write")
    atomic = shadow.atomic[column]
    conflict = _concurrent(access.state, atomic, np.full(column.size, -1), mine, warp)
    if conflict.any():
        _report_race(access, conflict, atomic, _PLAIN_READ, "an atomic")
    _note_readers(access.state, shadow, column, mine, warp)


def _put_off(access: Access, shadow: Shadow, column: Array) -> bool:
    """Keep a read of shared memory for later if all is ordered before it: a loop over a tile has many.

    A block's own memory that nobody changed since the barrier that the block passed last. All those of one
    epoch are noted in one go.
    """
    if access.memory.space is not Space.SHARED or access.state.level:
        return False  # iterations of parallel loops count as blocks, and share it
    variables = access.state.vars
    code, warp_epoch = variables["@code"], variables["@warp_epoch"]
    reads = shadow.reads
    if reads is None or reads.code is not code or reads.warp_epoch is not warp_epoch:
        _note_put_off(access.state, shadow)
        since = int(((np.asarray(code) >> THREAD_BITS) & EPOCH_MASK).min())
        reads = shadow.reads = Reads(code, warp_epoch, since)
    if shadow.changed >= reads.since:
        return False
    mine, warp = _identity(access)
    reads.columns.append(column)
    reads.codes.append(mine)
    reads.warps.append(warp)
    if len(reads.columns) == _PUT_OFF:
        _note_put_off(access.state, shadow)
    return True


def _note_put_off(state: State, shadow: Shadow) -> None:
    reads = shadow.reads
    if reads is not None and reads.columns:
        who = np.concatenate(reads.codes), np.concatenate(reads.warps)
        _note_readers(state, shadow, np.concatenate(reads.columns), *who)
        reads.columns, reads.codes, reads.warps = [], [], []


def _changes(access: Access, shadow: Shadow) -> None:
    """Before a write or an atomic."""
    _note_put_off(access.state, shadow)
    shadow.changed = access.state.clock.epoch


def _note_readers(state: State, shadow: Shadow, column: Array, mine: Array, warp: Array) -> None:
    reader = shadow.reader[column]
    beside = _concurrent(state, reader, shadow.reader_warp[column], mine, warp)
    alive = (reader >> THREAD_BITS) & EPOCH_MASK >= state.clock.grid_epoch
    stays = beside | (reader == mine) | ((shadow.many[column] == 3) & alive)
    shadow.many[column] = np.where(stays, shadow.many[column], 0)
    if beside.any():
        np.maximum.at(shadow.many, column[beside], _closeness(state, reader[beside], mine[beside]))
    shadow.reader[column] = mine
    shadow.reader_warp[column] = warp
    lost = shadow.reader[column] != mine
    if lost.any():
        winners = shadow.reader[column[lost]]
        np.maximum.at(shadow.many, column[lost], _closeness(state, winners, mine[lost]))


def _closeness(state: State, first: Array, second: Array) -> Array:
    """1 for threads of one warp, 2 for threads of one block, 3 otherwise."""
    size = state.launch.warp_size
    same_block = (first ^ second) >> (EPOCH_BITS + THREAD_BITS) == 0
    same_warp = (first & THREAD_MASK) // size == (second & THREAD_MASK) // size
    return np.where(same_block, np.where(same_warp, 1, 2), 3).astype(np.int8)


def _reader_conflict(access: Access, shadow: Shadow, column: Array, mine: Array, warp: Array) -> Array:
    reader, many = shadow.reader[column], shadow.many[column]
    conflict = _concurrent(access.state, reader, shadow.reader_warp[column], mine, warp)
    if not many.any():
        return conflict
    epoch = (reader >> THREAD_BITS) & EPOCH_MASK
    same_block = (reader ^ mine) >> (EPOCH_BITS + THREAD_BITS) == 0
    now = same_block & (epoch == (mine >> THREAD_BITS) & EPOCH_MASK)
    size = access.state.launch.warp_size
    same_warp = now & ((reader & THREAD_MASK) // size == (mine & THREAD_MASK) // size)
    warp_ordered = same_warp & (shadow.reader_warp[column] != warp)
    others = ((many == 1) & now & ~warp_ordered) | ((many == 2) & now) | (many == 3)
    return conflict | (others & (reader >= 0) & (epoch >= access.state.clock.grid_epoch))


def _race_of_write(access: Access, shadow: Shadow, column: Array, old: Any, new: Any) -> None:
    mine, warp = _identity(access)
    conflict = _reader_conflict(access, shadow, column, mine, warp)
    if conflict.any():
        _report_race(access, conflict, shadow.reader[column], "a write", "a read")
    atomic = shadow.atomic[column]
    conflict = _concurrent(access.state, atomic, np.full(column.size, -1), mine, warp)
    if conflict.any():
        _report_race(access, conflict, atomic, "a plain write", "an atomic")
    writer = shadow.writer[column].copy()
    conflict = _concurrent(access.state, writer, shadow.writer_warp[column], mine, warp)
    shadow.writer[column] = mine
    shadow.writer_warp[column] = warp
    if conflict.any():
        same = np.broadcast_to(np.asarray(_same(old, new)), conflict.shape)
        _report_writes(access, conflict, writer, same)
    winner = shadow.writer[column]
    lost = winner != mine
    if lost.any():
        values = np.broadcast_to(np.asarray(new), lost.shape)
        kept = np.zeros(access.memory.granules(), values.dtype)
        kept[column] = values
        _report_writes(access, lost, winner, _same(kept[column], values))


def _same(first: Any, second: Any) -> Any:
    """Equal, or both not a number."""
    return (first == second) | ((first != first) & (second != second))


def _report_writes(access: Access, conflict: Array, other: Array, same: Array) -> None:
    if (conflict & ~same).any():
        _report_race(access, conflict & ~same, other, "a write", "a write of another value")
    else:
        _report_race(
            access, conflict, other, "a write", "a write of the same value", "same-value-race", "warning"
        )


def note_missing(access: Access, missing: list[tuple[Any, Origin]]) -> None:
    """What was just written is made of what was never written, in some lanes."""
    memory = access.memory
    assert memory.initialised is not None
    for lanes, origin in missing:
        memory.initialised[access.granules[np.isin(access.lanes, lanes)]] = False
        memory.origin = origin


def _report_uninitialised(access: Access, fresh: Array) -> None:
    state, site, memory = access.state, access.site, access.memory
    index = _index(access, int(np.argmax(fresh)))
    message = f"{memory.space.value} {site.array}[{index}] is read before anything was written to it"
    severity = "warning" if memory.stale else "error"
    state.report_missing(site, access.lanes[fresh], message, {"index": index}, memory.origin, severity)


def _index(access: Access, row: int) -> int:
    memory = access.memory
    element = int(access.granules[row, 0]) * memory.granule // memory.data.itemsize
    return element % memory.pitch if memory.space is not Space.GLOBAL else element


def _report_race(
    access: Access,
    conflict: Array,
    other: Array,
    mine_text: str,
    other_text: str,
    code: str = "race",
    severity: str = "error",
) -> None:
    state, site = access.state, access.site
    row = int(np.argmax(conflict))
    lane = int(access.lanes[row])
    rival = int(other[row])
    my_code = int(state.of_lanes("@code", access.lanes[row : row + 1])[0])
    across = (rival ^ my_code) >> (EPOCH_BITS + THREAD_BITS) != 0
    if across and site.fenced and severity == "error":
        code, severity = "unordered-blocks", "warning"
    if site.flag and severity == "error":
        code, severity = "flag-race", "warning"
    if site.retried and _PLAIN_READ in (mine_text, other_text) and severity == "error":
        code, severity = "retried-race", "warning"
    index = _index(access, row)
    where = "threads of different blocks" if across else "two threads"
    message = f"{where} race on {site.array}[{index}]: {mine_text} and {other_text} with no barrier between"
    state.report(site, code, lane, message, {"index": index, **_threads(state, rival)}, severity)


def _threads(state: State, code: int) -> dict[str, int]:
    """Block and thread of the other side of a race; iteration numbers in a parallel loop."""
    block, thread = code >> (EPOCH_BITS + THREAD_BITS) & ((1 << BLOCK_BITS) - 1), code & THREAD_MASK
    if state.level:
        return {"other.iteration": thread if state.level > 1 else block}
    place: dict[str, int] = {}
    for kind, number, extents in (
        ("blockIdx", block, state.launch.grid),
        ("threadIdx", thread, state.launch.block),
    ):
        for axis, extent in zip("xyz", extents, strict=True):
            if state.launch.uses(f"{kind}.{axis}"):
                place[f"other.{kind}.{axis}"] = number % extent
            number //= extent
    return place
