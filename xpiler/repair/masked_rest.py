"""What is left behind a loop over whole vectors, done by the loop's own statements under a mask.

for (; i + 16 <= n; i += 16) store(y + i, f(load(x + i)));
                              -->      if (i < n) { rest = (1 << (n - i)) - 1; mask_store(y + i, rest, ...); }
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from xpiler.repair.scope import INT
from xpiler.repair.walk import Place, Walker

_STEPS = re.compile(r"([A-Za-z_]\w*)\s*\+\s*(\w+)\s*<=\s*([^;]+);\s*\1\s*\+=\s*\2\b")
_ACCESS = re.compile(r"_mm512_(load|store)u_(ps|pd|si512|epi8|epi16|epi32|epi64)\(")
_LANES = {"ps": 16, "epi32": 16, "pd": 8, "epi64": 8, "epi16": 32, "epi8": 64}
_OF_LANES = {16: "epi32", 8: "epi64", 32: "epi16", 64: "epi8"}
_LONGEST = 1200


def masked_rest(walker: Walker, place: Place) -> Iterator[tuple[str, float]]:
    """The statement that may be missing right behind such a loop, where nothing reads its counter, and what
    it costs."""
    loop = place.node.named_children[-1] if place.role == "end" else place.node.prev_named_sibling
    if walker.unit.platform != "vnni" or loop is None or loop.type != "for_statement":
        return
    head = _STEPS.search(walker.written(loop)[:200])
    if head is None or place.scope.kind(head[1]) != INT:
        return
    counter, step, end = head[1], head[2], head[3].strip()
    block = loop.parent
    behind = (
        walker.text[place.start : walker.unit.map.span(block.start_byte, block.end_byte)[2]] if block else ""
    )
    body = loop.child_by_field_name("body")
    if body is None or re.search(rf"\b{counter}\b", behind):
        return
    name = "rest" if "rest" not in place.scope.names else "lanes_left"
    masked = _masked(_inner(walker, body), step, name)
    if masked is None:
        return
    lanes, text = masked
    indent = re.search(r"[ \t]*$", walker.text[: walker.unit.map.span(loop.start_byte, loop.end_byte)[1]])
    margin = indent[0] if indent is not None else ""
    one = "1ull" if lanes == 64 else "1u"
    mask = f"const __mmask{lanes} {name} = (__mmask{lanes})(({one} << ({end} - {counter})) - 1);"
    yield f"if ({counter} < {end}) {{\n{margin}  {mask}\n{margin}  {text}\n{margin}}}", 1.3


def _inner(walker: Walker, body: Node) -> str:
    text = walker.written(body)
    return text[1:-1].strip() if body.type == "compound_statement" else text


def _masked(body: str, step: str, name: str) -> tuple[int, str] | None:
    """The statements with masks, and the number of lanes; None where loads and stores are not of one step."""
    if len(body) > _LONGEST or not re.search(r"_mm512_\w*store|=", body):
        return None
    lanes: set[int] = set()
    pieces: list[str] = []
    at = 0
    for found in _ACCESS.finditer(body):
        kind = found[2]
        if kind == "si512":
            kind = _OF_LANES.get(int(step), "") if step.isdigit() else ""
        if kind not in _LANES:
            return None
        lanes.add(_LANES[kind])
        pieces.append(body[at : found.start()])
        at = found.end()
        if found[1] == "load":
            pieces.append(f"_mm512_maskz_loadu_{kind}({name}, ")
        else:
            first = _first_argument(body, at)
            pieces.append(f"_mm512_mask_storeu_{kind}({body[at:first]}, {name}")
            at = first
    if len(lanes) != 1 or (step.isdigit() and int(step) not in lanes):
        return None
    return lanes.pop(), "".join((*pieces, body[at:]))


def _first_argument(text: str, start: int) -> int:
    """The place of the comma behind the first argument that begins at `start`."""
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] in "([{") - (text[place] in ")]}")
        if depth < 0 or (depth == 0 and text[place] == ","):
            return place
    return len(text)
