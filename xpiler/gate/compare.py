"""Do two runs agree? Exactly for integers; for floats within a bound that follows from the source program
itself.

The bound of an output element is

    4 * sqrt(n) * spread  +  2 * sqrt(n) * u * |expected|  +  r * ulp_out * |expected|  +  n * tiny

with n the reduction length (16 at the least; where it is not known the largest extent up to 4096, or the
largest size), u the unit
roundoff of the accumulation and `spread` how far the source's own result moves when every float input moves
by up to three rounding units at random. The spread measures the conditioning of this very element together
with the source's own rounding noise (every rounding is drawn anew), whatever the operator is: no knowledge of
matrices or softmax is needed. The factor sqrt(n) allows for another order of summation. A float that is
replaced by a wrong one moves by its own size, thousands of times the spread: a dropped term of a sum fails.

Where that does not suffice the source also runs with every operation rounded up and with every one rounded
down, functions by two units more (`tanhf` is no better on a device), and with products and sums contracted
(not contracted, where the processor does it by itself). Inputs that move by their own rounding do not show
how an intermediate result is rounded when it is far larger than they are: the sum of a softmax in `p - 1`,
with p near 1, or `1 + tanh(x)` near 0. Twice the distance of the first two runs is allowed besides, yet no
more than a few roundings of the largest element of the output, and twice that of the contracted one (where
sums cancel to less than that, the largest such); an element may be the infinity or NaN that the latter has
there.

Integer outputs are compared bit by bit; one may differ by as much as the perturbations change that very one
in the source, where they change few (floats that are rounded to integers, at the edge of two) and anything is
rounded at all, or as much as other rounding does, where that leaves a quarter, and four times as much where
it is more than one. Bytes say nothing where rounding alone moves several of them by a sixteenth of their
range: a sum that cancels left noise, and which element it is does not matter. Where the data are small
integers and the source's results are whole, the comparison tightens to half a unit. NaN equals only NaN, an
infinity only itself, an element that the source never wrote only one that the target never wrote. What the
source copies out of device memory that it never wrote is not compared: it says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt

from xpiler.gate.arrays import (
    Float64Array,
    bits,
    decode,
    is_device_poison,
    smallest_normal,
    unit_roundoff,
)
from xpiler.gate.contract import Argument, Case, Contract, Role
from xpiler.gate.execute import Build, RunResult
from xpiler.gate.spreads import (
    Roundings,
    Spread,
    accumulation_unit,
    measure_roundings,
    measure_spreads,
    sum_length,
)
from xpiler.gate.used_types import contract_in, result_in
from xpiler.ir.nodes import RETURN

_FAST_MATH = 64.0  # `__expf` and its kind are good to about 2^-18 near 1
_ENOUGH_WRITTEN = 64  # elements that agreement says something about, however many there are beside them

_ROUNDINGS = 64.0  # of the largest element of an output: no more is excused by directed rounding

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Mismatch:
    """The first wrong element of an argument: where, what the source gave, what the target gave, the error
    allowed.
    """

    argument: str
    coordinates: tuple[int, ...]
    expected: float
    actual: float
    bound: float

    def __str__(self) -> str:
        place = "".join(f"[{index}]" for index in self.coordinates)
        allowed = f", allowed error {self.bound:.2g}" if self.bound else ""
        return (
            f"{self.argument}{place}: expected {_number(self.expected)}, got {_number(self.actual)}{allowed}"
        )


@dataclass(frozen=True)
class Comparison:
    """The verdict on one case. `ratio` is the largest error over its bound (passes up to 1), `max_error`
    absolute.

    `exact` says that all bits agree; `informative` is the share of outputs that are written, finite numbers,
    see `_informative`: near 0 the agreement means little. `summary` says it in words.
    """

    ok: bool
    exact: bool
    ratio: float
    max_error: float
    informative: float
    mismatch: Mismatch | None
    summary: str


def compare(
    contract: Contract,
    expected: RunResult,
    actual: RunResult,
    spread: Spread | None = None,
    rounding: Roundings | None = None,
) -> Comparison:
    """Compares all pointer arguments that the source may write. Both runs must have ended well."""
    typed = contract_in(contract, expected.case)
    expected, actual = (result_in(contract, run) for run in (expected, actual))
    contract = typed
    parts = [_compare_argument(contract, a, expected, actual, spread, rounding) for a in contract.outputs]
    if not parts:
        return Comparison(True, True, 0.0, 0.0, 0.0, None, "the entry has no outputs to compare")
    worst = max(parts, key=lambda part: (not part.ok, part.ratio))
    sizes = [
        0 if a.name == RETURN and len(parts) > 1 else expected.buffers[a.name].size for a in contract.outputs
    ]  # a number that is returned besides says nothing of the arrays
    informative = sum(p.informative * s for p, s in zip(parts, sizes, strict=True)) / max(sum(sizes), 1)
    failing = [part.summary for part in parts if not part.ok]
    return Comparison(
        not failing,
        all(part.exact for part in parts),
        worst.ratio,
        max(part.max_error for part in parts),
        informative,
        next((part.mismatch for part in parts if part.mismatch), None),
        "; ".join(failing) if failing else _praise(parts, worst),
    )


def agree(contract: Contract, source: Build, expected: RunResult, actual: RunResult) -> Comparison:
    """`compare`, measuring the source's spread when the result does not pass without it, and its rounding
    when it does not pass with that."""
    return agree_all(contract, source, [(expected, actual)])[0]


def agree_all(
    contract: Contract, source: Build, pairs: Sequence[tuple[RunResult, RunResult]]
) -> list[Comparison]:
    """`agree` for many pairs of an expected and an actual result; the source is run again once for those that
    need it. What follows on a pair that differs by more than any excuse counts as different unexcused.
    """
    verdicts = [compare(contract, expected, actual) for expected, actual in pairs]
    open_ones = [i for i, verdict in enumerate(verdicts) if not verdict.ok]
    if not _has_floats(contract, source):
        return verdicts
    for part in (open_ones[:1], open_ones[1:]):  # most that are wrong are so in the first
        _excuse(contract, source, pairs, part, verdicts)
        if part and not verdicts[part[0]].ok:
            break
    return verdicts


def _excuse(
    contract: Contract,
    source: Build,
    pairs: Sequence[tuple[RunResult, RunResult]],
    open_ones: Sequence[int],
    verdicts: list[Comparison],
) -> None:
    """Other verdicts for those pairs that the source's own spread and rounding excuse."""
    spreads: dict[int, Spread] = {}
    for of_floats in (True, False):
        some = [i for i in open_ones if _only_floats_differ(contract, *pairs[i]) is of_floats]
        cases = {id(pairs[i][0]): pairs[i][0] for i in some}
        measured = measure_spreads(contract, source, list(cases.values()), of_floats=of_floats)
        spreads |= zip(cases, measured, strict=True)
    for i in open_ones:
        expected, actual = pairs[i]
        verdicts[i] = compare(contract, expected, actual, spreads[id(expected)])
    still_open = [i for i in open_ones if not verdicts[i].ok and not _leaves_out(contract, *pairs[i])]
    cases = {id(pairs[i][0]): pairs[i][0] for i in still_open}
    roundings = dict(zip(cases, measure_roundings(contract, source, list(cases.values())), strict=True))
    for i in still_open:
        expected, actual = pairs[i]
        excused = compare(contract, expected, actual, spreads[id(expected)], roundings[id(expected)])
        verdicts[i] = excused if excused.ok else verdicts[i]


