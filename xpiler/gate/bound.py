"""The arguments of a traced launch, one for each parameter of the kernel.

struct Task { const float *x; float *y; int n; float weights[2]; };
__global__ void filter(Task t, float scale);

(bytes of a Task, 0.5)  -->  (memory, memory, 1000, 0.25, 0.75, 0.5)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xpiler.gate.arrays import decode, storage
from xpiler.gate.trace import Argument, Memory, Structure
from xpiler.ir.nodes import Function, Param

Bound = Memory | int | float | None


def bind(kernel: Function, arguments: Sequence[Argument]) -> tuple[Bound, ...] | None:
    """What the parameters of `kernel` are; None if a launch with these arguments is none of it."""
    bound: list[Bound] = []
    taken: set[int] = set()
    for position, param in enumerate(kernel.params):
        place = param.argument if param.argument >= 0 else position
        if place >= len(arguments):
            return None
        taken.add(place)
        value = arguments[place]
        if isinstance(value, Structure):
            if param.offset + _size(param) > len(value.data):
                return None
            bound.append(_part(param, value))
        elif param.member or param.is_pointer != (value is None or isinstance(value, Memory)):
            return None
        else:
            bound.append(value)
    rest = (value for place, value in enumerate(arguments) if place not in taken)
    if any(not isinstance(value, Structure) for value in rest):  # a struct without members has no parameter
        return None
    return tuple(bound)


def _size(param: Param) -> int:
    return 8 if param.is_pointer else param.dtype.bytes


def _part(param: Param, value: Structure) -> Bound:
    data = value.data[param.offset : param.offset + _size(param)]
    if param.is_pointer:
        return dict(value.pointers).get(param.offset)
    stored = np.frombuffer(data, storage(param.dtype))
    return float(decode(stored, param.dtype)[0]) if param.dtype.is_float else int(stored[0])
