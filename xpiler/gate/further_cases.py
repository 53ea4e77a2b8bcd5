"""Cases beyond those that a contract was found with: what ordinary sizes do not show.

    found at M=37, N=53, K=29  -->  M=2051, N=3, K=5   M=3, N=2051, K=5 ...   the second tile, the second task
                                    M=67, N=131, K=97                         second tiles in all directions
                                    M=2051, N=67, K=1                         and many rows of them on a core
                                    M=1, N=1, K=1      M=1, N=53, K=29 ...    one row, one column, one term

A tile of a scratchpad holds 128 rows, a vector 16 lanes: a fault in what comes after the first tile, or where
there is but one element, passes at any other sizes. These are not interpreted: the arrays' extents are
products of sizes that fit the cases found, and the source, run between guard pages in both orders of threads,
says which of them are within its meaning (`verify.run_further`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, combinations_with_replacement, islice, permutations
from math import gcd, prod

_LARGE = 2051  # tiles of up to 128 rows, one on each of 16 cores
_LONG = (4099, 200_003, 1_000_003, 2_000_003)  # of an array alone: tiles of whole scratchpads, three a core
_SMALL = (3, 5, 2)
_WIDE = {2: ((131, 517),), 3: ((67, 131, 97), (131, 67, 139))}  # as many sizes made wide together
_BESIDE = 67  # a tile of 64 and a part of one, beside a large size: many of them on each core
_MOST_PAIRS = 6
_NARROW, _ONE_WIDE = 16, 131  # fewer than the lanes of a vector; a tile of 128 and a part of one
_TILE = 128
_BASES = 2  # stated cases that sizes are changed in
_MANY_PLACES = (4099, 70_001)  # beyond what a scratchpad holds; beyond 16 bits
_MOST_WORK = 1 << 21  # the product of all sizes
_MOST_SINGLE = 4  # cases in which one size is the least
_GRANULE = 256
_FACTORS = 4
_MULTIPLES = 64

Sizes = Mapping[str, int]


def further_sizes(
    found: Sequence[Sizes], free: Sequence[str], lengths: Sequence[str] = ()
) -> Iterator[dict[str, int]]:
    """Sizes that are multiples of what those `found` are multiples of, the least work first. `lengths`: those
    that arrays are as long as, where it is known; one beside a number of steps or a mode is made long."""
    units = {name: granule([sizes[name] for sizes in found]) for name in free}
    least = {name: units[name] for name in free}
    first = dict(found[0])
    made = [{**first, **least}]
    if len(free) > 1:
        made += [{**first, name: least[name]} for name in free[:_MOST_SINGLE]]
    long: list[dict[str, int]] = []
    for large in free:
        small = {n: units[n] * _SMALL[i % len(_SMALL)] for i, n in enumerate(n for n in free if n != large)}
        if prod(small.values()) * _LARGE > _MOST_WORK:
            small = {name: units[name] for name in small}
        for size in _LONG if len(free) == 1 else (_LARGE,):
            made.append({**first, **small, large: units[large] * (size // units[large] | 1)})
        if len(free) > 1 and list(lengths) == [large]:
            few = {name: units[name] for name in small}
            long += [{**first, **few, large: units[large] * (size // units[large] | 1)} for size in _LONG]
    pairs = [
        {
            **first,
            **least,
            large: units[large] * (_LARGE // units[large] | 1),
            beside: units[beside] * -(-_BESIDE // units[beside]),
        }
        for large, beside in islice(permutations(free, 2), _MOST_PAIRS)
    ]
    for wide in _WIDE.get(len(free), ()):
        made.append(
            {**first, **{n: units[n] * -(-size // units[n]) for n, size in zip(free, wide, strict=True)}}
        )
    if len(free) > 1:  # all wide together may be too much work: those that were found small, one at a time
        small_ones = [name for name in free if max(sizes[name] for sizes in found) < _NARROW]
        made += [{**first, name: units[name] * -(-_ONE_WIDE // units[name])} for name in small_ones]
    known = [dict(sizes) for sizes in found]
    for sizes in (*sorted(made, key=lambda sizes: prod(sizes[name] for name in free)), *pairs, *long):
        if sizes not in known and prod(sizes[name] for name in free) <= _MOST_WORK:
            known.append(sizes)
            yield sizes


def least_sizes(found: Sequence[Sizes], several: Sequence[str]) -> Iterator[dict[str, int]]:
    """Where all sizes are stated, some with several values: each of these as small as it may be, in turn, and
    a tile of 128 and a part of one, where none is. That several are stated says that others are meant, too.
    How two loops differ, which end at two of the sizes, may show only if either is the larger one."""
    units = {name: granule([sizes[name] for sizes in found]) for name in several}
    bases = found[:_BASES]
    made = [{**sizes, name: unit} for sizes in bases for name, unit in units.items()]
    whole = {n: unit for n, unit in units.items() if not any(_has_part(sizes[n]) for sizes in found)}
    made += [{**sizes, n: unit * -(-_ONE_WIDE // unit)} for sizes in bases for n, unit in whole.items()]
    known = [dict(sizes) for sizes in found]
    for sizes in sorted(made, key=lambda sizes: prod(size for size in sizes.values() if size > 0)):
        if sizes not in known and prod(sizes.values()) <= _MOST_WORK:
            known.append(sizes)
            yield sizes


def with_many_places(found: Sizes, free: Sequence[str]) -> Iterator[dict[str, int]]:
    """Sizes of which one is as large as only a table is that data pick from, others as `found` or less."""
    for name in free:
        unit = granule([found[name]])
        for many in _MANY_PLACES:
            size = unit * -(-many // unit)
            others = {n: found[n] for n in free if n != name}
            while prod(others.values()) * size > _MOST_WORK and any(n > 1 for n in others.values()):
                others = {n: -(-value // 2) for n, value in others.items()}
            if prod(others.values()) * size <= _MOST_WORK:
                yield {**found, **others, name: size}


def _has_part(size: int) -> bool:
    """Whether a part of a tile follows a whole one."""
    return size > _TILE and size % _TILE != 0


def granule(sizes: Sequence[int]) -> int:
    """The power of two that divides all of them, 256 at the most."""
    return gcd(_GRANULE, *sizes)


Extent = Callable[[Sizes], int]


def fitted_extent(observed: Sequence[tuple[Sizes, int]], free: Sequence[str]) -> Extent | None:
    """Elements of an array as `factor * a * b + more`, if one such formula fits all that was observed.

    (37, 53): 1961, (53, 29): 1537  -->  a * b            (8,): 10, (5,): 7  -->  a + 2
    """
    products = [
        names
        for count in range(1, _FACTORS + 1)
        for names in (combinations_with_replacement if count <= 2 else combinations)(free, count)
    ]
    products.append(())  # last: a product of all sizes stays the same where sizes change places
    for scaled in (True, False):
        for names in products:
            values = [prod(sizes[name] for name in names) for sizes, _ in observed]
            extents = [extent for _, extent in observed]
            if scaled:
                factor, rest = divmod(extents[0], values[0]) if values[0] > 0 else (0, 1)
                if rest or (factor > _MULTIPLES and names):
                    continue
                more = 0
            else:
                factor, more = 1, extents[0] - values[0]
            if all(factor * value + more == extent for value, extent in zip(values, extents, strict=True)):
                return _formula(names, factor, more)
    return None


def _formula(names: Sequence[str], factor: int, more: int) -> Extent:
    return lambda sizes: factor * prod(sizes[name] for name in names) + more