def _only_floats_differ(contract: Contract, expected: RunResult, actual: RunResult) -> bool:
    typed = contract_in(contract, expected.case)
    expected, actual = (result_in(contract, run) for run in (expected, actual))
    both = [(expected.buffers[a.name], actual.buffers[a.name]) for a in typed.outputs if not a.dtype.is_float]
    return all(np.array_equal(bits(want), bits(got)) for want, got in both)


def _leaves_out(contract: Contract, expected: RunResult, actual: RunResult) -> bool:
    """Whether floats were never written that the source writes, which no rounding excuses."""
    typed = contract_in(contract, expected.case)
    expected, actual = (result_in(contract, run) for run in (expected, actual))
    contract = typed
    outputs = [a for a in contract.outputs if a.dtype.is_float and a.role is Role.OUT]
    return any(
        bool(
            (
                actual.left_alone(a) & ~expected.left_alone(a) & ~is_device_poison(expected.buffers[a.name])
            ).any()
        )
        for a in outputs
        if a.name in actual.buffers
    )


def _has_floats(contract: Contract, source: Build) -> bool:
    inside = re.search(r"\b(?:float|double|half|__half)\d?\b", source.text) is not None
    return inside or any(argument.dtype.is_float for argument in contract.pointers)


def schedule_race(
    contract: Contract, forward: RunResult, reverse: RunResult, source: Build | None = None
) -> str | None:
    """How the order of threads changes the result, in words, or None.

    Both runs must have ended well. With the program at hand (`source`) sums by floating-point atomics, whose
    rounding depends on the order, are told from that; without it only relative rounding errors are.
    """
    outcome = agree(contract, source, forward, reverse) if source else compare(contract, forward, reverse)
    if outcome.ok:
        return None
    return f"results depend on the thread order ({outcome.mismatch or outcome.summary})"


