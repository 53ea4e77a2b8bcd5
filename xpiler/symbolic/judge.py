"""Findings out of an observed run: which of its conflicts and faults are bugs, which are only possible.

An access depends on data where its index, or the way to it, is computed from the contents of an array. A
write through an index out of memory (`out[idx[i]] = x`) may be right for the data that it is meant for:
possible. A read-modify-write through one (`h[x[i]] += 1`) needs an atomic for any data with repetitions: a
bug.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from xpiler.ir.interpret import Finding
from xpiler.ir.interpret_log import AccessKind, BarrierEvent
from xpiler.ir.interpret_state import BLOCK_BITS, EPOCH_BITS, THREAD_BITS
from xpiler.ir.nodes import Expr, Function, Load, Ref, Space
from xpiler.ir.printer import show
from xpiler.ir.retries import retried
from xpiler.ir.rewrite import walk
from xpiler.ir.source import SourceRange
from xpiler.symbolic.conflicts import Access, Conflict, conflicts
from xpiler.symbolic.dependence import ATOMIC, Dependence, counts_by_data
from xpiler.symbolic.extents import Suggested
from xpiler.symbolic.findings import ERROR, WARNING, Found, Related
from xpiler.symbolic.overflow import (
    beyond_signed,
    element_of,
    may_be_wide,
    meant,
    narrow_counters,
    too_wide,
    wrapped,
)
from xpiler.symbolic.places import Places
from xpiler.symbolic.published import NO_FENCE, Published
from xpiler.symbolic.released import LET_GO
from xpiler.symbolic.trial import ENDLESS, MADE_UP, Observed, Trial, number_at
from xpiler.symbolic.waits import NO_WAITS, Waits
from xpiler.symbolic.wording import by_users_names, does, in_c, outside, spelled, type_in_c, who, worded

_DONE = {AccessKind.READ: "reads", AccessKind.WRITE: "writes", AccessKind.ATOMIC: "updates atomically"}
_CODES = {
    "out-of-bounds": "XP-BOUNDS",
    "uninitialised-read": "XP-UNINIT",
    "collective-mask": "XP-MASK",
    "shuffle-inactive": "XP-MASK",
    "warp-divergence": "XP-MASK",
    "misaligned-fragment": "XP-ALIGN",
    "misaligned": "XP-ALIGN",
    "requirement": "XP-ALIGN",
    "operand-overlap": "XP-OVERLAP",
    "space": "XP-SPACE",
    "division-by-zero": "XP-ZERO",
    "stream-hazard": "XP-ASYNC",
}


@dataclass(frozen=True)
class Judge:
    """Knows one kernel. `retried`: arrays that a compare-and-swap loop updates; `ordered`: statements that
    threads enter one after the other, each with the name of what orders them; `lines`: of the text; `waits`:
    loops in which threads wait for others."""

    kernel: Function
    dependence: Dependence
    retried: frozenset[str]
    suggested: tuple[Suggested, ...]
    defined: Mapping[str, Expr]
    ordered: Sequence[tuple[SourceRange, str]] = ()
    lines: Sequence[str] = ()
    waits: Waits = NO_WAITS

    @staticmethod
    def of(
        kernel: Function,
        dependence: Dependence,
        suggested: Iterable[Suggested] = (),
        defined: Mapping[str, Expr] | None = None,
        ordered: Sequence[tuple[SourceRange, str]] = (),
        lines: Sequence[str] = (),
    ) -> Judge:
        suggested = tuple(suggested)
        return Judge(
            kernel, dependence, retried(kernel), suggested, defined or {}, ordered, lines, Waits.of(kernel)
        )

    def judge(self, seen: Observed) -> list[Found]:
        """All that the run shows: its values are those of threads that did run, so each is replayed."""
        return [replace(found, replayed=True) for found in self._judged(seen)]

    def _judged(self, seen: Observed) -> list[Found]:
        found = [f for f in (self._finding(f, seen.trial) for f in seen.findings) if f is not None]
        found += [self._barrier(b, seen.trial) for b in _first_by_site(seen.log.barriers)]
        found += self._overflows(seen)
        found += self._below_zero(seen)
        found += [f for g in seen.findings if (f := self._wrapped(g, seen.trial)) is not None]
        found += [f for s in self.suggested if (f := self._beyond(s, seen)) is not None]
        pairs = conflicts(
            seen.log, self.kernel.warp_size, seen.trial.aliases, seen.trial.starts, seen.cancelled
        )
        return found + self._races(pairs, seen)

    # ------------------------------------------------------------------------------------------ of a run

    def _finding(self, finding: Finding, trial: Trial) -> Found | None:
        code = _CODES.get(finding.code)
        if code is None:
            return None
        severity, holds_if = finding.severity, ""
        if code == "XP-BOUNDS":
            if 0 > finding.values.get("index", 0) >= -trial.starts.get(finding.array, 0):
                return None  # what lies before it was allocated, too
            severity, holds_if = self._of_index(finding, trial)
        elif code == "XP-ZERO" and trial.strained:
            severity = WARNING
        values = Places(self.kernel, trial).renamed(finding.values)
        return Found(
            code,
            severity,
            self._worded(finding, trial, values),
            finding.range,
            self.kernel.spelling or self.kernel.name,
            self._values(trial, values),
            finding.array,
            holds_if=holds_if,
        )

    def _worded(self, finding: Finding, trial: Trial, values: dict[str, int]) -> str:
        places = self._places(finding)
        subject, index = who(self.kernel, trial, values), finding.values.get("index")
        element = finding.array if index is None else f"{finding.array}[{index}]"
        if len(places) > 1:
            places = [p for p in places if meant(p, self.defined, trial, finding.values) == index] or places
        if len(places) == 1 and index is not None:
            element = spelled(places[0], index, self.lines)
            wanted = meant(places[0], self.defined, trial, finding.values) if index >= 1 << 31 else None
            if finding.code == "out-of-bounds" and wanted is not None and wanted < 0:
                return self._unsigned(subject, places[0], wanted, index)
        return worded(finding, subject, does(self.kernel, places), element)

    def _unsigned(self, subject: str, place: Load | Ref, index: int, element: int) -> str:
        """An unsigned index is meant to be negative: `a[i - 1]` of thread 0."""
        text = spelled(place, index, self.lines)
        verb, begins = does(self.kernel, [place]), outside(place.array, index, None)
        return (
            f"{subject} {verb} {text}{begins}: unsigned arithmetic makes it {place.array}[{element}]".strip()
        )

    def _wrapped(self, finding: Finding, trial: Trial) -> Found | None:
        """An index that is out of bounds because its arithmetic is not wide enough."""
        if finding.code != "out-of-bounds" or "index" not in finding.values:
            return None
        for place in self._places(finding):
            index = meant(place, self.defined, trial, finding.values)
            part = too_wide(place, self.defined, trial)
            if index is None or part is None or index == finding.values["index"]:
                continue
            if (index - finding.values["index"]) % (1 << part[0].dtype.bits) == 0:
                values = Places(self.kernel, trial).renamed(finding.values)
                return self._too_wide(place, index, part, self._values(trial, values))
        return None

    def _too_wide(
        self, place: Load | Ref, index: int, part: tuple[Expr, int], values: dict[str, int]
    ) -> Found:
        expr, high = part
        return Found(
            "XP-OVERFLOW",
            ERROR,
            f"{place.array}[{index}] is meant, but `{in_c(show(expr))}` reaches {high}, which "
            f"{type_in_c(expr.dtype.name)} does not hold",
            place.range,
            self.kernel.spelling or self.kernel.name,
            values,
            place.array,
        )

    def _overflows(self, seen: Observed) -> Iterator[Found]:
        """Accesses of other elements than their indices mean, by an arithmetic that is wide enough."""
        trial = seen.trial
        for loop, stop, value in narrow_counters(self.kernel, self.defined, trial):
            yield Found(
                "XP-OVERFLOW",
                ERROR,
                f"`{loop.var}` is below `{in_c(show(stop))}` = {value}, which {type_in_c(loop.dtype.name)} "
                "does not hold: it overflows before the loop ends",
                loop.range,
                self.kernel.spelling or self.kernel.name,
                self._values(trial, {}),
            )
        if not may_be_wide(trial):
            return
        done: set[int] = set()
        for event in seen.log.events:
            place: Any = event.site.node
            if id(place) in done or not isinstance(place, (Load, Ref)):
                continue
            wrong = wrapped(event, place, self.defined, trial)
            part = too_wide(place, self.defined, trial) if wrong is not None else None
            if wrong is None or part is None:
                continue
            done.add(id(place))
            values = Places(self.kernel, trial).of_access(Access(event, wrong[0])) | {"index": wrong[1]}
            found = self._too_wide(place, wrong[1], part, self._values(trial, values))
            yield replace(found, range=event.site.range)

    def _below_zero(self, seen: Observed) -> Iterator[Found]:
        """Accesses where an unsigned index is meant to be negative: `a[i - 1]` of thread 0."""
        done: set[int] = set()
        for event in seen.log.events:
            place: Any = event.site.node
            if id(place) in done or not isinstance(place, (Load, Ref)) or not beyond_signed(event):
                continue
            wrong = wrapped(event, place, self.defined, seen.trial)
            if wrong is None or wrong[1] >= 0:
                continue
            done.add(id(place))
            row, index = wrong
            values = Places(self.kernel, seen.trial).of_access(Access(event, row)) | {"index": index}
            subject = who(self.kernel, seen.trial, values)
            yield Found(
                "XP-BOUNDS",
                ERROR,
                self._unsigned(subject, place, index, element_of(event, row)),
                event.site.range,
                self.kernel.spelling or self.kernel.name,
                self._values(seen.trial, values),
                place.array,
            )

    def _places(self, finding: Finding) -> list[Load | Ref]:
        return [
            n
            for n in walk(self.kernel.body)
            if isinstance(n, (Load, Ref)) and n.array == finding.array and n.range == finding.range
        ]

    def _of_index(self, finding: Finding, trial: Trial) -> tuple[str, str]:
        """An index out of memory, or with a parameter that may never be that large, is only possible."""
        places = self._places(finding)
        sources = frozenset[str]().union(*(self.dependence.of_index(p) for p in places)) - {ATOMIC}
        if sources and trial.data not in MADE_UP and not self._is_counted(places):
            return WARNING, f"{_names(sources)} may hold such values"
        if trial.strained:
            named = {n.name for p in places for n in walk(p) if hasattr(n, "name")} & trial.strained
            if named:
                return WARNING, f"{_names(named)} may have such values"
        return ERROR, ""

    def _is_counted(self, places: Sequence[Load | Ref]) -> bool:
        """An index of an array of the kernel's own that threads count themselves: data decide only who does
        (`if (x[i] > 0) queue[atomicAdd(&tail, 1)] = i`), and no promise about them is known."""
        values = Dependence.of(self.kernel, by_values=True)
        own = all(p.array in values.declared and not values.of_index(p) - {ATOMIC} for p in places)
        return own and not counts_by_data(self.kernel)

    def _barrier(self, event: BarrierEvent, trial: Trial) -> Found:
        absent = np.setdiff1d(np.arange(event.threads), np.union1d(event.here, event.ended))
        block = event.block >> (EPOCH_BITS + THREAD_BITS) & ((1 << BLOCK_BITS) - 1)
        places = Places(self.kernel, trial)
        values = places.values(block, int(event.here[0]))
        if absent.size:
            message = f"only {event.here.size} of {event.threads} threads of the block reach this barrier"
            missing, why = int(absent[0]), "does not reach it"
        else:
            message = f"{event.ended.size} of {event.threads} threads of the block end before this barrier"
            missing, why = int(event.ended[0]), "has returned"
        other = places.values(block, missing, "other.")
        values |= {k: v for k, v in other.items() if "blockIdx" not in k}
        return Found(
            "XP-DIVERGENCE",
            ERROR,
            f"{message}: {places.thread(block, missing, False)} {why}",
            event.site.range,
            self.kernel.spelling or self.kernel.name,
            self._values(trial, values),
        )

    def _values(self, trial: Trial, values: dict[str, int]) -> dict[str, int]:
        values = {k: v for k, v in values.items() if k != "extent" or v < ENDLESS}
        if self.kernel.is_serial:
            values = {k: v for k, v in values.items() if "Idx." not in k}
        values = by_users_names(values, self.lines) if self.lines else values
        scalars = {k: int(v) for k, v in trial.scalars.items() if not isinstance(v, float)}
        return {**values, **scalars, **trial.host, **Places(self.kernel, trial).launch()}

    def _beyond(self, suggested: Suggested, seen: Observed) -> Found | None:
        """The first access of a run that goes beyond what the guards suggest."""
        trial, place = seen.trial, suggested.place
        size = number_at(suggested.size, trial)
        if size is None or size <= 0 or place.array in trial.extents:
            return None
        if suggested.is_bare and not (trial.host or _as_many_blocks_as_needed(trial, suggested, size)):
            return None
        for event in seen.log.events:
            if event.site.node is not place:
                continue
            elements = event.granules[:, 0] * event.memory.granule // event.memory.data.itemsize
            wrong = np.flatnonzero(elements >= size)
            if wrong.size:
                access = Access(event, int(wrong[0]))
                index = int(elements[wrong[0]])
                limit = f"`{show(suggested.limit)}`" if suggested.limit is not None else ""
                why = f"{limit} lets it" if suggested.is_guard else f"{limit} does not keep it below"
                holds_if = f"{place.array} has {suggested.size} elements, as the guards suggest"
                if suggested.limit is None:
                    why = "for sizes without a rest all accesses of it end there"
                elif suggested.chunk:
                    why = f"{limit} guards only the first of {suggested.chunk} elements"
                    holds_if = f"sizes that are no multiple of {suggested.chunk} are meant"
                elif suggested.is_bare:
                    others = "other arrays" if suggested.axes else "other accesses of it"
                    why = f"{limit} guards {others}, but not this one"
                any_size = suggested.any_size or trial.is_launched
                is_open = suggested.is_kept or (bool(suggested.chunk) and not any_size)
                values = Places(self.kernel, trial).of_access(access) | {"index": index}
                subject = who(self.kernel, trial, values)
                what = f"{subject} {does(self.kernel, [place])} {spelled(place, index, self.lines)}"
                return Found(
                    "XP-BOUNDS",
                    WARNING if suggested.is_length or is_open else ERROR,
                    f"{what}, beyond {suggested.size} = {size} elements of {place.array}: {why}",
                    event.site.range,
                    self.kernel.spelling or self.kernel.name,
                    self._values(trial, values),
                    place.array,
                    holds_if=holds_if,
                    is_open=is_open,
                )
        return None

    # ------------------------------------------------------------------------------------------ races

    def _races(self, pairs: list[Conflict], seen: Observed) -> list[Found]:
        found = []
        published = Published.of(self.kernel, seen.log) if pairs else Published()
        for pair in pairs:
            if self._is_harmless(pair):
                continue
            told = [side for side in (pair.first, pair.second) if pair.across_blocks and self._is_told(side)]
            race = self._race(pair, pairs, seen.trial)
            if not told or pair.unfenced:
                found.append(race)
            elif any(published.too_early(s) for s in (pair.first, pair.second) if s not in told):
                found.append(replace(race, message=f"{race.message}{NO_FENCE}"))
        return found

    def _is_harmless(self, pair: Conflict) -> bool:
        if self.ordered and self._orders(pair.first) & self._orders(pair.second):
            return True
        kinds = {pair.first.event.kind, pair.second.event.kind}
        # The first look of a compare-and-swap loop: if it is old the loop tries again.
        return kinds == {AccessKind.READ, AccessKind.ATOMIC} and pair.array in self.retried

    def _orders(self, side: Access) -> set[str]:
        at = side.event.site.range
        return {name for place, name in self.ordered if at is not None and place.contains(at)}

    def _is_told(self, side: Access) -> bool:
        """Reached depending on an atomic's old value, not merely at an index that one gave."""
        node: Any = side.event.site.node
        if not isinstance(node, (Load, Ref)):
            return False
        return ATOMIC in self.dependence.reached.get(id(node), frozenset()) - self.dependence.of_index(node)

    def _race(self, pair: Conflict, pairs: list[Conflict], trial: Trial) -> Found:
        first, second = sorted((pair.first, pair.second), key=lambda a: a.event.site.range or _FIRST)
        code, severity, holds_if = self._severity(pair, pairs, trial)
        places, element = Places(self.kernel, trial), _element(pair)
        values = places.of_access(second) | places.of_access(first, "other.")
        one = places.who(second, first, pair.across_blocks)
        two = places.who(first, second, pair.across_blocks)
        if first.event.kind is second.event.kind:
            does = "update" if first.event.kind is AccessKind.ATOMIC else "write"
            what = f"{one} and {two} both {does} {element}"
        else:
            what = f"{one} {_DONE[second.event.kind]} {element} while {two} {_DONE[first.event.kind]} it"
        same = ", the same value" if pair.same_value else ""
        between = self._between(pair, code)
        if first.event.of_block and second.event.of_block:
            between = ", each by an operation that is atomic within its block only"
        related: tuple[Related, ...] = ()
        if first.event.site.node is not second.event.site.node:
            past = {AccessKind.READ: "read", AccessKind.WRITE: "written", AccessKind.ATOMIC: "updated"}
            text = f"{past[first.event.kind]} here by {two}"
            related = (Related(first.event.site.range, text),)
        return Found(
            code,
            severity,
            f"{what}{same}{between}",
            second.event.site.range,
            self.kernel.spelling or self.kernel.name,
            self._values(trial, values),
            pair.array,
            related,
            holds_if=holds_if,
            is_open=bool(self._flag(pair)),
        )

    def _flag(self, pair: Conflict) -> str:
        """The flag that one of the two threads has waited for, "" if there is none."""
        sides = (pair.first.event, pair.second.event)
        return self.waits.orders(sides[0].memory.space, *(side.site.node for side in sides))

    def _between(self, pair: Conflict, code: str) -> str:
        if code == "XP-ASYNC":
            return (
                "; the asynchronous copy is under way until its thread waits, and no barrier comes after that"
            )
        if code == "XP-SYNCWARP":
            return "; threads of a warp do not run in lockstep, and there is no __syncwarp() between"
        if pair.unfenced:
            return LET_GO
        if pair.across_blocks:
            who = "tasks" if self.kernel.tasks else "iterations" if self.kernel.is_serial else "blocks"
            return f"; {who} are not ordered"
        if pair.first.event.memory.space is Space.SHARED or pair.first.event.site.node is not (
            pair.second.event.site.node
        ):
            return ", with no barrier between"
        return ""

    def _severity(self, pair: Conflict, pairs: list[Conflict], trial: Trial) -> tuple[str, str, str]:
        if pair.same_value:
            return "XP-SAME-VALUE", WARNING, ""
        if flag := self._flag(pair):
            return "XP-RACE", WARNING, f"waiting for {flag} does not order them"
        sources = frozenset[str]()
        for side in (pair.first, pair.second):
            node: Any = side.event.site.node
            if isinstance(node, (Load, Ref)):
                sources |= self.dependence.fetched(node)
        only_writes = all(
            p.first.event.kind is AccessKind.WRITE and p.second.event.kind is AccessKind.WRITE
            for p in pairs
            if p.array == pair.array
        )
        if sources and only_writes:
            return "XP-SCATTER", WARNING, f"{_names(sources)} holds a value twice"
        if pair.first.event.under_way or pair.second.event.under_way:
            return "XP-ASYNC", ERROR, ""
        warps = prod(trial.block) / self.kernel.warp_size
        a, b = pair.first.event, pair.second.event
        in_lockstep = pair.same_warp and a is not b and a.memory.space is Space.SHARED and warps > 1
        return ("XP-SYNCWARP" if in_lockstep else "XP-RACE"), ERROR, ""


