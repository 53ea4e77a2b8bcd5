"""How many faults are detected, localized and repaired: right translations with faults put in.

Cases are drawn by a seed: operators, directions and classes take turns, so that few cases cover them all.
Each runs in a process of its own and is remembered, see `processes.py`.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xpiler.bench import processes
from xpiler.bench.faults.model import CLASSES
from xpiler.bench.operators import snippet, snippets_folder
from xpiler.bench.processes import engine_version, in_process
from xpiler.bench.repair_case import COUNTED, EQUIVALENT, UNAVAILABLE, RepairOutcome
from xpiler.files import read_source
from xpiler.gate import cache
from xpiler.gate.sandbox import patience
from xpiler.repair.result import COMPARISON

TIME_LIMIT = 210.0  # seconds for one case with its translation and all its runs, besides the repair itself
REPAIR_SECONDS = 30.0
SHARES = (0.6, 0.25, 0.15)  # of cases with one, two and three faults


@dataclass(frozen=True)
class RepairQuestion:
    """Faults of the classes `codes` in the translation of an operator; `seconds` that a repair may take, and
    whether the engine also compares with its own translation, which is here the right text, unless that is
    the target platform's own snippet (`by_hand`)."""

    operator: str
    source: str
    target: str
    codes: tuple[str, ...]
    seed: int
    seconds: float = REPAIR_SECONDS
    compares: bool = True
    by_hand: bool = False

    def key(self) -> str:
        """What the answer depends on: the snippet, the table of operators and the engine."""
        table = (snippets_folder() / "operators.toml").read_bytes()
        text = read_source(snippet(self.operator, self.source))
        names = (self.operator, self.source, self.target, *self.codes, str(self.seed), str(self.seconds))
        names += () if self.compares else ("search only",)
        names += (read_source(snippet(self.operator, self.target)),) if self.by_hand else ()
        return cache.key("repair", *names, text, table, engine_version())


def questions(
    operators: Sequence[str],
    sources: Sequence[str],
    targets: Sequence[str],
    classes: Sequence[str],
    cases: int,
    seed: int,
    seconds: float = REPAIR_SECONDS,
    compares: bool = True,
    by_hand: bool = False,
) -> list[RepairQuestion]:
    """`cases` of them, no two alike."""
    rng = random.Random(seed)
    texts = [(o, s, t) for o in operators for s in sources for t in targets if s != t]
    asked: list[RepairQuestion] = []
    turn: list[tuple[str, str, str]] = []
    codes: list[str] = []
    while texts and len(asked) < cases:
        turn = turn or rng.sample(texts, len(texts))
        (count,) = rng.choices((1, 2, 3), SHARES)
        drawn: list[str] = []
        for _ in range(count):
            codes = codes or rng.sample(list(classes), len(classes))
            drawn.append(codes.pop())
        asked.append(
            RepairQuestion(*turn.pop(), tuple(drawn), rng.randrange(1 << 30), seconds, compares, by_hand)
        )
    return asked


def answers(
    asked: Iterable[RepairQuestion], state: Path, jobs: int, limit: float = TIME_LIMIT
) -> Iterator[tuple[RepairQuestion, RepairOutcome]]:
    """Answers in the order in which they come: first those that the state file has, then new ones."""
    keys = {question: question.key() for question in asked}
    found = processes.answers(keys, lambda question: answer(question, limit).to_json(), state, jobs)
    return ((question, RepairOutcome.from_json(table)) for question, table in found)


def answer(question: RepairQuestion, limit: float = TIME_LIMIT) -> RepairOutcome:
    """One case in a process of its own; what takes too long or fails counts as a fault that was missed."""
    limit = patience() * (limit + question.seconds)
    said, why = in_process("xpiler.bench.repair_case", question.__dict__, limit)
    if said is not None:
        return RepairOutcome.from_json(said)
    place = (question.operator, question.source, question.target, question.seed)
    return RepairOutcome(*place, question.codes, COUNTED, seconds=limit, why=why)


# ------------------------------------------------------------------------------------------------ counting


@dataclass(frozen=True)
class Tally:
    """Counts over cases whose faults change behaviour; seconds until a repaired text or a verdict."""

    cases: int
    detected: int
    localized: int
    repaired: int
    seconds_p50: float
    seconds_p95: float
    compared: int = 0  # of the repaired: by comparison with the engine's own translation

    def to_json(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "seconds_p50": round(self.seconds_p50, 2),
            "seconds_p95": round(self.seconds_p95, 2),
        }


def tally(outcomes: Iterable[RepairOutcome]) -> Tally:
    counted = [o for o in outcomes if o.status == COUNTED]
    seconds = [o.seconds for o in counted] or [0.0]
    return Tally(
        len(counted),
        sum(o.detected for o in counted),
        sum(o.localized for o in counted),
        sum(o.repaired for o in counted),
        statistics.median(seconds),
        float(np.percentile(seconds, 95)),
        sum(o.repaired and o.by == COMPARISON for o in counted),
    )


def group(
    outcomes: Iterable[RepairOutcome], by: Callable[[RepairOutcome], str]
) -> dict[str, list[RepairOutcome]]:
    groups: dict[str, list[RepairOutcome]] = {}
    for outcome in outcomes:
        groups.setdefault(by(outcome), []).append(outcome)
    return groups


def is_single(outcome: RepairOutcome) -> bool:
    return len(outcome.codes) == 1


def to_json(outcomes: Sequence[RepairOutcome]) -> dict[str, Any]:
    """The document of a run: counts, those of single faults also by class, and what was missed."""
    single = [o for o in outcomes if is_single(o)]
    by_class = group((o for o in single if o.faults), lambda o: o.faults[0].code)
    by_platform = group(outcomes, lambda o: o.target)
    return {
        "single": tally(single).to_json(),
        "multi": tally(o for o in outcomes if not is_single(o)).to_json(),
        "classes": {code: tally(by_class[code]).to_json() for code in CLASSES if code in by_class},
        "platforms": {name: tally(part).to_json() for name, part in by_platform.items()},
        "equivalent": sum(o.status == EQUIVALENT for o in outcomes),
        "unavailable": sum(o.status == UNAVAILABLE for o in outcomes),
        "failures": [
            o.to_json() for o in outcomes if o.status == COUNTED and not (o.detected and o.repaired)
        ],
    }
