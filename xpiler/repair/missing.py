"""Statements that a function lacks, told by what it does with its names.

while (left > 0) {                         while (left > 0) {
  y[0] = x[0];                -->            y[0] = x[0];
  left -= 1;                                 left -= 1;
}                                            x += 1;
                                           }

A variable that a loop reads and nothing changes, a value that is computed and not used, an array that nothing
fills: where such a thing is, a statement is likely to be missing that changes, uses or fills it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from xpiler.repair.scope import ARRAY, FLOAT, INT, POINTER, VECTOR, Name
from xpiler.repair.vocabulary import Vocabulary
from xpiler.repair.walk import Place, Walker

_UPDATE = re.compile(r"\b([A-Za-z_]\w*)\s*([-+*/]|<<|>>)=\s*([^;,)]{1,40})")
_MOST = 5
_NUMERIC = (INT, FLOAT, VECTOR)


@dataclass(frozen=True)
class Habits:
    """What a function does with its names. `text`: without comments. `changed`: names that are assigned
    after they are declared, or handed out by address; `steps`: what names are changed by; `indices`: by the
    name of an array, what it is indexed with; `outside`: by loop, the names that are known around it;
    `unused`: names that are said once."""

    text: str
    changed: frozenset[str]
    steps: Sequence[str]
    indices: dict[str, Sequence[str]]
    outside: dict[int, frozenset[str]]
    unused: frozenset[str]


def habits_of(walker: Walker, places: Iterable[Place]) -> dict[str, Habits]:
    """By the name of a function."""
    texts: dict[str, str] = {}
    names: dict[str, dict[str, Name]] = {}
    indices: dict[str, dict[str, dict[str, None]]] = {}
    outside: dict[str, dict[int, frozenset[str]]] = {}
    for place in places:
        name = place.function.name
        if name not in texts:
            texts[name] = re.sub(
                r"//[^\n]*|/\*.*?\*/", " ", walker.text[slice(*place.function.definition.span)], flags=re.S
            )
        names.setdefault(name, {}).update(place.scope.names)
        if place.role == "statement" and place.node.type in ("for_statement", "while_statement"):
            outside.setdefault(name, {})[place.node.id] = frozenset(place.scope.names)
        if place.node.type == "subscript_expression":
            match = re.fullmatch(
                r"([A-Za-z_]\w*)\s*((?:\[[^\[\]]+\])+)", walker.text[place.start : place.end]
            )
            if match:
                indices.setdefault(name, {}).setdefault(match[1], {})[match[2]] = None
    found: dict[str, Habits] = {}
    for name, text in texts.items():
        changed = {w for w in names[name] if _is_changed(w, text)}
        found[name] = Habits(
            text,
            frozenset(changed),
            tuple(dict.fromkeys(s for s in _steps(text) if s.count("(") == s.count(")")))[:_MOST],
            {array: tuple(texts_) for array, texts_ in indices.get(name, {}).items()},
            outside.get(name, {}),
            frozenset(w for w in names[name] if len(re.findall(rf"\b{re.escape(w)}\b", text)) == 1),
        )
    return found


def _steps(text: str) -> Iterator[str]:
    return (" ".join(m[3].split()) for m in _UPDATE.finditer(text))


def _is_changed(name: str, text: str) -> bool:
    word = re.escape(name)
    declaration = rf"(?:[\w>*&\]]\s+|\*\s*|,\s*){word}\s*(?:\[[^\]]*\]\s*)*=(?!=)"
    assignments = len(re.findall(rf"\b{word}\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)", text))
    declared = len(re.findall(declaration, text))
    steps = re.search(rf"(?:\+\+|--)\s*{word}\b|\b{word}\s*(?:\+\+|--)|&\s*{word}\b", text)
    return assignments > declared or steps is not None


def missing_statements(
    walker: Walker, vocabulary: Vocabulary, habits: Habits, place: Place
) -> Iterator[tuple[str, float]]:
    """What may be missing at a place between statements, with what it costs."""
    known = place.scope.names
    loop = place.loops[-1] if place.loops else None
    if loop is not None and place.role == "end" and _is_body(place.node, loop):
        yield from _updates(walker, vocabulary, habits, place, loop)
        yield from _carried(habits, place, loop)
    unread = [known[w] for w in habits.unused if w in known and not known[w].is_parameter]
    for value in (n for n in unread if n.kind in _NUMERIC and not n.constant):
        yield from _uses(habits, place, value)
    if loop is not None:
        for total in known.values():
            idle = total.name not in habits.changed and not total.is_parameter and not total.is_const
            if idle and total.kind == FLOAT and total.has_value and total.name not in habits.unused:
                yield from _accumulated(place, total)


def _is_body(node: Node, loop: Node) -> bool:
    body = loop.child_by_field_name("body")
    return body is not None and body.id == node.id


def _updates(
    walker: Walker, vocabulary: Vocabulary, habits: Habits, place: Place, loop: Node
) -> Iterator[tuple[str, float]]:
    """A step of what a loop reads and nothing changes."""
    text = walker.unit.text_of(loop)
    outside = habits.outside.get(loop.id, frozenset())
    whiles = loop.type == "while_statement"
    for name in place.scope.names.values():
        if name.name not in outside or name.name in habits.changed or name.constant:
            continue
        if re.search(rf"\b{re.escape(name.name)}\b", text) is None or (name.is_const and name.kind == INT):
            continue
        if name.kind == VECTOR and re.search(r"__m\d+i\b", name.type) and not name.is_const:
            width = "_mm256" if "256" in name.type else "_mm512"
            for step in _own_steps(walker, loop):
                yield f"{name.name} = {width}_add_epi32({name.name}, {width}_set1_epi32({step}));", 1.5
            continue
        if name.kind not in (INT, POINTER) or (name.is_parameter and name.kind == INT and not whiles):
            continue
        steps = dict.fromkeys((*habits.steps, *vocabulary.integers[:4]))
        cost = 1.4 if whiles else 1.7
        for number, step in enumerate(s for s in steps if s != name.name):
            yield f"{name.name} += {step};", cost + 0.03 * number
            if name.kind == INT and whiles:
                yield f"{name.name} -= {step};", cost + 0.1 + 0.03 * number
                yield f"{name.name} /= {step};", cost + 0.1 + 0.03 * number
        if name.kind == INT and not name.is_parameter:
            yield f"{name.name} = 1 - {name.name};", cost + 0.1
            yield f"++{name.name};", cost


def _own_steps(walker: Walker, loop: Node) -> Iterator[str]:
    """What the loop's counter goes by: the lanes' numbers go by as much."""
    update = walker.unit.text_of(loop.child_by_field_name("update"))
    match = re.fullmatch(r"\w+\s*\+=\s*([\w ]+)", update)
    if match is not None:
        yield match[1]


def _carried(habits: Habits, place: Place, loop: Node) -> Iterator[tuple[str, float]]:
    """What the next turn of a loop reads, and this one does not give."""
    known = place.scope.names
    outside = habits.outside.get(loop.id, frozenset())
    inner = [n for n in known.values() if n.name not in outside and n.kind in _NUMERIC]
    for name in (known[w] for w in outside if w in known):
        if name.kind not in _NUMERIC or name.name in habits.changed or name.is_parameter:
            continue
        if name.is_const or name.constant:
            continue
        for value in inner:
            if value.kind == name.kind:
                yield f"{name.name} = {value.name};", 1.4


def _uses(habits: Habits, place: Place, value: Name) -> Iterator[tuple[str, float]]:
    """A use of what is computed and not used."""
    for array, indices in habits.indices.items():
        name = place.scope.names.get(array)
        if name is None or name.is_const or name.kind not in (POINTER, ARRAY) or name.element != value.kind:
            continue
        for index in indices[:_MOST]:
            yield f"{array}{index} = {value.name};", 1.3
    for name in place.scope.names.values():
        if name.kind == value.kind and not name.is_const and not name.constant and name is not value:
            yield f"{name.name} = {value.name};", 1.5
            yield f"{name.name} += {value.name};", 1.5


def _accumulated(place: Place, total: Name) -> Iterator[tuple[str, float]]:
    """What a sum that never changes is made of."""
    for value in place.scope.of_kind(FLOAT):
        if value.name != total.name and not value.is_parameter:
            yield f"{total.name} += {value.name};", 1.4
            yield f"{total.name} = fmaxf({total.name}, {value.name});", 1.6


def likenesses(walker: Walker, habits: Habits, place: Place) -> Iterator[tuple[str, float]]:
    """A neighbour once more, for another element.

    `y[0] = x[0];`    -->    `y[n - 1] = x[n - 1];`
    """
    block = place.node if place.role == "end" else place.node.parent
    if block is None or place.node.parent is None:
        return
    sizes = [n.name for n in place.scope.of_kind(INT) if n.is_parameter]
    for node in block.named_children:
        written = walker.written(node) if node.type == "expression_statement" else ""
        match = re.fullmatch(r"([A-Za-z_]\w*)\[([^\[\]]+)\]\s*=\s*([^;]*)\[\2\]([^;]*);", written)
        if match is None:
            continue
        own = [i[1:-1] for i in habits.indices.get(match[1], ()) if i.count("[") == 1]
        for other in dict.fromkeys((*own, "0", *(f"{size} - 1" for size in sizes))):
            if other != match[2]:
                yield f"{match[1]}[{other}] = {match[3]}[{other}]{match[4]};", 1.8


def unfilled(walker: Walker, habits: Habits, place: Place) -> Iterator[tuple[str, float]]:
    """What a shared variable or array begins with that nothing gives a value."""
    first = "threadIdx.x" if walker.unit.platform in ("cuda", "hip") else ""
    if not first or place.loops:
        return
    behind = 0.0 if re.match(r"\w*[sS]ync", walker.written(place.node)) else 0.15
    threads = [n for n in place.scope.names if re.search(rf"\b{n}\s*=\s*threadIdx\.x\s*;", habits.text)]
    one = threads[0] if threads else first
    for name in place.scope.names.values():
        if not name.shared or name.kind not in (INT, FLOAT):
            continue
        if re.search(rf"\b{re.escape(name.name)}\s*=(?!=)", habits.text) is None:
            value = "0" if name.kind == INT else "0.0f"
            yield f"if ({one} == 0) {name.name} = {value};", 1.2 + behind
            yield f"{name.name} = {value};", 1.4 + behind
