"""The launches of a run as settings at which other forms of the same kernels can be run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from xpiler.gate.observe import Buffer, Fill, Observation, Pointer, Step, extent_of, uninitialised_globals
from xpiler.symbolic.settings import Setting

_EACH = 2  # launches of one kernel in one run


def settings_of(
    steps: Iterable[Step | Fill], buffers: Mapping[str, Buffer], reach: Observation
) -> dict[str, list[Setting]]:
    """By kernel: sizes, launch, extents and contents of index arrays."""
    found: dict[str, list[Setting]] = {}
    for step in steps:
        if isinstance(step, Step) and len(found.get(step.kernel.name, ())) < _EACH:
            found.setdefault(step.kernel.name, []).append(_setting(step, buffers, reach))
    return found


def _setting(step: Step, buffers: Mapping[str, Buffer], observation: Observation) -> Setting:
    scalars: dict[str, int | float | bool] = {}
    extents = {decl.name: extent_of(decl) for decl in uninitialised_globals(step.kernel)}
    contents: dict[str, Any] = {}
    for param, value in zip(step.kernel.params, step.arguments, strict=False):
        if isinstance(value, Pointer):
            buffer, used = buffers[value.key], observation.reach.get(value.key)
            size = buffer.size if buffer.size is not None else used.high if used else 0
            extents[param.name] = max(1, (size - value.offset) // param.dtype.bytes)
            if buffer.contents is not None and param.dtype.is_integer:
                data = np.ascontiguousarray(buffer.contents).view(np.uint8).reshape(-1)[value.offset :]
                whole = data[: data.size // param.dtype.bytes * param.dtype.bytes]
                contents[param.name] = whole.view(f"i{param.dtype.bytes}")
        elif not param.is_pointer:
            scalars[param.name] = 0 if value is None else value
    launch = step.launch
    return Setting(scalars, extents, launch.grid, launch.block, launch.shared_bytes, contents)
