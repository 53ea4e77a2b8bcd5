"""Expressions that source and target contain: what is missing in one place often stands in another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from xpiler.repair.scope import ARRAY, FLOAT, INT, MASK, POINTER, Scope
from xpiler.repair.walk import BUILTIN_INTEGERS, Place, Walker

CONDITION, PRODUCT, SUM, INTEGER, LAUNCH, REAL, LANES, READ = (
    "condition",
    "product",
    "sum",
    "integer",
    "launch",
    "real",
    "lanes",
    "read",
)
_MOST = 12
_LONGEST = 120
_WORDS = (
    "std::",
    "static_cast",
    "__mmask",
    "__ldg",
)  # that stand before a bracket and are there without a header
_WORD = re.compile(r"[A-Za-z_]\w*")
_FIELD = re.compile(r"\b(?:threadIdx|blockIdx|blockDim|gridDim)\s*\.\s*[xyz]\b")


@dataclass(frozen=True)
class Phrase:
    """`names`: its variables with their kinds where it stands."""

    text: str
    function: str
    names: Mapping[str, str]
    order: int


@dataclass
class Phrases:
    """By what they are: conditions, products and sums of integers, other integers, launch sizes, floats,
    masks, elements. `model`: of the target; what names threads or tasks of another one is left out.
    `functions`: those that the target may call."""

    model: str
    functions: frozenset[str] = frozenset()
    found: dict[str, list[Phrase]] = field(default_factory=dict)
    seen: set[tuple[str, str]] = field(default_factory=set)

    def add(self, walker: Walker, places: Iterable[Place]) -> None:
        for place in places:
            for kind in _kinds(walker, place):
                text = " ".join(walker.text[place.start : place.end].split())
                if self.model == "simt":
                    text = re.sub(r"\bstd::(?=(?:min|max)\b)", "", text)
                opposite = _opposite(text) if kind == CONDITION and place.root else ""
                for said in (text, opposite) if opposite else (text,):
                    self._add(kind, said, place)

    def _add(self, kind: str, text: str, place: Place) -> None:
        if len(text) > _LONGEST or "//" in text or (kind, text) in self.seen or self._foreign(text):
            return
        self.seen.add((kind, text))
        calls = _calls(text)
        if not all(name in self.functions or name.startswith(_WORDS) for name in calls):
            return
        words = frozenset(_WORD.findall(_FIELD.sub("0", text))) - calls
        names = {word: place.scope.kind(word) for word in words}
        phrases = self.found.setdefault(kind, [])
        phrases.append(Phrase(text, place.function.name, names, len(phrases)))

    def _foreign(self, text: str) -> bool:
        return any(pattern.search(text) for model, pattern in _BUILTINS.items() if model != self.model)

    def fitting(self, kind: str, scope: Scope, function: str, written: str) -> Iterator[str]:
        """Those whose names are known there, of the same function first."""
        fits = [
            p
            for p in self.found.get(kind, ())
            if p.text != written and all(_known(*name, scope) for name in p.names.items())
        ]
        fits.sort(key=lambda p: (p.function != function, p.order))
        yield from (p.text for p in fits[:_MOST])


def _opposite(text: str) -> str:
    """What holds where one that leaves out others does not: `if (!(a && b)) continue;` is `if (a && b) ...`
    elsewhere. "" for a condition of one comparison, whose opposite is offered everywhere."""
    inner = text[2:-1] if text.startswith("!(") and text.endswith(")") else ""
    if inner and _is_balanced(inner):
        return inner
    return f"!({text})" if "||" in text else ""


def _is_balanced(text: str) -> bool:
    """Whether each bracket that is closed in it was opened in it."""
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0


def _known(name: str, kind: str, scope: Scope) -> bool:
    """Whether a variable of the name is there, of the same kind; arrays are as good as pointers."""
    here = scope.names.get(name)
    if here is not None:
        return not kind or here.kind == kind or {here.kind, kind} == {ARRAY, POINTER}
    return BUILTIN_INTEGERS.fullmatch(name) is not None or name in _FREE


_BUILTINS = {
    "simt": re.compile(r"\b(?:threadIdx|blockIdx|blockDim|gridDim|warpSize)\b"),
    "tasks": re.compile(r"\b(?:task|cluster|core)(?:Id|Dim)[XYZ]?\b"),
}
_FREE = frozenset(
    ("sizeof", "float", "int", "int64_t", "size_t", "unsigned", "true", "false", "INFINITY", "double", "long")
)


def _calls(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\b([A-Za-z_][\w:]*)\s*(?=\(|<\w+>\()", text)) | frozenset(
        re.findall(r"\b__mmask\d+", text)
    )


def _kinds(walker: Walker, place: Place) -> Iterator[str]:
    node = place.node
    if place.role == "launch":
        yield LAUNCH
    if place.role == "condition" and place.root:
        yield CONDITION
    if (
        node.type == "binary_expression"
        and walker.operator(node) in ("<", "<=", ">", ">=", "==", "!=")
        and not place.root
    ):
        yield CONDITION
    if place.role in ("base", "whole", "assignment", "statement", "declaration", "before", "end", "update"):
        return
    kind = walker.kind(node, place.scope)
    if kind == MASK or (
        kind == ""
        and re.match(r"\(__mmask\d+\)|\w*lanes\w*\(|\w*mask\w*\(", walker.text[place.start : place.end])
    ):
        yield LANES
    text = walker.unit.text_of(node)
    if kind == FLOAT and (node.type == "subscript_expression" or text.startswith("__ldg(")):
        yield READ
    if node.type not in ("binary_expression", "call_expression", "conditional_expression"):
        return
    if (
        kind == INT and walker.operator(node) in ("*", "/", "%")
        if node.type == "binary_expression"
        else False
    ):
        yield PRODUCT
    if kind == INT and node.type == "binary_expression" and walker.operator(node) == "+":
        yield SUM
    if kind == INT and (place.root or place.role == "bound"):
        yield INTEGER
    if kind == FLOAT and place.root:
        yield REAL
