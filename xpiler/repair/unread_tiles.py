"""An array on the chip that is filled and that nothing reads: an instruction is missing that reads it.

__memcpy(bias, b, ...);                                      __bang_mul_scalar(row, row, f, n);
__bang_mul_scalar(row, row, f, n);           -->             __bang_add(row, row, bias, n);
__memcpy(y + r * n, row, ...);                               __memcpy(y + r * n, row, ...);
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from tree_sitter import Node

from xpiler.repair.concepts import computes
from xpiler.repair.missing import Habits
from xpiler.repair.scope import ARRAY, INT
from xpiler.repair.walk import Place, Walker

_OPERATIONS = ("add", "mul", "sub", "maxequal", "minequal")
_FILLS = r"(?:__memcpy(?:_async)?|__bang_write_\w+|__bang_move)"
_BYTES = re.compile(r"\s*\*\s*sizeof\s*\([^()]*\)|\bsizeof\s*\([^()]*\)\s*\*\s*")


def unread_tiles(
    walker: Walker, habits: Habits, missing: frozenset[str], place: Place
) -> Iterator[tuple[str, float]]:
    """The instructions that may be missing right behind one that computes, or loads, an array, and what they
    cost: less where nothing of the text computes what they do."""
    if walker.unit.platform != "bang" or not place.function.on_device:
        return
    before = place.node.named_children[-1] if place.role == "end" else place.node.prev_named_sibling
    worked = _worked_on(walker, before) if before is not None else None
    if worked is None:
        return
    array, count = worked
    base = re.match(r"\w+", array)
    if base is not None and _is_unread(base[0], habits.text):
        yield from _to_empty(habits, place, base[0], count)
    for name in place.scope.of_kind(ARRAY):
        if (
            name.is_parameter
            or base is None
            or name.name == base[0]
            or not _is_unread(name.name, habits.text)
        ):
            continue
        for operation in _OPERATIONS:
            call = f"__bang_{operation}"
            cost = 0.9 if computes(call) & missing else 1.2
            yield f"{call}({array}, {array}, {name.name}, {count});", cost
            if operation == "sub":
                yield f"{call}({array}, {name.name}, {array}, {count});", cost + 0.1


def _to_empty(habits: Habits, place: Place, full: str, count: str) -> Iterator[tuple[str, float]]:
    """What fills an array that nothing else does with one that was just filled."""
    sizes = [n.name for n in place.scope.of_kind(INT) if n.is_parameter or n.constant or n.is_const]
    sizes += [w for w in _NUMBERS.findall(habits.text) if int(w) > 1]
    sizes = list(dict.fromkeys(sizes))[:_MOST_SIZES]
    for name in place.scope.of_kind(ARRAY):
        if name.is_parameter or name.name == full or not _is_empty(name.name, habits.text):
            continue
        for rows, columns in itertools.product(sizes, sizes):
            yield f"__bang_transpose({name.name}, {full}, {rows}, {columns});", 1.0 + 0.1 * (rows == columns)
        yield f"__memcpy({name.name}, {full}, ({count}) * sizeof({name.type}), NRAM2NRAM);", 1.2


_NUMBERS = re.compile(r"(?<![\w.])\d+(?![\w.])")
_MOST_SIZES = 8


def _worked_on(walker: Walker, node: Node) -> tuple[str, str] | None:
    """What a statement computes or loads, and how many elements of it."""
    call = node.named_children[0] if node.type == "expression_statement" and node.named_children else None
    callee = call.child_by_field_name("function") if call is not None else None
    list_ = call.child_by_field_name("arguments") if call is not None else None
    if callee is None or list_ is None:
        return None
    name = walker.written(callee)
    given = [walker.written(one) for one in list_.named_children if one.type != "comment"]
    if len(given) < 3 or not all(given):
        return None
    if name.startswith("__bang_"):
        return given[0], given[-1]
    if name == "__memcpy" and given[3:4] == ["GDRAM2NRAM"]:
        return given[0], _BYTES.sub("", given[2], count=1)
    return None


def _is_empty(name: str, text: str) -> bool:
    """Whether an array is read, and nothing fills it."""
    word = re.escape(name)
    said = len(re.findall(rf"\b{word}\b", text)) - len(re.findall(rf"__nram__[^;(]*\b{word}\s*\[", text))
    return said > 0 and not re.search(rf"\(\s*{word}\b|\b{word}(?:\[[^\]]*\])+\s*[-+*/]?=[^=]", text)


def _is_unread(name: str, text: str) -> bool:
    """Whether an array is said only where it is declared and filled."""
    filled = len(re.findall(rf"\b{_FILLS}\(\s*{re.escape(name)}\b", text))
    declared = len(re.findall(rf"__nram__[^;(]*\b{re.escape(name)}\s*\[", text))
    return filled > 0 and len(re.findall(rf"\b{re.escape(name)}\b", text)) == filled + declared
