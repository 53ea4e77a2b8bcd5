"""What an emulator found wrong while a program ran, as messages about the program's text."""

from __future__ import annotations

import re

from xpiler.errors import Diagnostic
from xpiler.gate.events import Event
from xpiler.gate.execute import Build, RunResult
from xpiler.ir.source import SourceRange


def violations(build: Build, result: RunResult) -> tuple[Diagnostic, ...]:
    """One message for every fault of a run whose line in the program is known."""
    sizes = result.case.describe()
    found = (_violation(build, fault, sizes) for fault in result.faults)
    return tuple(each for each in found if each is not None)


def _violation(build: Build, fault: Event, sizes: str) -> Diagnostic | None:
    line = fault.fields.get("line")
    lines = build.text.splitlines()
    if not isinstance(line, int) or not 0 < line <= len(lines):
        return None
    word = str(fault.fields.get("intrinsic") or "")
    at = re.search(rf"\b{re.escape(word)}\b", lines[line - 1]) if word else None
    start = at.start() if at else len(lines[line - 1]) - len(lines[line - 1].lstrip())
    end = at.end() if at else len(lines[line - 1].rstrip())
    place = SourceRange(build.file, line, start + 1, line, end + 1)
    message = str(fault.fields.get("message") or fault.message).removeprefix(f"{word} in line {line}: ")
    whole = f"{word}: {message}" if word else message
    return Diagnostic(fault.name, f"{whole} ({sizes})" if sizes else whole, place)
