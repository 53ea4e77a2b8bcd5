"""How far the source's own results move: under perturbations of its inputs by rounding units, and rounded
otherwise. `compare.py` says what follows for the error that a target may have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from xpiler.gate.arrays import Array, Float64Array, decode, unit_roundoff
from xpiler.gate.contract import Argument, Case, Contract
from xpiler.gate.execute import Build, RunResult, Variant, build
from xpiler.gate.inputs import inputs_of, perturbed
from xpiler.gate.used_types import contract_in, result_in
from xpiler.ir.types import F32

_ROUNDS_FOR_INTEGERS = 16  # an integer changes in some of them only
_ROUNDS_OF_UNITS = 10  # of those
_AT_THE_EDGE = 0.05  # the part of integers that may change under perturbations
# The same inputs with every operation rounded otherwise: what is computed exactly does not change.
_AT_THE_EDGE_OF_ROUNDING = 0.75
_SEVERAL = 4.0  # times what an integer moved, where that is more than from one to the next: as with floats
_FAR, _NOISY = 16.0, 1 / 64  # of bytes, and the part of them that is noise
_ROUNDS = 4  # perturbed runs of the source a case: in fewer, moves cancel in some element
_LONG_SUM = 4096

Spread = Mapping[str, Float64Array]


def measure_spreads(
    contract: Contract, source: Build, expected: Sequence[RunResult], *, of_floats: bool = False
) -> list[Spread]:
    """How far each float output of the source moves under perturbations of the size of the accumulation's
    rounding, for each of its results; and, unless it is asked of floats alone, which integers of it change
    with them: for that the source runs many times.
    """
    what, measure = ("spread of floats", _spreads_of_floats) if of_floats else ("spread", _fresh_spreads)
    return _measured(what, measure, contract, source, expected)


_T = TypeVar("_T")


def _measured(
    what: str,
    measure: Callable[[Contract, Build, Sequence[RunResult]], list[_T]],
    contract: Contract,
    source: Build,
    expected: Sequence[RunResult],
) -> list[_T]:
    """What was measured of the source's results; of each of them once, as the same run gives the same."""
    plain = replace(contract, cases=())
    keys = [(what, plain, r.case, r.variant, *map(_fingerprint, r.buffers.values())) for r in expected]
    new = {k: r for k, r in zip(keys, expected, strict=True) if k not in source.measured}
    source.measured.update(zip(new, measure(contract, source, list(new.values())), strict=True))
    return [source.measured[k] for k in keys]


def _fingerprint(data: Array) -> int:
    return hash(data.tobytes())


def _spreads_of_floats(contract: Contract, source: Build, expected: Sequence[RunResult]) -> list[Spread]:
    runs, sizes = _perturbed_runs(contract, source, expected, _ROUNDS)
    return [_spread(contract, r, runs[i], sizes[i]) for i, r in enumerate(expected)]


def _perturbed_runs(
    contract: Contract, source: Build, expected: Sequence[RunResult], rounds: int
) -> tuple[list[list[RunResult]], list[float]]:
    """For each result the runs on other inputs, and the relative size of one rounding unit of these."""
    jobs = []
    for result in expected:
        base = inputs_of(contract, result.case)
        strengths = _strengths(contract, result.case, rounds)
        jobs += [
            (result.case, *perturbed(contract, result.case, base, round, strength))
            for round, strength in enumerate(strengths)
        ]
    runs = source.run([case for case, _, _ in jobs], inputs=[data for _, data, _ in jobs]) if jobs else []
    starts = range(0, len(jobs), rounds)
    return [list(runs[start : start + rounds]) for start in starts], [jobs[start][2] for start in starts]


def _fresh_spreads(contract: Contract, source: Build, expected: Sequence[RunResult]) -> list[Spread]:
    outputs = [a for result in expected for a in contract_in(contract, result.case).outputs]
    if all(a.dtype.is_float for a in outputs):
        return _spreads_of_floats(contract, source, expected)
    runs, sizes = _perturbed_runs(contract, source, expected, _ROUNDS_FOR_INTEGERS)
    fused = _recontracted(contract, source, expected)
    directed = source.run([r.case for r in expected], variants=_DIRECTED)
    exact = [source.run([r.case], variants=(Variant(trapped="exact"),))[0].ok for r in expected]
    return [
        _unmoved(contract, r)
        if exact[i]
        else _spread(contract, r, runs[i], sizes[i], [*fused.get(i, ()), *directed[2 * i : 2 * i + 2]])
        for i, r in enumerate(expected)
    ]


