"""Sizes that are shared out among tasks, or cut into tiles: a rest that nobody takes, or takes too much of.

    per = n / taskDim;  for (i = taskId * per; i < (taskId + 1) * per; ++i) y[i] = ...
                                    n = 4 * taskDim: all of n elements are written; one more: y[n - 1] is not
    per = n / taskDim + (n % taskDim > 0);  likewise
                                    one more: y is written beyond n

How many elements an array has nobody says. Where sizes leave no rest, all elements up to a product of sizes
are written, the same product at two such sizes: that is taken for their number at sizes that leave a rest.
Whether such sizes are ever passed nobody can tell from the kernel alone, so that what is found is possible.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import lcm, prod
from typing import Any

import numpy as np
import numpy.typing as npt

from xpiler.ir.affine import linear
from xpiler.ir.build import const
from xpiler.ir.nodes import Assign, Binary, Const, Decl, Expr, For, Function, Load, Space, Var
from xpiler.ir.rewrite import children, free_vars, substitute, walk
from xpiler.ir.source import SourceRange
from xpiler.symbolic.dependence import Dependence
from xpiler.symbolic.findings import WARNING, Found, Related
from xpiler.symbolic.hosts import as_launched
from xpiler.symbolic.shape import AXES
from xpiler.symbolic.trial import ENDLESS, Observed, Trial

Sizes = Mapping[str, int]
Run = Callable[[Trial], Observed | None]
_MOST = 1 << 15  # elements that a size counts
_TURNS = ((1, 2, 3), (2, 3, 5))  # sizes without a rest, by the units of each
_MOST_FACTORS = 3


@dataclass(frozen=True)
class Shared:
    """A parameter that is divided: into multiples of `unit` without a rest; `range`: where."""

    name: str
    unit: int
    range: SourceRange | None


@dataclass(frozen=True)
class Product:
    """So many elements: `factor` for each of the product of parameters."""

    factor: int
    names: tuple[str, ...]

    def at(self, sizes: Sizes) -> int:
        return self.factor * prod(sizes[n] for n in self.names)


def lost_rests(kernel: Function, dependence: Dependence, trials: Sequence[Trial], run: Run) -> list[Found]:
    """What tasks leave or take beyond sizes that they share out; `run` makes a trial, or nothing of it."""
    first = trials[0]
    shared = _shared(kernel, first)
    outputs = _outputs(kernel, dependence)
    if not kernel.tasks or not shared or not outputs:
        return []
    whole = _whole(trials, shared)
    runs = [run(t) for t in whole]
    sizes = [_sizes_of(t) for t in whole]
    meant: dict[str, list[Product]] = {}
    for array in outputs:
        ends = [seen and _end(_written(seen, array)) for seen in runs]
        if all(ends):
            meant[array] = list(_products([int(e or 0) for e in ends], sizes))
    found: list[Found] = []
    for each in shared:
        if not any(each.name in p.names for products in meant.values() for p in products):
            continue
        more = int(whole[0].scalars[each.name]) + 1
        rest = replace(whole[0], scalars={**whole[0].scalars, each.name: more})
        if as_launched(trials, rest).scalars != rest.scalars:
            continue  # host code passes no such sizes
        seen = run(rest)
        for array, products in meant.items() if seen is not None else ():
            of_it = [p for p in products if each.name in p.names]
            if of_it and seen is not None:
                found += _compared(kernel, each, outputs[array], seen, of_it)
    return found


def _compared(
    kernel: Function, shared: Shared, place: Load, seen: Observed, products: list[Product]
) -> Iterator[Found]:
    """Of one array at a size with a rest."""
    written = _written(seen, place.array)
    if written is None:
        return
    sizes = _sizes_of(seen.trial)
    counts = [p.at(sizes) for p in products]
    missing = [np.setdiff1d(np.arange(n), written) for n in counts]
    beyond = [written[written >= n] for n in counts]
    words = " * ".join((*([str(products[0].factor)] if products[0].factor > 1 else []), *products[0].names))
    at = f"at {shared.name} = {sizes[shared.name]}"
    rest = f"{shared.name} is ever no multiple of {shared.unit}"
    where = shared.range or place.range
    related = (Related(place.range, "written here"),)
    name = kernel.spelling or kernel.name
    values = {shared.name: sizes[shared.name]}
    base = Found("XP-UNWRITTEN", WARNING, "", where, name, values, place.array, related, is_open=True)
    if all(m.size for m in missing) and not any(b.size for b in beyond):
        index = int(missing[0][0])
        all_of = f"{words} elements, which all are where {shared.name} is a multiple of {shared.unit}"
        message = f"{at} no task writes {place.array}[{index}]: {len(written)} of {all_of}"
        yield replace(base, message=message, counterexample={**values, "index": index}, holds_if=rest)
    if all(b.size for b in beyond):
        index = int(beyond[0][0])
        message = f"{at} tasks write {place.array}[{index}], beyond {words} elements"
        more = f"{rest}, and {place.array} has so many elements"
        values = {**values, "index": index}
        yield replace(base, code="XP-BOUNDS", message=message, counterexample=values, holds_if=more)


def _shared(kernel: Function, trial: Trial) -> list[Shared]:
    """The parameters that tasks share out, whole or as so many tiles, in their order. What a task divides by
    a number for itself, as rows into halves, tells how its data are laid out."""
    values = _Values.of(kernel, trial)
    units: dict[str, int] = {}
    places: dict[str, SourceRange | None] = {}
    for node in walk(kernel.body):
        match node:
            case Binary(op="/"):
                found = {n: u for n, u in values.units(node).items() if u.of_tasks}
            case For(start=start, stop=stop) if free_vars(start) & values.tasks:
                found = {n: u for n, u in values.units(stop).items() if u.of > 1}
            case _:
                continue
        for name, unit in found.items():
            units[name] = lcm(units.get(name, 1), unit.of)
            places[name] = places.get(name) or unit.range
    order = [p.name for p in kernel.params if p.name in units and isinstance(trial.scalars.get(p.name), int)]
    made = [Shared(n, units[n], places[n]) for n in order[: len(_TURNS[1])]]
    return [each for each, turn in zip(made, _TURNS[1], strict=False) if each.unit * turn <= _MOST]


@dataclass(frozen=True)
class _Unit:
    """What a value is divided by altogether; `of_tasks`: by their number, too; `range`: where."""

    of: int = 1
    of_tasks: bool = False
    range: SourceRange | None = None


@dataclass(frozen=True)
class _Values:
    """What scalars are made of. `given`: all that each is ever set to; `launch`: the trial's."""

    given: Mapping[str, Sequence[Expr]]
    launch: Mapping[str, Expr]
    params: frozenset[str]

    @staticmethod
    def of(kernel: Function, trial: Trial) -> _Values:
        given: dict[str, list[Expr]] = {}
        for node in walk(kernel.body):
            match node:
                case (
                    Decl(name=name, shape=(), init=Expr() as value)
                    | Assign(target=Var(name=name), value=value)
                ):
                    given.setdefault(name, []).append(value)
        launch = {f"gridDim.{a}": n for a, n in zip(AXES, trial.grid, strict=True)}
        launch |= {f"blockDim.{a}": n for a, n in zip(AXES, trial.block, strict=True)}
        params = (p.name for p in kernel.params if not p.is_pointer and p.dtype.is_integer)
        return _Values(given, {n: const(v) for n, v in launch.items()}, frozenset(params))

    def divisor(self, division: Binary) -> int:
        """By what an integer is divided, if that is tasks or a number that leaves a rest out; else 0."""
        if not division.dtype.is_integer:
            return 0
        by = linear(substitute(division.right, dict(self.launch)))
        number = by.as_int if by is not None else None
        if number is None or number < 2:
            return 0
        left = linear(substitute(division.left, dict(self.launch)))
        rounds_up = left is not None and left.constant == number - 1 and left.as_int is None
        return 0 if rounds_up and isinstance(division.right, Const) else number

    @property
    def tasks(self) -> set[str]:
        """The number of a task, and what follows from it."""
        found = {f"{which}.{a}" for which in ("blockIdx", "threadIdx") for a in AXES}
        while more := {n for n, e in self.given.items() if n not in found and _reads(e, found)}:
            found |= more
        return found

    def units(self, expr: Expr, around: frozenset[str] = frozenset()) -> dict[str, _Unit]:
        """What the parameters that the value follows from are divided by on the way."""
        match expr:
            case Var(name=name) if name in self.params:
                return {name: _Unit()}
            case Var(name=name):
                parts = list(self.given.get(name, ())) if name not in around else []
                around |= {name}
            case _:
                parts = [child for child in children(expr) if isinstance(child, Expr)]
        found: dict[str, _Unit] = {}
        by = self.divisor(expr) if isinstance(expr, Binary) and expr.op == "/" else 0
        for part in parts[:1] if by else parts:
            for name, unit in self.units(part, around).items():
                known = found.get(name, _Unit())
                of_tasks = known.of_tasks or unit.of_tasks
                found[name] = _Unit(lcm(known.of, unit.of), of_tasks, known.range or unit.range)
        if not by:
            return found
        assert isinstance(expr, Binary)
        shares = not isinstance(expr.right, Const)
        return {
            name: _Unit(unit.of * by, unit.of_tasks or shares, unit.range or expr.range)
            for name, unit in found.items()
        }


