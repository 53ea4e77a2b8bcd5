"""Infinities and NaN among the data: whether the target passes them on as the source does.

A target that is right on all numbers may still differ here, as `x > 0 ? x : 0` and `x < 0 ? 0 : x` do for
NaN, and hardware may differ from what any text says. So this decides nothing: a difference is shown as
undecided. Only where a kernel of the source itself asks (`isnan(x) ? 0 : x`) its answer is what is meant.
"""

from __future__ import annotations

import time
from dataclasses import replace

from xpiler.gate.compare import agree
from xpiler.gate.contract import Case, Contract, Role
from xpiler.gate.evidence import Rung
from xpiler.gate.execute import BOTH_ENDS, Build
from xpiler.gate.verify import BRIEF
from xpiler.ir.nodes import Call, Function
from xpiler.ir.rewrite import walk

_SEED = 7001
_QUESTIONS = ("isnan", "isinf", "isfinite")
_TOOL = "infinities and NaN"
_MOST = 4  # cases


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
    for case in _by_zeros(contract):
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


def _by_zeros(contract: Contract) -> list[Case]:
    """The first case, and the first of those in which other floats among the scalars are zero: a factor of
    zero takes numbers away, but not NaN."""
    found: dict[tuple[bool, ...], Case] = {}
    for case in contract.cases:
        if not case.all_given:
            floats = (value for _, value in case.scalars if isinstance(value, float))
            found.setdefault(tuple(value == 0.0 for value in floats), case)
    return list(found.values())[:_MOST]
