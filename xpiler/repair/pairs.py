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
_LISTS = ("argument_list", "initializer_list")
_COST, _OF_EXTENTS = 1.4, 1.1  # whose axes are easily mixed up
_STEP = 1.3  # of a number that a loop says twice
_ALONE = 2.6  # a half of an exchange


def exchange_pairs(walker: Walker, places: Sequence[Place], sites: Mapping[tuple[int, int], Site]) -> None:
    """Adds the exchanges to the first of their two sites. `sites`: those of expressions, by their spans."""
    for one, other in (*_arguments(places), *_builtins(walker, places), *_values(walker, places)):
        first, second = sites.get((one.start, one.end)), sites.get((other.start, other.end))
        texts = walker.text[one.start : one.end], walker.text[other.start : other.end]
        if first is None or second is None or first is second or texts[0] == texts[1]:
            continue
        number = next((n for n, a in enumerate(second.alternatives, 1) if a.text == texts[0]), 0)
        if not number:
            said = f"`{texts[1]}` should be `{texts[0]}`"
            second.alternatives.append(Alternative(texts[0], _ALONE, said, kind="pair"))
            number = len(second.alternatives)
        edits = (Edit(one.start, one.end, texts[1]), Edit(other.start, other.end, texts[0]))
        title = f"`{texts[0]}` and `{texts[1]}` should be exchanged"
        parent = one.node.parent
        cost = _OF_EXTENTS if parent is not None and parent.type == "initializer_list" else _COST
        first.alternatives.append(Alternative(texts[1], cost, title, edits, "pair", ((second, number),)))
    for one, other in _counted_in(walker, places):
        first, second = sites.get((one.start, one.end)), sites.get((other.start, other.end))
        if first is not None and second is not None:
            _both(first, second, int(walker.text[one.start : one.end]))


def _counted_in(walker: Walker, places: Sequence[Place]) -> Iterator[tuple[Place, Place]]:
    """The number that a loop counts in, where its condition says it, too: `i + 16 <= n; i += 16`."""
    known: dict[tuple[int, str], Place] = {}
    for place in places:
        if place.node.type != "number_literal" or not place.loops:
            continue
        written = walker.text[place.start : place.end]
        key = place.loops[-1].id, written
        if not re.fullmatch(r"[1-9]\d*", written):
            continue
        if place.whole == "loop condition":
            known.setdefault(key, place)
        elif place.whole in ("update", "step") and key in known:
            yield known.pop(key), place


def _both(first: Site, second: Site, number: int) -> None:
    """Offers other steps for both places at once."""
    for value in dict.fromkeys((2 * number, number // 2, 4 * number, number // 4)):
        text = str(value)
        if value < 1 or value == number:
            continue
        title = f"`{number}` should be `{text}` in both places"
        choice = next((n for n, a in enumerate(second.alternatives, 1) if a.text == text), 0)
        if not choice:
            second.alternatives.append(Alternative(text, _ALONE, title, kind="pair"))
            choice = len(second.alternatives)
        edits = (Edit(first.start, first.end, text), Edit(second.start, second.end, text))
        first.alternatives.append(Alternative(text, _STEP, title, edits, "pair", ((second, choice),)))


def _arguments(places: Sequence[Place]) -> Iterator[tuple[Place, Place]]:
    """Neighbouring arguments of a constructor, also in braces."""
    last: Place | None = None
    for place in places:
        parent = place.node.parent
        outer = parent.parent if parent is not None and parent.type in _LISTS else None
        if outer is None or outer.type != "init_declarator" or not place.root:
            continue
        if last is not None and last.node.parent == parent and place.start >= last.end:
            yield last, place
        last = place


def _values(walker: Walker, places: Sequence[Place]) -> Iterator[tuple[Place, Place]]:
    """What two variables begin with that follow one another, where both take it from a thread's place.

    `int row = blockIdx.x * T + threadIdx.x, col = blockIdx.y * T + threadIdx.y;`
    """
    last: Place | None = None
    for place in places:
        parent = place.node.parent
        if parent is None or parent.type != "init_declarator" or not place.root or place.role != "value":
            continue
        if _BUILTIN.search(walker.text, place.start, place.end) is None:
            last = None
            continue
        if last is not None and last.function is place.function and _near(last.node, place.node):
            yield last, place
        last = place


def _near(one: Node, other: Node) -> bool:
    """Whether two places are in the same statement or in neighbouring ones."""
    first, second = _statement(one), _statement(other)
    return first is not None and second is not None and second in (first, first.next_named_sibling)


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
