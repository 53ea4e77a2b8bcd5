"""Copies that are under way: what they touch must be left alone until somebody waits for them.

    issue io: a <- x      a is read or written by another stream      before    wait io      is a hazard

The interpreter makes a copy at once, which is one of the times at which it may happen. Only memory of the
core itself is looked at: what other cores do is a matter of races.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xpiler.ir.interpret_memory import Memory
from xpiler.ir.interpret_state import Lanes, Site, State
from xpiler.ir.nodes import Space

_OWN = (Space.NRAM, Space.WRAM)


@dataclass
class Flight:
    """A copy that was issued: its stream, its place, and the granules of memories that it touches."""

    stream: str
    site: Site
    touched: list[tuple[Memory, bool, Any]] = field(default_factory=list)


@dataclass
class Streams:
    """`stream`: that of the statements that run; `issued`: the copy that they are part of, if it is
    asynchronous."""

    stream: str = "compute"
    issued: Flight | None = None
    flights: list[Flight] = field(default_factory=list)
    computed: list[tuple[Memory, bool, Any]] = field(default_factory=list)  # and not waited for
    is_busy: bool = False  # whether anything is asynchronous at all

    def mark(self, scope: str, site: Site) -> None:
        word, _, stream = scope.partition(" ")
        if word == "issue":
            self.stream, self.issued = stream, Flight(stream, site)
        elif word == "within":
            self.stream = stream
        elif word == "done" and self.issued is not None:
            self.flights.append(self.issued)
            self.stream, self.issued = "compute", None
        elif word == "done":  # a copy that is waited for, and with it all before it in its stream
            self.flights = [f for f in self.flights if f.stream != self.stream]
            self.computed.clear()
            self.stream = "compute"
        elif word == "wait":
            self.flights = [f for f in self.flights if stream not in ("all", f.stream)]
            if stream in ("all", "compute"):
                self.computed.clear()

    def scalar(self, memory: Memory) -> None:
        """A core's own loads and stores wait for the computation before them, as all code relies on."""
        if memory.space in _OWN and self.stream == "compute":
            self.computed.clear()

    def access(
        self,
        state: State,
        memory: Memory,
        lanes: Lanes,
        address: Any,
        width: int,
        site: Site,
        is_read: bool,
    ) -> None:
        numbers = state.numbers(lanes)
        if memory.space not in _OWN or not numbers.size:  # all may lie beyond the end
            return
        flat = address if isinstance(address, np.ndarray) else np.full(numbers.size, address, np.int64)
        units = max(1, width // memory.granule)
        granules = flat.astype(np.int64).reshape(-1, 1) * units + np.arange(units)
        for flight in self.flights:
            if flight.stream == self.stream:
                continue
            for other, was_read, touched in flight.touched:
                if other is memory and not (is_read and was_read):
                    wrong = _shared(granules, touched)
                    if wrong.any():
                        _report(state, memory, site, flight, was_read, is_read, numbers, granules, wrong)
        if self.issued is not None:
            for other, was_read, touched in self.computed:
                if other is memory and not (is_read and was_read):
                    wrong = _shared(granules, touched)
                    if wrong.any():
                        _report_computed(state, memory, self.issued.site, is_read, numbers, granules, wrong)
            self.issued.touched.append((memory, is_read, granules))
        elif self.stream == "compute":
            self.computed.append((memory, is_read, granules))


def _shared(granules: Any, touched: Any) -> Any:
    """Which rows have a granule that is among others."""
    if granules.max() < touched.min() or touched.max() < granules.min():
        return np.zeros(len(granules), np.bool_)
    return np.isin(granules, touched).any(axis=1)


def _report(
    state: State,
    memory: Memory,
    site: Site,
    flight: Flight,
    was_read: bool,
    is_read: bool,
    numbers: Any,
    granules: Any,
    wrong: Any,
) -> None:
    row = int(np.argmax(wrong))
    index = int(granules[row, 0]) * memory.granule // memory.data.itemsize % memory.pitch
    line = flight.site.range.line if flight.site.range else 0
    done, other = "read" if is_read else "written", "from" if was_read else "to"
    message = (
        f"{memory.name}[{index}] is {done} while the asynchronous copy {other} it in line {line} may still "
        f"be under way: there is no __sync_{flight.stream}() between"
    )
    state.report(site, "stream-hazard", int(numbers[row]), message, {"index": index})


def _report_computed(
    state: State, memory: Memory, site: Site, is_read: bool, numbers: Any, granules: Any, wrong: Any
) -> None:
    row = int(np.argmax(wrong))
    index = int(granules[row, 0]) * memory.granule // memory.data.itemsize % memory.pitch
    done = "reads" if is_read else "writes"
    message = (
        f"the asynchronous copy {done} {memory.name}[{index}] while the computation before it may still be "
        "under way: there is no __sync_compute() between"
    )
    state.report(site, "stream-hazard", int(numbers[row]), message, {"index": index})


def mark_stream(state: State, lanes: Lanes, scope: str, site: Site) -> Lanes:
    if state.log is None:
        return lanes
    word, _, rule = scope.partition(" ")
    if word == "operands":
        state.log.operands.begin(rule)
    elif word == "apart":
        state.log.operands.end(state, lanes, site)
    elif word == "fence":
        state.log.fence(state, lanes)
    elif word == "copies":
        state.log.events += state.log.copies.mark(state, lanes, rule)
    else:
        state.log.streams.mark(scope, site)
    return lanes
