"""Which kernels of an entry none of its source's runs has launched: whatever a target makes of them, no run
shows it.

    if (mode == 70707) rare<<<grid, block>>>(x, y);        only the runs know whether data and sizes came here
"""

from __future__ import annotations

from xpiler.frontend.unit import Unit
from xpiler.gate.entries import Entry
from xpiler.gate.execute import Build
from xpiler.gate.launched import LaunchedKernels, spellings
from xpiler.gate.trace import read_trace
from xpiler.gate.verify import SourceRuns


def unlaunched(unit: Unit, entry: Entry, build: Build, runs: SourceRuns) -> tuple[str, ...]:
    """As launches spell them, those without IR among them."""
    kernels = {kernel.name: kernel for kernel in unit.program.kernels if kernel.name in entry.kernels}
    known = LaunchedKernels(unit, kernels, build.others)
    left = [*kernels, *entry.missing]
    for result in runs.forward:
        if not left:
            break
        left = known.waiting(left, read_trace(result).launches)
    return spellings(unit, left)
