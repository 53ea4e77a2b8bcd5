"""Where a change of a text is, told by the statement that it changes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tree_sitter import Node

from xpiler.frontend.syntax import SyntaxUnit
from xpiler.ir.source import SourceRange
from xpiler.repair.changes import Site
from xpiler.symbolic.findings import Edit
from xpiler.symbolic.positions import Lines
from xpiler.translate import Result

_WHOLE = ("expression_statement", "declaration", "return_statement", "field_declaration", "preproc_def")
_HEADED = ("for_statement", "while_statement", "if_statement", "do_statement", "switch_statement")


def statement_of(unit: SyntaxUnit, edit: Edit) -> SourceRange:
    """The statement around an edit, of loops and branches their heads alone."""
    start, end = _around(unit, edit.start, max(edit.end, edit.start + 1)) or (edit.start, edit.end)
    return range_of(unit.file, unit.text, start, end)


def range_of(file: str, text: str, start: int, end: int) -> SourceRange:
    lines = Lines(text)
    end = max(start, end)
    while end > start and text[end - 1].isspace():
        end -= 1
    (line, column), (end_line, end_column) = lines.place(start), lines.place(end)
    return SourceRange(file, line, column, end_line, end_column)


def _around(unit: SyntaxUnit, start: int, end: int) -> tuple[int, int] | None:
    best: tuple[int, int] | None = None
    pending: list[Node] = [unit.root]
    while pending:
        node = pending.pop()
        file, first, last = unit.map.span(node.start_byte, node.end_byte)
        if node is not unit.root and (file != 0 or first > start or last < end):
            continue
        if node.type in _WHOLE:
            best = first, last
        elif node.type in _HEADED:
            body = node.child_by_field_name("body") or node.child_by_field_name("consequence")
            inner = unit.map.span(body.start_byte, body.end_byte)[1] if body is not None else last
            best = (first, inner) if start < inner else best
        pending.extend(node.children)
    return best


def lines_named(file: str, verdict: Result) -> frozenset[int]:
    """The lines of the text that violations and errors name."""
    found: set[int] = set()
    for rung in verdict.evidence:
        if not rung.ok:
            found |= {d.range.line for d in rung.findings if d.range is not None and d.range.file == file}
            found |= {int(line) for line in re.findall(r"\bin line (\d+)", rung.detail)}
            found |= {int(line) for line in re.findall(rf"{re.escape(file)}:(\d+)", rung.detail)}
    return frozenset(found)


def near_lines(text: str, sites: Sequence[Site], lines: frozenset[int]) -> frozenset[int]:
    """The numbers of the sites on these lines."""
    places = Lines(text)
    return frozenset(n for n, site in enumerate(sites) if places.place(site.start)[0] in lines)
