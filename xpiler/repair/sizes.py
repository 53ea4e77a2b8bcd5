"""What a `sizeof` may have been meant to count.

copy(d, h, sizeof(bytes))      -->      copy(d, h, bytes)
n * sizeof(char)               -->      n * sizeof(float)
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xpiler.repair.scope import ARRAY, INT, POINTER
from xpiler.repair.walk import Place, Walker

_BYTES = {
    1: "char|bool|u?int8_t|(?:un)?signed char",
    2: "half|__half|short|u?int16_t|__nv_bfloat16|bfloat16_t|hip_bfloat16|_Float16",
    4: "float|(?:unsigned|signed)(?: int)?|int|u?int32_t",
    8: "double|size_t|(?:unsigned )?long(?: long)?|u?int64_t|float2|float *\\*|void *\\*",
    16: "float4|int4|uint4|double2",
}
_BARE, _OTHER = 0.9, 1.3  # costs


def other_sizes(walker: Walker, place: Place, written: str) -> Iterator[tuple[str, float]]:
    """What could stand for a `sizeof`, with what it costs."""
    inner = re.sub(r"^sizeof\s*\(?|\)$", "", written).strip()
    if place.scope.kind(inner) == INT:
        yield inner, _BARE
    own = _size(inner)
    types = [n.type for n in place.scope.of_kind(POINTER, ARRAY)]
    for type_ in dict.fromkeys(
        (*map(_plain, types), "float", "int8_t" if "int8_t" in walker.text else "char")
    ):
        size = _size(type_)
        if size and size != own:
            yield f"sizeof({type_})", _OTHER


def _plain(type_: str) -> str:
    return " ".join(re.sub(r"\b(?:const|static|constexpr|__\w+__)\b", " ", type_).split())


def _size(type_: str) -> int:
    return next((size for size, names in _BYTES.items() if re.fullmatch(names, type_)), 0)
