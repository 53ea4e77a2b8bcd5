"""Values that are missing where something is accumulated: what a sum or a scratchpad begins with."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xpiler.repair.scope import ARRAY, FLOAT, INT, VECTOR
from xpiler.repair.vocabulary import Vocabulary
from xpiler.repair.walk import Place, Walker


def values(kind: str, type_: str, vocabulary: Vocabulary) -> Iterator[tuple[str, float]]:
    """What a variable of a kind may begin with."""
    if kind == INT:
        yield from (("0", 1.4), ("1", 1.8))
    elif kind == FLOAT:
        is_float = "float" in type_
        yield from (
            ("0.0f" if is_float else "0.0", 1.4),
            (vocabulary.extremes[0], 1.6),
            ("1.0f", 1.8),
            (vocabulary.extremes[1], 1.8),
        )
        yield from ((word, 1.9) for word in vocabulary.floats[:4])
    elif kind == VECTOR and "__m512" in type_:
        ending = "si512" if "__m512i" in type_ else "pd" if "__m512d" in type_ else "ps"
        yield f"_mm512_setzero_{ending}()", 1.4
        if ending == "ps":
            yield from ((f"_mm512_set1_ps({vocabulary.extremes[0]})", 1.6), ("_mm512_set1_ps(1.0f)", 1.9))


def resets(walker: Walker, vocabulary: Vocabulary, place: Place) -> Iterator[tuple[str, float]]:
    """A value for what the next loop accumulates in, where a loop around starts again."""
    following = place.node if place.role == "before" else None
    if following is None or following.type not in ("for_statement", "while_statement"):
        return
    text = walker.written(following)
    accumulated = set(re.findall(r"\b([A-Za-z_]\w*)(?:\[[^;\]]*\])*\s*(?:\+=|-=|\*=)", text))
    accumulated |= {
        a for a, b in re.findall(r"\b([A-Za-z_]\w*)\s*=\s*[\w:]+\(([^;]*)", text) if re.search(rf"\b{a}\b", b)
    }
    for word in sorted(accumulated):
        name = place.scope.names.get(word)
        if name is not None and name.kind in (INT, FLOAT, VECTOR) and not name.is_parameter:
            for value, cost in values(name.kind, name.type, vocabulary):
                yield f"{word} = {value};", cost + 0.2


_ELEMENT = re.compile(r"\b([A-Za-z_]\w*)((?:\[[^;\[\]]+\])+)\s*(\+=|-=|\*=|=(?!=)\s*[\w:]+\(([^;]*)\)\s*;)")
_MOST_ELEMENTS = 4


def element_resets(walker: Walker, vocabulary: Vocabulary, place: Place) -> Iterator[tuple[str, float]]:
    """A value for an element of an own array that the function accumulates in, where its indices are known.

    for (i ...) ;    for (k ...) for (i ...) sum[i] += a[k];      -->      for (i ...) sum[i] = 0.0f;
    """
    text = walker.text[slice(*place.function.definition.span)]
    found: dict[str, str] = {}
    for match in _ELEMENT.finditer(text):
        element = match[1] + match[2]
        if match[4] is None or element in match[4]:
            found.setdefault(element, match[1])
    known = place.scope.names
    offered = 0
    for element, array in found.items():
        name = known.get(array)
        words = set(re.findall(r"[A-Za-z_]\w*", element[len(array) :]))
        inside = name is not None and name.kind == ARRAY and not name.is_parameter
        if not inside or not words <= set(known) or offered == _MOST_ELEMENTS:
            continue
        assert name is not None
        offered += 1
        for value, cost in values(name.element, name.type, vocabulary):
            yield f"{element} = {value};", cost + 0.2


_ACCUMULATES = re.compile(r"__bang_(\w+)\(\s*(\w+)\s*,\s*\2\s*,[^;]*,\s*([^,;()]+)\)\s*;")


def fills(walker: Walker, vocabulary: Vocabulary, place: Place) -> Iterator[tuple[str, float]]:
    """A value for the scratchpad that instructions of the next loop accumulate in."""
    if walker.unit.platform != "bang" or place.role != "before" or place.node.type != "for_statement":
        return
    for name, buffer, count in dict.fromkeys(_ACCUMULATES.findall(walker.written(place.node))):
        lowest, highest = vocabulary.extremes
        extreme = lowest if "max" in name else highest if "min" in name else ""
        for value, cost in (
            ((extreme, 1.3), ("0.0f", 1.5 if extreme else 1.3)) if extreme else (("0.0f", 1.3),)
        ):
            yield f"__bang_write_value({buffer}, {count}, {value});", cost
