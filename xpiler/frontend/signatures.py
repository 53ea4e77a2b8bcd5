"""How functions that take structs declare their parameters, with the definitions that those need.

    typedef struct { int rows, columns; } shape_t;
    void relu(const float *x, float *y, shape_t s) {...}   -->   `shape_t s`, and the text of the typedef

Kernels take the members of a struct singly. Who calls the function from outside passes the struct, so what
stands for the function takes it as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tree_sitter import Node

from xpiler.frontend.syntax import SyntaxUnit
from xpiler.frontend.syntax_model import FunctionDef, ParamDecl
from xpiler.frontend.unit import Signature

_WORD = re.compile(r"[A-Za-z_]\w*")
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)(?:[^\\\n]|\\\n|\\.)*", re.M)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"[^"\n]+"', re.M)
# What other platforms have no word for: qualifiers, vectors, halves, registers.
_OWN = re.compile(
    r"\b(?:__\w+|half2?|(?:u?(?:char|short|int|long|longlong)|float|double)[1-4]|dim3|cuda\w+|hip\w+|"
    r"ext_vector_type|vector_size)\b"
)
_STRUCTS = ("struct_specifier", "class_specifier", "union_specifier")
_TYPES = (*_STRUCTS, "enum_specifier", "type_definition", "alias_declaration", "template_declaration")


@dataclass(frozen=True)
class _Definition:
    """Names that a definition of file scope introduces, and its text. `start`: its offset in the main file,
    -1 if it stands in a header of the program's own."""

    names: frozenset[str]
    words: frozenset[str]
    start: int
    text: str


def signatures(unit: SyntaxUnit, functions: Iterable[FunctionDef]) -> tuple[Signature, ...]:
    """Those of the functions that take a struct, or a pointer to one, of the program's own, whose definition
    every platform takes."""
    own = {s.name for s in unit.structs if s.name}
    own |= {a.name for a in unit.aliases if own.intersection(_WORD.findall(unit.text_of(a.type_node)))}
    found: list[Signature] = []
    known: list[_Definition] | None = None
    for function in functions:
        taken = [(n, p) for n, p in enumerate(function.params) if own.intersection(_WORD.findall(p.text))]
        if function.template is not None or not taken:
            continue
        known = list(_definitions(unit)) if known is None else known
        needed = _needed(known, {word for _, p in taken for word in _WORD.findall(p.text)})
        texts = {d.start: d.text for d in needed if d.start >= 0}
        if any(d.start < 0 for d in needed):
            texts |= {m.start(): m[0].strip() for m in _INCLUDE.finditer(unit.text)}
        if any(_OWN.search(text) for text in texts.values()):
            continue
        structs = tuple((n, p.name, _declaration(p)) for n, p in taken)
        found.append(Signature(function.name, structs, tuple(sorted(texts.items()))))
    return tuple(found)


def _declaration(param: ParamDecl) -> str:
    """The parameter in one line, without its default."""
    return " ".join(param.text.partition("=")[0].split())


def _needed(known: list[_Definition], words: set[str]) -> list[_Definition]:
    """The definitions of these words, and of the words in them."""
    needed: list[_Definition] = []
    work = set(words)
    while work:
        more = [d for d in known if d.names & work and d not in needed]
        needed += more
        work = {word for d in more for word in d.words}
    return needed


def _definitions(unit: SyntaxUnit) -> Iterator[_Definition]:
    yield from _macros(unit)
    yield from _of(unit, unit.root, ())


def _macros(unit: SyntaxUnit) -> Iterator[_Definition]:
    for match in _MACRO.finditer(unit.text):
        words = frozenset(_WORD.findall(match[0]))
        yield _Definition(frozenset((match[1],)), words, match.start(), match[0].strip())


def _of(unit: SyntaxUnit, container: Node, namespace: tuple[str, ...]) -> Iterator[_Definition]:
    for node in container.named_children:
        body = node.child_by_field_name("body")
        if node.type == "namespace_definition" and body is not None:
            name = unit.text_of(node.child_by_field_name("name"))
            yield from _of(unit, body, (*namespace, name))
        elif node.type == "linkage_specification" and body is not None:
            yield from _of(unit, body, namespace)
        elif node.type in _TYPES or (node.type == "declaration" and _is_constant(unit, node)):
            names = frozenset(_introduced(unit, node))
            file, start, end = unit.map.span(node.start_byte, node.end_byte)
            text = unit.text[start:end].strip().removesuffix(";") + ";" if file == 0 else ""
            for name in reversed(namespace):
                text = f"namespace {name} {{\n{text}\n}}".replace("namespace  {", "namespace {")
            words = frozenset(_WORD.findall(unit.text_of(node)))
            yield _Definition(names, words | frozenset(_WORD.findall(text)), start if file == 0 else -1, text)


def _is_constant(unit: SyntaxUnit, node: Node) -> bool:
    """A constant, or a struct that is defined where a variable of it is."""
    words = _WORD.findall(unit.text_of(node).partition("=")[0])
    kind = node.child_by_field_name("type")
    is_struct = kind is not None and kind.type in _STRUCTS and kind.child_by_field_name("body") is not None
    return bool({"const", "constexpr"} & set(words)) or is_struct


def _introduced(unit: SyntaxUnit, node: Node) -> Iterator[str]:
    """Names that a definition introduces, those of enumerators and of a typedef's struct among them."""
    name = node.child_by_field_name("name")
    if name is not None:
        yield unit.text_of(name)
    if node.type == "template_declaration":
        for child in node.named_children:
            yield from _introduced(unit, child)
        return
    for declarator in node.children_by_field_name("declarator"):
        inner: Node | None = declarator
        while inner is not None and not inner.type.endswith("identifier"):
            inner = inner.child_by_field_name("declarator")
        if inner is not None:
            yield unit.text_of(inner)
    kind = node.child_by_field_name("type")
    if kind is not None and kind.type in (*_STRUCTS, "enum_specifier"):
        yield from _introduced(unit, kind)
    body = node.child_by_field_name("body")
    if node.type == "enum_specifier" and body is not None:
        for enumerator in body.named_children:
            yield unit.text_of(enumerator.child_by_field_name("name"))
