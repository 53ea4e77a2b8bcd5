"""Many forms of one program, each judged in a process of its own: one compilation, thousands of runs.

    if (xpiler_on[3] == 0) { s = 0; } else if (xpiler_on[3] == 1) { s = 1; }        a program with choices
    trials.run([(), ((3, 1),)])  -->  [Score(... wrong=120), Score(... wrong=0)]    how wrong each choice is

The runner compares in place, so that nothing but a line a trial has to be written. What is right is what the
source computed, within the bounds of `compare.py`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xpiler.cancellation import OutOfTime
from xpiler.gate import sandbox
from xpiler.gate.arrays import Array, Float64Array, decode, is_device_poison
from xpiler.gate.compare import error_bound
from xpiler.gate.contract import Case, Contract, Role
from xpiler.gate.execute import Build, RunResult, Variant, manifest_of
from xpiler.gate.inputs import inputs_of
from xpiler.gate.sandbox import Limits
from xpiler.gate.spreads import Spread
from xpiler.gate.used_types import contract_in, result_in

Selection = tuple[tuple[int, int], ...]  # (site, choice) of all sites that are not as written
_PROCESSES = 2
_SMALLEST_PART = 12  # trials for which a second process is worth its start


@dataclass(frozen=True)
class Score:
    """`status`: 0 it ended well, 1 something was reported, 2 it was killed, 3 it took too long, 4 it was not
    run. A trial goes on after an access outside an array, which is reported, so that it tells how wrong the
    rest is. `distance`: the wrong elements, each counted by how wrong it is, see `judge` in `runner.cpp`."""

    status: int
    finished: bool
    wrong: int
    distance: float

    @property
    def right(self) -> bool:
        return self.status == 0 and self.wrong == 0


NOT_RUN = Score(4, False, 0, 0.0)


@dataclass(frozen=True)
class Right:
    """What an argument has to be after a case: see `Expected` in `runner.cpp`."""

    values: Float64Array
    bounds: Float64Array
    kinds: Array


def rights_of(contract: Contract, expected: RunResult, spread: Spread | None) -> dict[str, Right]:
    """What `compare` accepts for each output of a case."""
    found = {}
    contract, expected = contract_in(contract, expected.case), result_in(contract, expected)
    for argument in contract.outputs:
        stored = expected.buffers[argument.name]
        values = decode(stored, argument.dtype)
        own = None if spread is None else spread.get(argument.name)
        bounds = error_bound(contract, argument, expected.case, values, own)
        if not argument.dtype.is_float:
            bounds = np.zeros_like(values) if own is None else own
        kinds = np.zeros(values.shape, np.uint8)
        kinds[np.isnan(values)] = 2
        if argument.role is Role.OUT:
            kinds[expected.left_alone(argument)] = 3
        kinds[is_device_poison(stored)] = 1
        found[argument.name] = Right(values, np.nan_to_num(bounds, nan=0.0), kinds)
    return found


@dataclass(frozen=True)
class Question:
    """A case to try forms on, in one variant: `milliseconds` is what each may take."""

    case: Case
    variant: Variant
    rights: Mapping[str, Right]
    milliseconds: int


def run_trials(
    build: Build,
    question: Question,
    selections: Sequence[Selection],
    seconds: float,
    ending: Sequence[Selection] = (),
) -> list[Score]:
    """How wrong each form is; those that `seconds` do not suffice for are `NOT_RUN`. `ending`: forms that are
    known to end, by which those are told early that do not."""
    parts = _PROCESSES if len(selections) >= _PROCESSES * _SMALLEST_PART else 1
    shares = [[*ending, *selections[i::parts]] for i in range(parts)]
    with ThreadPoolExecutor(parts) as pool:
        found = [
            scores[len(ending) :]
            for (scores,) in pool.map(lambda share: _run(build, [question], share, seconds), shares)
        ]
    scores = [NOT_RUN] * len(selections)
    for i, share in enumerate(found):
        scores[i::parts] = share
    return scores


def run_in_all(
    build: Build, questions: Sequence[Question], selections: Sequence[Selection], seconds: float
) -> list[list[Score]]:
    """How wrong each form is in each of the cases, which are run in one process: a list of scores a case."""
    return _run(build, questions, selections, seconds) if questions else []


def _run(
    build: Build, questions: Sequence[Question], selections: Sequence[Selection], seconds: float
) -> list[list[Score]]:
    assert build.program is not None
    contract = build.contract
    with tempfile.TemporaryDirectory(prefix="xpiler-trials-") as name:
        scratch = Path(name)
        program = scratch / "program"
        try:
            os.link(build.program, program)
        except OSError:
            shutil.copy2(build.program, program)
        (scratch / "trials").write_text("".join(_line(selection) for selection in selections))
        data: dict[Case, Mapping[str, Array]] = {}
        for question in questions:
            data.setdefault(question.case, inputs_of(contract, question.case))
        jobs = [(question.case, data[question.case], question.variant) for question in questions]
        told = [_told(contract, question, number, scratch) for number, question in enumerate(questions)]
        (scratch / "manifest").write_text(
            manifest_of(contract, build.platform, jobs, scratch, lambda number: told[number])
        )
        with suppress(OutOfTime):  # what was tried by then is known
            sandbox.run(
                [str(program), "manifest"],
                cwd=scratch,
                limits=Limits(cpu=seconds + 5, wall=seconds),
                env={"OMP_NUM_THREADS": "1"},
            )
        return [_answers(scratch / f"results-{i}", len(selections)) for i in range(len(questions))]


def _told(contract: Contract, question: Question, number: int, scratch: Path) -> list[str]:
    """What the runner is told of a question: that it is asked of trials, and what is right."""
    slots = {argument.name: i for i, argument in enumerate((*contract.arguments, *contract.globals))}
    lines = [f"trials trials results-{number} {question.milliseconds}"]
    for argument in contract_in(contract, question.case).outputs:
        right, file = question.rights[argument.name], f"right-{number}-{slots[argument.name]}"
        parts = (right.values.astype("<f8"), right.bounds.astype("<f8"), right.kinds)
        (scratch / file).write_bytes(b"".join(part.tobytes() for part in parts))
        lines.append(f"expect {slots[argument.name]} {argument.dtype.name} {right.values.size} {file}")
    return lines


def _answers(file: Path, count: int) -> list[Score]:
    try:
        answers = file.read_text().splitlines()
    except OSError:
        answers = []
    scores = [_score(line) for line in answers if line.count(" ") == 3]
    return (scores + [NOT_RUN] * count)[:count]


def _line(selection: Selection) -> str:
    return " ".join(map(str, (2 * len(selection), *(number for pair in selection for number in pair)))) + "\n"


def _score(line: str) -> Score:
    status, finished, wrong, distance = line.split()
    return Score(int(status), finished == "1", int(wrong), float(distance))
