"""Sizes at which every extent shows: more than one block on each axis, more than one round of each loop.

    OH = (H - K) / S + 1    found at H=11, K=6, S=7: one row of output, and nobody sees what S is for
                      -->   H=7, K=3, S=2: three of them

    grid ((N + 31) / 32, B)     found at N=9, B=7: one block along x, and nobody sees what the second does
                      -->       N=70, B=3

What hides is seen by measuring: `Reading` says how large grids, loops and quotients of sizes are at a
candidate, whatever the sizes mean. Most sizes are large and some (a window, a stride) small where all show;
which ones, `telling_sizes` finds by trying. Where something still hides behind a tile one size becomes larger
than tiles are, and the others small.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import prod

from xpiler.errors import Refusal
from xpiler.frontend.unit import HostFunction
from xpiler.gate.extents import extent_value
from xpiler.gate.infer_launch import axes_used, single_definitions
from xpiler.gate.overrides import evaluate, names_in
from xpiler.ir.affine import simplify
from xpiler.ir.nodes import Binary, Const, For, Function
from xpiler.ir.rewrite import substitute, walk

Sizes = Mapping[str, int]

_LARGE = (7, 9, 11, 8, 10, 6, 13, 12)
_SMALL = (3, 2)
_BEYOND_A_TILE = (37, 70, 141, 269, 521)  # two tiles of 16 to 256, and a part of one
_BESIDE = (3, 5, 2)
_ALL_SUBSETS = 5  # sizes of which every choice is tried as the small ones; of more, neighbours
_MOST_STARTS = 48
_ROUNDS = 3
_MOST_WORK = 1 << 18  # the product of all sizes
_SUM = r"[\w\s+*-]"
_QUOTIENT = re.compile(rf"\(((?:{_SUM}|\({_SUM}+\))+)\)\s*/(?![/*=])")


@dataclass(frozen=True)
class Started:
    """A function with what it is called with: `kernel` is None where it has no IR."""

    name: str
    kernel: Function | None
    scalars: Mapping[str, object]
    grid: tuple[int, int, int]
    block: tuple[int, int, int] = (1, 1, 1)


@dataclass
class Reading:
    """By place (a size, an argument, an axis of a grid, a loop, a quotient): its largest extent.

    `meant`: whether no quotient is one of a negative number, which C rounds to another side than any extent
    means."""

    extents: dict[tuple[str, str, int], int] = field(default_factory=dict)
    meant: bool = True

    def see(self, place: tuple[str, str, int], extent: int) -> None:
        self.extents[place] = max(extent, self.extents.get(place, 0))

    @property
    def shown(self) -> int:
        """How many places are seen."""
        return sum(extent > 1 for extent in self.extents.values())

    @property
    def hidden(self) -> bool:
        return self.shown < len(self.extents)

    def rank(self, sizes: Sizes) -> tuple[bool, int, int, int, int]:
        """More is better: what is meant and seen, then what is unlike its neighbours and little work."""
        seen = [extent for extent in self.extents.values() if extent > 1]
        return (
            self.meant,
            len(seen),
            len({*sizes.values()}),
            sum(extent > 2 for extent in seen),
            -prod(sizes.values()),
        )


def read(sizes: Sizes, free: Sequence[str], started: Iterable[Started]) -> Reading:
    """What shows of the launches (of a plain function: of its call) at these sizes."""
    reading = Reading()
    for name in free:
        reading.see((name, "size", 0), sizes[name])
    for one in started:
        looked = axes_used(one.kernel)[0] if one.kernel is not None else "xyz"
        for axis, extent in zip("xyz", one.grid, strict=True):
            if axis in looked:
                reading.see((one.name, axis, 0), extent)
        for name, value in one.scalars.items():
            if isinstance(value, int):  # what host code calculated, and passes on
                reading.see((one.name, name, 0), value)
        if one.kernel is not None:
            _read_kernel(reading, one.kernel, one)
    return reading


def _read_kernel(reading: Reading, kernel: Function, one: Started) -> None:
    known = {name: value for name, value in one.scalars.items() if isinstance(value, int)}
    for part, extents in (("gridDim", one.grid), ("blockDim", one.block)):
        known |= {f"{part}.{axis}": extent for axis, extent in zip("xyz", extents, strict=True)}
    definitions = single_definitions(kernel)
    count: Counter[str] = Counter()
    for node in walk(kernel.body):
        match node:
            case For(start=start, stop=stop, step=step):
                ends = [extent_value(substitute(e, definitions), known) for e in (start, stop, step)]
                low, high, by = ends
                count["loop"] += 1
                if low is not None and high is not None and by:
                    reading.see((one.name, "loop", count["loop"]), -(-(high - low) // by))
            case Binary(op="/", left=left, right=right) if node.dtype.is_integer:
                count["quotient"] += 1
                over = extent_value(substitute(left, definitions), known)
                under = extent_value(substitute(right, definitions), known)
                if over is None or not under:
                    continue
                reading.meant = reading.meant and over >= 0
                if not isinstance(simplify(right), Const):  # a window's steps: one more than the quotient
                    reading.see((one.name, "quotient", count["quotient"]), over // under + 1)


def divides_negative(functions: Iterable[HostFunction], sizes: Sizes) -> bool:
    """Whether host code divides a sum of its sizes that is negative: `(W - D * (K - 1) - 1) / S`
    of a window that is wider than the row."""
    for function in functions:
        for match in _QUOTIENT.finditer(function.body):
            try:
                over = " ".join(match[1].split())
                if names_in(over) <= {*sizes} and evaluate(over, sizes) < 0:
                    return True
            except Refusal:  # a cast, or what else is no sum of sizes
                continue
    return False


Measure = Callable[[Sequence[Sizes]], Sequence[Reading | None]]


def telling_sizes(base: Sizes, units: Sizes, measure: Measure) -> Iterator[dict[str, int]]:
    """Sizes, most telling first, of those in `units`, which they are multiples of; the others are those of
    `base`. `measure` says what shows at each of some sizes, None where they do not run."""
    free = list(units)

    def of(small: Iterable[str]) -> dict[str, int]:
        chosen = [name for name in free if name in small]
        values = {
            name: _SMALL[chosen.index(name) % len(_SMALL)] if name in chosen else _LARGE[i % len(_LARGE)]
            for i, name in enumerate(free)
        }
        return {**base, **{name: units[name] * value for name, value in values.items()}}

    ranked: dict[tuple[int, ...], tuple[tuple[int, ...], dict[str, int]]] = {}
    hidden: dict[tuple[int, ...], bool] = {}

    def weigh(candidates: Iterable[dict[str, int]]) -> None:
        new = [
            sizes
            for sizes in candidates
            if tuple(sizes.values()) not in ranked and prod(sizes[name] for name in free) <= _MOST_WORK
        ]
        for sizes, reading in zip(new, measure(new) if new else (), strict=True):
            if reading is not None:
                ranked[tuple(sizes.values())] = (reading.rank(sizes), sizes)
                hidden[tuple(sizes.values())] = reading.hidden

    weigh(of(small) for small in _choices(free))
    for _ in range(_ROUNDS):
        if not ranked:
            return
        before, best = max(ranked.values(), key=lambda found: found[0])
        weigh(
            {**best, name: units[name] * value}
            for i, name in enumerate(free)
            for value in (*_SMALL, _LARGE[i % len(_LARGE)])
        )
        if max(ranked.values(), key=lambda found: found[0])[0] == before:
            break
    _, best = max(ranked.values(), key=lambda found: found[0])
    if hidden[tuple(best.values())]:
        weigh(
            {**others, name: units[name] * value}
            for name in free
            for value in _BEYOND_A_TILE
            for others in (best, {**base, **_beside(name, units)})
        )
    for _, sizes in sorted(ranked.values(), key=lambda found: found[0], reverse=True):
        yield sizes


def _beside(large: str, units: Sizes) -> dict[str, int]:
    """Small sizes for all but one."""
    others = [name for name in units if name != large]
    return {name: units[name] * _BESIDE[i % len(_BESIDE)] for i, name in enumerate(others)}


def _choices(free: Sequence[str]) -> list[tuple[str, ...]]:
    """Which sizes may be the small ones: neighbours in the list of parameters belong together."""
    if len(free) <= _ALL_SUBSETS:
        return [small for count in range(len(free)) for small in combinations(free, count)]
    spans = [(first, end) for end in range(len(free), 0, -1) for first in range(end)]
    return [(), *(tuple(free[first:end]) for first, end in spans)][:_MOST_STARTS]


def others_alike(sizes: Sizes, units: Sizes) -> dict[str, int]:
    """Other sizes in the same relations: what is small stays so.

    H=7, W=9, K=3, S=2  -->  H=9, W=11, K=2, S=3
    """
    made = dict(sizes)
    for name, unit in units.items():
        value = sizes[name] // unit
        made[name] = unit * (sum(_SMALL) - value if value in _SMALL else value + 2)
    return made
