"""Sums that a loop scales before it adds to them, as those of an online softmax: what is done to one of them
is likely to be done to all.

    acc[j] = acc[j] * fix + p * v[j];
    l = l + p;                            -->    l = l * fix + p;
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xpiler.repair.walk import Place, Walker

_PLACE = r"[A-Za-z_]\w*(?:\[[^\[\]]*\])*"
_SCALED = re.compile(
    rf"({_PLACE})\s*=\s*(?:\1\s*\*\s*|fmaf\(\s*\1\s*,\s*)([A-Za-z_]\w*)\b|({_PLACE})\s*\*=\s*([A-Za-z_]\w*)\s*;"
)


def scales(walker: Walker, place: Place) -> Iterator[str]:
    """What other sums of the loop around are multiplied by, of a place whose value is a sum's own old one."""
    if not place.loops:
        return
    assignment = place.node.parent
    while assignment is not None and assignment.type == "binary_expression":
        assignment = assignment.parent
    if assignment is None or assignment.type != "assignment_expression":
        return
    own = walker.written(place.node)
    if walker.written(assignment.child_by_field_name("left")) != own:
        return
    for match in _SCALED.finditer(walker.written(place.loops[0])):
        name = match[2] or match[4]
        if own not in (match[1], match[3]) and name in place.scope.names:
            yield name


_LANE = re.compile(r"([A-Za-z_]\w*)\.([xyzw])")
_PRODUCT = re.compile(r"([A-Za-z_]\w*)\.([xyzw])\s*\*\s*([A-Za-z_]\w*)\.\2")


def lane_factors(walker: Walker, place: Place) -> Iterator[str]:
    """What the other terms of a sum over lanes are multiplied by, of a term that is one lane alone.

    u.x * v.x + u.y * v.y + u.z      -->      u.z * v.z
    """
    lane = _LANE.fullmatch(walker.written(place.node))
    node = place.node
    while node.parent is not None and node.parent.type == "binary_expression":
        if walker.operator(node.parent) != "+":
            return
        node = node.parent
    for one, _, other in _PRODUCT.findall(walker.written(node)) if lane is not None else ():
        if lane is not None and lane[1] in (one, other):
            yield f"{other if lane[1] == one else one}.{lane[2]}"
