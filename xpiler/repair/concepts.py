"""What the source says that a target should say, too, in words that all platforms share.

    a * b + c    or    _mm512_fmadd_ps(a, b, c)    -->    computes with {mul, add}
    x[(n * height + y) * width + k]                -->    `x` is indexed with {height, width}
    for (int y = 0; y < height; ++y)               -->    loops end at {height}

A target that subtracts where its source never does, or leaves a size out of an index, is more likely wrong
there than elsewhere, and right with what its source has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tree_sitter import Node

from xpiler.repair.scope import FLOAT, INT, POINTER
from xpiler.repair.walk import Place, Walker

_OPERATORS = {"+": "add", "-": "sub", "*": "mul", "/": "div"}
_PARTS = {
    **dict.fromkeys(("add", "sum", "sumpool", "avgpool", "addred", "cycleadd"), ("add",)),
    **dict.fromkeys(("sub",), ("sub",)),
    **dict.fromkeys(("mul", "square", "pow", "powf"), ("mul",)),
    **dict.fromkeys(("div", "recip", "rcp14", "fdividef"), ("div",)),
    **dict.fromkeys(("max", "fmax", "fmaxf", "maxpool", "maxequal", "relu", "argmax"), ("max",)),
    **dict.fromkeys(("min", "fmin", "fminf", "minpool", "minequal", "argmin"), ("min",)),
    **dict.fromkeys(("fmadd", "fma", "fmaf", "matmul", "conv", "mma", "dp4a"), ("mul", "add")),
    **dict.fromkeys(("fmsub", "fnmadd"), ("mul", "sub")),
    **dict.fromkeys(("setzero", "zero"), ("number 0",)),
    **{name: (name,) for name in ("exp", "exp2", "log", "sqrt", "rsqrt", "tanh", "abs", "sinh", "erf")},
}
_CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_NUMBER = re.compile(r"(?<![\w.])(?:\d+\.\d*|\.\d+|\d+(?=[eEfF]))(?:[eE][-+]?\d+)?[fF]?(?![\w.])")
_EXTREME = re.compile(r"\b(?:INFINITY|HUGE_VALF?|FLT_MAX|infinity|lowest)\b")
_SUBSCRIPT = re.compile(r"\[[^\[\]]*\]")
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_LONGEST = 80
_WEIGHT, _MOST = 0.3, 0.45


@dataclass(frozen=True)
class Concepts:
    """`theirs`: what the source computes with; `missing`: what of it the target does not. `sizes`: the
    source's integer parameters; `bounds`: those that loops end at, `ends`: numbers that they do; `indexed`:
    those that the indices of an array are made with, by its name. `forms`: the expressions of the source,
    with only those names told that the target has, too (`shared`)."""

    theirs: frozenset[str]
    sizes: frozenset[str] = frozenset()
    bounds: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()
    indexed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    forms: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, source: Walker, places: Iterable[Place], target: Walker, target_places: Iterable[Place]
    ) -> Concepts:
        theirs = _computed(source, places)
        sizes: set[str] = set()
        bounds: set[str] = set()
        ends: set[str] = set()
        indexed: dict[str, set[str]] = {}
        shared = frozenset(_WORD.findall(source.text)) & frozenset(_WORD.findall(target.text))
        forms: set[str] = set()
        for place in places:
            node = place.node
            said = set(re.findall(r"[A-Za-z_]\w*", source.unit.text_of(node)))
            if node.type in ("binary_expression", "call_expression"):
                forms.add(_form(source.unit.text_of(node), shared))
            own = {n.name for n in place.scope.of_kind(INT) if n.is_parameter}
            sizes |= own
            if place.role == "bound" and place.whole == "loop condition":
                bounds |= said & own
                ends |= set(re.findall(r"\b\d+\b", source.unit.text_of(node)))
            array = array_of(source, place) if place.root else ""
            if array:
                indexed.setdefault(array, set()).update(said & own)
        arrays = {array: frozenset(names) for array, names in indexed.items()}
        missing = frozenset(theirs - _computed(target, target_places))
        told = frozenset(forms - {""}), shared
        loops = frozenset(bounds), frozenset(ends)
        return cls(frozenset(theirs), frozenset(sizes), *loops, arrays, missing, *told)

    def says(self, text: str) -> bool:
        """Whether the source has an expression of this form.

        `total / width + eps`  is said by  `sum / width + eps`
        """
        return _form(text, self.shared) in self.forms

    def expected(self, walker: Walker, place: Place) -> frozenset[str]:
        """Sizes that should be said where a place is, and are not."""
        said = walker.unit.text_of(place.node)
        if place.role == "bound" and place.whole == "loop condition":
            strange = said in self.sizes and said not in self.bounds
            return self.bounds if strange or self._is_strange_number(said) else frozenset()
        index = _index_around(walker, place)
        array = array_of(walker, place)
        if index is None or array not in self.indexed:
            return frozenset()
        return self.indexed[array] - set(re.findall(r"[A-Za-z_]\w*", walker.unit.text_of(index)))

    def _is_strange_number(self, said: str) -> bool:
        """Whether it is a number that ends a loop, and no loop of the source ends there."""
        return said.isdigit() and int(said) > 1 and said not in self.ends

    def strangeness(self, written: str, instead: str, *, floats: bool) -> float:
        """How much dearer a change is that puts `instead` where `written` stands: less than nothing if that
        takes away what the source does not have, or brings back what it has. `floats`: operators are of
        floats, not of indices."""
        before, after = _spoken(written, floats), _spoken(instead, floats)
        gone, new = (before - after) - self.theirs, (after - before) - self.theirs
        back = (after - before) & self.missing
        return max(-_MOST, min(_MOST, _WEIGHT * (len(new) - len(gone) - len(back))))


def array_of(walker: Walker, place: Place) -> str:
    """The array whose index or address a place is a part of, "" if it is of none."""
    index = _index_around(walker, place)
    if index is None:
        return ""
    if index.type == "binary_expression":
        pointer = _leftmost(index)
        if pointer.type == "identifier" and place.scope.kind(walker.unit.text_of(pointer)) == POINTER:
            return walker.unit.text_of(pointer)
    arguments = index.parent
    base = arguments.parent.child_by_field_name("argument") if arguments and arguments.parent else None
    return walker.unit.text_of(base) if base is not None and base.type == "identifier" else ""


def _form(text: str, shared: frozenset[str]) -> str:
    """An expression with a sign for all names but those; "" if none or no operator is left."""
    if len(text) > _LONGEST:
        return ""
    told = False

    def word(match: re.Match[str]) -> str:
        nonlocal told
        known = match[0] in shared
        told = told or known
        return match[0] if known else "$"

    form = re.sub(r"[\s()]+", "", _WORD.sub(word, text))
    return form if told and re.search(r"[-+*/%<>]", form) else ""


def _index_around(walker: Walker, place: Place) -> Node | None:
    """The whole index in brackets, or sum of a pointer and an offset, that a place is a part of."""
    node: Node | None = place.node
    while node is not None and node.type.endswith(("expression", "literal", "identifier")):
        parent = node.parent
        if parent is not None and parent.type == "subscript_argument_list":
            return node
        if node.type == "binary_expression" and (parent is None or parent.type != "binary_expression"):
            pointer = _leftmost(node)
            named = pointer.type == "identifier" and place.scope.kind(walker.unit.text_of(pointer)) == POINTER
            if named:
                return node
        if node.type in ("call_expression", "subscript_expression"):
            return None
        node = parent
    return None


def _leftmost(node: Node) -> Node:
    while node.type == "binary_expression":
        left = node.child_by_field_name("left")
        if left is None:
            break
        node = left
    return node


def computes(function: str) -> frozenset[str]:
    """What a function or an instruction of this name computes with."""
    return frozenset(_named(f"{function}("))


def _computed(walker: Walker, places: Iterable[Place]) -> set[str]:
    """What a whole text computes with."""
    found = _named(walker.text)
    for place in places:
        node = place.node
        if node.type in ("binary_expression", "assignment_expression"):
            operator = _OPERATORS.get(walker.operator(node).removesuffix("="))
            if operator and walker.kind(node.child_by_field_name("left"), place.scope) == FLOAT:
                found.add(operator)
    return found


def _spoken(text: str, floats: bool) -> set[str]:
    found = _named(text)
    if floats:
        plain = _SUBSCRIPT.sub("", _SUBSCRIPT.sub("", text))
        plain = re.sub(r"\d[eE][-+]\d", "0", plain)
        found |= {_OPERATORS[sign] for sign in re.findall(r"(?<=[\w)\]])\s*([-+*/])", plain)}
    return found


def _named(text: str) -> set[str]:
    """What the functions and the numbers in a text say."""
    found = {f"number {float(number.rstrip('fF')):g}" for number in _NUMBER.findall(text)}
    if _EXTREME.search(text):
        found.add("number that nothing exceeds")
    for name in _CALL.findall(text):
        parts = name.strip("_").split("_")
        for part in (*parts, *(p.removesuffix("f") for p in parts)):
            found.update(_PARTS.get(part, ()))
        if re.search(r"dpbusd|dpwssd|dpbf16|mma_sync|mfma", name):
            found |= {"mul", "add"}
    return found
