"""What is known of names where a place of a text stands: variables in scope with the kind of their values."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from xpiler.frontend.syntax import SyntaxUnit

INT, FLOAT, POINTER, ARRAY, VECTOR, MASK, OTHER = (
    "int",
    "float",
    "pointer",
    "array",
    "vector",
    "mask",
    "other",
)
_INTEGERS = re.compile(
    r"\b(?:unsigned|signed|int|long|short|char|bool|size_t|ptrdiff_t|u?int(?:8|16|32|64)?(?:_fast)?_t|"
    r"uint|uchar|ushort|ulong)\b"
)
_FLOATS = re.compile(
    r"\b(?:float|double|half|__half|bfloat16_t|bfloat16|__nv_bfloat16|hip_bfloat16|_Float16)\b"
)
_VECTORS = re.compile(r"\b__m(?:128|256|512)[id]?\b|\b(?:float|double|int|uint|half|char|short)[2348]\b")
_MASKS = re.compile(r"\b__mmask\d+\b")


def kind_of_type(text: str) -> str:
    """The kind of a value of a type in words."""
    for kind, pattern in ((VECTOR, _VECTORS), (MASK, _MASKS), (FLOAT, _FLOATS), (INT, _INTEGERS)):
        if pattern.search(text):
            return kind
    return OTHER


@functools.cache
def _named_types(text: str) -> dict[str, str]:
    """The kinds of values of types that a text names: those of its aliases, and numbers for what templates
    take."""
    found = {m[1]: FLOAT for m in re.finditer(r"\b(?:typename|class)\s+(\w+)\s*[,>=]", text)}
    for match in re.finditer(r"\btypedef\s+([\w:\s]+?)\s+(\w+)\s*;|\busing\s+(\w+)\s*=\s*([\w:\s]+);", text):
        found[match[2] or match[3]] = kind_of_type(match[1] or match[4])
    return found


def kind_in(unit: SyntaxUnit, type_text: str) -> str:
    """The kind of a value of a type in the words of a text."""
    kind = kind_of_type(type_text)
    named = _named_types(unit.expanded) if kind == OTHER else {}
    return next((named[word] for word in re.findall(r"\w+", type_text) if word in named), kind)


@dataclass(frozen=True)
class Name:
    """A variable or parameter. `kind` is that of its value, or POINTER or ARRAY; `element` then that of what
    it points to, with `type` the spelling. `extents`: of an array, as texts. `constant`: it may be part of
    constant expressions."""

    name: str
    kind: str
    type: str
    element: str = ""
    extents: tuple[str, ...] = ()
    is_parameter: bool = False
    is_const: bool = False
    constant: bool = False
    has_value: bool = True
    shared: bool = False


@dataclass
class Scope:
    """Names, innermost last."""

    names: dict[str, Name] = field(default_factory=dict)

    def inner(self) -> Scope:
        return Scope(dict(self.names))

    def of_kind(self, *kinds: str) -> Iterator[Name]:
        return (name for name in self.names.values() if name.kind in kinds)

    def kind(self, name: str) -> str:
        known = self.names.get(name)
        return known.kind if known else ""


def declared(unit: SyntaxUnit, node: Node, *, parameter: bool = False) -> Iterator[tuple[Name, Node]]:
    """The names that a declaration or parameter declares, each with its declarator."""
    type_node = node.child_by_field_name("type")
    words = [
        unit.text_of(c) for c in node.children if c.type in ("type_qualifier", "storage_class_specifier")
    ]
    type_text = " ".join([*words, unit.text_of(type_node)])
    start = type_node.end_byte if type_node is not None else node.start_byte
    before = unit.expanded[max(0, node.start_byte - 24) : start] + unit.expanded[node.start_byte : start]
    for child in node.children_by_field_name("declarator"):
        found = _declarator(unit, child)
        if found is None:
            continue
        name, kinds, extents, has_value = found
        element = kind_in(unit, type_text)
        kind = ARRAY if extents else POINTER if kinds else element
        is_constexpr = "constexpr" in before
        constant = is_constexpr or ("const" in words and has_value and element == INT and not kinds)
        yield (
            Name(
                name,
                kind,
                f"constexpr {type_text}" if is_constexpr else type_text,
                element if kind in (ARRAY, POINTER) else "",
                extents,
                parameter,
                "const" in words,
                constant,
                has_value or parameter,
                "__shared__" in before or "__shared__" in type_text,
            ),
            child,
        )


def _declarator(unit: SyntaxUnit, node: Node) -> tuple[str, bool, tuple[str, ...], bool] | None:
    """Name, whether it is a pointer, extents, whether it has an initialiser."""
    pointer, value = False, False
    extents: list[str] = []
    here: Node | None = node
    while here is not None:
        match here.type:
            case "identifier":
                return unit.text_of(here), pointer, tuple(reversed(extents)), value
            case "init_declarator":
                value = True
                here = here.child_by_field_name("declarator")
            case "pointer_declarator":
                pointer = True
                here = here.child_by_field_name("declarator")
            case "array_declarator":
                extents.append(unit.text_of(here.child_by_field_name("size")))
                here = here.child_by_field_name("declarator")
            case "reference_declarator" | "parenthesized_declarator":
                here = here.named_children[-1] if here.named_children else None
            case _:
                return None
    return None
