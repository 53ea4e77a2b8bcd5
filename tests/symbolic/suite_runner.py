"""Reads `// expect: CODE | --block X --grid Y` before each kernel of the suite's files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from xpiler.frontend import Unit
from xpiler.platforms.registry import platform_of
from xpiler.symbolic.check import Options, check_unit
from xpiler.symbolic.findings import Report
from xpiler.symbolic.shape import Dims
from xpiler.symbolic.templates import parse_with_templates

SUITE = Path(__file__).parent / "suite"
_EXPECTATION = re.compile(
    r"^// expect: ([\w-]+)(?: \|(.*))?\n(?:template.*\n)?"
    r"(?:__global__|__mlu_entry__|__mlu_global__|extern \"C\")\s+(?:__launch_bounds__\(.*?\)\s+)?"
    r"void\s+(?:__launch_bounds__\(.*?\)\s+)?(\w+)",
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

    def check(self) -> Report:
        unit, chosen = _unit(self.file)
        kernels = tuple(k for k in unit.program.kernels if self.kernel in (k.name, k.template))
        assert kernels, (self.kernel, unit.refusals)
        return check_unit(
            replace(unit, program=replace(unit.program, kernels=kernels), refusals={}),
            replace(self.options, templates=chosen),
        )

    def is_met(self, report: Report) -> bool:
        errors = {f.code for f in report.findings if f.severity == "error"}
        if self.expected in ("clean", "undecided"):
            return {v.status for v in report.kernels} == {self.expected} and not errors
        return self.expected in {f.code for f in report.findings}


def cases() -> Iterator[Case]:
    for file in sorted(p for p in SUITE.iterdir() if p.is_file()):
        for expected, flags, kernel in _EXPECTATION.findall(file.read_text()):
            yield Case(file, kernel, expected, Options(_flag(flags, "grid"), _flag(flags, "block")))


def _flag(flags: str, name: str) -> Dims | None:
    found = re.search(rf"--{name} ([\d,]+)", flags)
    if not found:
        return None
    parts = [int(p) for p in found[1].split(",")]
    return parts[0], parts[1] if len(parts) > 1 else 1, parts[2] if len(parts) > 2 else 1


@lru_cache
def _unit(file: Path) -> tuple[Unit, tuple[str, ...]]:
    return parse_with_templates(file.read_text(), str(file), platform_of(file.name))
