"""One operator in one direction: translated once, run on all its shapes. Run in a process of its own,
`python -m xpiler.bench.case`, which takes the question on standard input and answers on standard output.

A shape counts as computed if the delivered text, built and run by the gate, agrees with the source program
within the gate's bounds, in both thread orders and with either end of every buffer guarded. The extents are
those of the operators' table, so that this does not lean on what the translation inferred.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xpiler.bench.nativeness import is_native
from xpiler.bench.operators import Operator, Shape, load_operators, snippet
from xpiler.errors import Refusal
from xpiler.files import read_source
from xpiler.gate.compare import agree_all
from xpiler.gate.contract import Case
from xpiler.gate.execute import BOTH_ENDS, Build, build
from xpiler.platforms.registry import PLATFORMS
from xpiler.translate import translate_text


@dataclass(frozen=True)
class Failure:
    """A shape that did not come through: at which rung, and why."""

    shape: str
    rung: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """What became of one translation. Counts are of shapes; `seconds` is the translation's own time."""

    operator: str
    source: str
    target: str
    shapes: int
    status: str = "refused"
    compiled: int = 0
    computed: int = 0
    native: bool = False
    seconds: float = 0.0
    failures: tuple[Failure, ...] = ()

    @property
    def direction(self) -> str:
        return f"{self.source}->{self.target}"

    @classmethod
    def from_json(cls, table: dict[str, Any]) -> Outcome:
        return cls(**{**table, "failures": tuple(Failure(**one) for one in table["failures"])})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(operator: Operator, path: Path, source: str, target: str, shapes: Sequence[Shape]) -> Outcome:
    """Translates the snippet at `path` and runs it on the shapes."""
    start = time.monotonic()
    text = read_source(path)
    try:
        result = translate_text(text, str(path), target, operator.overrides(shapes))
    except Refusal as refusal:
        return failed(operator.name, source, target, shapes, "translated", str(refusal.diagnostic))
    seconds = time.monotonic() - start
    bad = next((r for r in result.evidence if r.rung == "compiled" and not r.ok), None)
    if result.text is None or bad is not None:
        said = bad.detail if bad else "; ".join(map(str, result.diagnostics)) or "nothing was produced"
        rung = "compiled" if bad else "translated"
        return failed(operator.name, source, target, shapes, rung, said, result.status, seconds)
    file = str(path.with_suffix(PLATFORMS[target].extension))
    contract = operator.contract()
    before = build(text, str(path), source, contract)
    after = build(result.text, file, target, contract)
    native = is_native(result.text, target)
    if not after.ok:
        return failed(
            operator.name, source, target, shapes, "compiled", after.error, result.status, seconds, native
        )
    failures = tuple(_failures(operator, before, after, shapes))
    computed = len(shapes) - len(failures)
    if result.status != "verified" and not failures:
        why = next((f"{r.rung}: {r.detail}" for r in result.evidence if not r.ok), "") or "; ".join(
            map(str, result.diagnostics)
        )
        failures = (Failure("every shape agrees", "verified", f"but it is {result.status}: {why}"),)
    return Outcome(
        operator.name,
        source,
        target,
        len(shapes),
        result.status,
        len(shapes),
        computed,
        native,
        seconds,
        failures,
    )


def failed(
    operator: str,
    source: str,
    target: str,
    shapes: Sequence[Shape],
    rung: str,
    message: str,
    status: str = "refused",
    seconds: float = 0.0,
    native: bool = False,
) -> Outcome:
    """An outcome with no shape that could be run."""
    failures = (Failure("every shape", rung, message),)
    return Outcome(operator, source, target, len(shapes), status, 0, 0, native, seconds, failures)


def _failures(operator: Operator, source: Build, target: Build, shapes: Sequence[Shape]) -> list[Failure]:
    cases = [operator.case(shape, seed) for seed, shape in enumerate(shapes)]
    found: list[Failure] = []
    for shape, case in zip(shapes, cases, strict=True):
        why = _difference(operator, source, target, case)
        if why:
            found.append(Failure(shape.describe(), "executed", why))
    return found


def _difference(operator: Operator, source: Build, target: Build, case: Case) -> str:
    contract = operator.contract()
    (expected,) = source.run([case])
    if not expected.ok:
        return f"the source: {expected.describe()}"
    results = target.run([case], variants=BOTH_ENDS)
    faulty = next((result for result in results if not result.ok), None)
    if faulty is not None:
        return faulty.describe()
    verdicts = agree_all(contract, source, [(expected, result) for result in results])
    return next((verdict.summary for verdict in verdicts if not verdict.ok), "")


def main() -> None:
    """Answers one question: a JSON object with the names of operator and platforms, and how many shapes."""
    asked = json.load(sys.stdin)
    operator = load_operators()[asked["operator"]]
    path = snippet(operator.name, asked["source"])
    shapes = operator.shapes[: asked["shapes"]]
    json.dump(measure(operator, path, asked["source"], asked["target"], shapes).to_json(), sys.stdout)


if __name__ == "__main__":
    main()