_FIRST: Any = ("", 0, 0, 0, 0)


def _element(pair: Conflict) -> str:
    """`tile[1][4]`; a scalar has no index."""
    shape = pair.first.event.memory.shape
    if pair.first.event.memory.space is not Space.SHARED or len(shape) < 2:
        return pair.array if shape == (1,) else f"{pair.array}[{pair.element}]"
    indices, rest = [], pair.element
    for extent in reversed(shape):
        indices.append(f"[{rest % extent}]")
        rest //= extent
    return pair.array + "".join(reversed(indices))


def _as_many_blocks_as_needed(trial: Trial, suggested: Suggested, size: int) -> bool:
    """Whether each block of an assumed launch has elements to work on, as one that host code makes has."""
    blocks, threads = trial.grid, trial.block
    if suggested.count is not None:
        count = number_at(suggested.count, trial)
        along = ("xyz".index(axis) for axis in suggested.axes)
        return count is not None and all((blocks[a] - 1) * threads[a] < count for a in along)
    return blocks[1:] == threads[1:] == (1, 1) and (blocks[0] - 1) * threads[0] < size


def _first_by_site(events: Iterable[BarrierEvent]) -> list[BarrierEvent]:
    found: dict[int, BarrierEvent] = {}
    for event in events:
        found.setdefault(id(event.site.node), event)
    return list(found.values())


def _names(names: Iterable[str]) -> str:
    return " and ".join(sorted(names))