def _strengths(contract: Contract, case: Case, rounds: int) -> list[float]:
    """Of the perturbations of a case: where integers are compared, the later ones are as large as the error
    that a float may have."""
    as_errors = 4 * np.sqrt(sum_length(contract, case))
    return [1.0 if round < _ROUNDS_OF_UNITS else as_errors for round in range(rounds)]


def _unmoved(contract: Contract, expected: RunResult) -> Spread:
    """Of a result that nothing was rounded for: `x > t` has one answer."""
    outputs, result = contract_in(contract, expected.case).outputs, result_in(contract, expected)
    return {a.name: np.zeros(result.buffers[a.name].shape) for a in outputs}


_DIRECTED = (Variant(rounding="up"), Variant(rounding="down"))


@dataclass(frozen=True)
class Roundings:
    """What the source gives when it rounds otherwise, by output: how far apart its results are, rounded up
    and down, and those with products and sums contracted."""

    distance: Spread
    contracted: Mapping[str, Float64Array]


def measure_roundings(contract: Contract, source: Build, expected: Sequence[RunResult]) -> list[Roundings]:
    """Of each of the source's results."""
    return _measured("rounding", _fresh_roundings, contract, source, expected)


def _fresh_roundings(contract: Contract, source: Build, expected: Sequence[RunResult]) -> list[Roundings]:
    if not expected:
        return []
    runs = source.run([result.case for result in expected], variants=_DIRECTED)
    fused = _recontracted(contract, source, expected)
    return [
        Roundings(
            _distance(contract, *runs[2 * i : 2 * i + 2]),
            _floats_of(contract, fused.get(i, ())),
        )
        for i in range(len(expected))
    ]


def _floats_of(contract: Contract, runs: Sequence[RunResult]) -> dict[str, Float64Array]:
    """The floats that runs of one case give, the last one's where there are several."""
    return {
        a.name: decode(run.buffers[a.name], a.dtype)
        for run, typed in ((result_in(contract, run), contract_in(contract, run.case)) for run in runs)
        for a in typed.outputs
        if a.dtype.is_float and a.name in run.buffers
    }


def _distance(contract: Contract, up: RunResult, down: RunResult) -> Spread:
    typed = contract_in(contract, up.case)
    up, down = (result_in(contract, run) for run in (up, down))
    contract = typed
    distance: dict[str, Float64Array] = {}
    for argument in contract.outputs:
        if argument.dtype.is_float and argument.name in up.buffers and argument.name in down.buffers:
            ends = [decode(run.buffers[argument.name], argument.dtype) for run in (up, down)]
            with np.errstate(invalid="ignore"):
                between = np.abs(ends[0] - ends[1])
            distance[argument.name] = np.where(np.isfinite(between), between, 0.0)
    return distance


def _recontracted(
    contract: Contract, source: Build, expected: Sequence[RunResult]
) -> dict[int, list[RunResult]]:
    """The source with its products and sums contracted, as a GPU's compiler does unless told not to, or not,
    where they are by themselves: an integer that a float is truncated to may differ by that alone, and what
    is too large for a float, or no number."""
    built = build(source.text, source.file, source.platform, contract, recontracted=True)
    if not source.text or not built.ok:
        return {}
    return {i: [run] for i, run in enumerate(built.run([result.case for result in expected]))}


