"""Where the value of an element comes from: the operations and input elements that it was computed by.

    C[0] = A[0]*B[0] + A[1]*B[1]          what the source computes
    C[0] = A[0]*B[0] + A[1]*B[2]          what the target computes: `surplus` A[1]*B[2], `missing` A[1]*B[1]

    source, target = record(f, setting), record(g, setting)
    first_divergence(source, target)      the first output element that differs, with both computations
    first_foreign(source, target)         the first store in the target of a value that the source never has

Floats are traced (`ir/interpret_trace`), and every operation is kept with its result, so that any value can
be spelled out afterwards. Whether an element differs is decided on residues, where sums may be in any order;
where a program has none, on small whole numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from xpiler.errors import Refusal
from xpiler.ir.interpret_log import AccessKind, Log
from xpiler.ir.interpret_state import Site, StepLimit
from xpiler.ir.interpret_trace import Trace
from xpiler.ir.nodes import Function, Space
from xpiler.symbolic.settings import Outcome, Setting, arguments, execute
from xpiler.symbolic.trial import Frame

_MOST = 12_000_000  # operations that are kept
_NODES = 1 << 16  # of a term that is spelled out
_SEED = 1


@dataclass(frozen=True)
class Term:
    """A computation: `op` of `args`; or, with an `index`, element `op[index]` of an input; or a number."""

    op: str
    args: tuple[Term, ...] = ()
    index: int | None = None
    number: float | None = None

    def elements(self) -> Counter[tuple[str, int]]:
        """Input elements with how often each is used."""
        found: Counter[tuple[str, int]] = Counter()
        stack = [self]
        while stack:
            term = stack.pop()
            if term.index is not None:
                found[(term.op, term.index)] += 1
            stack += term.args
        return found

    def summands(self) -> tuple[Term, ...]:
        """The terms of a sum, without the zero that it begins with."""
        if self.op == "+":
            return self.args
        return () if self.number == 0 else (self,)

    def __str__(self) -> str:
        if self.number is not None:
            return f"{self.number:g}"
        if self.index is not None:
            return f"{self.op}[{self.index}]"
        if self.op in ("+", "-", "*", "/") and len(self.args) > 1:
            shown = [
                f"({part})" if part.op in _WEAKER[self.op] and part.args else str(part) for part in self.args
            ]
            if len(shown) > 6:
                shown = [*shown[:3], "...", *shown[-2:]]
            return (f"{self.op}" if self.op in "*/" else f" {self.op} ").join(shown)
        return f"{self.op}({', '.join(map(str, self.args))})" if self.args else self.op


_WEAKER = {"+": "", "-": "+-", "*": "+-/", "/": "+-*/"}  # operators that need brackets within


def _order(term: Term) -> tuple[str, int, tuple[Any, ...]]:
    return term.op, -1 if term.index is None else term.index, tuple(map(_order, term.args))


def _sum(terms: list[Term]) -> Term:
    kept = [t for t in terms if t.number != 0]
    if len(kept) < 2:
        return kept[0] if kept else Term("number", number=0.0)
    return Term("+", tuple(sorted(kept, key=_order)))


def _product(first: Term, second: Term) -> Term:
    for one, other in ((first, second), (second, first)):
        if one.number in (0, 1):
            return other if one.number == 1 else Term("number", number=0.0)
    return Term("*", tuple(sorted((first, second), key=_order)))


@dataclass
class Operations:
    """Every operation of a run by its result."""

    kept: list[tuple[str, Any, tuple[Any, ...]]] = field(default_factory=list)
    count: int = 0
    _index: tuple[Any, Any, Any] | None = None

    def note(self, name: str, result: Any, args: tuple[Any, ...]) -> None:
        self.count += np.size(result)
        if self.count > _MOST:
            raise StepLimit(f"{_MOST} operations")
        self.kept.append((name, result, args))

    def of(self, value: int) -> tuple[str, list[Any]] | None:
        """The operation that gave a value, and its operands."""
        if self._index is None:
            results = [np.atleast_1d(result) for _, result, _ in self.kept]
            sizes = [r.size for r in results]
            values = np.concatenate(results) if results else np.zeros(0, np.int64)
            order = np.argsort(values, kind="stable")
            self._index = values[order], order, np.cumsum([0, *sizes])
        values, order, starts = self._index
        at = int(np.searchsorted(values, value))
        if at == values.size or values[at] != value:
            return None
        place = int(order[at])
        number = int(np.searchsorted(starts, place, side="right")) - 1
        name, result, args = self.kept[number]
        row = place - int(starts[number])
        shape = np.atleast_1d(result).shape
        return name, [np.broadcast_to(a, shape).reshape(-1)[row] for a in args]

    def results(self) -> Any:
        """All values that were ever computed, sorted."""
        self.of(0)
        assert self._index is not None
        return self._index[0]


@dataclass(frozen=True)
class Record:
    """A run with its computations. `residues`: the arrays by residues (by small numbers where there are
    none), which say whether two elements are equal over the reals."""

    function: Function
    setting: Setting
    given: dict[str, Any]
    outcome: Outcome
    residues: Outcome
    operations: Operations
    log: Log

    def term(self, array: str, index: int) -> Term:
        """How element `index` of an array came to be what it is after the run."""
        return self.spelled(self.outcome.arrays[array].reshape(-1)[index])

    def spelled(self, value: Any) -> Term:
        """A value as the computation that made it, sums flat and without zeros; `...` where it is huge."""
        return self._spelled(value, [_NODES])

    def _spelled(self, value: Any, budget: list[int]) -> Term:
        budget[0] -= 1
        if budget[0] < 0:
            return Term("...")
        if not isinstance(value, (int, np.int64)):
            return Term("number", number=float(value))
        if int(value) in self.elements:
            return self.elements[int(value)]
        made = self.operations.of(int(value))
        if made is None:
            return Term("number", number=float(value)) if abs(int(value)) < 1 << 40 else Term("?")
        name, operands = made
        if name == "constant":
            return Term("number", number=float(operands[0]))
        if name == "+":
            return _sum(list(self._flat(operands, budget)))
        args = tuple(self._spelled(o, budget) for o in operands)
        return _product(*args) if name == "*" else Term(name, args)

    def _flat(self, operands: list[Any], budget: list[int]) -> Iterator[Term]:
        """The terms of a sum however it was added up: without recursion, as a sum may be long."""
        stack = list(operands)
        while stack:
            value = stack.pop()
            made = None if int(value) in self.elements else self.operations.of(int(value))
            if made is not None and made[0] == "+":
                stack += made[1]
            else:
                yield self._spelled(value, budget)

    @cached_property
    def elements(self) -> dict[int, Term]:
        """Input elements by their symbols, and scalar parameters."""
        found: dict[int, Term] = {}
        for name, data in self.given.items():
            if isinstance(data, np.ndarray) and data.dtype == np.int64:
                found |= {v: Term(name, index=i) for i, v in enumerate(data.reshape(-1).tolist())}
            elif isinstance(data, int) and data > 1 << 53:
                found[data] = Term(name)
        return found


@dataclass(frozen=True)
class Divergence:
    """The first output element that differs, with how it should be computed and how it is."""

    array: str
    index: int
    wrong: tuple[int, ...]  # all of them, the first included
    expected: Term
    found: Term

    def missing(self) -> tuple[Term, ...]:
        """Summands that should be there and are not."""
        return _without(self.expected.summands(), self.found.summands())

    def surplus(self) -> tuple[Term, ...]:
        return _without(self.found.summands(), self.expected.summands())


@dataclass(frozen=True)
class Foreign:
    """A store of a value that the other program never computes: `site` says where, `values` the variables
    that explain it, `element` and `array` what it was stored to."""

    site: Site
    array: str
    element: int
    values: dict[str, int]
    found: Term


def record(
    function: Function, setting: Setting, *, log: Log | None = None, threads: bool | None = None
) -> Record:
    """Runs the function, all stores to arrays included. Raises `Refusal` where it cannot be traced, or does
    not end."""
    given = arguments(function, setting, "trace", _SEED)
    operations = Operations()
    kept = log if log is not None else Log(Frame.of(function).shown, spaces=frozenset(Space))
    try:
        outcome = execute(function, given, setting, Trace(operations.note), threads=threads, log=kept)
    except StepLimit as limit:
        raise Refusal("too-long", f"{function.name} has more than {limit}", function.range) from None
    return Record(function, setting, given, outcome, _residues(function, setting, threads), operations, kept)


def _residues(function: Function, setting: Setting, threads: bool | None) -> Outcome:
    try:
        return execute(
            function, arguments(function, setting, "field", _SEED), setting, "field", threads=threads
        )
    except Refusal:
        given = arguments(function, setting, "native", _SEED)
        return execute(function, given, setting, "native", threads=threads)


def first_divergence(source: Record, target: Record) -> Divergence | None:
    """The first element, in the order of the source's parameters, that the target computes otherwise; None
    if there is none."""
    for param in source.function.params:
        if not param.is_pointer:
            continue
        mine, other = source.residues.arrays[param.name], target.residues.arrays.get(param.name)
        if other is None or mine.dtype != other.dtype:
            continue
        wrong = np.flatnonzero(~((mine == other) | ((mine != mine) & (other != other))))
        if wrong.size:
            index = int(wrong[0])
            return Divergence(
                param.name,
                index,
                tuple(int(i) for i in wrong),
                source.term(param.name, index),
                target.term(param.name, index),
            )
    return None


def first_foreign(source: Record, target: Record) -> Foreign | None:
    """The first store in the target, as it ran, of a float that is no value of the source: neither an input
    nor the result of an operation. Says where a target goes wrong that computes in the source's order."""
    known = [source.operations.results()]
    known += [v.reshape(-1) for v in source.given.values() if isinstance(v, np.ndarray)]
    known += [np.array([v]) for v in source.given.values() if isinstance(v, int) and not isinstance(v, bool)]
    values = np.unique(np.concatenate([k.astype(np.int64) for k in known]))
    for event in target.log.events:
        if event.kind is not AccessKind.WRITE or event.values is None:
            continue
        if not event.memory.dtype.is_float:
            continue
        stored = np.broadcast_to(event.values, (event.codes.size,))
        foreign = np.flatnonzero(~np.isin(stored, values))
        if foreign.size:
            row = int(foreign[0])
            return Foreign(
                event.site,
                event.memory.name,
                int(event.granules[row, 0]) % max(event.memory.pitch, 1),
                dict(_shown_at(event, row)),
                target.spelled(stored[row]),
            )
    return None


def _shown_at(event: Any, row: int) -> Iterator[tuple[str, int]]:
    lane = row if event.lanes is None else int(event.lanes[row])
    for name, value in event.shown.items():
        yield name, int(value[lane]) if isinstance(value, np.ndarray) else int(value)


def _without(terms: tuple[Term, ...], others: tuple[Term, ...]) -> tuple[Term, ...]:
    left = Counter(others)
    found: list[Term] = []
    for term in terms:
        if left[term]:
            left[term] -= 1
        else:
            found.append(term)
    return tuple(found)
