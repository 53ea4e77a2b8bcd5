"""Lambdas for devices say where they are written, so that a trace tells which of them a launch got.

map(x, y, n, [] __device__(float v) { return v * v; });  -->  map(x, y, n, ::xpemu::lambda_at<...>([] ...));

Two without captures in one function, of one signature, are types that nothing else tells apart.
"""

from __future__ import annotations

import re

from xpiler.emulators.edits import Edit
from xpiler.emulators.scan import Stretch, Token, closing, opening

PLACES = 16  # on a line
_FOR_DEVICES = ("__device__", "__host__")
_LAMBDA = re.compile(r"\]\s*(?:__host__\s*)?(?:__device__|__host__)\b")


def place_of(text: str, start: int) -> int:
    """The number by which a lambda that begins there is known: its line, and which of it it is."""
    line_start = text.rfind("\n", 0, start) + 1
    before = len(_LAMBDA.findall(text, line_start, start))
    return (text.count("\n", 0, start) + 1) * PLACES + before


def lambdas(text: str, part: Stretch) -> list[Edit]:
    """In macros, whose lines are those of their calls, they stay as they are."""
    if part.is_macro_body:
        return []
    tokens = part.tokens
    edits: list[Edit] = []
    for index, token in enumerate(tokens[:-1]):
        if token.text != "]" or tokens[index + 1].text not in _FOR_DEVICES:
            continue
        begin = opening(tokens, index)
        brace = _body(tokens, index)
        end = closing(tokens, brace) if brace is not None else None
        if begin is None or end is None:
            continue
        at = tokens[begin].start
        nth = place_of(text, at) % PLACES
        edits.append(Edit(at, at, f"::xpemu::lambda_at<__LINE__ * {PLACES} + {nth}>("))
        edits.append(Edit(tokens[end].end, tokens[end].end, ")"))
    return edits


def _body(tokens: tuple[Token, ...], index: int) -> int | None:
    """The index of the brace behind a lambda's parameters and what it says of its result."""
    while index < len(tokens):
        if tokens[index].text == "{":
            return index
        if tokens[index].text in (";", "}", ")"):
            return None
        after = closing(tokens, index) if tokens[index].text in "([" else index
        if after is None:
            return None
        index = after + 1
    return None
