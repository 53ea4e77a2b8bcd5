"""Brackets without their other: where a text stops making sense, said better than by a grammar's recovery."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKENS = re.compile(r'[()\[\]{}]|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
_CLOSES = {")": "(", "]": "[", "}": "{"}
_CLOSED_BY = {opening: closing for closing, opening in _CLOSES.items()}


@dataclass(frozen=True)
class Unclosed:
    """A bracket at `start` that has no other. `reason` says what is missing."""

    start: int
    reason: str


def unclosed(text: str) -> Unclosed | None:
    """The first bracket that is not closed, or closes nothing.

    Of nested braces that are not closed it is the one whose `}` stands further left:

    `if (a) {` in a function, then the `}` of the function alone: the brace of the `if`.
    """
    opened: list[tuple[str, int]] = []
    strange: int | None = None
    for match in _TOKENS.finditer(text):
        bracket, at = match[0], match.start()
        if bracket in _CLOSED_BY:
            opened.append((bracket, at))
        elif bracket in _CLOSES and opened:
            opening, where = opened.pop()
            if opening != _CLOSES[bracket]:
                return _missing(opening, where)
            begins = bracket == "}" and not text[text.rfind("\n", 0, at) + 1 : at].strip()
            if strange is None and begins and _indent(text, at) < _indent(text, where):
                strange = where
        elif bracket in _CLOSES:
            return Unclosed(at, f"this `{bracket}` closes nothing")
    if not opened:
        return None
    opening, where = opened[-1]
    return _missing(opening, where if strange is None or strange < where else strange)


def _missing(opening: str, where: int) -> Unclosed:
    return Unclosed(where, f"no `{_CLOSED_BY[opening]}` closes this `{opening}`")


def _indent(text: str, at: int) -> int:
    line = text[text.rfind("\n", 0, at) + 1 : at + 1]
    return len(line) - len(line.lstrip())
