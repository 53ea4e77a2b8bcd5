"""Sizes for a wrapper around a kernel whose extents are fixed numbers.

    kernel: if (i < 18930) C[i] = A[i] + B[i]        wrapper: cudaMalloc(&d_A, size * 4), grid (size +
    1023) / 1024

The kernel needs arrays of 75720 bytes and 19 blocks; the wrapper's formulas must give just that: size =
18930. The
formulas are evaluated for many values at once and joined one constraint after the other, those with the
fewest unknown
parameters first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xpiler.ir.nodes import Const, Function
from xpiler.ir.rewrite import walk

_MAX_ROWS = 2_000_000
_MAX_DOMAIN = 64

Table = dict[str, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class Constraint:
    """`formula` (Python, over parameter names) must equal `value`."""

    formula: str
    value: int

    def names(self, parameters: Iterable[str]) -> list[str]:
        words = set(re.findall(r"[A-Za-z_]\w*", self.formula))
        return [name for name in parameters if name in words]


def domain(kernels: Sequence[Function], needed: Iterable[int]) -> list[int]:
    """Values that a parameter may have: numbers of the kernel, their quotients, divisors of what is
    needed."""
    numbers = {
        int(node.value)
        for kernel in kernels
        for node in walk(kernel.body)
        if isinstance(node, Const) and node.dtype.is_integer and 0 < int(node.value) < 1 << 31
    }
    quotients = {a // b for a in numbers for b in numbers if a > b > 1 and a % b == 0}
    wanted = sorted(set(needed))
    divisors = {d for value in wanted for d in _divisors(value)}
    ranked = [
        *sorted({1, 2} | numbers),
        *sorted(quotients - numbers),
        *sorted(divisors - numbers - quotients),
    ]
    return list(dict.fromkeys(ranked))


def solve(
    constraints: Sequence[Constraint], parameters: Sequence[str], values: Sequence[int]
) -> list[dict[str, int]]:
    """Assignments that satisfy all constraints, at most 32, in a fixed order; parameters in none of them
    are free."""
    table: Table = {}
    rows = 1
    pending = list(dict.fromkeys(constraints))
    while pending:
        pending.sort(key=lambda c: len([n for n in c.names(parameters) if n not in table]))
        constraint = pending.pop(0)
        new = [name for name in constraint.names(parameters) if name not in table]
        choice = list(values[:_MAX_DOMAIN])
        while new and rows * len(choice) ** len(new) > _MAX_ROWS and len(choice) > 4:
            choice = choice[: len(choice) * 3 // 4]
        for name in new:
            table = {known: np.repeat(column, len(choice)) for known, column in table.items()}
            table[name] = np.tile(np.array(choice, np.int64), rows)
            rows *= len(choice)
        if not table:
            continue
        with np.errstate(all="ignore"):
            keep = np.broadcast_to(eval(constraint.formula, {}, dict(table)) == constraint.value, (rows,))
        table = {name: column[keep] for name, column in table.items()}
        rows = int(keep.sum())
        if rows == 0:
            return []
    return [{name: int(column[row]) for name, column in table.items()} for row in range(min(rows, 32))]


def _divisors(value: int) -> set[int]:
    if not 0 < value < 1 << 34:
        return set()
    return {
        d
        for small in range(1, min(int(value**0.5) + 1, 4096))
        if value % small == 0
        for d in (small, value // small)
    }
