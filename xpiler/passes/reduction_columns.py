"""Which of the results of reduction steps are those of the columns of an array.

    s[0] = + over {s[0], s[32], s[64], ..}, s[1] = + over {s[1], s[33], ..}, ...   one for each column

So ends a tree over the rows of threads, each of which has sums of its own for every column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xpiler.passes.reduction_steps import Place, Reduced, Result

_FEWEST = 4  # columns that are worth a loop


@dataclass(frozen=True)
class Columns:
    """`into[to + x] = op over array[first + x + step * k], k in 0..rows`, for x in 0..count."""

    op: str
    array: str
    first: int
    step: int
    rows: int
    into: str
    to: int
    count: int


def columns_of(wanted: Mapping[Place, Result]) -> Columns | None:
    """All that is wanted as one loop over columns; None if it is anything else."""
    places = sorted(wanted)
    (into, to), values = places[0], [wanted[p] for p in places]
    head = values[0]
    if len(places) < _FEWEST or to < 0 or places != [(into, to + x) for x in range(len(places))]:
        return None
    if not isinstance(head, Reduced) or head.constants:
        return None
    rows = head.members.bit_count()
    first = (head.members & -head.members).bit_length() - 1
    step = (head.members.bit_length() - 1 - first) // (rows - 1) if rows > 1 else 0
    if step < len(places) or head.members != sum(1 << (first + step * k) for k in range(rows)):
        return None
    if into == head.array and (to - first) % step:
        return None  # a result would lie where another column is still read
    for x, value in enumerate(values):
        if not isinstance(value, Reduced) or value.constants or value.op != head.op:
            return None
        if value.array != head.array or value.members != head.members << x:
            return None
    return Columns(head.op, head.array, first, step, rows, into, to, len(places))
