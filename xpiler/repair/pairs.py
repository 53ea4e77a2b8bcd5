"""Two expressions of one statement, or of neighbours, exchanged.

dim3 block(8, 32);                          dim3 block(32, 8);
int x = blockIdx.y * 8 + threadIdx.x;  -->  int x = blockIdx.x * 8 + threadIdx.x;
int y = blockIdx.x * 8 + threadIdx.y;       int y = blockIdx.y * 8 + threadIdx.y;

Each is two changes that are switched on together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from tree_sitter import Node

from xpiler.repair.changes import Alternative, Site
from xpiler.repair.walk import Place, Walker
from xpiler.symbolic.findings import Edit

_BUILTIN = re.compile(r"(threadIdx|blockIdx|blockDim|gridDim)\s*\.\s*[xyz]")
_COST = 1.4


def exchange_pairs(walker: Walker, places: Sequence[Place], sites: Mapping[tuple[int, int], Site]) -> None:
    """Adds the exchanges to the first of their two sites. `sites`: those of expressions, by their spans."""
    for one, other in (*_arguments(places), *_builtins(walker, places)):
        first, second = sites.get((one.start, one.end)), sites.get((other.start, other.end))
        texts = walker.text[one.start : one.end], walker.text[other.start : other.end]
        if first is None or second is None or first is second or texts[0] == texts[1]:
            continue
        number = next((n for n, a in enumerate(second.alternatives, 1) if a.text == texts[0]), 0)
        if not number:
            continue
        edits = (Edit(one.start, one.end, texts[1]), Edit(other.start, other.end, texts[0]))
        title = f"`{texts[0]}` and `{texts[1]}` should be exchanged"
        first.alternatives.append(Alternative(texts[1], _COST, title, edits, "pair", ((second, number),)))


def _arguments(places: Sequence[Place]) -> Iterator[tuple[Place, Place]]:
    """The first arguments of a constructor."""
    last: Place | None = None
    for place in places:
        parent = place.node.parent
        outer = parent.parent if parent is not None and parent.type == "argument_list" else None
        if outer is None or outer.type != "init_declarator" or not place.root:
            continue
        if last is not None and last.node.parent == parent and place.start >= last.end:
            yield last, place
        last = place


def _builtins(walker: Walker, places: Sequence[Place]) -> Iterator[tuple[Place, Place]]:
    """The same built-in of other axes in two neighbouring statements."""
    last: dict[str, tuple[Place, Node]] = {}
    for place in places:
        match = _BUILTIN.fullmatch(walker.text[place.start : place.end])
        statement = _statement(place.node) if match else None
        if match is None or statement is None:
            continue
        before = last.get(match[1])
        if before is not None and statement.prev_named_sibling == before[1]:
            yield before[0], place
        last[match[1]] = place, statement


def _statement(node: Node) -> Node | None:
    here: Node | None = node
    while here is not None and here.type not in ("declaration", "expression_statement"):
        here = here.parent
    return here
