"""Findings as SARIF 2.1.0, for code hosts and editors."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from xpiler import __version__
from xpiler.ir.source import SourceRange
from xpiler.symbolic.findings import CODES, Found, Report
from xpiler.symbolic.positions import Lines

_LEVELS = {"error": "error", "warning": "warning", "note": "note"}


def sarif(report: Report, text: str) -> dict[str, Any]:
    codes = sorted({f.code for f in report.findings})
    lines = Lines(text)
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "xpiler",
                        "version": __version__,
                        "rules": [{"id": c, "shortDescription": {"text": CODES[c]}} for c in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(f, codes, report.file, lines) for f in report.findings],
                "invocations": [
                    {
                        "executionSuccessful": not report.refusals,
                        "toolExecutionNotifications": [
                            {"level": "error", "message": {"text": d.message}} for d in report.refusals
                        ],
                    }
                ],
            }
        ],
    }


def _result(found: Found, codes: list[str], file: str, lines: Lines) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": found.code,
        "ruleIndex": codes.index(found.code),
        "level": _LEVELS[found.severity],
        "message": {"text": found.message + (f", if {found.holds_if}" if found.holds_if else "")},
        "locations": [{"physicalLocation": _location(found.range, file)}],
        "properties": {"kernel": found.kernel, "counterexample": found.counterexample},
    }
    if found.related:
        result["relatedLocations"] = [
            {"physicalLocation": _location(r.range, file), "message": {"text": r.message}}
            for r in found.related
        ]
    if found.fixes:
        result["fixes"] = [
            {
                "description": {"text": fix.title},
                "artifactChanges": [
                    {
                        "artifactLocation": {"uri": PurePath(file).as_posix()},
                        "replacements": [
                            {
                                "deletedRegion": lines.region(edit.start, edit.end),
                                "insertedContent": {"text": edit.text},
                            }
                            for edit in fix.edits
                        ],
                    }
                ],
            }
            for fix in found.fixes
        ]
    return result


def _location(place: SourceRange | None, file: str) -> dict[str, Any]:
    uri = PurePath(place.file if place else file).as_posix()
    location: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if place:
        location["region"] = {
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        }
    return location
