"""Lanes that merge their peaks and sums pair by pair find the peak of all first, and add up after that.

    for each distance: for t:                              top = max over m[..]
      higher = max(m[t], m[t ^ d])                 -->     for t: l[t] *= exp(m[t] - top)
      l[t] = l[t] * exp(m[t] - higher)                     total = sum of l[..]
             + l[t ^ d] * exp(m[t ^ d] - higher)
      m[t] = higher

How a merge is spelled, and in which order lanes meet, does not matter: the steps are run on numbers, with
ties among them, and each value that is wanted afterwards has to be the largest peak, or the sum rescaled to
it, of the lanes that it comes from. Sums are reassociated.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from xpiler.ir.build import binary, const, mul, select, sub, var
from xpiler.ir.nodes import (
    Assign,
    Atomic,
    Binary,
    Block,
    Call,
    Const,
    Decl,
    Expr,
    For,
    Function,
    Instr,
    Load,
    LoopKind,
    Ref,
    Stmt,
    Trap,
    Var,
)
from xpiler.ir.rewrite import arrays_written, assigned_vars, walk, walk_stmts
from xpiler.ir.types import I32
from xpiler.passes.later_peaks import EXPONENTIALS
from xpiler.passes.leading_threads import leading
from xpiler.passes.number_steps import Datum, Held, NumberRun
from xpiler.passes.reduction_steps import OPAQUE, Place, Reduced, Rescaled, Result, State, Unknown, Value
from xpiler.passes.reductions import Reductions, with_steps_replaced

_CENTRES = (0.0, 0.0, -40.0, 3.0, 25.0)  # of the numbers that are tried


def split_merged_peaks(function: Function) -> Function:
    """In every list of statements where it is shown to be right."""
    if not any(isinstance(n, Call) and n.function in EXPONENTIALS for n in walk(function.body)):
        return function
    return with_steps_replaced(function, _Merges)


@dataclass
class _Outcome:
    """What several runs of the same steps left behind, read as formulas of the start elements."""

    runs: Sequence[NumberRun]
    starts: Sequence[Callable[[str, int], float]]
    places: Mapping[int, Place]  # by bit
    spelled: Sequence[Rescaled]  # what exponentials of the steps could make of peaks and sums

    @property
    def arrays(self) -> Mapping[Place, Result]:
        found: dict[Place, Result] = {}
        for place in dict.fromkeys(p for run in self.runs for p in run.arrays):
            held = [run.arrays.get(place) for run in self.runs]
            found[place] = self._known(held)
        return found

    @property
    def scalars(self) -> Mapping[str, Result]:
        names = dict.fromkeys(n for run in self.runs for n in run.scalars)
        return {name: self._known([run.scalars.get(name) for run in self.runs]) for name in names}

    def _known(self, held: Sequence[Held | None]) -> Result:
        numbers: list[float] = []
        origins = 0
        for value in held:
            if value is None:
                return OPAQUE
            numbers.append(float(value.value if isinstance(value, Datum) else value))
            origins |= value.origins if isinstance(value, Datum) else 0
        if not any(isinstance(value, Datum) for value in held):
            first = held[0]
            assert first is not None and not isinstance(first, Datum)
            return first if all(value == first for value in held) else OPAQUE
        members: dict[str, int] = {}
        for bit, (array, element) in self.places.items():
            if origins >> bit & 1:
                members[array] = members.get(array, 0) | 1 << element
        for formula in _formulas(members, self.spelled):
            if self._holds(formula, numbers):
                return formula
        return OPAQUE

    def _holds(self, formula: Reduced | Rescaled, numbers: Sequence[float]) -> bool:
        return all(
            math.isclose(_at(formula, start), number, rel_tol=1e-9, abs_tol=1e-12)
            for start, number in zip(self.starts, numbers, strict=True)
        )


def _formulas(members: Mapping[str, int], spelled: Sequence[Rescaled]) -> Iterator[Reduced | Rescaled]:
    """What the start elements in question may have become."""
    if len(members) == 1:
        ((array, elements),) = members.items()
        if elements.bit_count() == 1:
            yield Reduced("", array, elements)
        else:
            yield from (Reduced(op, array, elements) for op in ("max", "+", "min"))
    elif len(members) == 2:
        for peaks in members:
            (sums,) = members.keys() - {peaks}
            if members[sums] == members[peaks] and members[sums].bit_count() > 1:
                top = Reduced("max", peaks, members[peaks])
                yield from (replace(s, array=sums, peaks=top, members=members[sums]) for s in spelled)


def _at(formula: Reduced | Rescaled, start: Callable[[str, int], float]) -> float:
    """The formula's value at start elements."""
    values = [start(formula.array, n) for n in _elements(formula.members)]
    match formula:
        case Reduced(op="max"):
            return max(values)
        case Reduced(op="min"):
            return min(values)
        case Reduced():
            return sum(values)
    peaks = [start(formula.peaks.array, n) for n in _elements(formula.members)]
    rate = EXPONENTIALS[formula.call.function]
    match formula.scale:
        case Const(value=value):
            rate *= float(value)
        case Var(name=name):
            rate *= start(name, -1)
    top = max(peaks)
    return sum(v * math.exp(rate * (peak - top)) for v, peak in zip(values, peaks, strict=True))


