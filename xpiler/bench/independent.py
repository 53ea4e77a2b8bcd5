"""Whether a text behaves differently from its source: asked of more than the gate looks at.

What the gate verifies although a fault was put in is held against this: all shapes of the operator and
degenerate ones, several seeds of every kind of data, either order of threads and either end of every buffer
guarded; and the checker, which must find nothing that it does not find in the right text as well. A fault
that passes all of it does not change behaviour as far as anybody can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from xpiler.bench.operators import Operator, Shape
from xpiler.errors import Refusal
from xpiler.frontend import parse
from xpiler.gate.compare import agree_all
from xpiler.gate.contract import Case, FillKind
from xpiler.gate.execute import BOTH_ENDS, Build, build
from xpiler.symbolic.check import Options, check_unit

# Not "special": how infinities and NaN fare the gate tells, and decides nothing by it.
_FILLS: tuple[tuple[int, FillKind], ...] = (
    (101, "normal"),
    (102, "integers"),
    (103, "boundary"),
)
_CHECK_SECONDS = 6.0


def difference(
    operator: Operator,
    source: tuple[str, str, str],
    right: str,
    target: tuple[str, str, str],
    shapes: Iterable[Shape] | None = None,
) -> str:
    """How the target differs from its source, "" if in nothing. A text comes with its file and platform;
    `right` is the target as it was without faults: where it differs too, nothing is said. `shapes`: all that
    there are, and degenerate ones, if none are given."""
    contract = operator.contract()
    before, after = build(*source, contract), build(*target, contract)
    if not after.ok:
        return after.error
    if shapes is None:
        shapes = (*operator.shapes, *degenerate(operator))
    for shape in shapes:
        for case in _cases(operator, shape):
            why = _differs(operator, before, after, case)
            if why and not _differs(operator, before, build(right, *target[1:], contract), case):
                return f"{shape.describe()}: {why}"
    return new_findings(right, *target)


def new_findings(right: str, text: str, file: str, platform: str) -> str:
    """A bug that the checker finds in the text and not in the right one."""
    known = _findings(right, file, platform)
    found = {code: said for code, said in _findings(text, file, platform).items() if code not in known}
    return "; ".join(found.values())


def _findings(text: str, file: str, platform: str) -> dict[str, str]:
    try:
        report = check_unit(
            parse(text, file, platform=platform, tells_streams=True), Options(seconds=_CHECK_SECONDS)
        )
    except Refusal:
        return {}
    return {f.code: f"{f.range}: {f.message}" for f in report.findings if f.severity == "error"}


def _differs(operator: Operator, source: Build, target: Build, case: Case) -> str:
    (expected,) = source.run([case])
    if not expected.ok:
        return ""  # the source is not meant for this size
    results = target.run([case], variants=BOTH_ENDS)
    faulty = next((result for result in results if not result.ok), None)
    if faulty is not None:
        return faulty.describe()
    verdicts = agree_all(operator.contract(), source, [(expected, result) for result in results])
    return next((verdict.summary for verdict in verdicts if not verdict.ok), "")


def _cases(operator: Operator, shape: Shape) -> Iterator[Case]:
    for seed, fill in _FILLS:
        yield replace(operator.case(shape, seed), fill=fill)


def degenerate(operator: Operator) -> Iterator[Shape]:
    """Shapes with one size of 1, or one just beside a power of two; those that make no sense left out."""
    first = operator.shapes[0]
    for position, (name, value) in enumerate(first.sizes):
        for size in (1, value + 1, 129 if value > 16 else 3):
            sizes = (*first.sizes[:position], (name, size), *first.sizes[position + 1 :])
            shape = Shape(f"{name} is {size}", sizes)
            if all(extent > 0 for extents in operator.extents(shape).values() for extent in extents):
                yield shape
