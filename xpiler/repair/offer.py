"""Takes what could stand in an expression's place, with what makes it likely there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from xpiler.repair.changes import Alternative, Site
from xpiler.repair.concepts import Concepts
from xpiler.repair.scope import FLOAT, INT
from xpiler.repair.walk import Place

SOONER = 0.3  # by which changes are cheaper where something is odd


class Offer:
    """Takes alternatives of one site, whose values are of the kind `value`; `kind`: of those that follow.
    `expected`: sizes that should be there."""

    def __init__(
        self,
        site: Site,
        place: Place,
        written: str,
        value: str,
        concepts: Concepts,
        expected: frozenset[str],
    ) -> None:
        self.site, self.place, self.written = site, place, written
        self.value, self.concepts, self.expected = value, concepts, expected
        self.sooner = SOONER if _is_fixed(place, written) else 0.0
        self.kind = ""
        self.seen = {bare(written), *_beside(place)}

    def __call__(self, text: str, cost: float) -> None:
        fitted = _fitted(text, self.place)
        if bare(fitted) not in self.seen:
            self.seen.add(bare(fitted))
            kind = f"{self.place.context} {self.value} {self.kind}"
            cost -= self.sooner
            if self.expected and not self.expected.isdisjoint(re.findall(r"[A-Za-z_]\w*", text)):
                cost -= SOONER
            says = self.concepts.says
            if says(text) and (len(text) > len(self.written) or not says(self.written)):
                cost -= SOONER
            if self.value != INT:
                cost += self.concepts.strangeness(self.written, text, floats=self.value == FLOAT)
            title = f"`{self.written}` should be `{text}`"
            self.site.alternatives.append(Alternative(fitted, cost, title, kind=kind))


def _beside(place: Place) -> Iterator[str]:
    """What stands on the other side of an operator that makes the same of any two that are equal, also where
    the place is a term of its side: `n + 4 <= n` is no condition."""
    node = place.node
    while node.parent is not None and node.parent.type == "binary_expression":
        parent = node.parent
        operator, *sides = (parent.child_by_field_name(name) for name in ("operator", "left", "right"))
        sign = operator.type if operator is not None else ""
        if sign in _COMPARE or (sign in _EQUAL and node == place.node):
            for side in sides:
                if side is not None and side != node:
                    yield from _terms(side)
        if sign not in ("+", "-"):
            break
        node = parent


def _terms(node: Node) -> Iterator[str]:
    """A sum, and what it is made of."""
    yield bare((node.text or b"").decode())
    operator = node.child_by_field_name("operator")
    if node.type == "binary_expression" and operator is not None and operator.type in ("+", "-"):
        for name in ("left", "right"):
            part = node.child_by_field_name(name)
            if part is not None:
                yield from _terms(part)


_COMPARE = ("<", "<=", ">", ">=", "==", "!=")
_EQUAL = ("-", "/", "%", "&&", "||")


def _is_fixed(place: Place, written: str) -> bool:
    """An index that never changes, though there are loops or threads for it."""
    if place.role != "index" or not place.root or not (place.loops or place.function.on_device):
        return False
    names = [place.scope.names[w] for w in re.findall(r"[A-Za-z_]\w*", written) if w in place.scope.names]
    return bool(names) and all(n.is_parameter or n.constant for n in names) and "Idx" not in written


def bare(text: str) -> str:
    """Without spaces and outer parentheses."""
    return (
        re.sub(r"\s+", "", text).strip("()")
        if text.count("(") == text.count(")") == 1
        else re.sub(r"\s+", "", text)
    )


_ATOM = re.compile(r"-?[\w.]+|[A-Za-z_][\w:]*\s*(?:\([^()]*\)|\[[^\[\]]*\])+|\(.*\)", re.S)


_PRODUCT = re.compile(r"[\w.]+ \* [\w.]+")


def _fitted(text: str, place: Place) -> str:
    """With the parentheses that it needs there."""
    if place.root or (_ATOM.fullmatch(text) and not text.startswith("-")):
        return text
    parent = place.node.parent
    operator = parent.child_by_field_name("operator") if parent is not None else None
    if operator is not None and operator.type == "+" and _PRODUCT.fullmatch(text):
        return text
    joined = operator is not None and operator.type in ("&&", "||")
    if joined and re.fullmatch(r"[^&|?=!]*(?:[<>]=?|[=!]=)[^&|?=]*", text):
        return text
    if place.role == "bound" and not re.search(r"[<>=&|?^]", text):
        return text
    return f"({text})"
