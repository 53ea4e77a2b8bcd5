"""The user's comments inside a kernel, to be printed with the statements they speak of."""

from __future__ import annotations

from xpiler.frontend.unit import Unit
from xpiler.ir.nodes import Function


def comments_in(unit: Unit, kernel: Function) -> dict[int, str]:
    """By the line of code that each speaks of."""
    if kernel.range is None:
        return {}
    lines = unit.text.splitlines()
    found: dict[int, list[str]] = {}
    for line, text in unit.comments:
        if kernel.range.line < line <= kernel.range.end_line:
            is_alone = lines[line - 1].strip().startswith(("//", "/*"))
            at = line + text.count("\n") + 1 if is_alone else line
            while is_alone and at <= len(lines) and lines[at - 1].strip()[:2] in ("", "//", "/*"):
                at += 1
            found.setdefault(at, []).append(text)
    return {at: "\n".join(texts) for at, texts in found.items()}
