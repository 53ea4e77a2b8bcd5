"""How many translations of the operators hold: every operator, every direction, every shape.

Each translation runs in a process of its own that is ended when it takes too long. Outcomes are appended to
a state file, by a key of everything that they depend on, so that an interrupted run goes on where it stopped
and a second one only repeats what has changed.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpiler.bench.case import Outcome, failed
from xpiler.bench.operators import load_operators, snippet, snippets_folder
from xpiler.files import read_source
from xpiler.gate import cache
from xpiler.routes import ROUTES

TIME_LIMIT = 300.0  # seconds for one translation with all its runs


@dataclass(frozen=True)
class Question:
    """One operator in one direction, on the first `shapes` of its shapes."""

    operator: str
    source: str
    target: str
    shapes: int

    def key(self) -> str:
        """What the answer depends on: the snippet, the table of operators and the engine."""
        folder = snippets_folder()
        table = (folder / "operators.toml").read_bytes()
        path = snippet(self.operator, self.source)
        text = read_source(path) if path.is_file() else ""
        names = (self.operator, self.source, self.target, str(self.shapes))
        return cache.key(*names, text, table, engine_version())


@functools.cache
def engine_version() -> str:
    """A name for the engine's own text: every file of the package."""
    package = Path(__file__).parents[1]
    files = sorted(p for p in package.rglob("*") if p.suffix in (".py", ".hpp", ".h", ".cpp"))
    return cache.key(*(part for p in files for part in (str(p.relative_to(package)), p.read_bytes())))


def questions(
    operators: Sequence[str], sources: Sequence[str], targets: Sequence[str], shapes: int
) -> list[Question]:
    """All of them, direction by direction."""
    return [
        Question(operator, source, target, min(shapes, len(load_operators()[operator].shapes)))
        for source in sources
        for target in targets
        for operator in operators
        if source != target
    ]


def answers(
    asked: Iterable[Question], state: Path, jobs: int, limit: float = TIME_LIMIT
) -> Iterator[tuple[Question, Outcome]]:
    """Answers in the order in which they come: first those that the state file has, then new ones."""
    known = _read_state(state)
    keys = {question: question.key() for question in asked}
    for question, key in keys.items():
        if key in known:
            yield question, known[key]
    open_ones = [question for question, key in keys.items() if key not in known]
    state.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool, state.open("a", encoding="utf-8") as record:
        running = {pool.submit(answer, question, limit): question for question in open_ones}
        try:
            for done in as_completed(running):
                question, outcome = running[done], done.result()
                record.write(json.dumps({"key": keys[question], "outcome": outcome.to_json()}) + "\n")
                record.flush()
                yield question, outcome
        finally:
            for future in running:
                future.cancel()


def answer(question: Question, limit: float = TIME_LIMIT) -> Outcome:
    """One translation in a process of its own."""
    if (question.source, question.target) not in ROUTES:
        return _failed(question, f"{question.source} to {question.target} is not supported")
    asked = {**question.__dict__}
    process = subprocess.Popen(
        [sys.executable, "-m", "xpiler.bench.case"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said, errors = process.communicate(json.dumps(asked), timeout=limit)
    except subprocess.TimeoutExpired:
        return _failed(question, f"stopped after {limit:.0f} s")
    finally:
        _end(process)
    if process.returncode != 0:
        last = (errors.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        return _failed(question, f"the engine failed: {last}")
    return Outcome.from_json(json.loads(said))


def _failed(question: Question, message: str) -> Outcome:
    shapes = load_operators()[question.operator].shapes[: question.shapes]
    return failed(question.operator, question.source, question.target, shapes, "translated", message)


def _end(process: subprocess.Popen[str]) -> None:
    """Ends the process and what it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _read_state(state: Path) -> dict[str, Outcome]:
    """What an earlier run found; a line cut off by an interruption is skipped."""
    known: dict[str, Outcome] = {}
    if not state.is_file():
        return known
    for line in state.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        known[entry["key"]] = Outcome.from_json(entry["outcome"])
    return known


# ------------------------------------------------------------------------------------------------ counting


@dataclass(frozen=True)
class Tally:
    """Counts over the outcomes of a direction, or of any other part of them. All counts are of shapes."""

    cases: int
    compiled: int
    computed: int
    verified: int
    native: int
    seconds_p50: float

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "seconds_p50": round(self.seconds_p50, 2)}


def tally(outcomes: Iterable[Outcome]) -> Tally:
    """`native` counts among the compiled, `verified` the shapes of translations that the gate verified."""
    outcomes = list(outcomes)
    return Tally(
        sum(o.shapes for o in outcomes),
        sum(o.compiled for o in outcomes),
        sum(o.computed for o in outcomes),
        sum(o.computed for o in outcomes if o.status == "verified"),
        sum(o.compiled for o in outcomes if o.native),
        statistics.median([o.seconds for o in outcomes] or [0.0]),
    )


def group(outcomes: Iterable[Outcome], by: Callable[[Outcome], str]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(by(outcome), []).append(outcome)
    return groups


def to_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The document of a run: counts a direction, counts an operator, and every failure."""
    by_direction = group(outcomes, lambda o: o.direction)
    by_operator = group(outcomes, lambda o: o.operator)
    return {
        "directions": {name: tally(part).to_json() for name, part in by_direction.items()},
        "operators": {name: tally(part).to_json() for name, part in by_operator.items()},
        "not_native": [
            {"direction": o.direction, "operator": o.operator}
            for o in outcomes
            if o.compiled and not o.native
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
