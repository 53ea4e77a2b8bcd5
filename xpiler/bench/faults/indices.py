"""I1, N2: which element is meant, and how wide its number is."""

from __future__ import annotations

import re

from tree_sitter import Node

from xpiler.bench.faults.anatomy import Anatomy, inside, operator
from xpiler.bench.faults.model import Faults

_ADDRESSED = re.compile(
    r"_mm512_\w*(?:load|store|gather|scatter)\w*|__memcpy\w*|__bang_\w+|\w*load_matrix_sync|\w*store_matrix_sync"
)


def strides(a: Anatomy) -> Faults:
    """I1: another variable, constant or order of axes in an index, or a part of it missing."""
    for place in _indices(a):
        nodes = [n for n in inside(place) if a.is_plain(n)]
        for node in nodes:
            if node.type == "identifier":
                said = a.said(node)
                known = a.integers_at(node)
                if said in known:
                    for name in known:
                        if name != said:
                            yield a.replace("I1", "another variable", node, name)
            elif node.type == "number_literal" and a.said(node).isdigit() and int(a.said(node)) > 1:
                value = int(a.said(node))
                yield a.replace("I1", "another constant", node, str(value + 1))
                yield a.replace("I1", "another constant", node, str(value // 2))
            elif node.type == "binary_expression":
                yield from _without_part(a, node)


def _without_part(a: Anatomy, node: Node) -> Faults:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None:
        return
    sign = operator(node)
    if sign == "+":
        yield a.replace("I1", "part of the index missing", node, a.said(left))
        if not re.search(r"[&*]?\b[a-z]\w*_?(?:nram|wram)\b", a.said(left)):
            yield a.replace("I1", "part of the index missing", node, a.said(right))
    elif sign in ("/", "%"):
        other = "%" if sign == "/" else "/"
        found = node.child_by_field_name("operator")
        if found is not None and not re.search(r"sizeof", a.said(node)):
            yield a.replace("I1", "quotient and rest exchanged", found, other)


def _indices(a: Anatomy) -> list[Node]:
    """Index expressions, and the address arguments of instructions, each once."""
    found = []
    for node in a.all("subscript_argument_list"):
        if a.where(node) != "launch":
            found.append(node)
    for _, _, arguments in a.calls(lambda name: _ADDRESSED.fullmatch(name) is not None):
        found += [x for x in arguments if x.type in ("binary_expression", "pointer_expression")]
    for node in a.all("init_declarator"):
        value, name = node.child_by_field_name("value"), node.child_by_field_name("declarator")
        pointer = name is not None and name.type == "pointer_declarator"
        named = name is not None and re.search(r"index|offset|row|col|base", a.said(name))
        if value is not None and value.type == "binary_expression" and (pointer or named):
            found.append(value)
    inner = {child.id for node in found for child in inside(node) if child.id != node.id}
    return [node for node in found if node.id not in inner]


def widths(a: Anatomy) -> Faults:
    """N2: an index too narrow for its values, signs of small integers confused."""
    for node in a.all("primitive_type"):
        declaration = node.parent
        if declaration is None or declaration.type != "declaration" or a.where(node) == "host":
            continue
        if a.said(node) == "int":
            yield a.replace("N2", "index of 8 bits", node, "signed char")
            yield a.replace("N2", "index of 16 bits", node, "short")
    for node in a.all("type_identifier", "primitive_type"):
        other = {"int8_t": "uint8_t", "uint8_t": "int8_t"}.get(a.said(node))
        if other and a.where(node) == "kernel":
            yield a.replace("N2", "signs confused", node, other)
    for node in a.all("cast_expression"):
        kind, value = node.child_by_field_name("type"), node.child_by_field_name("value")
        if a.said(kind) in ("float", "double") and value is not None and a.where(node) == "kernel":
            yield a.replace("N2", "conversion missing", node, a.said(value))
