"""Whether what lies in scratchpads beforehand can be seen in what a kernel computes.

    __memcpy(a, x, n * sizeof(float), GDRAM2NRAM);  __bang_mul(a, a, b, padded);  __bang_argmax(r, a, padded);

Kernels for MLUs compute on padded lengths: the lanes beyond are left from before. That is harmless where a
mask has made them zero, and a bug where they reach a result. A run with each of some contents tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from xpiler.errors import Refusal
from xpiler.ir.interpret import run
from xpiler.ir.interpret_native import Native
from xpiler.ir.nodes import Decl, Function, Space
from xpiler.ir.rewrite import walk
from xpiler.symbolic.findings import Found
from xpiler.symbolic.trial import STEPS, Frame, Observed, Trial, arguments_of, chosen_blocks

_FILLS = (0xFF, 0x41, 0xC1)  # NaN and -1; about 12 and -24, and large numbers of either sign


class _Leftover(Native):
    """The usual numbers, where memory is full of a byte before anything is written to it."""

    family = None  # closures know the byte

    def __init__(self, fresh: int) -> None:
        self.fresh = fresh


def without_harmless(
    found: list[Found], kernel: Function, seen: Observed, frame: Frame, deadline: float
) -> list[Found]:
    """The findings without reads of what scratchpads hold beforehand, where the trial shows that no result
    depends on it."""
    own = _scratchpads(kernel)
    reads = [f for f in found if f.code == "XP-UNINIT" and f.array in own]
    if not reads or not _leave_no_trace(kernel, seen.trial, frame, deadline, seen.cancelled):
        return found
    return [f for f in found if f not in reads]


def _scratchpads(kernel: Function) -> frozenset[str]:
    """The arrays of a core's own, which keep what was there before."""
    decls = (*kernel.globals, *(n for n in walk(kernel.body) if isinstance(n, Decl)))
    return frozenset(d.name for d in decls if d.space in (Space.NRAM, Space.WRAM))


def _leave_no_trace(
    kernel: Function, trial: Trial, frame: Frame, deadline: float, cancelled: Callable[[], bool]
) -> bool:
    """Whether the results of a trial are the same whatever scratchpads hold beforehand, bit by bit."""
    results = []
    for fill in _FILLS:
        arguments = arguments_of(kernel, trial, frame)
        try:
            done = run(
                kernel,
                arguments,
                trial.grid,
                trial.block,
                trial.shared_bytes,
                mode=_Leftover(fill),
                checks=False,
                step_limit=STEPS,
                seconds=max(0.05, deadline - time.thread_time()),
                blocks=chosen_blocks(trial.grid, trial.block),
                cancelled=cancelled,
            )
        except Refusal:
            return False
        if done.findings:
            return False
        arrays = {n: a.data for n, a in arguments.items() if not isinstance(a, (int, float))}
        results.append(arrays)
    first, *others = results
    return all(
        np.array_equal(value.view(np.uint8), other[name].view(np.uint8))
        for other in others
        for name, value in first.items()
    )