def compare_sets(contract: Contract, forward: RunResult, reverse: RunResult, actual: RunResult) -> Comparison:
    """`compare`, but for outputs that depend on the order of threads, whose values are compared sorted."""
    moved = [
        a.name
        for a in contract.outputs
        if (bits(forward.buffers[a.name]) != bits(reverse.buffers[a.name])).any()
    ]
    typed = contract_in(contract, forward.case)
    forward, actual = (result_in(contract, run) for run in (forward, actual))
    return compare(typed, _sorted(typed, forward, moved), _sorted(typed, actual, moved))


def _sorted(contract: Contract, result: RunResult, names: Sequence[str]) -> RunResult:
    buffers, unwritten = dict(result.buffers), dict(result.unwritten)
    for argument in contract.outputs:
        if argument.name in names:
            data = buffers[argument.name]
            order = np.argsort(decode(data, argument.dtype), kind="stable")
            buffers[argument.name] = data[order]
            if argument.name in unwritten:
                unwritten[argument.name] = unwritten[argument.name][order]
    return replace(result, buffers=buffers, unwritten=unwritten)


# ----------------------------------------------------------------------------------------------- one argument


def _compare_argument(
    contract: Contract,
    argument: Argument,
    expected: RunResult,
    actual: RunResult,
    spread: Spread | None,
    rounding: Roundings | None,
) -> Comparison:
    case = expected.case
    want, got = expected.buffers[argument.name], actual.buffers[argument.name]
    undefined = is_device_poison(want)
    same = (bits(want) == bits(got)) | undefined
    unwritten = expected.left_alone(argument) if argument.role is Role.OUT else np.zeros(want.shape, bool)
    if argument.name in actual.unwritten:  # the pattern of what is not written may be what should be
        same &= ~actual.unwritten[argument.name] | unwritten | undefined
    wanted, gotten = decode(want, argument.dtype), decode(got, argument.dtype)
    informative = _informative(np.isfinite(wanted) & ~undefined, ~unwritten)
    if same.all():
        return Comparison(True, True, 0.0, 0.0, informative, None, f"{argument.name}: equal in every bit")
    if not argument.dtype.is_float:
        errors = np.abs(wanted - gotten)
        bound = np.zeros_like(wanted) if spread is None else spread.get(argument.name, np.zeros_like(wanted))
        wrong = ~same & ~((bound > 0) & (errors <= bound))
    else:
        bound = error_bound(
            contract, argument, case, wanted, None if spread is None else spread.get(argument.name)
        )
        if rounding is not None:
            bound = bound + _excused(contract, argument, wanted, rounding)
        errors, wrong = _float_errors(wanted, gotten, bound)
        if rounding is not None:
            wrong &= ~_same_kind(gotten, rounding.contracted.get(argument.name))
        errors, wrong = np.where(undefined, 0.0, errors), wrong & ~undefined
        wrong |= unwritten & ~same
    finite = np.isfinite(errors) & ~unwritten
    max_error = float(errors[finite].max()) if finite.any() else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(errors > 0, errors / bound, 0.0)
    ratio = float(ratios[finite].max()) if finite.any() else 0.0
    if not wrong.any():
        return Comparison(True, False, ratio, max_error, informative, None, f"{argument.name}: within bounds")
    first = int(np.argmax(wrong))
    shape = _shape(case, argument, want.size)
    coordinates = tuple(int(i) for i in np.unravel_index(first, shape))
    mismatch = Mismatch(
        argument.name, coordinates, float(wanted[first]), float(gotten[first]), float(bound[first])
    )
    left = actual.left_alone(argument) if argument.role is Role.OUT else np.zeros(want.shape, bool)
    words = _describe(argument, wrong, unwritten, left, shape, mismatch)
    return Comparison(False, False, max(ratio, 1.0), max_error, informative, mismatch, words)


