"""Races between the iterations of loops that a target's OpenMP threads share out.

    #pragma omp parallel for
    for (...) if (keep[i]) count[0] += 1;       two threads may read the same count

Executing seldom shows them: sizes are small, thresholds are not reached, updates are short. The checker looks
at which elements iterations access, as `xpiler check` does.
"""

from __future__ import annotations

import time

from xpiler.frontend.unit import Unit
from xpiler.gate.evidence import Rung
from xpiler.symbolic.check import Options, check_kernel
from xpiler.symbolic.findings import ERROR
from xpiler.symbolic.hosts import Hosts

_SECONDS = 3.0  # of processor time
_TOOL = "index analysis"


def thread_races(name: str, unit: Unit) -> list[Rung]:
    """The rung for a race in the function `name` of the target; none where none was found."""
    start = time.thread_time()
    for kernel in unit.program.kernels:
        if name not in (kernel.name, kernel.template):
            continue
        options = Options(seconds=_SECONDS, prove=True)
        _, found = check_kernel(unit, kernel, options, start + _SECONDS, Hosts.of(unit))
        race = next((f for f in found if f.code == "XP-RACE" and f.severity == ERROR), None)
        if race is not None:
            detail = f"{race.range}: {race.message}"
            return [Rung("sanitized", False, _TOOL, detail, time.thread_time() - start)]
    return []
