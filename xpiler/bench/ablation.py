"""What each part of the method is worth: translations with sketches, with parts of the loop taken away.

The sketches are simulated unless an endpoint is given: right translations with faults, wrong as often as the
published translations were without the solver.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xpiler.bench import processes
from xpiler.bench.ablation_case import STRATEGIES, AblationOutcome
from xpiler.bench.operators import snippet
from xpiler.bench.processes import engine_version, in_process
from xpiler.files import read_source
from xpiler.gate import cache

TIME_LIMIT = 900.0
PUBLISHED = {("cuda", "bang"): 0.458, ("vnni", "bang"): 0.417, ("hip", "bang"): 0.476}
"""The share of wrong translations without the solver, as published for three directions."""
ASSUMED = 0.3
"""The share in directions for which none is stated here: an assumption."""
DIRECT = {"one-shot": 1.0, "few-shot": 0.923}
"""The share of wrong translations at once, as published for CUDA to BANG C; taken for all directions."""


@dataclass(frozen=True)
class AblationQuestion:
    operator: str
    source: str
    target: str
    strategy: str
    seed: int
    model: str = ""
    base_url: str = ""

    @property
    def wrong(self) -> float:
        """The share of translations by plain sketches that have a fault."""
        return DIRECT.get(self.strategy, PUBLISHED.get((self.source, self.target), ASSUMED))

    def key(self) -> str:
        text = read_source(snippet(self.operator, self.source))
        return cache.key("ablation", repr(asdict(self)), str(self.wrong), text, engine_version())


def questions(
    operators: Sequence[str],
    sources: Sequence[str],
    targets: Sequence[str],
    strategies: Sequence[str],
    seed: int,
    endpoint: tuple[str, str] = ("", ""),
) -> list[AblationQuestion]:
    return [
        AblationQuestion(o, s, t, strategy, seed, *endpoint)
        for strategy in strategies
        for s in sources
        for t in targets
        for o in operators
        if s != t
    ]


def answers(
    asked: Iterable[AblationQuestion], state: Path, jobs: int
) -> Iterator[tuple[AblationQuestion, AblationOutcome]]:
    """Answers in the order in which they come: first those that the state file has, then new ones."""
    keys = {question: question.key() for question in asked}
    found = processes.answers(keys, lambda question: answer(question).to_json(), state, jobs)
    return ((question, AblationOutcome(**table)) for question, table in found)


def answer(question: AblationQuestion) -> AblationOutcome:
    said, why = in_process(
        "xpiler.bench.ablation_case", {**asdict(question), "wrong": question.wrong}, TIME_LIMIT
    )
    if said is not None:
        return AblationOutcome(**said)
    return AblationOutcome(question.operator, question.source, question.target, question.strategy, why=why)


def to_json(outcomes: Sequence[AblationOutcome], simulated: bool) -> dict[str, Any]:
    """Counts a strategy and direction, and what failed."""
    table: dict[str, dict[str, Any]] = {name: {} for name in STRATEGIES}
    for outcome in outcomes:
        cell = table[outcome.strategy].setdefault(
            outcome.direction, {"cases": 0, "compiled": 0, "computed": 0, "sketched": 0, "requests": 0}
        )
        cell["cases"] += 1
        for name in ("compiled", "computed", "sketched", "requests"):
            cell[name] += int(getattr(outcome, name))
    return {
        "sketches": "simulated" if simulated else "of the endpoint",
        "strategies": {name: cells for name, cells in table.items() if cells},
        "failures": [outcome.to_json() for outcome in outcomes if not outcome.computed],
    }
