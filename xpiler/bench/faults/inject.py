"""`inject`: one to three faults of given classes in a right text, drawn by a seed.

    float sum = 0.0f;                            float sum;
    for (int k = 0; k < K; ++k) ...     -->      for (int k = 0; k < K; ++k) ...       M3, not initialised

A class is given, of its kinds each is as likely as any other, and of the places of a kind each as well: so
that what a text has most of does not decide what is measured.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

from xpiler.bench.faults.anatomy import Anatomy
from xpiler.bench.faults.broken import compiled
from xpiler.bench.faults.indices import strides, widths
from xpiler.bench.faults.instructions import layouts, parameters
from xpiler.bench.faults.loops import bounds, guards, orders
from xpiler.bench.faults.memory import capacity, initial, staging
from xpiler.bench.faults.model import CLASSES, Fault, Faults, Faulty, apply, are_apart
from xpiler.bench.faults.numerics import arithmetic, skipped
from xpiler.bench.faults.parallel import geometry, mapping
from xpiler.bench.faults.threads import atomics, barriers, warps

_INJECTORS: dict[str, Callable[[Anatomy], Faults]] = {
    "P1": mapping,
    "P2": guards,
    "P3": geometry,
    "M1": staging,
    "M2": capacity,
    "M3": initial,
    "S1": barriers,
    "S2": warps,
    "S3": atomics,
    "L1": bounds,
    "L2": orders,
    "I1": strides,
    "T1": layouts,
    "T2": parameters,
    "N1": arithmetic,
    "N2": widths,
    "G1": skipped,
    "C1": compiled,
}
_TRIES = 20  # draws of further faults that lie apart from the first


def all_faults(anatomy: Anatomy, code: str) -> list[Fault]:
    """Every fault of the class that the text can have, each once, in order of its place."""
    found = {(f.edits, f.statement): f for f in _INJECTORS[code](anatomy) if _changes(anatomy, f)}
    return sorted(found.values(), key=lambda f: (f.statement, f.kind, f.edits[0].start, f.edits[0].text))


def inject(anatomy: Anatomy, codes: Sequence[str], seed: int) -> Faulty | None:
    """The text with a fault of each of `codes`, where a class that it cannot have is replaced by the next one
    of the table; None if it can have too few."""
    rng = random.Random(seed)
    chosen: list[Fault] = []
    for code in codes:
        fault = _drawn(anatomy, code, rng, chosen)
        if fault is None:
            return None
        chosen.append(fault)
    return apply(anatomy.text, tuple(chosen))


def _drawn(anatomy: Anatomy, code: str, rng: random.Random, chosen: list[Fault]) -> Fault | None:
    names = list(CLASSES)
    first = names.index(code)
    for name in [*names[first:], *names[:first]]:
        kinds: dict[str, list[Fault]] = {}
        for fault in all_faults(anatomy, name):
            kinds.setdefault(fault.kind, []).append(fault)
        for _ in range(_TRIES if kinds else 0):
            fault = rng.choice(kinds[rng.choice(sorted(kinds))])
            if are_apart((*chosen, fault)):
                return fault
    return None


def _changes(anatomy: Anatomy, fault: Fault) -> bool:
    edits = fault.edits
    apart = all(one.end <= other.start for one, other in itertools.pairwise(edits))
    return apart and any(anatomy.text[e.start : e.end] != e.text for e in edits)
