"""One right translation with faults in it: found, localized, repaired? Run in a process of its own,
`python -m xpiler.bench.repair_case`, which takes the question on standard input and answers on
standard output.

The engine sees the source and the faulty text, as a user would hand them over, with the same statements of
sizes. The truth about the faults is only compared with its answer.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

from xpiler.bench.faults.anatomy import Anatomy
from xpiler.bench.faults.inject import inject
from xpiler.bench.faults.model import Faulty, Truth
from xpiler.bench.independent import degenerate, difference
from xpiler.bench.operators import Operator, load_operators, snippet
from xpiler.bench.targets import target_file, telling, verified, written_by_hand
from xpiler.errors import Refusal
from xpiler.files import read_source
from xpiler.frontend.syntax import analyse
from xpiler.repair import Repair, repair
from xpiler.repair.differences import differences
from xpiler.repair.result import NOTHING_WRONG

EQUIVALENT, COUNTED, UNAVAILABLE = "equivalent", "counted", "unavailable"


@dataclass(frozen=True)
class RepairOutcome:
    """What became of one case. `codes`: the classes asked for. `status`: counted; equivalent, if the faults
    change nothing; unavailable, if there is no right translation, or no such fault of it. `seconds`: from the
    faulty text to the verdict or the repaired text; `why`: what was found, or what is missing; `by`: what
    found the repair."""

    operator: str
    source: str
    target: str
    seed: int
    codes: tuple[str, ...]
    status: str
    faults: tuple[Truth, ...] = ()
    detected: bool = False
    localized: bool = False
    repaired: bool = False
    seconds: float = 0.0
    why: str = ""
    by: str = ""

    @property
    def direction(self) -> str:
        return f"{self.source}->{self.target}"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "faults": [fault.to_json() for fault in self.faults]}

    @classmethod
    def from_json(cls, table: dict[str, Any]) -> RepairOutcome:
        faults = tuple(Truth.from_json(fault) for fault in table["faults"])
        return cls(**{**table, "codes": tuple(table["codes"]), "faults": faults})


def measure(
    operator: Operator,
    source: str,
    target: str,
    codes: list[str],
    seed: int,
    seconds: float,
    compares: bool = True,
    by_hand: bool = False,
) -> RepairOutcome:
    """Makes the faulty text and asks the engine about it. `by_hand`: out of the target platform's snippet."""
    path = snippet(operator.name, source)
    text, file = read_source(path), target_file(operator, source, target)

    def outcome(status: str, **known: Any) -> RepairOutcome:
        return RepairOutcome(operator.name, source, target, seed, tuple(codes), status, **known)

    found = (written_by_hand if by_hand else verified)(operator, source, target)
    if found is None:
        return outcome(UNAVAILABLE, why="no verified translation")
    right = found.text
    faulty = faulty_text(operator, text, str(path), source, right, file, target, codes, seed)
    if faulty is None:
        return outcome(UNAVAILABLE, why=f"no {' and '.join(codes)} apart in this text")
    try:
        stated = found.stated(operator)
        result = repair(text, str(path), faulty.text, file, stated, seconds=seconds, compares=compares)
    except Refusal as refusal:
        why = f"refused: {refusal.diagnostic}"
        return outcome(COUNTED, faults=faulty.faults, detected=True, why=why)
    trusted = (text, str(path), source)
    if result.status == NOTHING_WRONG:
        why = difference(operator, trusted, right, (faulty.text, file, target))
        status = COUNTED if why else EQUIVALENT
        return outcome(status, faults=faulty.faults, seconds=result.seconds, why=why)
    why = result.reason
    if result.text is not None and differences(result.text, right)[0]:
        unseen = (*telling(operator)[found.shapes :][:2], *degenerate(operator))
        why = difference(operator, trusted, right, (result.text, file, target), unseen)
    return outcome(
        COUNTED,
        faults=faulty.faults,
        detected=True,
        localized=names_a_fault(result, faulty),
        repaired=result.text is not None and not why,
        seconds=result.seconds,
        why="; ".join(part for part in (result.symptom, why, _changed(result)) if part),
        by=result.by,
    )


def names_a_fault(result: Repair, faulty: Faulty) -> bool:
    """Whether the first statement that is named is one with a fault. Only that one counts: a list of suspects
    is no localization."""
    if not result.localized:
        return False
    place = result.localized[0].range
    lines = [line for fault in faulty.faults for line in fault.lines]
    return any(line.overlaps(place.line, place.end_line) for line in lines)


def _changed(result: Repair) -> str:
    """The lines that the repair put in."""
    added = [
        line[1:].strip() for line in result.diff.splitlines() if line.startswith("+") and line[1:2] != "+"
    ]
    return " | ".join(added)


def faulty_text(
    operator: Operator,
    text: str,
    file: str,
    platform: str,
    right: str,
    right_file: str,
    target: str,
    codes: list[str],
    seed: int,
) -> Faulty | None:
    """The right text with the faults drawn by the seed."""
    unit = analyse(text, file, platform=platform)
    functions = (*unit.kernels, *unit.device_functions, *unit.host_functions)
    names = [function.name for function in functions]
    anatomy = Anatomy.of(right, right_file, target, names, dict(operator.shapes[0].sizes))
    return inject(anatomy, codes, seed)


def main() -> None:
    """Answers one question: an object with the names of operator and platforms, classes and seed."""
    asked = json.load(sys.stdin)
    operator = load_operators()[asked["operator"]]
    place = asked["source"], asked["target"]
    how = asked["seconds"], asked["compares"], asked["by_hand"]
    measured = measure(operator, *place, asked["codes"], asked["seed"], *how)
    json.dump(measured.to_json(), sys.stdout)


if __name__ == "__main__":
    main()
