"""Findings of the engine as protocol messages; nothing is decided here."""

from __future__ import annotations

from lsprotocol import types

from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend import parse

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}


def diagnostics_of(text: str, path: str) -> list[types.Diagnostic]:
    """What the frontend says of a text: one diagnostic for every kernel that it refuses."""
    try:
        found = list(parse(text, path).refusals.values())
    except Refusal as refusal:
        found = [refusal.diagnostic]
    lines = text.split("\n")
    return [_message(diagnostic, lines) for diagnostic in found]


def _message(diagnostic: Diagnostic, lines: list[str]) -> types.Diagnostic:
    place = diagnostic.range
    start = _position(lines, place.line, place.column) if place else types.Position(0, 0)
    end = _position(lines, place.end_line, place.end_column) if place else types.Position(0, 1)
    remedy = f"; {diagnostic.remedy}" if diagnostic.remedy else ""
    return types.Diagnostic(
        types.Range(start, end),
        diagnostic.message + remedy,
        severity=_SEVERITIES.get(diagnostic.severity),
        code=diagnostic.code,
        source="xpiler",
    )


def _position(lines: list[str], line: int, column: int) -> types.Position:
    """From lines and columns in characters from 1 to the protocol's, in UTF-16 units from 0."""
    text = lines[line - 1][: column - 1] if line <= len(lines) else ""
    return types.Position(line - 1, len(text.encode("utf-16-le")) // 2)
