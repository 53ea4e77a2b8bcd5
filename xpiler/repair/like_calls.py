"""What calls of one function say in a place where a call like them says something else.

    s1 = fma(load(a + 1 * n + k), v, s1);
    s2 = fma(load(a + 2 * n + k), v, s2);
    s3 = fma(load(a + k), v, s3);             -->      a + 3 * n + k, by the calls before

Calls that are alike but for one argument are copies of an unrolled body, or say the same for whole vectors
and for what is left over. In copies numbers go on; what no other one says is likelier there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from xpiler.repair.changes import Alternative, Form, Site
from xpiler.repair.walk import Place, Walker

_NAME = re.compile(r"(?<![\w.>])[A-Za-z_]\w*\b(?!\s*\()")
_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_GOES_ON, _SAME = 1.1, 1.3
_MUCH_ALIKE = 0.3  # by which that is cheaper where three other arguments are the same
_MOST_LIKE, _MOST_OFFERED = 8, 8


@dataclass(frozen=True, eq=False)
class _Call:
    place: Place
    arguments: tuple[Node, ...]
    said: tuple[str, ...]


def add_from_like_calls(walker: Walker, places: Sequence[Place], sites: Sequence[Site]) -> None:
    """Adds to the sites of arguments what like calls say there."""
    values = {(site.start, site.end): site for site in sites if site.form is Form.VALUE}
    variables = {name for place in places for name in place.scope.names}
    for calls in _groups(walker, places):
        for call in calls:
            like = [other for other in calls if other is not call and _apart(call, other) is not None]
            for other in like[:_MOST_LIKE]:
                position = _apart(call, other)
                if position is not None:
                    said = [one.said[position] for one in calls]
                    sooner = _MUCH_ALIKE if len(call.said) > 3 else 0.0
                    texts = _texts(other.said[position], said, sooner)
                    _offer(walker, call, position, [t for t in texts if _fits(t[0], call, variables)], values)


def _groups(walker: Walker, places: Sequence[Place]) -> Iterator[list[_Call]]:
    """The calls of each function, by what stands around them."""
    found: dict[tuple[str, str, int], list[_Call]] = {}
    for place in places:
        node = place.node
        callee = node.child_by_field_name("function") if node.type == "call_expression" else None
        list_ = node.child_by_field_name("arguments")
        if callee is None or list_ is None or place.role in ("before", "end", "statement"):
            continue
        arguments = tuple(child for child in list_.named_children if child.type != "comment")
        said = tuple(" ".join(walker.written(one).split()) for one in arguments)
        if len(said) > 1 and all(said):
            key = place.function.name, walker.unit.text_of(callee), len(said)
            found.setdefault(key, []).append(_Call(place, arguments, said))
    yield from (calls for calls in found.values() if len(calls) > 1)


def _apart(one: _Call, other: _Call) -> int | None:
    """The one argument in which they differ."""
    apart = [i for i, (a, b) in enumerate(zip(one.said, other.said, strict=True)) if a != b]
    return apart[0] if len(apart) == 1 else None


def _fits(text: str, call: _Call, variables: set[str]) -> bool:
    """Whether all variables of the text are known where the call is."""
    return all(n in call.place.scope.names or n not in variables for n in _NAME.findall(text))


def _offer(
    walker: Walker,
    call: _Call,
    position: int,
    texts: Sequence[tuple[str, float]],
    values: dict[tuple[int, int], Site],
) -> None:
    span = walker.span(call.arguments[position])
    site = values.get(span) if span is not None else None
    if site is None:
        return
    own = call.said[position]
    known = {one.text: one.cost for one in site.alternatives}
    offered = sum(one.kind == "as like calls" for one in site.alternatives)
    for text, cost in texts[: _MOST_OFFERED - offered]:
        if text != own and known.get(text, cost + 1) > cost:
            site.alternatives[:] = [one for one in site.alternatives if one.text != text]
            title = f"`{own}` should be `{text}`"
            site.alternatives.append(Alternative(text, cost, title, kind="as like calls"))


def _texts(said: str, all_said: Sequence[str], sooner: float) -> Iterator[tuple[str, float]]:
    """What the other call says, and that with a number one more or less where no call says so yet."""
    for match in _NUMBER.finditer(said):
        for value in (int(match[0]) + 1, int(match[0]) - 1):
            text = f"{said[: match.start()]}{value}{said[match.end() :]}"
            if value > 0 and text not in all_said:
                yield text, _GOES_ON - sooner
    yield said, _SAME - sooner