def _informative(finite: Mask, written: Mask) -> float:
    """The share of finite numbers: of all elements, or, where enough are written that they tell something, of
    those. A cache of which each call fills a few rows stays as it was for the most part."""
    count = int(written.sum())
    if not written.size:
        return 1.0
    return float((finite & written).sum()) / (count if count >= _ENOUGH_WRITTEN else written.size)


def error_bound(
    contract: Contract, argument: Argument, case: Case, wanted: Float64Array, spread: Float64Array | None
) -> Float64Array:
    """The error allowed for each element; see the module's text."""
    length = sum_length(contract, case)
    unit = accumulation_unit(contract) * (_FAST_MATH if contract.fast_math else 1.0)
    ulps = 4.0 if argument.dtype.bits >= 32 else 1.0
    with np.errstate(invalid="ignore", over="ignore"):
        magnitude = np.where(np.isfinite(wanted), np.abs(wanted), 0.0)
        relative = 2 * np.sqrt(length) * unit + ulps * 2 * unit_roundoff(argument.dtype)
        bound = relative * magnitude + length * smallest_normal(argument.dtype)
        if spread is not None:
            widening = _FAST_MATH if contract.fast_math else 1.0
            bound = bound + 4 * np.sqrt(length) * spread * widening
    if case.fill == "integers" and _all_whole(wanted, accumulation_unit(contract)):
        bound = np.minimum(bound, 0.49)
    return np.asarray(bound, dtype=np.float64)


def _excused(
    contract: Contract, argument: Argument, wanted: Float64Array, rounding: Roundings
) -> Float64Array:
    """What other roundings add to the bound of each element. Where sums cancel to nothing, contraction leaves
    something of its products, and how much differs between elements as chance has it: each of those may be as
    far off as any."""
    added = np.zeros_like(wanted)
    if argument.name in rounding.distance:
        finite = np.abs(wanted[np.isfinite(wanted)])
        most = _ROUNDINGS * accumulation_unit(contract) * (float(finite.max()) if finite.size else 0.0)
        added = np.minimum(2 * rounding.distance[argument.name], most)
    if argument.name in rounding.contracted:
        with np.errstate(invalid="ignore"):
            moved = 2 * np.abs(rounding.contracted[argument.name] - wanted)
        moved = np.where(np.isfinite(moved), moved, 0.0)
        vanished = np.abs(wanted) <= moved
        moved[vanished] = moved[vanished].max(initial=0.0)
        added = np.maximum(added, moved)
    return added


def _same_kind(gotten: Float64Array, contracted: Float64Array | None) -> Mask:
    """Where both are NaN, or the same infinity."""
    if contracted is None:
        return np.zeros(gotten.shape, bool)
    both_nan: Mask = np.isnan(gotten) & np.isnan(contracted)
    same_infinity: Mask = np.isinf(gotten) & (gotten == contracted)
    return both_nan | same_infinity


