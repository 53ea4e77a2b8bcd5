"""Other sizes raised with one that is made large, where their order held wherever the source ran.

    ran at n=3, lda=5 and n=29, lda=37;  n=2051, lda=5  -->  n=2051, lda=2053

A row's stride is no less than the row: with one of the two alone made large, the source leaves its arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from xpiler.gate.further_cases import granule

_BEYOND = 2  # so that the two are told apart


def keeping_orders(
    sizes: Mapping[str, int], names: Collection[str], ran: Sequence[Mapping[str, int]]
) -> Iterator[tuple[str, int]]:
    """One size each, of `names`, and the value to raise it to: it is less than another one now, and was not
    at any of the sizes that `ran`."""
    for name in names if len(ran) > 1 else ():
        above = [
            sizes[other]
            for other in names
            if sizes[other] > sizes[name] and all(known[name] >= known[other] for known in ran)
        ]
        if above:
            unit = granule([known[name] for known in ran])
            yield name, -(-(max(above) + _BEYOND) // unit) * unit
