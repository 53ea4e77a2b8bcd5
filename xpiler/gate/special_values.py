"""Infinities and NaN among the data: whether the target passes them on as the source does.

A target that is right on all numbers may still differ here, as `x > 0 ? x : 0` and `x < 0 ? 0 : x` do for
NaN, and hardware may differ from what any text says. So this decides nothing: a difference is shown as
undecided. Only where a kernel of the source itself asks (`isnan(x) ? 0 : x`) its answer is what is meant; and
where it does not look at an array (C, if beta is 0), nothing in it may show.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from xpiler.gate.arrays import Array
from xpiler.gate.compare import agree
from xpiler.gate.contract import Case, Contract, Role, Values
from xpiler.gate.evidence import Rung
from xpiler.gate.execute import BOTH_ENDS, Build, RunResult, Variant
from xpiler.gate.inputs import inputs_of
from xpiler.gate.verify import BRIEF
from xpiler.ir.nodes import Call, Function
from xpiler.ir.rewrite import walk

_SEED = 7001
_QUESTIONS = ("isnan", "isinf", "isfinite")
_TOOL = "infinities and NaN"
_MOST = 4  # cases
_ANY = (77.0, -77.0, math.nan)  # contents of an array, NaN at last


def asks(kernel: Function) -> bool:
    """Whether a kernel asks if something is NaN, infinite or neither."""
    return any(isinstance(node, Call) and node.function in _QUESTIONS for node in walk(kernel.body))


def special_values(contract: Contract, source: Build, target: Build, *, asked: bool = False) -> list[Rung]:
    """The rung for cases whose data are drawn; none where no floats are read, where only finite numbers are
    allowed for (fast math), or where the source itself does not take them. `asked`: its kernels say what
    becomes of them, so that a difference is an error."""
    reads_floats = any(a.dtype.is_float and a.role in (Role.IN, Role.INOUT) for a in contract.pointers)
    if not reads_floats or contract.fast_math:
        return []
    start = time.monotonic()
    passed: list[str] = []
    cases = _by_zeros(contract)
    unread = {case: dict(_unread(contract, source, case)) for case in cases}
    if cases and list(unread[cases[0]]) == drawn_arrays(
        contract, cases[0]
    ):  # as between limits in the wrong order
        unread = {}
    for full in unread.values():
        for name, expected in full.items():
            if found := _shows(contract, source, target, name, expected):
                return [Rung("special", False, _TOOL, found, time.monotonic() - start)]
    for case in cases:
        case = replace(case, fill="special", seed=_SEED)
        expected, other = source.run([case], variants=BOTH_ENDS, limits=BRIEF)
        if not (expected.ok and other.ok and agree(contract, source, expected, other).ok):
            continue
        (actual,) = target.run([case], limits=BRIEF)
        values = ", ".join(
            f"{name}={value}" for name, value in case.scalars if isinstance(value, int) or not value
        )
        at = f"{contract.entry}{f' at {values}' if values else ''}"
        doubt = "" if asked else "undecided: "
        if not actual.ok:
            found = f"{at}: {doubt}with some among the data: {actual.describe()}"
        elif (outcome := agree(contract, source, expected, actual)).ok:
            passed.append(at)
            continue
        else:
            found = f"{at}: {doubt}not passed on alike: {outcome.summary}"
        return [Rung("special", not asked, _TOOL, found, time.monotonic() - start, undecided=not asked)]
    if not passed:
        return []
    found = f"{' and '.join(passed)}: passed on alike"
    return [Rung("special", True, _TOOL, found, time.monotonic() - start)]


def _unread(contract: Contract, source: Build, case: Case) -> Iterator[tuple[str, RunResult]]:
    """Arrays of floats whose contents make no difference to the source at the case's scalars, each with what
    it makes of one that is all NaN."""
    drawn = drawn_arrays(contract, case)
    others = [_holding(case, name, value) for name in drawn for value in _ANY]
    expected, *results = source.run([case, *others], limits=BRIEF)
    for number, name in enumerate(drawn):
        ran = results[number * len(_ANY) : (number + 1) * len(_ANY)]
        if expected.ok and all(is_unmoved(contract, expected, result, name) for result in ran):
            # An integer that is made of NaN times zero is the same for all data, too.
            looks = Variant(trapped="number")
            (infinite,) = source.run([_holding(case, name, math.inf)], variants=(looks,), limits=BRIEF)
            if infinite.ok:
                yield name, ran[-1]


def drawn_arrays(contract: Contract, case: Case) -> list[str]:
    """Arrays of floats that are read and whose contents the case leaves open."""
    known = dict(case.values)
    names = [a.name for a in contract.pointers if a.dtype.is_float and a.role in (Role.IN, Role.INOUT)]
    return [name for name in names if name not in known]


def _holding(case: Case, name: str, value: float) -> Case:
    return replace(case, values=(*case.values, (name, Values("constant", value))))


def is_unmoved(contract: Contract, one: RunResult, other: RunResult, name: str) -> bool:
    """Whether two runs that began with other contents of one array computed the same; what both left alone of
    that one holds what it held."""
    if not other.ok:
        return False
    for n, array in one.buffers.items():
        differ = _bits(array) != _bits(other.buffers[n])
        if n == name:
            alone = [_bits(run.buffers[n]) == _bits(inputs_of(contract, run.case)[n]) for run in (one, other)]
            differ &= ~(alone[0] & alone[1])
        if differ.any():
            return False
    return True


def _bits(array: Array) -> Array:
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(f"u{flat.itemsize}")


def _shows(contract: Contract, source: Build, target: Build, name: str, expected: RunResult) -> str:
    """How the target differs where an array that the source does not look at is full of NaN, "" if not."""
    full = expected.case
    (actual,) = target.run([full], limits=BRIEF)
    how = agree(contract, source, expected, actual) if actual.ok else None
    if how is not None and how.ok:
        return ""
    why = actual.describe() if how is None else how.summary
    return f"{contract.entry} ({full.describe()}), {name} all NaN, which the source does not look at: {why}"


def _by_zeros(contract: Contract) -> list[Case]:
    """The first case, and the first of those in which other floats among the scalars are zero: a factor of
    zero takes numbers away, but not NaN."""
    found: dict[tuple[bool, ...], Case] = {}
    for case in contract.cases:
        if not case.all_given:
            floats = (value for _, value in case.scalars if isinstance(value, float))
            found.setdefault(tuple(value == 0.0 for value in floats), case)
    return list(found.values())[:_MOST]
