"""What a function does elsewhere with values like this one, and not here.

m = wsum(m) / d;   ...   v += ...;            v = wsum(v);           is missing
m = red[0];        ...   y[i] = red[t];       y[i] = red[0];
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xpiler.repair.scope import FLOAT, INT, kind_of_type
from xpiler.repair.walk import Place, Walker

_PARAMETER = re.compile(r"(?:const\s+)?([\w:]+)\s+\w+")


def own_calls(walker: Walker, text: str, place: Place) -> Iterator[tuple[str, float]]:
    """A function of the file with one scalar parameter, which `text`, that of the function around the place,
    calls for other variables."""
    if place.loops or place.role != "before":
        return
    for definition in walker.unit.device_functions:
        parameters = [_PARAMETER.fullmatch(walker.unit.text_of(p.node).strip()) for p in definition.params]
        kind = kind_of_type(parameters[0][1]) if len(parameters) == 1 and parameters[0] else ""
        given = set(re.findall(rf"\b{definition.name}\s*\(\s*(\w+)\s*\)", text))
        if kind not in (INT, FLOAT) or not given:
            continue
        for name in place.scope.names.values():
            is_sum = re.search(rf"\b{re.escape(name.name)}\s*[-+*]?=(?!=)[^;]*;", text) is not None
            if name.kind == kind and not name.is_parameter and name.name not in given and is_sum:
                yield f"{name.name} = {definition.name}({name.name});", 1.5


def own_indices(walker: Walker, place: Place) -> list[str]:
    """Other indices of the same array in the function."""
    array = re.search(r"\b(\w+)\s*\[\s*$", walker.text[max(0, place.start - 80) : place.start])
    if array is None or place.role != "index" or not place.root:
        return []
    body = walker.text[slice(*place.function.definition.span)]
    found = re.findall(rf"\b{array[1]}\s*\[([^\[\]]+)\]", body)
    return [text for text in dict.fromkeys(found) if text.isdecimal()][:3]
