"""How many translations of the operators hold: every operator, every direction, every shape.

Each translation runs in a process of its own and is remembered, see `processes.py`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpiler.bench import processes
from xpiler.bench.case import Outcome, failed
from xpiler.bench.operators import load_operators, snippet, snippets_folder
from xpiler.bench.processes import engine_version, in_process
from xpiler.files import read_source
from xpiler.gate import cache
from xpiler.routes import ROUTES

TIME_LIMIT = 300.0  # seconds for one translation with all its runs


@dataclass(frozen=True)
class Question:
    """One operator in one direction, or there and `back`, on the first `shapes` of its shapes."""

    operator: str
    source: str
    target: str
    shapes: int
    back: bool = False

    def key(self) -> str:
        """What the answer depends on: the snippet, the table of operators and the engine."""
        folder = snippets_folder()
        table = (folder / "operators.toml").read_bytes()
        path = snippet(self.operator, self.source)
        text = read_source(path) if path.is_file() else ""
        names = (self.operator, self.source, self.target, str(self.shapes), str(self.back))
        return cache.key(*names, text, table, engine_version())


def questions(
    operators: Sequence[str],
    sources: Sequence[str],
    targets: Sequence[str],
    shapes: int,
    back: bool = False,
) -> list[Question]:
    """All of them, direction by direction."""
    return [
        Question(operator, source, target, min(shapes, len(load_operators()[operator].shapes)), back)
        for source in sources
        for target in targets
        for operator in operators
        if source != target
    ]


def answers(
    asked: Iterable[Question], state: Path, jobs: int, limit: float = TIME_LIMIT
) -> Iterator[tuple[Question, Outcome]]:
    """Answers in the order in which they come: first those that the state file has, then new ones."""
    keys = {question: question.key() for question in asked}
    found = processes.answers(keys, lambda question: answer(question, limit).to_json(), state, jobs)
    return ((question, Outcome.from_json(table)) for question, table in found)


def answer(question: Question, limit: float = TIME_LIMIT) -> Outcome:
    """One translation, or one there and back, in a process of its own. `limit` is for each translation."""
    if (question.source, question.target) not in ROUTES:
        return _failed(question, f"{question.source} to {question.target} is not supported")
    limit *= 2 if question.back else 1
    said, why = in_process("xpiler.bench.case", question.__dict__, limit)
    return Outcome.from_json(said) if said is not None else _failed(question, why)


def _failed(question: Question, message: str) -> Outcome:
    blank = Outcome(question.operator, question.source, question.target, question.shapes, back=question.back)
    return failed(blank, "translated", message)


# ------------------------------------------------------------------------------------------------ counting


@dataclass(frozen=True)
class Tally:
    """Counts over the outcomes of a direction, or of any other part of them. All counts are of shapes."""

    cases: int
    compiled: int
    computed: int
    verified: int
    proved: int
    native: int
    seconds_p50: float

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "seconds_p50": round(self.seconds_p50, 2)}


def tally(outcomes: Iterable[Outcome]) -> Tally:
    """`native` counts among the compiled, `verified` the shapes of translations that the gate verified,
    `proved` those of them whose text, read back, was proved equal to the source for all data."""
    outcomes = list(outcomes)
    return Tally(
        sum(o.shapes for o in outcomes),
        sum(o.compiled for o in outcomes),
        sum(o.computed for o in outcomes),
        sum(o.computed for o in outcomes if o.status == "verified"),
        sum(o.computed for o in outcomes if o.status == "verified" and not o.unproved),
        sum(o.compiled for o in outcomes if o.native),
        statistics.median([o.seconds for o in outcomes] or [0.0]),
    )


def group(outcomes: Iterable[Outcome], by: Callable[[Outcome], str]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(by(outcome), []).append(outcome)
    return groups


def to_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The document of a run: counts a direction and a round trip, counts an operator, and every failure."""
    by_direction = group((o for o in outcomes if not o.back), lambda o: o.direction)
    round_trips = group((o for o in outcomes if o.back), lambda o: o.direction)
    by_operator = group(outcomes, lambda o: o.operator)
    return {
        "directions": {name: tally(part).to_json() for name, part in by_direction.items()},
        "round_trips": {name: tally(part).to_json() for name, part in round_trips.items()},
        "operators": {name: tally(part).to_json() for name, part in by_operator.items()},
        "not_native": [
            {"direction": o.direction, "operator": o.operator}
            for o in outcomes
            if o.compiled and not o.native
        ],
        "not_proved": [
            {"direction": o.direction, "operator": o.operator, "why": o.unproved}
            for o in outcomes
            if o.computed and o.unproved
        ],
        "failures": [
            {
                "direction": o.direction,
                "case": f"{o.operator}: {failure.shape}",
                "rung": failure.rung,
                "message": failure.message,
            }
            for o in outcomes
            for failure in o.failures
        ],
    }
