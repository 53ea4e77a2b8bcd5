"""Sizes at which a loop that takes several elements at a time leaves each number that it can leave.

    for (; j + 16 <= n; j += 16) ...    -->  n=16, n=17 ... n=31

A tail of its own may be right for some of what is left and not for all, whatever it asks.
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from xpiler.frontend.syntax_model import FunctionDef
from xpiler.gate.thresholds import Scalars, Thresholds, Turn, nodes_of

_MOST_AT_A_TIME = 256
_ALL = 32  # steps of which every rest is tried; of wider ones those at the ends and in the middle
_ENDS = 4


def rests(texts: Thresholds, base: Scalars) -> Iterator[Turn]:
    """What to try, loop by loop, all else as in `base`."""
    seen: set[tuple[str, int]] = set()
    for function in texts.functions:
        for node in nodes_of(function.body) if function.body is not None else ():
            step = _step(texts, function, node) if node.type == "for_statement" else None
            condition = node.child_by_field_name("condition")
            if step is None or condition is None:
                continue
            sides = (condition.child_by_field_name(side) for side in ("left", "right"))
            formulas = [texts.formula(function, side) for side in sides if side is not None]
            for name in sorted({n for f in formulas if f is not None for n in f.names} & base.keys()):
                if isinstance(base[name], int) and (name, step) not in seen:
                    seen.add((name, step))
                    yield from (Turn(((name, step + rest),)) for rest in _tried(step))


def _tried(step: int) -> list[int]:
    middle = step // 2
    few = [*range(_ENDS), middle - 1, middle, middle + 1, *range(step - _ENDS, step)]
    return list(range(step)) if step <= _ALL else few


def _step(texts: Thresholds, function: FunctionDef, loop: Node) -> int | None:
    """By how much the loop goes on, if that is a number above 1."""
    update = loop.child_by_field_name("update")
    if update is None or update.type != "assignment_expression":
        return None
    right = update.child_by_field_name("right")
    if right is None or texts.text_of(update.child_by_field_name("operator")) != "+=":
        return None
    by = texts.formula(function, right)
    if by is None or by.names:
        return None
    value = by.at({})
    return int(value) if 1 < value <= _MOST_AT_A_TIME else None
