"""Indices that do not fit their type for the sizes of a run.

int i = row * cols + col;      rows = cols = 100000:  row * cols reaches 9999900000, beyond 2147483647
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from xpiler.ir.affine import bounds, linear
from xpiler.ir.affine_form import Affine, FloorDiv, Mod
from xpiler.ir.build import int_limits
from xpiler.ir.interpret_log import Event
from xpiler.ir.interpret_state import BLOCK_BITS, EPOCH_BITS, THREAD_BITS, THREAD_MASK
from xpiler.ir.nodes import Binary, Cast, Expr, For, Function, Load, Ref, Var
from xpiler.ir.rewrite import substitute, walk
from xpiler.symbolic.shape import AXES
from xpiler.symbolic.trial import Trial, block_numbers


def too_wide(place: Load | Ref, defined: Mapping[str, Expr], trial: Trial) -> tuple[Expr, int] | None:
    """The smallest part of an index that leaves its type, and the value that it would reach."""
    ranges: dict[str, tuple[int, int]] = {
        name: (int(value), int(value)) for name, value in trial.scalars.items() if isinstance(value, int)
    }
    for kind, extents in (("threadIdx", trial.block), ("blockIdx", trial.grid)):
        ranges |= {f"{kind}.{a}": (0, e - 1) for a, e in zip(AXES, extents, strict=True)}
    for kind, extents in (("blockDim", trial.block), ("gridDim", trial.grid)):
        ranges |= {f"{kind}.{a}": (e, e) for a, e in zip(AXES, extents, strict=True)}
    parts = place.index if isinstance(place, Load) else (place.offset,)
    found: tuple[Expr, int] | None = None
    for node in (n for part in parts for n in walk(substitute(part, defined))):
        if not isinstance(node, Binary) or not node.dtype.is_integer or node.op not in ("+", "-", "*", "<<"):
            continue
        form = linear(node)
        high = bounds(form, ranges)[1] if form is not None else None
        if high is not None and high > int_limits(node.dtype)[1]:
            found = node, high  # the walk goes inwards: the last is the smallest
    return found


def narrow_counters(
    kernel: Function, defined: Mapping[str, Expr], trial: Trial
) -> Iterator[tuple[For, Expr, int]]:
    """Loops whose counter never gets to its end, as its type does not hold that: `int i < n` with `size_t n`.
    With each the end, and its value."""
    sizes = {
        name: (int(value), int(value)) for name, value in trial.scalars.items() if isinstance(value, int)
    }
    for loop in walk(kernel.body):
        if not isinstance(loop, For) or not isinstance(loop.stop, Cast):
            continue
        stop = loop.stop.operand
        form = linear(substitute(stop, defined))
        low = bounds(form, sizes)[0] if form is not None and form.variables() <= sizes.keys() else None
        if low is not None and low > int_limits(loop.dtype)[1] and stop.dtype.bits > loop.dtype.bits:
            yield loop, stop, low


def may_be_wide(trial: Trial) -> bool:
    """Whether the sizes of a trial are such that a product of two exceeds 31 bits."""
    x, y, z = trial.grid
    threads = x * y * z * trial.block[0] * trial.block[1] * trial.block[2]
    sizes = sorted([threads, *(int(v) for v in trial.scalars.values() if isinstance(v, int))])
    return sizes[-1] * (sizes[-2] if len(sizes) > 1 else 1) > 1 << 31


def beyond_signed(event: Event) -> bool:
    """Whether a lane uses an element that no signed 32-bit index reaches."""
    size = event.memory.data.itemsize
    return bool(event.granules.size) and int(event.granules.max()) * event.memory.granule // size >= 1 << 31


def element_of(event: Event, row: int) -> int:
    return int(event.granules[row, 0]) * event.memory.granule // event.memory.data.itemsize


def wrapped(
    event: Event, place: Load | Ref, defined: Mapping[str, Expr], trial: Trial
) -> tuple[int, int] | None:
    """The first lane whose element is not the one that the index means, and the one that it means."""
    parts = place.index if isinstance(place, Load) else (place.offset,)
    form = linear(substitute(parts[0], defined)) if len(parts) == 1 else None
    if form is None or event.level:
        return None
    meant = _evaluate(form, _variables(event, trial))
    if meant is None:
        return None
    elements = event.granules[:, 0] * event.memory.granule // event.memory.data.itemsize
    wrong = np.flatnonzero(np.broadcast_to(meant, elements.shape) != elements)
    if not wrong.size:
        return None
    return int(wrong[0]), int(np.broadcast_to(meant, elements.shape)[wrong[0]])


def meant(
    place: Load | Ref, defined: Mapping[str, Expr], trial: Trial, values: Mapping[str, int]
) -> int | None:
    """The index of one thread with these values, by an arithmetic that is wide enough."""
    parts = place.index if isinstance(place, Load) else (place.offset,)
    form = linear(substitute(parts[0], defined)) if len(parts) == 1 else None
    if form is None:
        return None
    known: dict[str, Any] = {n: int(v) for n, v in trial.scalars.items() if isinstance(v, int)}
    known |= _dimensions(trial) | dict(values)
    found = _evaluate(form, known)
    return int(found) if found is not None else None


def _dimensions(trial: Trial) -> dict[str, int]:
    return {
        f"{kind}.{axis}": extent
        for kind, extents in (("blockDim", trial.block), ("gridDim", trial.grid))
        for axis, extent in zip(AXES, extents, strict=True)
    }


def _variables(event: Event, trial: Trial) -> dict[str, Any]:
    """Of all lanes of an event, as wide integers."""
    values: dict[str, Any] = {n: int(v) for n, v in trial.scalars.items() if isinstance(v, int)}
    thread = event.codes & THREAD_MASK
    block = block_numbers(trial, event.codes >> (EPOCH_BITS + THREAD_BITS) & ((1 << BLOCK_BITS) - 1))
    for kind, number, extents in (("threadIdx", thread, trial.block), ("blockIdx", block, trial.grid)):
        for axis, extent in zip(AXES, extents, strict=True):
            values[f"{kind}.{axis}"] = number % extent
            number = number // extent
    values |= _dimensions(trial)
    for name, value in event.shown.items():
        if isinstance(value, np.ndarray) and value.ndim:
            values[name] = (value if event.lanes is None else value[event.lanes]).astype(np.int64)
        else:
            values[name] = int(value)
    return values


def _evaluate(form: Affine, values: Mapping[str, Any]) -> Any:
    """The form as 64-bit integers; None if it has more than variables."""
    total: Any = np.int64(0)
    for monomial, factor in form.terms:
        term: Any = np.int64(factor)
        for atom in monomial:
            if isinstance(atom, (FloorDiv, Mod)):
                operand, divisor = _evaluate(atom.operand, values), _evaluate(atom.divisor, values)
                if operand is None or divisor is None or not np.all(divisor > 0):
                    return None
                term = term * (operand // divisor if isinstance(atom, FloorDiv) else operand % divisor)
            elif isinstance(atom, Var) and atom.name in values:
                term = term * values[atom.name]
            else:
                return None
        total = total + term
    return total
