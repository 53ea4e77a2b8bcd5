"""Data among which the integers of a launch are, where a kernel may ask for one of them.

    if (level[v] != depth) return;        data in 0, 1, depth, a little less, a little more

Random data rarely equal an argument, so that what stands behind the question would never be seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from xpiler.gate.arrays import Array, storage
from xpiler.gate.observe import Buffer, Fill, Observation, Pointer, Step, observe
from xpiler.ir.build import int_limits
from xpiler.ir.data_guards import written_by_data
from xpiler.ir.types import DType

_MARKS = (-1, 0, 1, 2)
_ELEMENTS = 1 << 16
_SEED = 77


def where_equal(
    steps: Sequence[Step | Fill],
    buffers: Mapping[str, Buffer],
    seen: Observation,
    picks: Collection[str] = (),
) -> Observation:
    """What was seen, and what such data show where none yet led to a write that data decide on. `picks`:
    buffers that hold indices, which may be needed further than they were."""
    run = [step for step in steps if isinstance(step, Step)]
    places = [
        (param, value.key, param.name in written_by_data(step.kernel))
        for step in run
        for param, value in zip(step.kernel.params, step.arguments, strict=False)
        if isinstance(value, Pointer)
    ]
    free = {
        key: param.dtype
        for param, key, _ in places
        if buffers[key].contents is None and param.dtype.is_integer
    }
    hidden = any(is_decided and not seen.reach[key].written for _, key, is_decided in places)
    if not seen.clean or not hidden or not free:
        return seen
    given = {v for step in run for v in step.arguments if isinstance(v, int)}
    integers = sorted({*_MARKS, *(v + d for v in given for d in (-1, 0, 1))})
    drawn = {key: replace(buffers[key], contents=_drawn(free[key], integers)) for key in free}
    for key in picks:
        if (known := buffers[key].contents) is not None:
            drawn[key] = replace(buffers[key], contents=np.resize(known, _ELEMENTS))
    again = observe(steps, {**buffers, **drawn})
    return seen.joined(again) if again.clean else seen


def _drawn(dtype: DType, integers: Sequence[int]) -> Array:
    """Elements that are each one of the integers that the type holds."""
    low, high = int_limits(dtype)
    choices = np.array([i for i in integers if low <= i <= high], storage(dtype))
    return np.random.default_rng(_SEED).choice(choices, _ELEMENTS)
