"""One operator in one direction: translated once, run on all its shapes. Run in a process of its own,
`python -m xpiler.bench.case`, which takes the question on standard input and answers on standard output.

A shape counts as computed if the delivered text, built and run by the gate, agrees with the source program
within the gate's bounds, in both thread orders and with either end of every buffer guarded. The extents are
those of the operators' table, so that this does not lean on what the translation inferred.

There and back: the delivered text is translated once more, to the platform it came from, and what comes back
is held against the snippet. The text in between is one that users have, so the frontends must read it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from xpiler.bench.nativeness import is_native
from xpiler.bench.operators import Operator, Shape, load_operators, snippet
from xpiler.errors import Refusal
from xpiler.files import read_source
from xpiler.gate.compare import agree_all
from xpiler.gate.contract import Case
from xpiler.gate.evidence import Rung
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
    """What became of one translation, or of one there and `back`. Counts are of shapes; `seconds` is the
    translation's own time; `unproved`: why reading the text back did not prove it equal for all data, ""
    if it did (of a translation there and back: the way back)."""

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
    back: bool = False
    unproved: str = "nothing was compared"

    @property
    def direction(self) -> str:
        return "->".join((self.source, self.target, *([self.source] if self.back else [])))

    @classmethod
    def from_json(cls, table: dict[str, Any]) -> Outcome:
        return cls(**{**table, "failures": tuple(Failure(**one) for one in table["failures"])})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(operator: Operator, path: Path, source: str, target: str, shapes: Sequence[Shape]) -> Outcome:
    """Translates the snippet at `path` and runs it on the shapes."""
    text = read_source(path)
    blank = Outcome(operator.name, source, target, len(shapes))
    step = _translate(blank, operator, text, path, target, shapes)
    return step if isinstance(step, Outcome) else _compare(blank, operator, text, path, step, shapes)


def measure_back(
    operator: Operator, path: Path, source: str, target: str, shapes: Sequence[Shape]
) -> Outcome:
    """Translates the snippet at `path` there and back, and runs what comes back on the shapes."""
    text = read_source(path)
    blank = Outcome(operator.name, source, target, len(shapes), back=True)
    there = _translate(blank, operator, text, path, target, shapes)
    if isinstance(there, Outcome):
        return there
    back = _translate(blank, operator, there.text, there.path, source, shapes)
    if isinstance(back, Outcome):
        return back
    whole = replace(back, status=_worse(there, back), seconds=there.seconds + back.seconds)
    return _compare(blank, operator, text, path, whole, shapes)


@dataclass(frozen=True)
class _Step:
    """A text that was translated, compiled by its platform's own compilers."""

    text: str
    path: Path
    platform: str
    status: str
    doubt: str
    unproved: str
    seconds: float


def _worse(there: _Step, back: _Step) -> str:
    return back.status if there.status == "verified" else there.status


def _translate(
    blank: Outcome, operator: Operator, text: str, path: Path, to: str, shapes: Sequence[Shape]
) -> _Step | Outcome:
    """The text on platform `to`, or the outcome that there is none."""
    start = time.monotonic()
    where = f"to {to}: " if blank.back else ""
    try:
        result = translate_text(text, str(path), to, operator.overrides(shapes))
        if result.status == "unverified" and len(shapes) < len(operator.shapes):
            # Perhaps only other shapes launch all of its kernels: the translation is told of them all.
            result = translate_text(text, str(path), to, operator.overrides(operator.shapes))
    except Refusal as refusal:
        seconds = time.monotonic() - start
        return failed(replace(blank, seconds=seconds), "translated", f"{where}{refusal.diagnostic}")
    seconds = time.monotonic() - start
    bad = next((r for r in result.evidence if r.rung == "compiled" and not r.ok), None)
    if result.text is None or bad is not None:
        said = bad.detail if bad else "; ".join(map(str, result.diagnostics)) or "nothing was produced"
        rung = "compiled" if bad else "translated"
        return failed(replace(blank, status=result.status, seconds=seconds), rung, f"{where}{said}")
    why = next((f"{r.rung}: {r.detail}" for r in result.evidence if not r.ok), "") or "; ".join(
        map(str, result.diagnostics)
    )
    file = path.with_suffix(PLATFORMS[to].extension)
    return _Step(result.text, file, to, result.status, why, _unproved(result.evidence), seconds)


def _unproved(evidence: Sequence[Rung]) -> str:
    """Why the text as it is read back is not shown to be equal for all data; "" if it is."""
    rungs = [rung for rung in evidence if rung.rung == "proved"]
    if not rungs:
        return "nothing was compared"
    return "; ".join(rung.detail for rung in rungs if rung.undecided or not rung.ok)


def _compare(
    blank: Outcome, operator: Operator, text: str, path: Path, step: _Step, shapes: Sequence[Shape]
) -> Outcome:
    """The result beside the snippet, on every shape."""
    contract = operator.contract()
    before = build(text, str(path), blank.source, contract)
    after = build(step.text, str(step.path), step.platform, contract)
    native = is_native(step.text, step.platform)
    known = replace(blank, status=step.status, seconds=step.seconds, native=native, unproved=step.unproved)
    if not after.ok:
        return failed(known, "compiled", after.error)
    failures = tuple(_failures(operator, before, after, shapes))
    computed = len(shapes) - len(failures)
    if step.status != "verified" and not failures:
        failures = (Failure("every shape agrees", "verified", f"but it is {step.status}: {step.doubt}"),)
    return replace(known, compiled=len(shapes), computed=computed, failures=failures)


def failed(outcome: Outcome, rung: str, message: str) -> Outcome:
    """The outcome with no shape that could be run."""
    return replace(outcome, failures=(Failure("every shape", rung, message),))


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
    """Answers one question: a JSON object with the names of operator and platforms, how many shapes, and
    whether there and back."""
    asked = json.load(sys.stdin)
    operator = load_operators()[asked["operator"]]
    path = snippet(operator.name, asked["source"])
    shapes = operator.shapes[: asked["shapes"]]
    way = measure_back if asked["back"] else measure
    json.dump(way(operator, path, asked["source"], asked["target"], shapes).to_json(), sys.stdout)


if __name__ == "__main__":
    main()
