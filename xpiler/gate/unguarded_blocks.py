"""Arrays that a wrapper's kernels reach into beyond its sizes, because the last block is not guarded.

    copy<<<(n + 127) / 128, 128>>>(a, b);    b[i] = a[i]        n = 1003: elements up to 1023 of a and b

Which arrays a caller has nobody can tell: padded ones make this right, others make it an overrun. The runs
that found the sizes say how far the accesses reach; where that is a product of the wrapper's sizes with one
of them rounded up to whole blocks, and more than the product itself, it is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from math import prod

from xpiler.gate.contract import Contract
from xpiler.gate.entries import Entry
from xpiler.ir.interpret_state import Finding
from xpiler.ir.nodes import Function, Load
from xpiler.ir.rewrite import walk
from xpiler.ir.source import SourceRange
from xpiler.symbolic.settings import Setting

_MOST_FACTORS = 3  # of an array's extent
_ELEMENTS_A_THREAD = (1, 2, 4, 8)
_DIFFERENT_SIZES = 2  # at which it has to be so

_Seen = tuple[Mapping[str, int], int]  # sizes, and the elements of the array that a run reached


def unguarded_blocks(
    entry: Entry, contract: Contract, kernels: Sequence[Function], settings: Mapping[str, Sequence[Setting]]
) -> tuple[Finding, ...]:
    """A warning for each array of `entry`; `settings` are the launches of its runs, by kernel."""
    axes = {extent for launches in settings.values() for launch in launches for extent in launch.block}
    steps = sorted({axis * many for axis in axes if axis > 1 for many in _ELEMENTS_A_THREAD})
    found = []
    for argument in contract.arguments:
        if not argument.is_pointer or _is_read_by_host_code(contract, argument.name):
            continue
        seen = list(_seen(contract, argument.name))
        told = _rounded(seen, steps)
        if told is not None:
            name, step = told
            at, extent = next((at, extent) for at, extent in seen if at[name] % step)
            sizes = ", ".join(f"{size}={value}" for size, value in at.items())
            message = (
                f"{entry.name} reaches element {extent - 1} of {argument.name} at {sizes}: blocks of {step} "
                f"cover {name}, and nothing guards the last one; {argument.name} is taken to have room for it"
            )
            place = _place(kernels, argument.name) or entry.range
            found.append(Finding("XP-BOUNDS", message, place, {}, argument.name, "warning"))
    return tuple(found)


def _is_read_by_host_code(contract: Contract, array: str) -> bool:
    """Whether no block reaches into it: its length was found by what host code reads."""
    kinds = {values.kind for case in contract.cases for name, values in case.values if name == array}
    return bool(kinds & {"growing", "lengths"})


def _seen(contract: Contract, array: str) -> Iterator[_Seen]:
    """The different sizes of the cases, with the scalars of the array that each has."""
    told = set()
    for case in contract.cases:
        sizes = {
            name: value
            for name, value in case.scalars
            if isinstance(value, int) and not isinstance(value, bool)
        }
        extents = dict(case.extents)
        if array in extents and tuple(sizes.items()) not in told:
            told.add(tuple(sizes.items()))
            yield sizes, extents[array]


def _rounded(seen: Sequence[_Seen], steps: Collection[int]) -> tuple[str, int] | None:
    """The size that is rounded up, and to multiples of what; None if the extents are not of that kind."""
    if not seen:
        return None
    names = [name for name in seen[0][0] if all(at[name] > 0 for at, _ in seen)]
    for many in range(1, _MOST_FACTORS + 1):
        for factors in combinations(names, many):
            for name in factors:
                for step in steps:
                    if _is_rounded(seen, factors, name, step):
                        return name, step
    return None


def _is_rounded(seen: Sequence[_Seen], factors: Sequence[str], name: str, step: int) -> bool:
    beyond = 0
    for at, extent in seen:
        others = prod(at[factor] for factor in factors if factor != name)
        if extent != -(-at[name] // step) * step * others:
            return False
        beyond += at[name] % step != 0
    # One number of blocks at all sizes, where other sizes say the rest, is a factor of the text: rows of 128.
    blocks = {-(-at[name] // step) for at, _ in seen}
    return beyond >= _DIFFERENT_SIZES and (len(blocks) > 1 or len(factors) == 1)


def _place(kernels: Sequence[Function], array: str) -> SourceRange | None:
    """Where a kernel with a parameter of that name accesses it."""
    accesses = (
        n for kernel in kernels for n in walk(kernel.body) if isinstance(n, Load) and n.array == array
    )
    return next((access.range for access in accesses if access.range is not None), None)