def _reads(exprs: Sequence[Expr], names: set[str]) -> bool:
    return any(free_vars(e) & names for e in exprs)


def _whole(trials: Sequence[Trial], shared: Sequence[Shared]) -> list[Trial]:
    """Two trials at which no size leaves a rest."""
    first = trials[0]
    made = []
    for number, turns in enumerate(_TURNS):
        values = dict(first.scalars)
        for name, value in first.scalars.items():
            if number and isinstance(value, int):
                values[name] = next((t.scalars[name] for t in trials if t.scalars.get(name) != value), value)
        values |= {each.name: each.unit * turn for each, turn in zip(shared, turns, strict=False)}
        made.append(
            replace(first, scalars=values, extents=dict.fromkeys(first.extents, ENDLESS), is_launched=False)
        )
    return made


def _outputs(kernel: Function, dependence: Dependence) -> dict[str, Load]:
    """Arrays that are handed in and written, at places and under conditions that no data decide."""
    passed = {p.name for p in kernel.params if p.is_pointer}
    found: dict[str, Load] = {}
    decided: set[str] = set()
    for node in walk(kernel.body):
        if isinstance(node, Assign) and isinstance(node.target, Load) and node.target.array in passed:
            place = node.target
            found.setdefault(place.array, place)
            if dependence.of_index(place) or dependence.reached.get(id(node)):
                decided.add(place.array)
    return {name: place for name, place in found.items() if name not in decided}


