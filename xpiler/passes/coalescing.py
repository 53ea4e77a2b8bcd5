"""How well a loop suits threadIdx.x: neighbouring threads should touch neighbouring elements.

    out[r*C + c] = in[c*R + r]      c: stores 1.0, loads 0.0      r: loads 1.0, stores 0.0

Of all accesses in a body, those in inner loops counting more: 1 for stride 1, most of it for one address
that all threads read, less for a small stride, nothing for a large one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.ir.affine import Affine, coefficient, linear
from xpiler.ir.build import add
from xpiler.ir.nodes import Const, For, Stmt, Var
from xpiler.ir.rewrite import free_vars, substitute
from xpiler.passes.accesses import Access, accesses
from xpiler.passes.facts import Facts

_TRIPS = 16  # what a loop of unknown length counts for
_BROADCAST, _SMALL, _STRIDED = 0.9, 0.5, 0.25


def quality(variable: str, body: Sequence[Stmt], facts: Facts, private: frozenset[str]) -> float:
    """Between 0 and 1. `private`: arrays that every thread has for itself."""
    total = good = 0.0
    for access in accesses(body, facts):
        if access.array in private:
            continue
        weight = 1.0
        for loop in access.loops:
            weight *= min(trips(loop) or _TRIPS, _TRIPS)
        total += weight
        good += weight * _worth(variable, _from_starts(variable, access))
    return good / total if total else 1.0


def _from_starts(variable: str, access: Access) -> Access:
    """With the starts of inner loops that depend on the variable in its index: the chunk of a worker."""
    starts = {
        loop.var: add(loop.start, Var(loop.dtype, loop.var))
        for loop in access.loops
        if variable in free_vars(loop.start)
    }
    return replace(access, index=tuple(substitute(i, starts) for i in access.index)) if starts else access


def _worth(variable: str, access: Access) -> float:
    if len(access.index) != 1:
        return _worth_of_last(variable, access)
    step = coefficient(access.index[0], variable, access.facts.ranges)
    if step is None:
        return 0.0
    number = step.as_int
    if number is None:
        return _STRIDED if _degree(step) == 1 and _is_lowest(step, access) else 0.0
    if number == 0:
        return 0.3 if access.write else _BROADCAST
    return 1.0 if abs(number) == 1 else _SMALL if abs(number) <= 4 else 0.0


def _worth_of_last(variable: str, access: Access) -> float:
    found = [coefficient(i, variable, access.facts.ranges) for i in access.index]
    if None in found or not found:
        return 0.0
    numbers = [f.as_int if f is not None else None for f in found]
    if all(n == 0 for n in numbers):
        return 0.3 if access.write else _BROADCAST
    if all(n == 0 for n in numbers[:-1]) and numbers[-1] in (1, -1):
        return 1.0
    return 0.0


def _degree(form: Affine) -> int:
    return max((len(monomial) for monomial, _ in form.terms), default=0)


def _is_lowest(step: Affine, access: Access) -> bool:
    """Whether the other variables of an index grow by more: then the step is one along a row."""
    form = linear(access.index[0], access.facts.ranges)
    return form is not None and _degree(form) > _degree(step) + 1


def trips(loop: For) -> int | None:
    """How often a loop runs, if that is a number."""
    match loop:
        case For(start=Const(value=start), stop=Const(value=stop), step=Const(value=step)):
            return len(range(int(start), int(stop), int(step)))
    return None
