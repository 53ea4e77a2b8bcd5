"""A source that the host's compiler rejects: the refusal, at the place that the compiler names."""

from __future__ import annotations

import re

from xpiler.errors import Diagnostic
from xpiler.gate.absent_headers import ABSENT
from xpiler.gate.execute import Build
from xpiler.ir.source import SourceRange

_ERROR = re.compile(r"^(?P<file>[^\n]+?):(?P<line>\d+):(?P<column>\d+): (?:fatal )?error: ", re.MULTILINE)


def uncompiled(built: Build, entry: SourceRange | None) -> Diagnostic:
    """`k.cu:5:1: the source does not compile: expected declaration before '}' token`."""
    error = built.error or ""
    absent = ABSENT.search(error)
    if absent is not None:
        name = absent["plain"] or absent["quoted"]
        message = f"{name} is not here, so that what uses it was not run"
        return Diagnostic(
            "missing-header", message, entry, remedy="say where it is with -I, or move what uses it"
        )
    found = _ERROR.search(error)
    if found is None or found["file"] != built.file:
        return Diagnostic("source-compile", f"the source does not compile: {error}", entry)
    line, column = int(found["line"]), int(found["column"])
    place = SourceRange(built.file, line, column, line, column + 1)
    message = f"the source does not compile: {error[found.end() :]}"
    remedy = "mend it, or move what this needs, if it cannot be run on a host, out of the file"
    return Diagnostic("source-compile", message, place, remedy=remedy)
