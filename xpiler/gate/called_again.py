"""What a call leaves behind for the next one: a counter that nobody sets back, memory that is kept and not
cleared. Each case has a process of its own, in which every call is the first.

    if (last_block) { out[0] = sum; done = 0; }    target:  if (last_block) out[0] = sum;
"""

from __future__ import annotations

import time

from xpiler.gate.compare import agree
from xpiler.gate.contract import Contract
from xpiler.gate.evidence import Rung
from xpiler.gate.execute import Build, Variant
from xpiler.gate.verify import BRIEF, SourceRuns

_AGAIN = (Variant(again=True),)


def called_again(contract: Contract, source: Build, runs: SourceRuns, target: Build) -> list[Rung]:
    """A failed rung if the target's second call gives something else than its first one, where the source's
    gives the same; nothing else."""
    start = time.perf_counter()
    case, once = contract.cases[0], runs.forward[0]
    (meant,) = source.run([case], variants=_AGAIN, limits=BRIEF)
    if not meant.ok or not agree(contract, source, once, meant).ok:
        return []
    (found,) = target.run([case], variants=_AGAIN)
    outcome = agree(contract, source, once, found) if found.ok else None
    if found.took_too_long or (outcome is not None and outcome.ok):
        return []
    why = found.describe() if outcome is None else outcome.summary
    detail = f"{contract.entry} ({case.describe()}), called a second time: {why}"
    return [Rung("executed", False, target.tool, detail, time.perf_counter() - start)]
