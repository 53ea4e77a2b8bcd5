"""What a function is given or computes, and nothing reads: where a value misses something, it misses that.

y[i] = x[i] * scale;       with a `weight` that nothing reads       -->      y[i] = x[i] * scale * weight[i];
y[i] = 0;                  with a `best` that nothing reads         -->      y[i] = best;
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from xpiler.repair.scope import FLOAT, INT, POINTER, VECTOR, Name
from xpiler.repair.walk import Place, Walker

_NUMBER = re.compile(r"-?[\d.]+f?")
_INDEX = re.compile(r"\w\[([^\[\]]+)\]")
_LOAD = re.compile(r"(_mm512_(?:maskz_)?loadu?_ps)\(((?:\w+\s*,\s*)?)(\w+)\s*\+\s*([^(),]+)\)")
_MOST_COUNTERS, _MOST_SIZES, _MOST_INDICES = 4, 5, 40


def unread(walker: Walker, place: Place, kind: str) -> Iterator[tuple[str, float]]:
    """What a whole value of this kind could be with what is not read, and what that costs."""
    written = walker.text[place.start : place.end]
    constant = _NUMBER.fullmatch(written) is not None
    if not place.root or place.role != "value" or not (kind == FLOAT or constant):
        if kind == VECTOR and place.root and place.role in ("value", "argument"):
            yield from _vectors(walker, place, written)
        return
    if constant and not _is_of_floats(walker, place):
        return
    body = walker.text[slice(*place.function.definition.span)]
    inner = f"({written})" if place.node.type in ("binary_expression", "conditional_expression") else written
    if place.node.type == "binary_expression" and walker.operator(place.node) in ("*", "/"):
        inner = written
    functions = [] if not constant else _uncalled(walker)
    for name in place.scope.of_kind(FLOAT):
        if not name.is_parameter and _is_unread(name.name, body):
            yield (name.name, 1.1) if constant else (f"{inner} * {name.name}", 1.7)
    for name in place.scope.of_kind(POINTER):
        if name.element != FLOAT or not name.is_parameter or len(_said(name.name, body)) != 1:
            continue
        for number, index in enumerate(_indices(walker, place)):
            element, later = f"{name.name}[{index}]", 0.01 * number
            if constant:
                yield element, 1.4 + later
                yield from ((f"{function}({element})", 1.2 + later) for function in functions)
            else:
                yield f"{inner} * {element}", 1.4 + later
                yield f"{written} + {element}", 1.6 + later


def _said(name: str, text: str) -> list[str]:
    return re.findall(rf"(?<![.>])\b{re.escape(name)}\b", text)


def _is_unread(name: str, body: str) -> bool:
    """Whether a variable is said only where it gets a value, or in that value."""
    word = rf"\b{re.escape(name)}\b"
    return not re.search(word, re.sub(rf"(?:[\w:]+\s+)?{word}\s*(?:[-+*/]?=(?!=)[^;]*)?;", ";", body))


def _is_of_floats(walker: Walker, place: Place) -> bool:
    """Whether the value goes to an element or a variable of floats."""
    parent = place.node.parent
    left = parent.child_by_field_name("left") if parent is not None else None
    return left is not None and walker.kind(left, place.scope) == FLOAT


def _uncalled(walker: Walker) -> list[str]:
    """The functions of one float that the text has and does not call."""
    found = []
    for function in walker.unit.device_functions:
        one = len(function.params) == 1 and "*" not in walker.unit.text_of(function.params[0].node)
        if one and len(_said(function.name, walker.text)) == 1:
            found.append(function.name)
    return found


def _indices(walker: Walker, place: Place) -> list[str]:
    """Indices that the statement has, its counters, and positions in rows of them."""
    statement = place.node
    while statement.parent is not None and not statement.type.endswith(("statement", "declaration")):
        statement = statement.parent
    own = [" ".join(index.split()) for index in _INDEX.findall(walker.written(statement))]
    names = list(place.scope.of_kind(INT))
    counters = [n for n in names if not n.is_parameter and not n.constant and _is_plain(n)]
    last = [n.name for n in counters[-_MOST_COUNTERS:]][::-1]
    sizes = [n.name for n in names if n.is_parameter or n.constant][:_MOST_SIZES]
    rows = [
        f"{outer} * {size} + {inner}" for inner, outer in itertools.permutations(last, 2) for size in sizes
    ]
    return list(dict.fromkeys([*own, *last, *rows]))[:_MOST_INDICES]


def _is_plain(name: Name) -> bool:
    return "unsigned char" not in name.type and "bool" not in name.type


def _vectors(walker: Walker, place: Place, written: str) -> Iterator[tuple[str, float]]:
    """The same with a load of sixteen elements, as those of other arrays are loaded."""
    if not written.startswith("_mm512_") or not re.search(r"_ps\(", written):
        return
    body = walker.text[slice(*place.function.definition.span)]
    idle = [
        n.name
        for n in place.scope.of_kind(POINTER)
        if n.element == FLOAT and n.is_parameter and len(_said(n.name, body)) == 1
    ]
    loads = dict.fromkeys(_LOAD.findall(body)) if idle else {}
    for name in idle:
        for callee, mask, _, index in loads:
            words = re.findall(r"[A-Za-z_]\w*", mask + index)
            if all(word in place.scope.names for word in words):
                load = f"{callee}({mask}{name} + {index})"
                yield f"_mm512_mul_ps({written}, {load})", 1.4
                yield f"_mm512_add_ps({written}, {load})", 1.6