def _all_whole(values: Float64Array, unit: float) -> bool:
    """Whether they are whole numbers that a float of roundoff `unit` tells from their neighbours."""
    finite = values[np.isfinite(values)]
    exact = 1 / (2 * unit) if unit else np.inf
    return bool(finite.size and (finite == np.rint(finite)).all() and np.abs(finite).max() <= exact)


def _float_errors(
    wanted: Float64Array, gotten: Float64Array, bound: Float64Array
) -> tuple[Float64Array, Mask]:
    with np.errstate(invalid="ignore"):
        errors = np.abs(wanted - gotten)
        both_nan = np.isnan(wanted) & np.isnan(gotten)
        equal = both_nan | (wanted == gotten)
        errors = np.where(equal, 0.0, errors)
        close = np.isfinite(wanted) & np.isfinite(gotten) & (errors <= bound)
    return errors, ~(equal | close)


# ------------------------------------------------------------------------------------------------ in words


def _shape(case: Case, argument: Argument, size: int) -> tuple[int, ...]:
    shape = dict(case.shapes).get(argument.name, ())
    return shape if shape and prod(shape) == size else (size,)


def _describe(
    argument: Argument,
    wrong: Mask,
    unwritten: Mask,
    left: Mask,
    shape: tuple[int, ...],
    mismatch: Mismatch,
) -> str:
    """`unwritten`: what the source leaves alone; `left`: what the target does."""
    count = int(wrong.sum())
    untouched = wrong & left
    if untouched.any():
        rest = f", {count - int(untouched.sum())} others are wrong" if count > untouched.sum() else ""
        return f"{argument.name}: {_region(untouched.reshape(shape))} never written{rest}"
    stray = wrong & unwritten
    if stray.any():
        return f"{argument.name}: {_region(stray.reshape(shape))} written, but the source leaves it alone"
    share = f"{count} of {wrong.size} elements wrong" if count < wrong.size else "all elements wrong"
    return f"{mismatch}; {share}{_where(wrong.reshape(shape))}"


def _region(mask: Mask) -> str:
    """`rows 120-127`, `columns 96-99`, `elements 1000-1023`, `37 elements`."""
    if mask.all():
        return "all elements"
    if mask.ndim == 1:
        span = _span(mask)
        return f"elements {span}" if span else f"{int(mask.sum())} elements"
    for axis, name in _axis_names(mask.ndim):
        others = tuple(i for i in range(mask.ndim) if i != axis)
        full, touched = np.asarray(mask.all(axis=others)), np.asarray(mask.any(axis=others))
        span = _span(full)
        if span and (full == touched).all():
            return f"{name}{'s' if '-' in span and not name.endswith('index') else ''} {span}"
    return f"{int(mask.sum())} elements"


def _where(wrong: Mask) -> str:
    """A hint when the wrong elements form whole rows, columns or the like."""
    region = _region(wrong)
    return f" ({region})" if wrong.ndim > 1 and not region[0].isdigit() and not wrong.all() else ""


def _axis_names(dimensions: int) -> list[tuple[int, str]]:
    if dimensions == 2:
        return [(0, "row"), (1, "column")]
    return [(axis, f"dimension {axis}: index") for axis in range(dimensions)]


def _span(line: Mask) -> str:
    """`3-7` or `3` when the set positions are one run, else nothing."""
    positions = np.flatnonzero(line)
    if not positions.size or positions[-1] - positions[0] + 1 != positions.size:
        return ""
    first, last = int(positions[0]), int(positions[-1])
    return str(first) if first == last else f"{first}-{last}"


def _praise(parts: list[Comparison], worst: Comparison) -> str:
    if all(part.exact for part in parts):
        return "equal in every bit"
    return f"largest error {worst.max_error:.2g}, {worst.ratio:.2g} of what rounding allows"


def _number(value: float) -> str:
    return f"{value:.9g}"