def _elements(members: int) -> Iterator[int]:
    return (n for n in range(members.bit_length()) if members >> n & 1)


class _Merges(Reductions):
    """A walk that knows merged peaks and sums."""

    def _separated(self, stmt: Stmt, unknown: frozenset[str]) -> tuple[Stmt, ...]:
        trimmed = leading(stmt)
        return (
            (stmt,) if trimmed == (stmt,) else tuple(p for s in trimmed for p in self._separated(s, unknown))
        )

    def _is_step(self, stmt: Stmt, unknown: frozenset[str]) -> bool:
        for node in walk(stmt):
            match node:
                case Load(array=array) if array not in self.small:
                    return False
                case Var(name=name, dtype=dtype) if name in unknown and not dtype.is_float:
                    return False
                case Call(function=function) if function not in ("max", "min", "fma", *EXPONENTIALS):
                    return False
                case Atomic() | Instr() | Ref() | Trap():
                    return False
        changed = set().union(*(assigned_vars(s) for s in walk_stmts(stmt)))
        return not changed & unknown

    def _executed(
        self, parts: Sequence[Stmt], start: int, end: int, known: Mapping[str, Value]
    ) -> tuple[State, int]:
        run = parts[start:end]
        nothing = _Outcome((), (), {}, ())
        calls = {n for s in run for n in walk(s) if isinstance(n, Call) and n.function in EXPONENTIALS}
        if not calls or self.budget < 0:
            return nothing, start
        numbers = {n: v for n, v in known.items() if isinstance(v, (int, float))}
        places: dict[Place, int] = {}
        runs: list[NumberRun] = []
        starts: list[Callable[[str, int], float]] = []
        for number, centre in enumerate(_CENTRES):
            drawn = _draws(number, centre)
            machine = NumberRun(self._machine().shapes, places, drawn, scalars=dict(numbers))
            try:
                machine.run(run)
            except (Unknown, OverflowError):
                self.budget -= machine.steps
                return nothing, start
            self.budget -= machine.steps // len(_CENTRES)
            runs.append(machine)
            starts.append(drawn)
        spelled = tuple(
            Rescaled("", Reduced("max", "", 0), 0, call, scale, _asks_for_nothing(run))
            for call in {(c.function, c.dtype, c.fast): c for c in sorted(calls, key=repr)}.values()
            for scale in (const(1.0, call.dtype), *_scales(run, call))
        )
        return _Outcome(runs, starts, {bit: place for place, bit in places.items()}, spelled), end

    def _is_result(self, value: Result) -> bool:
        return isinstance(value, Rescaled) or super()._is_result(value)

    def _results(
        self, values: Sequence[Result], kept: Set[str], before: Sequence[Stmt]
    ) -> tuple[dict[Result, Var], list[Stmt]] | None:
        rescaled = [v for v in values if isinstance(v, Rescaled)]
        changed = {v.array for v in rescaled}
        if not rescaled or len(changed) < len(rescaled) or changed & kept:
            return None
        if any(isinstance(v, Reduced) and v.array in changed for v in values):
            return None
        plain = tuple(dict.fromkeys((*values, *(v.peaks for v in rescaled))))
        made = super()._results(plain, kept, before)
        if made is None:
            return None
        results, loops = made
        for value in rescaled:
            decl, peaks = self.small[value.array], self.small[value.peaks.array]
            if len(decl.shape) != 1 or len(peaks.shape) != 1 or decl.dtype != peaks.dtype:
                return None
            added = self._loop(Reduced("+", value.array, value.members))
            if added is None:
                return None
            counter = _counter_of(value.array, before) or var(self.names.fresh("lane"), I32)
            peak = Load(peaks.dtype, peaks.name, (counter,))
            factor = _rescaling(value, peak, results[value.peaks])
            low, high = (value.members & -value.members).bit_length() - 1, value.members.bit_length()
            scaled = Assign(Load(decl.dtype, decl.name, (counter,)), factor, "*")
            ends = const(low, counter.dtype), const(high, counter.dtype), const(1, counter.dtype)
            loops.append(For(counter.name, counter.dtype, *ends, Block((scaled,)), kind=LoopKind.THREADS))
            results[value], adding = added
            loops.extend(adding)
        return results, loops


