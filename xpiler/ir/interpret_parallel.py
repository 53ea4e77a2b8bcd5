"""Loops with independent iterations, run as lanes: every iteration of every lane becomes a lane of its own.

That makes canonical programs as fast as kernels, and the checks for races test the claim of independence:
iterations are threads that nothing orders, the end of the loop is a barrier.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from xpiler.errors import Refusal
from xpiler.ir.interpret_native import Native
from xpiler.ir.interpret_state import (
    BLOCK_BITS,
    EPOCH_BITS,
    EPOCH_MASK,
    THREAD_BITS,
    THREAD_MASK,
    Evaluate,
    Lanes,
    Run,
    State,
    lane_code,
)
from xpiler.ir.nodes import Barrier, Collective, Const, Decl, For, LoopKind, Return
from xpiler.ir.rewrite import uses, walk

MOST_LANES = 1 << 18  # lanes that run at a time
_FEWEST_LANES = 1 << 10
_MOST_ELEMENTS = 1 << 24  # of the arrays that these lanes have of their own


@functools.lru_cache(maxsize=256)
def is_independent(loop: For) -> bool:
    """Whether the body leaves nothing in scalars for later, so that each iteration may have its own."""
    found = uses(loop.body)
    if found.vars_assigned - found.vars_declared:
        return False
    return not any(isinstance(n, (Barrier, Collective, Return)) for n in walk(loop.body))


def run_parallel(loop: For, body: Run, bounds: list[Evaluate], numeric: Native) -> Run:
    kind: Any = np.dtype(numeric.value_type(loop.dtype)).type
    names = uses(loop.body).vars_read
    most = max(_FEWEST_LANES, min(MOST_LANES, _MOST_ELEMENTS // _own_elements(loop)))

    def run(state: State, lanes: Lanes) -> Lanes:
        start, stop, step = (np.asarray(b(state, lanes)).astype(np.int64) for b in bounds)
        if (step <= 0).any():
            raise Refusal("loop-step", f"the step of loop {loop.var} is not positive", loop.range)
        parents = state.numbers(lanes)
        trips = np.broadcast_to(np.maximum(-((start - stop) // step), 0), (parents.size,))
        ends = np.cumsum(trips)
        total = int(ends[-1])
        level = _child_level(state, loop)
        alone = state.level == 0 and state.count == 1  # no other blocks that run beside this one
        own = _is_a_threads_own(state, loop, total)
        if not own:
            if state.clock.joined:
                _synchronise(state, alone)
            state.clock.joined = True
        epoch = state.clock.epoch
        for first in range(0, total, most):
            numbers = np.arange(first, min(first + most, total))
            row = np.searchsorted(ends, numbers, side="right")
            iteration = numbers - (ends - trips)[row]
            values = _at(start, row) + iteration * _at(step, row)
            child = _child(state, names, parents[row], level)
            child.vars[loop.var] = values.astype(kind)
            if not own:
                child.vars["@code"] = _codes(state, child, numbers, level, epoch)
            state.clock.tick()
            body(child, None)
        if not own:
            state.clock.joined = loop.waits
            if loop.waits:
                _synchronise(state, alone)
        return lanes

    return run


def _own_elements(loop: For) -> int:
    """Elements of the arrays that each iteration has of its own, as far as they are known."""
    declared = (d for d in walk(loop.body) if isinstance(d, Decl))
    return max(1, sum(prod(int(e.value) for e in d.shape if isinstance(e, Const)) for d in declared))


def _is_a_threads_own(state: State, loop: For, turns: int) -> bool:
    """An instruction on vectors of one thread among others, or a loop within what counts as a thread: its
    lanes are that thread, and it orders nothing that the others do. Checks tell apart blocks and threads, and
    nothing within threads; of loops that are shared out together (`collapse(3)`) all inner ones make threads.
    """
    if state.level >= 2:
        together = loop.kind is LoopKind.PARALLEL and state.launch.threads == 1
        return not together or turns >= THREAD_MASK
    return loop.kind is LoopKind.VECTOR and state.level == 0 and state.launch.threads > 1


def _at(value: Any, row: Any) -> Any:
    return value[row] if value.ndim else value


def _child_level(state: State, loop: For) -> int:
    return 1 if state.level == 0 and loop.kind is LoopKind.PARALLEL else 2


def _child(state: State, names: frozenset[str], parents: Any, level: int) -> State:
    kept = {n: v for n, v in state.vars.items() if n in names or n.startswith("@")}
    variables = {n: v[parents] if isinstance(v, np.ndarray) else v for n, v in kept.items()}
    undefined = {n: v[parents] for n, v in state.undefined.items() if n in names}
    return replace(
        state,
        count=parents.size,
        vars=variables,
        undefined=undefined,
        breaks=[],
        continues=[[]],  # a lane is an iteration: after `continue` nothing of it is left
        ended=None,
        level=level,
    )


def _codes(state: State, child: State, numbers: Any, level: int, epoch: int) -> Any:
    """Iterations of an outer parallel loop are the blocks, those of one within it the threads."""
    if level == 1:
        return lane_code(numbers, epoch, 0)
    block = child.of_lanes("@code", None) >> (EPOCH_BITS + THREAD_BITS) & ((1 << BLOCK_BITS) - 1)
    return lane_code(block, epoch, numbers + 1)


def _synchronise(state: State, everybody: bool) -> None:
    """All that was done before is ordered before what follows, for the lanes of each block or for all."""
    epoch = state.clock.next_epoch()
    if everybody:
        state.clock.grid_epoch = epoch
    code = state.vars["@code"]
    state.vars["@code"] = (code & ~(EPOCH_MASK << THREAD_BITS)) | (epoch << THREAD_BITS)
