"""The loop over what is left behind a loop over whole steps, which a text lacks.

    for (; i + 64 <= k; i += 64) acc = dot(acc, load(x + i), load(w + i));
    int sum = reduce(acc);
                                          -->      for (; i < k; ++i) sum += (int)x[i] * (int)w[i];

A counter that outlives a loop of such steps, and that nothing reads behind it, is one that a loop over the
rest was to go on with. What that does the source says, in its names: those that the text has, too, stay; for
the others those of the text are tried that are of the same kind.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from xpiler.repair.scope import ARRAY, FLOAT, INT, POINTER, Scope
from xpiler.repair.walk import Place, Walker

_STEPS = re.compile(r"([A-Za-z_]\w*)\s*\+\s*(\w+)\s*<=\s*([^;]+);\s*\1\s*\+=\s*\2\b")
_WORD = re.compile(r"(?<![\w.>])[A-Za-z_]\w*\b(?!\s*\()")
_STORES = re.compile(r"[^=;]*(?:\]\s*[-+*]?=(?!=)|[\w\]]\s*[-+*]=(?!=))[^;]*;")
_LONGEST, _MOST_STATEMENTS, _MOST_FORMS, _MOST_OF_A_KIND = 160, 8, 12, 3
_POINTERS = (POINTER, ARRAY)


@dataclass(frozen=True)
class Told:
    """A statement of the source, with the kinds of its variables; `counters`: those that loops count with."""

    text: str
    kinds: Mapping[str, str]
    counters: Sequence[str]


def told_by(source: Walker, places: Iterable[Place]) -> list[Told]:
    """The statements of the source that add to something or store an element."""
    found: dict[str, Told] = {}
    for place in places:
        if place.role != "statement" or place.node.type != "expression_statement":
            continue
        text = " ".join(source.text[place.start : place.end].split())
        if len(text) > _LONGEST or not _STORES.fullmatch(text) or re.search(r"__\w+\(|_mm\d*_", text):
            continue
        kinds = {w: place.scope.kind(w) for w in _WORD.findall(text) if place.scope.kind(w)}
        heads = [source.unit.text_of(loop.child_by_field_name("initializer")) for loop in place.loops]
        counters = [w for head in heads for w in re.findall(r"([A-Za-z_]\w*)\s*=", head) if w in kinds]
        found.setdefault(text, Told(text, kinds, counters))
    return list(found.values())[:_MOST_STATEMENTS]


def remainders(walker: Walker, told: Sequence[Told], place: Place) -> Iterator[tuple[str, float]]:
    """Loops over what is left that may be missing at a place between statements, and what they cost."""
    block = place.node if place.role == "end" else place.node.parent
    before = [] if block is None or not told else _before(block, place)
    for loop in before:
        steps = _STEPS.search(walker.unit.text_of(loop)[:_LONGEST])
        behind = walker.text[place.start : _end(walker, block)]
        if steps is None or place.scope.kind(steps[1]) != INT or re.search(rf"\b{steps[1]}\b", behind):
            continue
        rest = walker.text[_end(walker, loop) : place.start]
        if re.search(rf"\b{steps[1]}\b", rest):
            continue
        for statement in told:
            for text in _renamed(statement, steps[1], place.scope):
                yield f"for (; {steps[1]} < {steps[3].strip()}; ++{steps[1]}) {text}", 1.2


def _before(block: Node, place: Place) -> list[Node]:
    """The loops of the block that end before the place."""
    end = place.node.end_byte if place.role == "end" else place.node.start_byte
    return [n for n in block.named_children if n.type == "for_statement" and n.end_byte <= end]


def _end(walker: Walker, node: Node | None) -> int:
    return walker.unit.map.span(node.start_byte, node.end_byte)[2] if node is not None else len(walker.text)


def _renamed(told: Told, counter: str, scope: Scope) -> Iterator[str]:
    """The statement in the names of a scope, `counter` for the innermost of its own counters."""
    own = {told.counters[-1]: counter} if told.counters else {}
    known = {w: w for w, kind in told.kinds.items() if _is_like(scope.kind(w), kind)} | own
    others = [w for w in told.kinds if w not in known]
    fitting = [
        [
            n.name
            for n in reversed(list(scope.names.values()))
            if _is_like(n.kind, told.kinds[w])
            and n.name != counter
            and not (n.kind == FLOAT and n.is_parameter)
        ][:_MOST_OF_A_KIND]
        for w in others
    ]
    for chosen in itertools.islice(itertools.product(*fitting), _MOST_FORMS):
        names = {**known, **dict(zip(others, chosen, strict=True))}
        text = _in_words(told.text, names)
        if re.search(rf"\b{counter}\b", text):
            yield text


def _in_words(text: str, names: Mapping[str, str]) -> str:
    return _WORD.sub(lambda m: names.get(m[0], m[0]), text)


def _is_like(kind: str, other: str) -> bool:
    return kind == other or (kind in _POINTERS and other in _POINTERS)
