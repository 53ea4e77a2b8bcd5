"""Conversions that are missing, or too much.

mean[b] = sum / n;    -->    (float)sum / n        where the quotient becomes a float
(float)w / ow         -->    w / ow
in[i] * gain          -->    (unsigned char)in[i] * gain
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from xpiler.repair.scope import FLOAT, INT, kind_of_type
from xpiler.repair.vocabulary import Vocabulary
from xpiler.repair.walk import Place, Walker

_CAST = re.compile(
    r"\(\s*(?P<c>[\w ]+?)\s*\)\s*(?P<x>[\w(].*)|(?P<f>\w+)\s*\((?P<y>.*)\)|"
    r"static_cast<\s*(?P<s>[\w ]+?)\s*>\s*\((?P<z>.*)\)",
    re.S,
)
_ATOM = re.compile(r"\w+(?:\[[^\[\]]*\])*|\(.*\)", re.S)
# Integers that are narrower than `int`, and what their bits are with the other sign.
_OTHER_SIGN = (
    (re.compile(r"\b(?:unsigned char|uint8_t|uchar)\b"), "signed char"),
    (re.compile(r"\b(?:char|int8_t)\b"), "unsigned char"),
    (re.compile(r"\b(?:unsigned short|uint16_t|ushort)\b"), "short"),
    (re.compile(r"\b(?:short|int16_t)\b"), "unsigned short"),
)
_SAME_TYPE = {"signed char": "int8_t", "unsigned char": "uint8_t", "short": "int16_t"}
_LIKELY, _POSSIBLE = 1.2, 1.9


def casts(walker: Walker, vocabulary: Vocabulary, place: Place, kind: str) -> Iterator[tuple[str, float]]:
    """Texts whose values have another type than that of the place, with their costs."""
    node = place.node
    if node.type == "binary_expression" and walker.operator(node) == "/":
        yield from _quotients(walker, vocabulary, place, kind)
    elif kind == INT and place.role not in ("start", "step", "launch"):
        yield from _other_sign(walker, vocabulary, place)
    if kind == FLOAT and place.root and "int" in vocabulary.casts and "int" not in vocabulary.own_casts:
        yield f"(int){_operand(walker.written(node))}", _POSSIBLE
    if node.type == "cast_expression":
        inner = walker.written(node.child_by_field_name("value"))
        if inner and "*" not in walker.written(node.child_by_field_name("type")):
            yield inner, 1.6


def _quotients(
    walker: Walker, vocabulary: Vocabulary, place: Place, kind: str
) -> Iterator[tuple[str, float]]:
    sides = [walker.written(place.node.child_by_field_name(side)) for side in ("left", "right")]
    if not all(sides):
        return
    if kind == INT and _becomes_float(walker, place):
        cost = _LIKELY if "float" in vocabulary.casts else 1.5
        yield f"(float){_operand(sides[0])} / {sides[1]}", cost
    plain = [without_cast(side, FLOAT) for side in sides]
    if plain != sides:
        yield " / ".join(plain), 1.6


def without_cast(text: str, kind: str) -> str:
    """What is converted to a type of the kind, or the text as it is."""
    match = _CAST.fullmatch(text)
    if match is not None:
        type_ = match["c"] or match["f"] or match["s"]
        if kind_of_type(type_) == kind:
            return str(match["x"] or match["y"] or match["z"])
    return text


def _other_sign(walker: Walker, vocabulary: Vocabulary, place: Place) -> Iterator[tuple[str, float]]:
    """An element or a variable of few bits as one of the other sign, which is another number."""
    base: Node | None = place.node
    while base is not None and base.type == "subscript_expression":
        base = base.child_by_field_name("argument")
    name = place.scope.names.get(walker.written(base)) if base is not None else None
    if name is None or INT not in (name.kind, name.element):
        return
    for pattern, other in _OTHER_SIGN:
        if pattern.search(name.type):
            said = {other, _SAME_TYPE.get(other, other)} & vocabulary.casts
            yield f"({other}){walker.written(place.node)}", _LIKELY if said else _POSSIBLE
            return


def _becomes_float(walker: Walker, place: Place) -> bool:
    """Whether the value of an expression of integers is converted to a float by what is done with it."""
    node = place.node
    while (parent := node.parent) is not None:
        match parent.type:
            case "parenthesized_expression" | "unary_expression":
                pass
            case "conditional_expression" if parent.child_by_field_name("condition") != node:
                pass
            case "binary_expression" if walker.operator(parent) in ("+", "-", "*", "/"):
                sides = (parent.child_by_field_name(side) for side in ("left", "right"))
                if any(walker.kind(side, place.scope) == FLOAT for side in sides if side != node):
                    return True
            case "init_declarator":
                declaration = parent.parent
                type_ = declaration.child_by_field_name("type") if declaration is not None else None
                return kind_of_type(walker.written(type_)) == FLOAT
            case "assignment_expression":
                return walker.kind(parent.child_by_field_name("left"), place.scope) == FLOAT
            case "return_statement":
                return kind_of_type(place.function.definition.return_text) == FLOAT
            case "argument_list":
                return walker.kind(parent.parent, place.scope) == FLOAT
            case _:
                return False
        node = parent
    return False


def _operand(text: str) -> str:
    return text if _ATOM.fullmatch(text) else f"({text})"
