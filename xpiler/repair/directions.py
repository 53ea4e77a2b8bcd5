"""The direction of a copy between memories of an MLU, as its two sides have it.

__memcpy(y + i, tile, n * 4, GDRAM2NRAM);      with a `tile` in NRAM      -->      NRAM2GDRAM
"""

from __future__ import annotations

import re

from xpiler.repair.scope import POINTER
from xpiler.repair.walk import Place, Walker

_SPACES = {"nram": "NRAM", "wram": "WRAM", "mlu_shared": "SRAM"}


def told_direction(walker: Walker, place: Place) -> str:
    """The direction that the call around an argument must have; "" where it is none of such a copy, or the
    memory of one side is not known."""
    list_ = place.node.parent
    call = list_.parent if list_ is not None and list_.type == "argument_list" else None
    callee = call.child_by_field_name("function") if call is not None else None
    if list_ is None or callee is None or not walker.written(callee).startswith("__memcpy"):
        return ""
    spaces = [_space(walker, place, walker.written(one)) for one in list_.named_children[:2]]
    return "2".join(reversed(spaces)) if all(spaces) and len(spaces) == 2 else ""


def _space(walker: Walker, place: Place, operand: str) -> str:
    match = re.match(r"[A-Za-z_]\w*", operand)
    name = place.scope.names.get(match[0]) if match is not None else None
    if name is None:
        return ""
    declared = re.search(rf"__(nram|wram|mlu_shared)__[^;(]*\b{name.name}\s*\[", walker.text)
    if declared is not None:
        return _SPACES[declared[1]]
    return "GDRAM" if name.kind == POINTER and name.is_parameter and place.function.is_kernel else ""
