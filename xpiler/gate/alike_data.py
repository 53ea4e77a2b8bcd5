"""Data that are all alike in one way, where others hide a fault.

    float m = 0.0f; for (...) m = fmaxf(m, x[i]);      data from -2^20 downwards: m has to come from them
    p[j] = mask[j] ? expf(s[j] - m) / sum : 0          a mask that is off everywhere: sum is 0
    descending ? a > b : a < b                         duplicates, also with the flag that is off at first
    float sum = 0; ... sum += a[k] * b[k];             bytes all near 127: beyond 2^24 a float is not exact
    expf(v) - 1 for expm1f(v), eps of a norm           floats near zero
    E[x*x] - E[x]*E[x] for E[(x - E[x])^2]             floats near one another, far from zero
    diagonal + (q[i] == t[j] ? match : -mismatch)      sequences that have pieces in common, shifted

A target whose extrema begin with a number amid the data agrees with its source on data of both signs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from xpiler.gate.contract import Argument, Case, Contract, FillKind, Role, Values
from xpiler.ir.build import COMPARISONS
from xpiler.ir.nodes import Binary, Call, Function
from xpiler.ir.picked_by_data import is_picked, picked_by_data
from xpiler.ir.rewrite import walk

_SEED = 9201
_SEEDS_OF_PIECES = (9301, 9302)
_MOST_IN_PIECES = 12  # sizes, the small ones
_LETTERS = 4  # few: what is no piece in common has letters in common all the same
_MOST = 3  # sizes, of those tried last, where decisions of the texts turn; arrays
_MOST_MODES = 8
_DRAWN = ("index", "spread")  # contents of which any may be 0


def compares_data(kernel: Function) -> bool:
    """Whether a kernel asks which of two numbers is the larger, and data are among them."""
    picked = picked_by_data(kernel)
    for node in walk(kernel.body):
        match node:
            case Call(function="min" | "max", args=operands) if node.dtype.is_float:
                return True
            case Call(function="min" | "max", args=operands):
                pass
            case Binary(op=op, left=left, right=right) if op in COMPARISONS:
                operands = (left, right)
            case _:
                continue
        if any(operand.dtype.is_float or is_picked(operand, picked) for operand in operands):
            return True
    return False


def compares_integers(kernel: Function) -> bool:
    """Whether a kernel asks whether two integers are equal that both are data."""
    picked = picked_by_data(kernel)
    return any(
        isinstance(node, Binary)
        and node.op in ("==", "!=")
        and all(o.dtype.is_integer and is_picked(o, picked) for o in (node.left, node.right))
        for node in walk(kernel.body)
    )


def alike_cases(contract: Contract, kernels: Sequence[Function]) -> Iterator[Case]:
    """Cases of such data, at sizes that the contract has, as far as the kernels ask for them."""
    drawn = {case.scalars: case for case in contract.cases if not case.all_given and case.fill == "normal"}
    sizes = list(drawn.values())
    read = [a for a in contract.pointers if a.role in (Role.IN, Role.INOUT)]
    if any(a.dtype.is_float for a in read):
        fills: tuple[FillKind, ...] = ("faint", "offset")
        yield from (replace(case, fill=fill, seed=_SEED) for case in sizes[:1] for fill in fills)
    if any(a.dtype.is_integer and a.dtype.bits == 8 for a in read):
        yield from (replace(case, fill="full", seed=_SEED) for case in sorted(sizes, key=_longest)[-_MOST:])
    if any(map(compares_integers, kernels)):
        yield from _in_pieces(sizes, [a for a in read if a.dtype.is_integer])
    if any(map(compares_data, kernels)):
        fills = ("below", "above")
        for case in dict.fromkeys((*sizes[:1], *sizes[: -_MOST - 1 : -1])):
            for fill in fills:
                yield replace(case, fill=fill, seed=_SEED)
        yield from _on_other_branches(contract, sizes, [a.name for a in read if a.dtype.is_float])
        for case in dict.fromkeys((*sizes[:1], *sorted(sizes, key=_longest)[-_MOST:])):  # 65536 alike, too
            given = {name for name, values in case.values if values.kind not in _DRAWN}
            for name in [a.name for a in read if not a.dtype.is_float and a.name not in given][:_MOST]:
                others = tuple(pair for pair in case.values if pair[0] != name)
                yield replace(case, values=(*others, (name, Values("constant", 0))), seed=_SEED)


def _in_pieces(sizes: Iterable[Case], arrays: Sequence[Argument]) -> Iterator[Case]:
    """Cases in which arrays of the same length and type are pieces of one sequence."""
    for case in sorted(sizes, key=_elements)[:_MOST_IN_PIECES]:
        known, extents = dict(case.values), dict(case.extents)
        kinds = {a.name: (a.dtype, extents.get(a.name)) for a in arrays if a.name not in known}
        alike = [name for name, kind in kinds.items() if [*kinds.values()].count(kind) > 1]
        values = tuple((name, Values("pieces", 0, _LETTERS)) for name in alike)
        for seed in _SEEDS_OF_PIECES if alike else ():
            yield replace(case, values=(*case.values, *values), seed=seed)


def _on_other_branches(contract: Contract, sizes: Sequence[Case], floats: Sequence[str]) -> Iterator[Case]:
    """Duplicates in each mode (`descending`), and what is far from zero where it is not multiplied by what
    else is: without another array, or with one that is all 1."""
    modes = [case for case in sizes[1:] if case.extents == sizes[0].extents]
    yield from (replace(case, fill="integers", seed=_SEED) for case in modes[:_MOST_MODES])
    fills: tuple[FillKind, ...] = ("below", "above")
    without = [case for case in contract.cases if case.missing]
    yield from (replace(case, fill=fill, seed=_SEED) for case in without[:_MOST] for fill in fills)
    for case in sizes[:1]:
        free = [name for name in floats if name not in dict(case.values)]
        for name in free[:_MOST] if len(free) > 1 else ():
            ones = tuple((other, Values("constant", 1)) for other in free if other != name)
            for fill in fills:
                yield replace(case, fill=fill, values=(*case.values, *ones), seed=_SEED)


def _elements(case: Case) -> int:
    return sum(extent for _, extent in case.extents)


def _longest(case: Case) -> int:
    return max((value for _, value in case.scalars if isinstance(value, int)), default=0)
