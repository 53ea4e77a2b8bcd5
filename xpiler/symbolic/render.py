"""Findings as text, as a good compiler prints them, and as JSON.

k.cu:12:5: error: thread 0 reads s[32] while thread 32 writes it, with no barrier between [XP-RACE]
   12 |     s[tid] += s[tid + stride];
      |     ^~~~~~~~~~~~~~~~~~~~~~~~~
k.cu:10:3: note: written here by thread 32
      with blockIdx.x = 0, threadIdx.x = 0; the other: threadIdx.x = 32; n = 256, blockDim.x = 64
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from xpiler.ir.source import SourceRange
from xpiler.symbolic.findings import BUGS, CLEAN, REFUSED, UNDECIDED, Found, Report, Verdict

EXIT_CLEAN, EXIT_BUGS, EXIT_REFUSED, EXIT_UNDECIDED = 0, 1, 2, 3
_OTHER = "other."


def exit_code(report: Report) -> int:
    statuses = {verdict.status for verdict in report.kernels}
    if BUGS in statuses:
        return EXIT_BUGS
    if statuses <= {REFUSED}:
        return EXIT_REFUSED
    return EXIT_UNDECIDED if statuses & {UNDECIDED, REFUSED} else EXIT_CLEAN


# ------------------------------------------------------------------------------------------ text


def render(report: Report, text: str) -> str:
    """All findings of a text with its lines, or those of its headers, then a line a kernel."""

    @cache
    def lines(file: str) -> tuple[str, ...]:
        try:
            whole = text if file == report.file else Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ()
        return tuple(whole.splitlines())

    parts = [_finding(f, lines) for f in report.findings]
    parts += [str(d) for d in report.refusals]
    parts += [_verdict(v, report) for v in report.kernels]
    return "\n".join(parts)


def _finding(found: Found, lines: Callable[[str], tuple[str, ...]]) -> str:
    place = f"{found.range}: " if found.range else ""
    out = [f"{place}{found.severity}: {found.message} [{found.code}]", *_quoted(found.range, lines)]
    for related in found.related:
        where = f"{related.range}: " if related.range else ""
        out += [f"{where}note: {related.message}", *_quoted(related.range, lines)]
    values = _values(found)
    if values:
        out.append(f"      with {values}")
    if found.holds_if:
        out.append(f"      if {found.holds_if}")
    out += [f"      fix: {fix.title}" for fix in found.fixes]
    return "\n".join(out)


def _quoted(place: SourceRange | None, lines: Callable[[str], tuple[str, ...]]) -> list[str]:
    if place is None or not 0 < place.line <= len(lines(place.file)):
        return []
    line = lines(place.file)[place.line - 1]
    end = place.end_column if place.end_line == place.line else len(line.rstrip()) + 1
    length = max(1, end - place.column)
    start = "".join("\t" if c == "\t" else " " for c in line[: place.column - 1])
    return [f"{place.line:5} | {line}", f"      | {start}^{'~' * (length - 1)}"]


def _values(found: Found) -> str:
    mine = {k: v for k, v in found.counterexample.items() if not k.startswith(_OTHER)}
    other = {k.removeprefix(_OTHER): v for k, v in found.counterexample.items() if k.startswith(_OTHER)}
    different = {k: v for k, v in other.items() if mine.get(k) != v}
    where = {k: v for k, v in mine.items() if k in other or k.startswith(("blockIdx", "threadIdx"))}
    rest = {k: v for k, v in mine.items() if k not in where}
    parts = [_listed(where)]
    if different:
        parts.append(f"the other: {_listed(different)}")
    parts.append(_listed(rest))
    return "; ".join(p for p in parts if p)


def _listed(values: dict[str, int]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items())


def _verdict(verdict: Verdict, report: Report) -> str:
    mine = [f for f in report.findings if f.kernel == verdict.name]
    errors = sum(f.severity == "error" for f in mine)
    counts = {"error": errors, "warning": len(mine) - errors}
    listed = ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for word, n in counts.items() if n)
    out = [f"{verdict.name}: {verdict.status}{f' ({listed})' if listed else ''}"]
    out += [f"      undecided: {why}" for why in verdict.undecided]
    out += [f"      {text}" for text in verdict.scope]
    return "\n".join(out)


# ------------------------------------------------------------------------------------------ JSON


def document(report: Report) -> dict[str, Any]:
    """A refused kernel is undecided; the reason is a finding of severity `error` without a counterexample."""
    refused = [
        {
            **_place(d.range, report.file),
            "code": d.code,
            "severity": "error",
            "message": d.message + (f"; {d.remedy}" if d.remedy else ""),
            "counterexample": None,
        }
        for d in report.refusals
    ]
    return {
        "kernels": [
            {
                "name": v.name,
                "status": UNDECIDED if v.status == REFUSED else v.status,
                "scope": list(v.scope),
                "undecided": list(v.undecided),
                "seconds": round(v.seconds, 3),
            }
            for v in report.kernels
        ],
        "findings": [_found_document(f, report.file) for f in report.findings],
        "refusals": refused,
        "seconds": round(report.seconds, 3),
    }


def _found_document(found: Found, file: str) -> dict[str, Any]:
    return {
        "code": found.code,
        "severity": found.severity,
        **_place(found.range, file),
        "message": found.message,
        "counterexample": found.counterexample,
        "kernel": found.kernel,
        "array": found.array or None,
        "assumption": found.holds_if or None,
        "replayed": found.replayed,
        "related": [{**_place(r.range, file), "message": r.message} for r in found.related],
        "fixes": [
            {
                "title": fix.title,
                "edits": [{"start": e.start, "end": e.end, "text": e.text} for e in fix.edits],
            }
            for fix in found.fixes
        ],
    }


def _place(place: SourceRange | None, file: str) -> dict[str, Any]:
    if place is None:
        return {"file": file, "line": None, "column": None, "end_line": None, "end_column": None}
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
    }


__all__ = ["CLEAN", "document", "exit_code", "render"]