def _written(seen: Observed, array: str) -> npt.NDArray[Any] | None:
    """The elements that were written, sorted; None if that is not known."""
    if seen.stopped or seen.blocks[0] != seen.blocks[1]:
        return None
    parts = []
    for event in seen.log.events:
        memory = event.memory
        if memory.name == array and memory.space is Space.GLOBAL and event.kind.name != "READ":
            if memory.granule > memory.data.itemsize:
                return None
            parts.append(np.ravel(event.granules) * memory.granule // memory.data.itemsize)
    found = np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)
    return found[found >= 0]


def _end(written: npt.NDArray[Any] | None) -> int:
    """How many elements were written, if they are the first ones without a hole."""
    return (
        len(written) if written is not None and len(written) and int(written[-1]) + 1 == len(written) else 0
    )


def _products(ends: Sequence[int], sizes: Sequence[Sizes]) -> Iterator[Product]:
    """Products of sizes, times a number, that are these counts at these sizes."""
    for count in range(1, _MOST_FACTORS + 1):
        for names in itertools.combinations(sizes[0].keys() & sizes[1].keys(), count):
            totals = [prod(each[n] for n in names) for each in sizes]
            factors = {
                end // total if total and end % total == 0 else 0
                for end, total in zip(ends, totals, strict=True)
            }
            if len(factors) == 1 and (factor := factors.pop()) and len(set(totals)) > 1:
                yield Product(factor, names)


def _sizes_of(trial: Trial) -> Sizes:
    return {n: v for n, v in trial.scalars.items() if isinstance(v, int) and v > 0}
