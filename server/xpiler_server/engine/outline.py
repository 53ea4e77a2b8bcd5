"""What the frontend knows of a text, as plain JSON with offsets: the fast half of the diagnostics.

Everything that the editor shows while one types comes from here: refusals, kernels with their parameters and
entries, host functions, loops with their extents, launches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend import KernelText, Unit, parse
from xpiler.gate.entries import Entry, entries_of
from xpiler.ir.nodes import Block, Const, Expr, For, Function, Stmt
from xpiler.ir.printer import show
from xpiler.ir.rewrite import walk
from xpiler.ir.source import SourceRange
from xpiler.symbolic.positions import Lines

Span = tuple[int, int]
_INSTRUCTION = re.compile(r"\b(?:__|_mm|atomic)\w+\s*\(")
_MOST_LINES = 12


def outline(text: str, file: str, platform: str) -> dict[str, Any]:
    """The whole of a file's outline; a text that is no program has diagnostics alone."""
    places = Places(text, file)
    try:
        unit = parse(text, file, platform=platform)
    except Refusal as refusal:
        return {
            "platform": platform,
            "kernels": [],
            "functions": [],
            "loops": [],
            "launches": [],
            "meanings": [],
            "diagnostics": [places.diagnostic(refusal.diagnostic)],
        }
    entries = _entries(unit)
    return {
        "platform": platform,
        "kernels": [_kernel(kernel, unit, entries) for kernel in unit.kernels],
        "functions": list(_functions(unit)),
        "loops": list(_loops(unit, places)),
        "meanings": list(_meanings(unit, places)),
        "launches": [
            {
                "kernel": site.spelling,
                "span": site.span,
                "grid": site.grid,
                "block": site.block,
                "threads": [extent for extent in site.block_size if extent is not None],
            }
            for site in unit.launches
        ],
        "diagnostics": [places.diagnostic(refusal) for refusal in unit.refusals.values()],
    }


class Places:
    """Places of the engine as offsets of the text; None for a place in another file."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file, self.lines = text, file, Lines(text)

    def span(self, place: SourceRange | None) -> Span | None:
        if place is None or place.file != self.file:
            return None
        start = self._offset(place.line, place.column)
        return start, max(start, self._offset(place.end_line, place.end_column))

    def diagnostic(self, found: Diagnostic) -> dict[str, Any]:
        return {
            "code": found.code,
            "severity": found.severity,
            "message": found.message + (f"; {found.remedy}" if found.remedy else ""),
            "span": self.span(found.range),
            **elsewhere(found.range),
        }

    def _offset(self, line: int, column: int) -> int:
        if line > len(self.lines.starts):
            return len(self.text)
        return min(len(self.text), self.lines.offset(line, column))


def elsewhere(place: SourceRange | None) -> dict[str, Any]:
    """A place by file, line and column, as the engine's `--json` has it."""
    return {
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
    }


def _entries(unit: Unit) -> tuple[Entry, ...]:
    try:
        return entries_of(unit)
    except Refusal:
        return ()  # a file without kernels; the refusal is about using it, not about the text


def _kernel(kernel: KernelText, unit: Unit, entries: Iterable[Entry]) -> dict[str, Any]:
    lowered = [k for k in unit.program.kernels if kernel.name in (k.name, k.template)]
    names = {k.name for k in lowered}
    refused = next((d for name, d in unit.refusals.items() if _base(name) == kernel.name), None)
    runs = [e.name for e in entries if names & {*e.kernels} or kernel.name in map(_base, e.missing)]
    function = lowered[0] if lowered else None
    return {
        "name": kernel.name,
        "span": kernel.span,
        "nameSpan": _name_span(unit.text, kernel.span, kernel.name),
        "spellings": [k.spelling or k.name for k in lowered] or [kernel.name],
        "entries": runs,
        "refused": refused.message if refused and not lowered else None,
        "params": [_param(p.name, p.spelling, p.is_pointer) for p in function.params] if function else [],
        "block": [extent for extent in function.block_size if extent is not None] if function else [],
        "serial": bool(function and function.is_serial),
    }


def _param(name: str, spelling: str, is_pointer: bool) -> dict[str, Any]:
    return {"name": name, "type": spelling, "pointer": is_pointer}


def _base(name: str) -> str:
    return name.split("<")[0].split("::")[-1]


def _name_span(text: str, span: Span, name: str) -> Span:
    found = re.compile(rf"\b{re.escape(name)}\b(?=\s*\()").search(text, *span)
    return found.span() if found else (span[0], min(span[1], span[0] + 1))


def _functions(unit: Unit) -> Iterator[dict[str, Any]]:
    kernels = {kernel.span for kernel in unit.kernels}
    for host in unit.host_functions:
        if host.span not in kernels:
            yield _function(unit.text, host.name, host.span, "host", host.returns)
    for device in (*unit.device_functions, *unit.device_methods):
        if device.span not in kernels:
            yield _function(unit.text, device.name, device.span, "device", "")


def _function(text: str, name: str, span: Span, kind: str, detail: str) -> dict[str, Any]:
    own = _name_span(text, span, name)
    return {"name": name, "kind": kind, "span": span, "nameSpan": own, "detail": detail}


def _loops(unit: Unit, places: Places) -> Iterator[dict[str, Any]]:
    """The loops that the user wrote; an intrinsic's lanes are loops of the IR alone."""
    seen: set[Span] = set()
    for kernel in unit.program.kernels:
        for node in walk(kernel.body):
            span = places.span(node.range) if isinstance(node, For) else None
            if isinstance(node, For) and span and span not in seen and _is_for(unit.text, span):
                seen.add(span)
                yield _loop(node, span, unit.text, kernel)


def _meanings(unit: Unit, places: Places) -> Iterator[dict[str, Any]]:
    """Calls of instructions as the statements that they were read as, with the user's own operands."""
    seen: set[Span] = set()
    for kernel in unit.program.kernels:
        for node in walk(kernel.body):
            span = places.span(node.range) if isinstance(node, Stmt) and not isinstance(node, Block) else None
            if span is None or span in seen or _is_for(unit.text, span):
                continue
            seen.add(span)
            if _INSTRUCTION.search(unit.text, *span):
                lines = show(node).split("\n")
                more = [f"... {len(lines) - _MOST_LINES} lines more"] if len(lines) > _MOST_LINES else []
                yield {"span": span, "text": "\n".join(lines[:_MOST_LINES] + more)}


def _is_for(text: str, span: Span) -> bool:
    return re.compile(r"for\s*\(").match(text, span[0]) is not None


def _loop(node: For, span: Span, text: str, kernel: Function) -> dict[str, Any]:
    variable = re.compile(r"for\s*\(\s*(?:[\w:]+[\s&*]+)*([A-Za-z_]\w*)\s*=").match(text, span[0])
    return {
        "kernel": kernel.name,
        "span": span,
        "header": (span[0], _closing(text, text.index("(", span[0]))),
        "variable": variable[1] if variable else node.var,
        "start": show(node.start),
        "stop": show(node.stop),
        "step": show(node.step),
        "count": _count(node.start, node.stop, node.step),
        "kind": node.kind.value,
    }


def _closing(text: str, opening: int) -> int:
    depth = 0
    for offset in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[offset], 0)
        if depth == 0:
            return offset + 1
    return len(text)


def _count(start: Expr, stop: Expr, step: Expr) -> int | None:
    if not all(isinstance(e, Const) for e in (start, stop, step)):
        return None
    first, last, stride = (int(e.value) for e in (start, stop, step) if isinstance(e, Const))
    return max(0, -(-(last - first) // stride)) if stride > 0 else None
