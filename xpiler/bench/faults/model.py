"""What a fault is: edits of a right text at one statement, its class, and the truth about where it lies."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CLASSES = {
    "P1": "parallel variable or mapping",
    "P2": "guard",
    "P3": "launch geometry",
    "M1": "memory space or staging",
    "M2": "capacity or alignment",
    "M3": "stale or uninitialised tile",
    "S1": "barrier",
    "S2": "warp or wave assumption",
    "S3": "atomics",
    "L1": "loop bound or step",
    "L2": "illegal reorder or fusion",
    "I1": "index or stride",
    "T1": "intrinsic layout",
    "T2": "intrinsic parameters",
    "N1": "numerics",
    "N2": "integer width",
    "G1": "skipped or hard-coded work",
    "C1": "compile error",
}


@dataclass(frozen=True)
class Edit:
    """`text` in place of the right text's characters [start, end)."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Fault:
    """One fault. `statement`: the span of the statement that is wrong, in the right text, `original` its
    words there. `beside`: where a missing statement may also be told to be missing: at its neighbours, or the
    head of what encloses it. Both are spans of the right text.
    """

    code: str
    kind: str
    edits: tuple[Edit, ...]
    statement: tuple[int, int]
    original: str
    where: str  # "kernel", "host" or "launch"
    beside: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Lines:
    """Lines first to last of the faulty text, counted from 1."""

    first: int
    last: int

    def overlaps(self, first: int, last: int) -> bool:
        return self.first <= last and first <= self.last


@dataclass(frozen=True)
class Truth:
    """A fault as it lies in the faulty text. Any of `lines` names the statement."""

    code: str
    kind: str
    where: str
    lines: tuple[Lines, ...]
    original: str
    faulty: str

    def to_json(self) -> dict[str, Any]:
        return {
            "class": self.code,
            "kind": self.kind,
            "where": self.where,
            "lines": [[line.first, line.last] for line in self.lines],
            "original": self.original,
            "faulty": self.faulty,
        }

    @classmethod
    def from_json(cls, table: dict[str, Any]) -> Truth:
        lines = tuple(Lines(*pair) for pair in table["lines"])
        return cls(table["class"], table["kind"], table["where"], lines, table["original"], table["faulty"])


@dataclass(frozen=True)
class Faulty:
    """A right text with faults in it."""

    text: str
    faults: tuple[Truth, ...]


def apply(text: str, faults: tuple[Fault, ...]) -> Faulty:
    """The text with all the faults' edits, which do not overlap."""
    edits = sorted((edit for fault in faults for edit in fault.edits), key=lambda e: (e.start, e.end))
    parts, at = [], 0
    for edit in edits:
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    faulty = "".join([*parts, text[at:]])
    return Faulty(faulty, tuple(_truth(faulty, fault, edits) for fault in faults))


def are_apart(faults: tuple[Fault, ...]) -> bool:
    """Whether no two of them lie in one statement or on one line's edit."""
    spans = sorted(_extent(fault) for fault in faults)
    return all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


def _extent(fault: Fault) -> tuple[int, int]:
    places = [fault.statement, *((e.start, e.end) for e in fault.edits)]
    return min(start for start, _ in places), max(end for _, end in places)


def _truth(faulty: str, fault: Fault, edits: list[Edit]) -> Truth:
    spans = [_moved(fault.statement, edits), *(_moved(span, edits) for span in fault.beside)]
    start, end = spans[0]
    lines = tuple(dict.fromkeys(_lines(faulty, *span) for span in spans))
    return Truth(fault.code, fault.kind, fault.where, lines, fault.original, faulty[start:end].strip())


def _moved(span: tuple[int, int], edits: list[Edit]) -> tuple[int, int]:
    """Where a span of the right text lies after the edits; what is inserted at its ends belongs to it."""
    start, end = span
    before = sum(len(e.text) - (e.end - e.start) for e in edits if e.end <= start and e.start < start)
    within = sum(len(e.text) - (e.end - e.start) for e in edits if start <= e.start and e.end <= end)
    return start + before, max(end + before + within, start + before)


def _lines(text: str, start: int, end: int) -> Lines:
    first = text.count("\n", 0, start) + 1
    stripped = text[start:end].rstrip()
    return Lines(first, first + stripped.count("\n"))


Faults = Iterator[Fault]
