"""The step that a series of statements lacks.

    s += __shfl_down_sync(all, s, 16);
    s += __shfl_down_sync(all, s, 8);
    s += __shfl_down_sync(all, s, 2);            -->      s += __shfl_down_sync(all, s, 4);
    s += __shfl_down_sync(all, s, 1);

Statements that follow one another and are alike but for numbers, each twice the one before or half of it, or
by as much more or less, are steps of a series. The barrier that follows each of them is a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tree_sitter import Node

from xpiler.repair.walk import Place, Walker

_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_BARRIER = re.compile(r"__sync\w*\([^()]*\);")
_GAP, _END = 0.7, 1.2  # costs of a step amid others, and before or behind them
_LONGEST, _NEAR = 300, 3


def missing_steps(walker: Walker, place: Place) -> Iterator[tuple[str, float]]:
    """The steps that may be missing at a place between statements, with what they cost."""
    block = place.node if place.role == "end" else place.node.parent
    if block is None or block.type != "compound_statement":
        return
    steps = _steps(walker, block)
    at = len(steps)
    if place.role == "before":
        at = next((number for number, (_, node) in enumerate(steps) if node == place.node), -1)
    if at < 0:
        return
    before = _alike([text for text, _ in steps[max(0, at - _NEAR) : at]][::-1])[::-1]
    behind = _alike([text for text, _ in steps[at : at + _NEAR]])
    if before and behind and _skeleton(before[-1]) == _skeleton(behind[0]):
        if len(before) + len(behind) > 2:
            yield from ((text, _GAP) for text in _steps_at([*before, *behind], len(before)))
    else:
        for text in (*_steps_at(before, len(before)), *_steps_at(behind, 0)):
            yield text, _END


def _steps(walker: Walker, block: Node) -> list[tuple[str, Node]]:
    """The statements of a block, each with the barriers behind it."""
    steps: list[tuple[str, Node]] = []
    for node in block.named_children:
        text = " ".join(walker.written(node).split()) if node.type.endswith("_statement") else ""
        if steps and steps[-1][0] and _BARRIER.fullmatch(text):
            steps[-1] = f"{steps[-1][0]} {text}", steps[-1][1]
        elif node.type != "comment":
            steps.append((text if len(text) <= _LONGEST else "", node))
    return steps


def _alike(texts: Sequence[str]) -> list[str]:
    """The first ones, as far as they may be steps of one series."""
    count = 0
    while count < len(texts) and texts[count] and _skeleton(texts[count]) == _skeleton(texts[0]):
        count += 1
    return list(texts[:count])


def _skeleton(text: str) -> str:
    return _NUMBER.sub("#", text)


def _steps_at(steps: Sequence[str], at: int) -> Iterator[str]:
    """What makes two steps or more a series, as number `at` of them."""
    if len(steps) < 2:
        return
    columns = list(zip(*([int(n) for n in _NUMBER.findall(step)] for step in steps), strict=True))
    if all(len(set(column)) == 1 for column in columns):
        return
    for times in (True, False):
        numbers = [_number_at(column, at, times) for column in columns]
        if None not in numbers:
            pieces = _NUMBER.split(steps[0])
            said = [*map(str, numbers), ""]
            yield "".join(piece + number for piece, number in zip(pieces, said, strict=True))


def _number_at(column: Sequence[int], at: int, times: bool) -> int | None:
    """What makes numbers a series as number `at` of them, one of products with two (`times`) or of sums; the
    number that they all are. None where nothing does."""
    if len(set(column)) == 1:
        return column[0]
    if 0 < at < len(column):
        one, other = column[at - 1 : at + 1]
        value = 2 * min(one, other) if times else (one + other) // 2
    else:
        near, far = column[:2] if at == 0 else column[:-3:-1]
        value = 2 * near - far if not times else 2 * near if near > far else near // 2
    whole = [*column[:at], value, *column[at:]]
    if not times:
        return value if value >= 0 and len({b - a for a, b in pairwise(whole)}) == 1 else None
    falls = whole[0] > whole[-1]
    steps = pairwise(whole[::-1] if falls else whole)
    return value if value > 0 and all(b == 2 * a for a, b in steps) else None
