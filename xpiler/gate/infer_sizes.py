"""Sizes to try a parametric entry with: unlike each other, and no multiple of a tile where the program
allows it.

Programs make silent demands on their sizes (multiples of 16 for tensor cores, of 4 for vector loads, a
power of two for
a tree). The candidates go from the most telling sizes to the most lenient ones; the first that the program
takes
without leaving its arrays tells what it demands.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

FINER = (4, 8, 16, 32)  # granules worth trying once 64 has been taken
_GRANULES = (64, 4, 32, 128, 16, 8, 256)
_ALONE = (32, 64, 128, 16, 256, 4, 512, 1024)
_FEW = (37, 53, 29)  # odd, different, not close to a power of two
_MANY = (7, 11, 5, 9, 6, 13, 10, 15)
_ODD = (3, 5, 7, 9, 11, 2, 13, 6)
_WIDE = (17, 13, 12, 10, 9)
_SMALL = (3, 5, 2, 7, 4, 6, 1, 8)
_MULTIPLES = (2, 3, 1, 4, 5, 6, 7, 8)
_LONG = {1: 1003, 4: 1004, 8: 1000, 16: 1008, 32: 992, 64: 960, 128: 896, 256: 768}
_POWERS = (1024, 512, 128, 32, 8)
_RANDOM_TRIES = 96
_KEPT = 8  # sizes up to this one stay where others are scaled down


_BLOCKED = 4  # candidates of whole blocks
_LARGE = 23  # among sizes of 2 and 3


def candidates(
    names: Sequence[str], fixed: Mapping[str, int], seed: int = 0, units: Mapping[str, int] | None = None
) -> Iterator[dict[str, int]]:
    """Assignments of sizes to the parameters `names`, best first; `fixed` ones keep their value. `units`:
    what the program divides sizes by.

    First all parameters of one granule; then multiples of those units; then one parameter that divides the
    others; then one parameter of a granule, the others small and odd; then random ones that mix small and
    large, powers of two and odd numbers, for programs with relations between their parameters (a window
    smaller than the image).
    """
    free = [name for name in names if name not in fixed]
    if not free:
        yield dict(fixed)
        return
    yield {**fixed, **structured(free, 1, seed)}
    of_units = {name: unit for name, unit in (units or {}).items() if name in free}
    yield from ({**fixed, **_blocked(free, of_units, seed + i)} for i in range(_BLOCKED if of_units else 0))
    if len(free) == 1:
        yield {
            **fixed,
            free[0]: _FEW[seed % len(_FEW)],
        }  # a number of blocks, of heads: a thousand are too many
        yield from ({**fixed, **structured(free, granule, seed)} for granule in _GRANULES)
        yield from ({**fixed, free[0]: size >> seed} for size in _POWERS)
        yield from ({**fixed, free[0]: size} for size in _ODD[seed : seed + 3])  # all others took too long
        return
    yield {**fixed, **structured(free, 1, seed + 1)}
    # Small ones, where a product of extents made the first too slow.
    yield {**fixed, **{name: _ODD[(i + seed) % len(_ODD)] for i, name in enumerate(free)}}
    if len(free) <= len(_WIDE):  # wider than a stencil's halo on both sides
        yield {**fixed, **{name: _WIDE[(i + seed) % len(free)] for i, name in enumerate(free)}}
    # One that divides the others: groups of channels, heads of a width.
    for one in free:
        rest = {name: 4 * _MULTIPLES[(i + seed) % 5] for i, name in enumerate(n for n in free if n != one)}
        yield {**fixed, **rest, one: 4 - 2 * (seed % 2)}
    together = ({**fixed, **structured(free, granule, seed)} for granule in _GRANULES)
    alone = (
        {
            **fixed,
            **{name: _SMALL[(i + seed) % len(_SMALL)] for i, name in enumerate(free)},
            one: granule * (1 + seed % 2),
        }
        for granule in _ALONE
        for one in free
    )
    # Many parameters of a large granule make huge arrays: there one at a time comes first.
    yield from (*together, *alone) if len(free) <= 3 else (*alone, *together)
    rng = random.Random(seed)
    pools = ((1, 2, 3), (2, 3, 4, 5, 6, 7), (8, 9, 12, 13, 16, 17), (16, 24, 32, 33, 48, 64), (64, 96, 128))
    for _ in range(_RANDOM_TRIES):
        yield {**fixed, **{name: rng.choice(rng.choice(pools)) for name in free}}


def _blocked(free: Sequence[str], units: Mapping[str, int], seed: int) -> dict[str, int]:
    """A few blocks of each size that is divided into such, the others small and odd."""
    return {
        name: units[name] * _MULTIPLES[(i + seed) % len(_MULTIPLES)]
        if name in units
        else _ODD[(i + seed) % len(_ODD)]
        for i, name in enumerate(free)
    }


def one_large(names: Sequence[str], fixed: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Every size large in turn where the others are small: only there does a window take several steps in one
    direction.
    """
    for large in names:
        small = {name: 2 + n % 2 for n, name in enumerate(name for name in names if name != large)}
        yield {**small, large: _LARGE, **fixed}


def scaled_down(sizes: Mapping[str, int], granule: int) -> Iterator[dict[str, int]]:
    """Small sizes that are multiples of the same powers of two as `sizes`, as far as `granule`. What is small
    already (a window, a stride) is kept now and then.

    144, 33, 3, granule 16  -->  48, 5, 3    32, 7, 2    80, 3, 3   ...
    """
    rng = random.Random(granule)
    for _ in range(_RANDOM_TRIES):
        made = {}
        for name, size in sizes.items():
            unit = max(1, min(size & -size, granule))
            kept = size <= _KEPT and rng.random() < 0.3
            made[name] = size if kept else unit * rng.choice((2, 3, 4, 5, 7) if unit == 1 else (1, 2, 3, 5))
        yield made


def structured(free: Sequence[str], granule: int, seed: int) -> dict[str, int]:
    """Different multiples of `granule`, one a parameter; another seed gives others."""
    if len(free) == 1:
        return {free[0]: max(granule, _LONG[granule] - granule * 3 * seed)}
    values: tuple[int, ...]
    if granule == 1:
        values = _FEW if len(free) <= 3 else _MANY
    else:
        values = tuple(granule * multiple for multiple in _MULTIPLES)
    values = values[: max(3, len(free))]
    return {name: values[(i + seed) % len(values)] for i, name in enumerate(free)}


def granule_of(sizes: Mapping[str, int], free: Sequence[str]) -> int | None:
    """The granule of which `sizes` are the structured assignment, None if they are another one."""
    for granule in (1, *_GRANULES):
        if all(sizes[name] == value for name, value in structured(free, granule, 0).items()):
            return granule
    return None
