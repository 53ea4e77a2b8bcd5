"""The user's comments inside a kernel, to be printed with the statements they speak of."""

from __future__ import annotations

from xpiler.frontend.unit import Unit
from xpiler.ir.nodes import Function


def comments_in(unit: Unit, kernel: Function) -> dict[int, str]:
    """By the line of code that each speaks of."""
    if kernel.range is None:
        return {}
    found: dict[int, list[str]] = {}
    for line, text in unit.comments:
        if kernel.range.line < line <= kernel.range.end_line:
            found.setdefault(line, []).append(text)
    return {line: "\n".join(texts) for line, texts in found.items()}