def _rescaling(value: Rescaled, peak: Expr, top: Expr) -> Expr:
    """e^(peak - top); where the steps ask for it, nothing of a lane whose peak is -inf."""
    away = sub(peak, top)
    if not (isinstance(value.scale, Const) and value.scale.value == 1):
        away = mul(away, value.scale)
    call = replace(value.call, args=(away,))
    if not value.guarded:
        return call
    return select(binary("==", peak, const(-math.inf, peak.dtype)), const(0.0, call.dtype), call)


def _asks_for_nothing(run: Sequence[Stmt]) -> bool:
    """Whether the steps look at peaks of -inf."""
    return any(
        isinstance(n, Binary)
        and n.op in ("==", "!=")
        and any(isinstance(side, Const) and side.value == -math.inf for side in (n.left, n.right))
        for stmt in run
        for n in walk(stmt)
    )


def _counter_of(array: str, before: Sequence[Stmt]) -> Var | None:
    """The thread that writes the array's elements."""
    for stmt in reversed(before):
        if isinstance(stmt, For) and stmt.kind is LoopKind.THREADS and array in arrays_written(stmt):
            return Var(stmt.dtype, stmt.var)
    return None


def _scales(run: Sequence[Stmt], call: Call) -> list[Expr]:
    """Numbers and scalars of the surroundings that may scale a difference."""
    own = {s.name for r in run for s in walk_stmts(r) if isinstance(s, Decl)}
    found: dict[Expr, None] = {}
    for stmt in run:
        for node in walk(stmt):
            match node:
                case Const(value=value, dtype=dtype) if dtype == call.dtype and value not in (0, 1):
                    if math.isfinite(value):
                        found[node] = None
                case Var(name=name, dtype=dtype) if dtype == call.dtype and name not in own:
                    found[node] = None
    return list(found)


def _draws(number: int, centre: float) -> Callable[[str, int], float]:
    """Numbers for the start elements: of the second run small integers, among which there are equal ones."""
    kept: dict[tuple[str, int], float] = {}
    draws = random.Random(number)

    def drawn(name: str, element: int) -> float:
        key = name, element
        if key not in kept:
            value = float(draws.randint(-1, 1)) if number == 1 else draws.uniform(-2.0, 2.0)
            kept[key] = value + centre if element >= 0 else value
        return kept[key]

    return drawn
