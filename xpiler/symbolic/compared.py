"""Numbers that a kernel compares data with: what its arrays hold decides its branches only about these.

if (in[i] < 0) break;              in holds -1, 0 and 1, too
if (idx[i] <= 64) s[idx[i]]        idx holds 63, 64 and 65
if (id[i] > rows) continue;        id holds rows - 1, rows and rows + 1
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xpiler.ir.affine import linear
from xpiler.ir.affine_form import Affine
from xpiler.ir.build import COMPARISONS
from xpiler.ir.nodes import Binary, Const, Expr, For, Function, Load, Ref, While
from xpiler.ir.rewrite import substitute, walk
from xpiler.symbolic.dependence import ATOMIC, Dependence

Numbers = Mapping[str, tuple[int | float, ...]]
Sizes = Mapping[str, tuple[Affine, ...]]
_KNOWN = range(5)  # that integers hold anyway
_LARGEST = 1 << 15


def numbers_compared(kernel: Function, defined: Mapping[str, Expr], dependence: Dependence) -> Numbers:
    """For each array the numbers that what is computed from its elements is compared with, and those beside
    them; none where they hold such numbers anyway."""
    found: dict[str, set[int | float]] = {}
    for arrays, other in _comparisons(kernel, defined, dependence):
        if isinstance(other, Const) and abs(other.value) <= _LARGEST:
            for array in arrays:
                found.setdefault(array, set()).update((other.value - 1, other.value, other.value + 1))
    return {
        array: tuple(sorted(numbers))
        for array, numbers in found.items()
        if any(number not in _KNOWN for number in numbers)
    }


def sizes_compared(kernel: Function, defined: Mapping[str, Expr], dependence: Dependence) -> Sizes:
    """For each array the sizes that what is computed from its elements is compared with: those of one
    parameter, as what several of them have to do with one another nobody knows."""
    sizes = {p.name for p in kernel.params if not p.is_pointer and p.dtype.is_integer}
    found: dict[str, set[Affine]] = {}
    for arrays, other in _comparisons(kernel, defined, dependence):
        form = linear(other) if other.dtype.is_integer else None
        if form is not None and form.terms and form.variables():
            for array in arrays:
                found.setdefault(array, set()).add(form)
    return {
        array: tuple(sorted(forms, key=str))
        for array, forms in found.items()
        if len(named := frozenset().union(*(form.variables() for form in forms))) == 1 and named <= sizes
    }


def _comparisons(
    kernel: Function, defined: Mapping[str, Expr], dependence: Dependence
) -> Iterator[tuple[frozenset[str], Expr]]:
    """The arrays whose elements one side of a comparison is computed from, and the other side."""
    for node in walk(kernel.body):
        if isinstance(node, Binary) and node.op in COMPARISONS:
            for one, other in ((node.left, node.right), (node.right, node.left)):
                if arrays := dependence.of_expr(one) - {ATOMIC}:
                    yield arrays, substitute(other, defined)


def steering(kernel: Function, dependence: Dependence) -> frozenset[str]:
    """Arrays whose elements pick others, or say how often loops turn."""
    found = frozenset[str]()
    for node in walk(kernel.body):
        match node:
            case Load() | Ref():
                found |= dependence.of_index(node)
            case For():
                found |= frozenset().union(
                    *(dependence.of_expr(e) for e in (node.start, node.stop, node.step))
                )
            case While():
                found |= dependence.of_expr(node.condition)
    return found
