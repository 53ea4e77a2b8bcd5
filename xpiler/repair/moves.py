"""Statements in another place: before or behind their neighbours, out of a loop or a branch, or into one.

m = m_new;                            f = exp(m - m_new);
f = exp(m - m_new);        -->        m = m_new;

A move is two changes that are switched on together: the statement at its new place, and none at the old one.
Statements that do not depend on one another stay where they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from xpiler.repair.changes import Alternative, Form, Site
from xpiler.repair.walk import Place, Walker
from xpiler.symbolic.findings import Edit

_FURTHEST = 3  # neighbours that a statement is moved across
_NEAR_EDGE = 2  # statements at either end of a body that may be moved out of it
_LONGEST = 300
_MOVED = ("expression_statement", "if_statement")
_BODIES = ("for_statement", "while_statement", "do_statement", "if_statement")
_WORD = re.compile(r"[A-Za-z_]\w*")
_WRITTEN = re.compile(
    r"\b([A-Za-z_]\w*)(?:\s*\[[^\]]*\])*\s*(?:[-+*/%&|^]|<<|>>)?=(?!=)|(?:\+\+|--)\s*(\w+)|(\w+)\s*(?:\+\+|--)|"
    r"\w\(\s*&?([A-Za-z_]\w*)"
)
_BARRIER = re.compile(r"\w*[sS]ync\w*\(")


def moves(walker: Walker, places: Sequence[Place], removable: Mapping[int, tuple[Site, int]]) -> list[Site]:
    """The sites where statements could stand that stand elsewhere. `removable`: by the start of a statement
    the choice that takes it away."""
    blocks = _Blocks.of(places)
    found: dict[int, Site] = {}
    for place in places:
        node = place.node
        if place.role != "statement" or node.type not in _MOVED or place.start not in removable:
            continue
        written = walker.text[place.start : place.end]
        if len(written) > _LONGEST or re.search(r"\b(?:return|break|continue)\b", written):
            continue
        for target, crossed, cost in blocks.targets(node):
            if target.start == place.start or not _depend(walker, written, crossed):
                continue
            unknown = set(place.scope.names) - set(target.scope.names)
            if unknown & set(_WORD.findall(written)):
                continue
            site = found.setdefault(
                target.start, Site(target.start, target.start, Form.INSERT, target.function.name)
            )
            title = f"`{' '.join(written.split())[:50]}` should stand elsewhere"
            edits = (_taken(walker.text, place.start, place.end), inserted(walker.text, target, written))
            kind = "barrier" if _BARRIER.match(written) else "order"  # one that is missing is more likely
            site.alternatives.append(
                Alternative(written, cost, title, edits, kind, (removable[place.start],))
            )
    return list(found.values())


@dataclass(frozen=True)
class _Blocks:
    """The statements of each block, with the places before them, and the place at its end."""

    before: Mapping[int, Sequence[Place]]
    ends: Mapping[int, Place]

    @classmethod
    def of(cls, places: Sequence[Place]) -> _Blocks:
        before: dict[int, list[Place]] = {}
        ends: dict[int, Place] = {}
        for place in places:
            if place.role == "before" and place.node.parent is not None:
                before.setdefault(place.node.parent.id, []).append(place)
            elif place.role == "end":
                ends[place.node.id] = place
        return cls(before, ends)

    def targets(self, node: Node) -> Iterator[tuple[Place, Sequence[Node], float]]:
        """Where a statement could go, what it crosses on the way, and what that costs."""
        block = node.parent
        siblings = self.before.get(block.id, ()) if block is not None else ()
        number = next((n for n, place in enumerate(siblings) if place.node.id == node.id), None)
        if block is None or number is None:
            return
        nodes = [place.node for place in siblings]
        for far in range(1, _FURTHEST + 1):
            cost = 1.45 + 0.15 * far
            if far <= number:
                yield siblings[number - far], nodes[number - far : number], cost
            behind = self._at(block, siblings, number + far + 1)
            neighbour = nodes[number + 1] if number + 1 < len(nodes) else None
            twice = far == 1 and neighbour is not None and neighbour.type in _MOVED  # that one moves up
            if number + far < len(nodes) and behind is not None and not twice:
                yield behind, nodes[number + 1 : number + far + 1], cost
        yield from self._out(block, nodes, number)
        if number > 0:
            yield from self._in(nodes[number - 1], last=True)
        if number + 1 < len(nodes):
            yield from self._in(nodes[number + 1], last=False)

    def _at(self, block: Node, siblings: Sequence[Place], number: int) -> Place | None:
        return siblings[number] if number < len(siblings) else self.ends.get(block.id)

    def _out(
        self, block: Node, nodes: Sequence[Node], number: int
    ) -> Iterator[tuple[Place, Sequence[Node], float]]:
        outer = block.parent
        around = outer.parent if outer is not None else None
        if outer is None or around is None or outer.type not in _BODIES:
            return
        siblings = self.before.get(around.id, ())
        own = next((n for n, place in enumerate(siblings) if place.node.id == outer.id), None)
        if own is None:
            return
        if number < _NEAR_EDGE:
            yield siblings[own], (outer,), 1.7
        after = self._at(around, siblings, own + 1)
        if len(nodes) - number <= _NEAR_EDGE and after is not None:
            yield after, (outer,), 1.7

    def _in(self, neighbour: Node, *, last: bool) -> Iterator[tuple[Place, Sequence[Node], float]]:
        body = neighbour.child_by_field_name("body") or neighbour.child_by_field_name("consequence")
        if neighbour.type not in _BODIES or body is None or body.type != "compound_statement":
            return
        inside = self.before.get(body.id, ())
        target = self.ends.get(body.id) if last else inside[0] if inside else None
        if target is not None:
            yield target, (neighbour,), 1.9


def _depend(walker: Walker, written: str, crossed: Sequence[Node]) -> bool:
    """Whether it matters on which side of the others a statement stands."""
    if _BARRIER.match(written):
        return True
    others = " ".join(walker.unit.text_of(node) for node in crossed)
    return bool(
        _changed(written) & set(_WORD.findall(others)) or _changed(others) & set(_WORD.findall(written))
    )


def _changed(text: str) -> set[str]:
    return {name for groups in _WRITTEN.findall(text) for name in groups if name}


def _taken(text: str, start: int, end: int) -> Edit:
    """Without the statement, and without its lines where nothing else is on them."""
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    if last >= 0 and not text[first:start].strip() and not text[end:last].strip():
        return Edit(first, last + 1, "")
    return Edit(start, end, "")


def inserted(text: str, place: Place, statement: str) -> Edit:
    """The statement on a line of its own, indented like its neighbours."""
    start = text.rfind("\n", 0, place.start) + 1
    before = text[start : place.start]
    if before.strip():
        return Edit(place.start, place.start, f"{statement} ")
    if place.role == "end":
        return Edit(start, start, f"{before}  {statement}\n")
    return Edit(place.start, place.start, f"{statement}\n{before}")
