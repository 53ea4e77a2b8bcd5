"""Sizes to try a parametric entry with: unlike each other, and no multiple of a tile where the program allows it.

Programs make silent demands on their sizes (multiples of 16 for tensor cores, of 4 for vector loads, a power of two for
a tree). The candidates go from the most telling sizes to the most lenient ones; the first that the program takes
without leaving its arrays tells what it demands.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

GRANULES = (1, 4, 8, 16, 32, 64, 128, 256)
_FEW = (37, 53, 29, 43)  # odd, different, not close to a power of two
_MANY = (7, 11, 5, 9, 6, 13, 10, 15)
_MULTIPLES = (3, 5, 2, 4, 6, 1, 7, 8)
_LONG = {1: 1003, 4: 1004, 8: 1000, 16: 1008, 32: 992, 64: 960, 128: 896, 256: 768}
_RANDOM_TRIES = 160


def candidates(names: Sequence[str], fixed: Mapping[str, int], seed: int = 0) -> Iterator[dict[str, int]]:
    """Assignments of sizes to the parameters `names`, best first; `fixed` ones keep their value.

    Structured assignments come first (all of one granule), then random ones that mix small and large sizes, powers of
    two and odd numbers, for programs with relations between their parameters (a kernel smaller than the image).
    """
    free = [name for name in names if name not in fixed]
    if not free:
        yield dict(fixed)
        return
    rng = random.Random(seed)
    for granule in GRANULES:
        for rotation in range(2 if len(free) > 1 else 1):
            yield {**fixed, **_structured(free, granule, rotation, seed)}
    pools = (
        (1, 2, 3),
        (2, 3, 4, 5, 6, 7),
        (8, 9, 12, 13, 16, 17),
        (16, 24, 32, 33, 48, 64),
        (64, 96, 100, 128),
    )
    for _ in range(_RANDOM_TRIES if len(free) > 1 else 0):
        yield {**fixed, **{name: rng.choice(rng.choice(pools)) for name in free}}


def _structured(free: Sequence[str], granule: int, rotation: int, seed: int) -> dict[str, int]:
    count = len(free)
    if count == 1:
        return {free[0]: _LONG[granule] + granule * 2 * seed}
    values: tuple[int, ...]
    if granule == 1:
        values = _FEW if count <= 3 else _MANY
    else:
        values = tuple(granule * multiple for multiple in _MULTIPLES)
    shift = rotation + seed
    return {name: values[(i + shift) % len(values)] for i, name in enumerate(free)}
