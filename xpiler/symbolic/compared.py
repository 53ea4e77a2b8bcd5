"""Numbers that a kernel compares data with: what its arrays hold decides its branches only about these.

if (in[i] < 0) break;              in holds -1, 0 and 1, too
if (idx[i] <= 64) s[idx[i]]        idx holds 63, 64 and 65
"""

from __future__ import annotations

from collections.abc import Mapping

from xpiler.ir.build import COMPARISONS
from xpiler.ir.nodes import Binary, Const, Expr, For, Function, Load, Ref, While
from xpiler.ir.rewrite import substitute, walk
from xpiler.symbolic.dependence import ATOMIC, Dependence

Numbers = Mapping[str, tuple[int | float, ...]]
_KNOWN = range(5)  # that integers hold anyway
_LARGEST = 1 << 15


def numbers_compared(kernel: Function, defined: Mapping[str, Expr], dependence: Dependence) -> Numbers:
    """For each array the numbers that what is computed from its elements is compared with, and those beside
    them; none where they hold such numbers anyway."""
    found: dict[str, set[int | float]] = {}
    for node in walk(kernel.body):
        if not isinstance(node, Binary) or node.op not in COMPARISONS:
            continue
        for one, other in ((node.left, node.right), (node.right, node.left)):
            number = substitute(other, defined)
            if not isinstance(number, Const) or abs(number.value) > _LARGEST:
                continue
            for array in dependence.of_expr(one) - {ATOMIC}:
                found.setdefault(array, set()).update((number.value - 1, number.value, number.value + 1))
    return {
        array: tuple(sorted(numbers))
        for array, numbers in found.items()
        if any(number not in _KNOWN for number in numbers)
    }


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
