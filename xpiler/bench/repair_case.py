"""One right translation with faults in it: found, localized, repaired? Run in a process of its own,
`python -m xpiler.bench.repair_case`, which takes the question on standard input and answers on
standard output.

The engine sees the source and the faulty text, as a user would hand them over, with the same statements of
sizes. The truth about the faults is only compared with its answer.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from xpiler.bench.faults.anatomy import Anatomy
from xpiler.bench.faults.inject import inject
from xpiler.bench.faults.model import Faulty, Truth
from xpiler.bench.independent import difference
from xpiler.bench.operators import Operator, load_operators, snippet
from xpiler.bench.targets import right_target, stated, target_file
from xpiler.errors import Refusal
from xpiler.files import read_source
from xpiler.frontend.syntax import analyse
from xpiler.translate import Result, verify_text

EQUIVALENT, COUNTED, UNAVAILABLE = "equivalent", "counted", "unavailable"


@dataclass(frozen=True)
class RepairOutcome:
    """What became of one case. `codes`: the classes asked for. `status`: counted; equivalent, if the faults
    change nothing; unavailable, if there is no right translation, or no such fault of it. `seconds`: from the
    faulty text to the verdict or the repaired text; `why`: what was found, or what is missing."""

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

    @property
    def direction(self) -> str:
        return f"{self.source}->{self.target}"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "faults": [fault.to_json() for fault in self.faults]}

    @classmethod
    def from_json(cls, table: dict[str, Any]) -> RepairOutcome:
        faults = tuple(Truth.from_json(fault) for fault in table["faults"])
        return cls(**{**table, "codes": tuple(table["codes"]), "faults": faults})


def measure(operator: Operator, source: str, target: str, codes: list[str], seed: int) -> RepairOutcome:
    """Makes the faulty text and asks the engine about it."""
    path = snippet(operator.name, source)
    text, file = read_source(path), target_file(operator, source, target)

    def outcome(status: str, **known: Any) -> RepairOutcome:
        return RepairOutcome(operator.name, source, target, seed, tuple(codes), status, **known)

    right = right_target(operator, source, target)
    if right is None:
        return outcome(UNAVAILABLE, why="no verified translation")
    faulty = faulty_text(operator, text, str(path), source, right, file, target, codes, seed)
    if faulty is None:
        return outcome(UNAVAILABLE, why=f"no {' and '.join(codes)} apart in this text")
    start = time.monotonic()
    try:
        result = verify_text(text, str(path), faulty.text, file, stated(operator))
    except Refusal as refusal:
        return outcome(UNAVAILABLE, faults=faulty.faults, why=f"not verified: {refusal.diagnostic}")
    seconds = time.monotonic() - start
    if result.status == "verified":
        why = difference(operator, (text, str(path), source), right, (faulty.text, file, target))
        return outcome(COUNTED if why else EQUIVALENT, faults=faulty.faults, seconds=seconds, why=why)
    return outcome(COUNTED, faults=faulty.faults, detected=True, seconds=seconds, why=_why(result))


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


def _why(result: Result) -> str:
    failed = next((rung for rung in result.evidence if not rung.ok), None)
    if failed is not None:
        return f"{failed.rung}: {failed.detail}"
    return "; ".join(map(str, result.diagnostics))


def main() -> None:
    """Answers one question: an object with the names of operator and platforms, classes and seed."""
    asked = json.load(sys.stdin)
    operator = load_operators()[asked["operator"]]
    measured = measure(operator, asked["source"], asked["target"], asked["codes"], asked["seed"])
    json.dump(measured.to_json(), sys.stdout)


if __name__ == "__main__":
    main()
