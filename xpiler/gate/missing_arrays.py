"""Calls without an array that the source can do without.

    y[i] = x[i] + (bias ? bias[i] : 0)       a call for which `bias` is null

Whether a source stands such a call its run shows: one that reads what is not there fails, and says nothing of
the target.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from xpiler.gate.contract import Case, Contract, Role
from xpiler.ir.nodes import Function
from xpiler.passes.argument_checks import optional_arrays

_MOST = 4  # arrays


def cases_without(contract: Contract, kernels: Sequence[Function]) -> Iterator[Case]:
    """The contract's first call of drawn data, without each of the arrays in turn that are only read."""
    if not any(map(optional_arrays, kernels)):
        return
    drawn = [case for case in contract.cases if not case.all_given and not case.missing]
    read = [a.name for a in contract.arguments if a.is_pointer and a.role is Role.IN]
    for case in drawn[:1]:
        for name in read[-_MOST:]:
            yield replace(case, missing=(name,))
