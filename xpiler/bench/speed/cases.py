"""Translates an operator, verifies it, and measures it beside the vendor's library at its shapes."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xpiler.bench.operators import Operator, Shape, snippet
from xpiler.bench.speed.harness import Times, harness, library, race
from xpiler.errors import Refusal
from xpiler.files import read_source
from xpiler.frontend import parse
from xpiler.translate import translate_text
from xpiler.tuning.record import Record
from xpiler.tuning.tune import Budget, tune

NOISY = 0.15  # spread above which a case is measured again
_LARGEST_DIFFERENCE = 1e-3  # of results, relative: beyond it the two do not compute the same


@dataclass(frozen=True)
class Settings:
    """`source`: the platform of the snippets; `tuning`: seconds of search a shape, 0 for the knobs' defaults;
    `least`: seconds of a sample; `processors`: those that are measured on, with a thread each."""

    source: str = "cuda"
    tuning: float = 0.0
    samples: int = 15
    least: float = 5e-4
    processors: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Measured:
    """One shape. Seconds are those of the best sample; `vendor` is None where the library has no counterpart.
    `way`: the implementations that were the library's best. `exact`: both compute the same. `alone`: the same
    on one thread, where these are times of several; `shared`: in every sample of one of the two other
    processes took processors away."""

    operator: str
    shape: str
    ours: float
    vendor: float | None
    way: str
    exact: bool
    spread: float
    verified: bool
    alone: Measured | None = None
    shared: bool = False

    @property
    def scaling(self) -> tuple[float, float | None] | None:
        """How many times as fast as on one thread: ours, and the library."""
        if self.alone is None:
            return None
        vendor = self.alone.vendor / self.vendor if self.alone.vendor and self.vendor else None
        return self.alone.ours / self.ours, vendor

    @property
    def ratio(self) -> float | None:
        """The library's time over ours: above 1 ours is faster."""
        return None if self.vendor is None else self.vendor / self.ours

    def to_json(self) -> dict[str, Any]:
        ratio, scaling = self.ratio, self.scaling
        several: dict[str, Any] = {}
        if scaling is not None:
            ours, vendor = scaling
            several = {
                "scaling": round(ours, 2),
                "vendor_scaling": vendor and round(vendor, 2),
                "shared": self.shared,
            }
        return {
            "op": self.operator,
            "shape": self.shape,
            "ours_us": round(self.ours * 1e6, 3),
            "vendor_us": None if self.vendor is None else round(self.vendor * 1e6, 3),
            "ratio": None if ratio is None else round(ratio, 3),
            "spread": round(self.spread, 3),
            "vendor_way": self.way,
            "exact_counterpart": self.exact,
            "verified": self.verified,
            **several,
        }


def measure(
    operator: Operator,
    shapes: Sequence[Shape],
    settings: Settings,
    on_case: Callable[[Measured], None] = lambda case: None,
) -> list[Measured]:
    """All shapes of one operator. Raises Refusal where it cannot be translated or the library is missing."""
    program = harness()
    path = snippet(operator.name, settings.source)
    source = read_source(path)
    kernels = _kernels(source, path, settings.source)
    found: list[Measured] = []
    text, verified = "", False
    with tempfile.TemporaryDirectory(prefix="xpiler-speed-") as name:
        built: Path | None = None
        for shape in shapes:
            if settings.tuning or built is None:
                text, verified = _translated(source, path, operator, shape, settings)
                built = library(text, kernels, operator, Path(name))
            times = _steady(program, built, operator, shape, settings)
            case = _measured(operator, shape, times, verified)
            if len(settings.processors) > 1:
                single = replace(settings, processors=settings.processors[-1:])
                alone = _measured(operator, shape, _steady(program, built, operator, shape, single), verified)
                case = replace(case, alone=alone)
            found.append(case)
            on_case(found[-1])
    return found


def _kernels(source: str, path: Path, platform: str) -> list[str]:
    program = parse(source, str(path), platform=platform).program
    names = [name for kernel in program.kernels for name in (kernel.name, kernel.template, kernel.spelling)]
    return [name for name in dict.fromkeys(names) if name]


def _translated(
    source: str, path: Path, operator: Operator, shape: Shape, settings: Settings
) -> tuple[str, bool]:
    """The C++ text, and whether the gate verified it."""
    if settings.tuning:
        overrides = operator.overrides([shape])
        with Record() as record:
            budget = Budget(settings.tuning)
            result = tune(source, str(path), "vnni", overrides, budget=budget, record=record).result
    else:
        result = translate_text(source, str(path), "vnni", operator.overrides(operator.shapes[:1]))
    if result.text is None:
        raise Refusal("bench-translate", f"{operator.name} has no translation")
    return result.text, result.status == "verified"


def _steady(program: Path, built: Path, operator: Operator, shape: Shape, settings: Settings) -> Times:
    """Measured again, once, if the first time was noisy."""

    def once() -> Times:
        return race(
            program,
            built,
            operator,
            shape,
            samples=settings.samples,
            least=settings.least,
            processors=settings.processors,
        )

    first = once()
    if spread(first.ours) <= NOISY and not first.shared:
        return first
    second = once()
    return min(first, second, key=lambda times: (times.shared, spread(times.ours)))


def _measured(operator: Operator, shape: Shape, times: Times, verified: bool) -> Measured:
    best = min(((min(samples), name) for name, samples in times.vendor), default=None)
    if times.difference is not None and times.difference > _LARGEST_DIFFERENCE:
        raise Refusal(
            "bench-differs",
            f"{operator.name} at {shape.describe()}: the results differ by {times.difference:.2g}, so "
            "that the two are no comparison",
        )
    vendor, way = best or (None, "")
    exact = times.difference is not None
    return Measured(
        operator.name,
        shape.describe(),
        min(times.ours),
        vendor,
        way,
        exact,
        spread(times.ours),
        verified,
        shared=times.shared,
    )


def spread(samples: Sequence[float]) -> float:
    """The median sample over the best one, minus one."""
    return statistics.median(samples) / min(samples) - 1


def geometric_mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else float("nan")


def by_operator(cases: Iterable[Measured]) -> Mapping[str, float]:
    """The geometric mean of each operator's ratios; left out are operators without a counterpart, and cases
    that were measured beside other processes."""
    ratios: dict[str, list[float]] = {}
    for case in cases:
        if case.ratio is not None and not case.shared:
            ratios.setdefault(case.operator, []).append(case.ratio)
    return {name: geometric_mean(values) for name, values in ratios.items()}


def scaling(cases: Iterable[Measured], operator: str) -> tuple[float, float]:
    """How many times as fast as on one thread an operator is: ours, and the library; geometric means of its
    shapes that have a counterpart."""
    own = [case.scaling for case in cases if case.operator == operator and not case.shared]
    pairs = [(ours, vendor) for ours, vendor in filter(None, own) if vendor is not None]
    return geometric_mean(ours for ours, _ in pairs), geometric_mean(vendor for _, vendor in pairs)
