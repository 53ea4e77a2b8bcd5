"""Data all on one side of zero, and far from it, for kernels that compare data.

    float m = 0.0f; for (...) m = fmaxf(m, x[i]);      -->  data from -2^20 downwards: m has to come from them
    float m = -100.0f;  ...  sum += expf(x[i] - m);    -->  the same: exp of what is far below gives 0

A target whose extrema begin with a number amid the data agrees with its source on data of both signs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from xpiler.gate.contract import Case, Contract, FillKind
from xpiler.ir.build import COMPARISONS
from xpiler.ir.nodes import Binary, Call, Function
from xpiler.ir.picked_by_data import is_picked, picked_by_data
from xpiler.ir.rewrite import walk

_SEED = 9201
_MOST = 4  # sizes; those tried last are where decisions of the texts turn


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


def one_sided_cases(contract: Contract) -> Iterator[Case]:
    """Cases of such data, at sizes that the contract has."""
    drawn = {case.scalars: case for case in contract.cases if not case.all_given and case.fill == "normal"}
    sizes = list(drawn.values())
    fills: tuple[FillKind, ...] = ("below", "above")
    for case in dict.fromkeys((*sizes[:1], *sizes[:-_MOST:-1])):
        for fill in fills:
            yield replace(case, fill=fill, seed=_SEED)