def _spread(
    contract: Contract,
    expected: RunResult,
    perturbed_runs: Sequence[RunResult],
    size: float,
    rounded_otherwise: Sequence[RunResult] = (),
) -> Spread:
    typed = contract_in(contract, expected.case)
    perturbed_runs = [result_in(contract, run) for run in perturbed_runs]
    rounded_otherwise = [result_in(contract, run) for run in rounded_otherwise]
    contract, expected = typed, result_in(contract, expected)
    # Inputs of 16 bits move by more than the accumulation rounds: scale the effect down.
    scale = min(1.0, 2 * accumulation_unit(contract) / size) if size else 1.0
    spread: dict[str, Float64Array] = {}
    for argument in contract.outputs:
        if not argument.dtype.is_float:
            rounded = _changes(argument, expected, rounded_otherwise, _AT_THE_EDGE_OF_ROUNDING)
            # Many are at an edge by rounding alone: there the direction of each operation decides by itself.
            most = _AT_THE_EDGE if _are_few(rounded, _AT_THE_EDGE) else _AT_THE_EDGE_OF_ROUNDING
            moved = _changes(argument, expected, perturbed_runs, most)
            moves = np.maximum(rounded, moved)
            noise = _is_noise(argument, expected, rounded_otherwise)
            spread[argument.name] = np.where(noise, np.inf, np.where(moves > 1, _SEVERAL * moves, moves))
            continue
        reference = decode(expected.buffers[argument.name], argument.dtype)
        widest = np.zeros_like(reference)
        for run in (*perturbed_runs[:_ROUNDS_OF_UNITS], *rounded_otherwise):
            if argument.name not in run.buffers:
                continue
            with np.errstate(invalid="ignore"):
                difference = np.abs(decode(run.buffers[argument.name], argument.dtype) - reference)
            widest = np.maximum(widest, np.where(np.isfinite(difference), difference, 0) * scale)
        written = np.isfinite(reference)
        # Moves may cancel in every draw: no element counts as better conditioned than the typical one.
        typical = float(np.median(widest[written])) if written.any() else 0.0
        spread[argument.name] = np.maximum(widest, typical)
    return spread


def _changes(argument: Argument, expected: RunResult, runs: Sequence[RunResult], most: float) -> Float64Array:
    """How far each integer moves: by 0, except where a float that was rounded to it lies at the edge of two
    integers. If more than a part of `most` do, in one run or in all together, that says nothing about any of
    them."""
    reference = decode(expected.buffers[argument.name], argument.dtype)
    widest = np.zeros_like(reference)
    for run in runs:
        if argument.name in run.buffers:
            moved = np.abs(decode(run.buffers[argument.name], argument.dtype) - reference)
            widest = np.maximum(widest, moved) if _are_few(moved, most) else widest
    return widest if _are_few(widest, most) else np.zeros_like(reference)


def _is_noise(argument: Argument, expected: RunResult, rounded_otherwise: Sequence[RunResult]) -> bool:
    """Whether rounding alone moves some bytes by a sixteenth of their range: floats near an edge of two bytes
    move them by one."""
    if argument.dtype.bits != 8:
        return False
    reference = decode(expected.buffers[argument.name], argument.dtype)
    runs = [decode(run.buffers[argument.name], argument.dtype) for run in rounded_otherwise]
    moves = np.max([np.abs(run - reference) for run in runs], axis=0, initial=0.0)
    return bool(np.count_nonzero(moves >= _FAR) > _NOISY * moves.size)


def _are_few(moves: Float64Array, most: float) -> bool:
    return bool(np.count_nonzero(moves > 0) <= most * moves.size)


def sum_length(contract: Contract, case: Case) -> int:
    """Of sums, as far as errors of their rounding are concerned."""
    return max(16, contract.reduction_length or _longest_sum(case))


def _longest_sum(case: Case) -> int:
    """Where nobody knows: the longest array up to 4096 elements, or the largest number that can be a size of
    an array: one that is larger than all of them (a seed) is none."""
    longest = max((extent for _, extent in case.extents), default=0)
    sizes = [value for _, value in case.scalars if isinstance(value, int) and value <= longest]
    return max(min(_LONG_SUM, longest), *sizes, 0)


def accumulation_unit(contract: Contract) -> float:
    """The unit roundoff of sums: of the declared accumulator, else f64 if every float is f64, else f32."""
    if contract.accumulator is not None:
        return unit_roundoff(contract.accumulator)
    floats = {a.dtype.name for a in contract.arguments if a.dtype.is_float}
    return unit_roundoff(F32) if floats != {"f64"} else 2.0**-53
