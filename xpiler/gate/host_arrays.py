"""Arrays of which host code reads elements, to say what it launches: where parts begin, or how long they are.

for (int g = 0; g < groups; ++g)                         rows[g]: the number of rows, `lengths`
    gemm<<<(rows[g] + 31) / 32, 256>>>(x, y, rows[g]);
count = first[c + 1] - first[c];                         first[c]: where part c begins, `growing`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from xpiler.frontend.unit import HostFunction
from xpiler.gate.contract import Case, Values
from xpiler.ir.nodes import Param

_MOST = 8  # of the elements of a part: a part is one of many


def host_arrays(params: Sequence[Param], functions: Sequence[HostFunction]) -> dict[str, Values]:
    """Contents of those integer array parameters of which the functions, which have the parameters, read
    elements and write none. No part is empty: a launch of no blocks is an error where nothing guards it."""
    found: dict[str, Values] = {}
    for param in params:
        if param.is_pointer and param.dtype.is_integer and param.dtype.bytes >= 4 and param.lanes == 1:
            indices = {index for f in functions for index in _read(param, f.body)}
            if indices:
                neighbours = any(f"{index}+1" in indices for index in indices)
                found[param.name] = Values("growing" if neighbours else "lengths", 0, _MOST)
    return found


def with_empty_parts(case: Case) -> Case | None:
    """The case with parts that are empty, if it has any; the source says by its run whether it takes them."""
    values = [
        (name, replace(v, beyond=(0,)) if v.kind in ("growing", "lengths") else v) for name, v in case.values
    ]
    return replace(case, values=tuple(values)) if tuple(values) != case.values else None


def _read(param: Param, body: str) -> Iterator[str]:
    """The indices, without spaces, of the elements that are read; none where it is written, or where others
    may write it."""
    name = rf"(?<![\w.>]){re.escape(param.name)}\b"
    places = list(re.finditer(rf"(&\s*)?{name}\s*\[((?:[^][]|\[[^][]*\])*)\](\s*=(?!=))?", body))
    if any(place[3] for place in places) or not (param.is_const or _only(places, name, body)):
        return
    yield from ("".join(place[2].split()) for place in places if not place[1])


def _only(places: Sequence[re.Match[str]], name: str, body: str) -> bool:
    """Whether the array is mentioned at these places alone."""
    return len(places) == len(re.findall(name, body)) and not any(place[1] for place in places)
