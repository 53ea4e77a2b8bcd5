"""How much memory the accesses of loops touch.

for r in 0..8: for c in 0..100: x[r * 1000 + c]      -->   8 pieces of 400 bytes
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from xpiler.tuning.executed import Access

Trips = Mapping[int, float]
"""Iterations of loops, by their numbers."""


def touched(access: Access, trips: Trips, line: int = 1) -> float:
    """Bytes of different memory that one place in the text touches while these loops run once, in whole
    lines of so many bytes."""
    if access.moves is None:
        return float(max(line, access.width))
    moving = [(abs(step), trips[loop]) for loop, step in access.moves.items() if loop in trips and step]
    return _bytes_of(sorted(moving), access.width, line)


def touched_together(accesses: Sequence[Access], trips: Trips, line: int = 1) -> float:
    """Of several places that access one array: those that move alike are taken to overlap where they start
    close to each other."""
    groups: dict[tuple[tuple[int, int], ...], list[Access]] = {}
    total = 0.0
    for access in accesses:
        if access.moves is None:
            total += max(line, access.width) * _turns(trips.values())
            continue
        key = tuple(sorted((loop, step) for loop, step in access.moves.items() if loop in trips))
        groups.setdefault(key, []).append(access)
    for alike in groups.values():
        one = max(touched(access, trips, line) for access in alike)
        ends = max(a.high for a in alike) - min(a.low for a in alike)
        total += min(one * len(alike), one + ends)
    return total


def _turns(trips: Iterable[float]) -> float:
    product = 1.0
    for one in trips:
        product *= max(one, 1.0)
    return product


def _bytes_of(moving: Iterable[tuple[int, float]], width: int, line: int) -> float:
    """Of an arithmetic pattern, from the smallest step up: steps within what is touched already make it
    longer, others repeat it."""
    pieces, piece, span = 1.0, float(width), float(width)
    for step, count in moving:
        if count <= 1:
            continue
        far = step * (count - 1)
        if pieces == 1 and step <= piece:
            piece += far
        elif step >= span:
            pieces *= count
        else:
            pieces = min(pieces * count, (span + far) / piece)
        span += far
    whole = -(-piece // line) * line
    return min(pieces * whole, -(-span // line) * line)


def by_array(accesses: Collection[Access]) -> dict[str, list[Access]]:
    found: dict[str, list[Access]] = {}
    for access in accesses:
        found.setdefault(access.array, []).append(access)
    return found
