"""Reads `// expect: CODE | --block X --grid Y` before each kernel of the suite's files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xpiler.frontend import Unit, parse
from xpiler.symbolic.check import Options, check_unit
from xpiler.symbolic.findings import Report
from xpiler.symbolic.shape import Dims

SUITE = Path(__file__).parent / "suite"
_EXPECTATION = re.compile(
    r"^// expect: ([\w-]+)(?: \|(.*))?\n(?:template.*\n)?__global__\s+(?:__launch_bounds__\(.*?\)\s+)?void\s+(\w+)",
    re.M,
)


@dataclass(frozen=True)
class Case:
    """One kernel of a file: `expected` is a finding's code, or `clean`, `undecided`."""

    file: Path
    kernel: str
    expected: str
    options: Options

    def __str__(self) -> str:
        return f"{self.file.stem}:{self.kernel}"


def cases() -> Iterator[Case]:
    for file in sorted(SUITE.glob("*.cu")):
        for expected, flags, kernel in _EXPECTATION.findall(file.read_text()):
            yield Case(file, kernel, expected, Options(_flag(flags, "grid"), _flag(flags, "block")))


def _flag(flags: str, name: str) -> Dims | None:
    found = re.search(rf"--{name} ([\d,]+)", flags)
    if not found:
        return None
    parts = [int(p) for p in found[1].split(",")]
    return parts[0], parts[1] if len(parts) > 1 else 1, parts[2] if len(parts) > 2 else 1


def unit_of(case: Case) -> Unit:
    """The kernel with the rest of its file, other kernels left out of the program."""
    unit = parse(case.file.read_text(), str(case.file))
    from dataclasses import replace

    kernels = tuple(k for k in unit.program.kernels if k.name.split("_float")[0] == case.kernel)
    return replace(unit, program=replace(unit.program, kernels=kernels), refusals={})


def outcome(report: Report) -> set[str]:
    """Codes of errors and warnings; the status where there are none."""
    found = {f.code for f in report.findings}
    return found | {v.status for v in report.kernels}
