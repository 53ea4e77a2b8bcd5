"""A text taken apart for faults: its functions, their statements, and the variables that each place sees.

Only what a translation is about is looked at: kernels, the functions that the source has too, and host code;
not the helpers that a backend writes above them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tree_sitter import Node

from xpiler.bench.faults.model import Edit, Fault
from xpiler.frontend.syntax import SyntaxUnit, analyse
from xpiler.frontend.syntax_model import FunctionDef, Pragma

_INTEGERS = {
    "int",
    "unsigned",
    "unsigned int",
    "size_t",
    "long",
    "int64_t",
    "int32_t",
    "uint32_t",
    "long long",
}
_STATEMENTS = {
    "expression_statement",
    "declaration",
    "for_statement",
    "while_statement",
    "do_statement",
    "if_statement",
    "return_statement",
}


@dataclass(frozen=True, eq=False)
class Anatomy:
    """`constants`: values that the scalar parameters are tried with, for kernels hard-coded to them."""

    unit: SyntaxUnit
    functions: tuple[FunctionDef, ...]
    platform: str
    constants: dict[str, int]

    @classmethod
    def of(
        cls, text: str, file: str, platform: str, source_names: Sequence[str], constants: dict[str, int]
    ) -> Anatomy:
        unit = analyse(text, file, platform=platform)
        known = set(source_names)
        everything = (*unit.kernels, *unit.device_functions, *unit.host_functions)
        chosen = [f for f in everything if f.body is not None and f.is_local]
        chosen = [f for f in chosen if f.is_kernel or f.name in known or f.is_extern_c]
        return cls(unit, tuple(chosen), platform, constants)

    @property
    def text(self) -> str:
        return self.unit.text

    # ------------------------------------------------------------------------------ nodes and spans

    def said(self, node: Node | None) -> str:
        """The user's words of a node: of what a macro stands for, the macro."""
        if node is None:
            return ""
        start, end = self.span(node)
        return self.text[start:end] if self.unit.range_of(node).file == self.unit.file else ""

    def span(self, node: Node) -> tuple[int, int]:
        return self.unit.span_of(node)

    def is_plain(self, node: Node) -> bool:
        """The node stands in the text by itself, not inside of what a macro stands for."""
        if self.unit.range_of(node).file != self.unit.file:
            return False
        if self.said(node) == self.unit.text_of(node):
            return True
        return node.parent is None or self.span(node.parent) != self.span(node)

    def all(self, *types: str) -> Iterator[Node]:
        """Nodes of the types in the functions looked at, in order, that may be edited."""
        return (node for node in self._nodes if node.type in types and self.is_plain(node))

    def calls(self, matches: Callable[[str], bool]) -> Iterator[tuple[Node, str, list[Node]]]:
        """Calls of functions whose name matches: the call, the name, its arguments."""
        for node in self.all("call_expression"):
            name = self.said(node.child_by_field_name("function"))
            if matches(name):
                yield node, name, self.arguments(node)

    def arguments(self, call: Node) -> list[Node]:
        found = call.child_by_field_name("arguments")
        return list(found.named_children) if found is not None else []

    @cached_property
    def _nodes(self) -> list[Node]:
        nodes: list[Node] = []

        def visit(node: Node) -> None:
            nodes.append(node)
            for child in node.children:
                visit(child)

        for function in sorted(self.functions, key=lambda f: f.span):
            if function.body is not None:
                visit(function.body)
        return nodes

    # ------------------------------------------------------------------------------ statements

    def statement(self, node: Node) -> Node:
        """The innermost statement around a node (of a `for` or `if` it is the head that is meant)."""
        current = node
        while current.type not in _STATEMENTS or _is_head_part(current):
            assert current.parent is not None
            current = current.parent
        return current

    def statement_span(self, node: Node) -> tuple[int, int]:
        """The span of a statement; of a loop or a branch that of its head."""
        body = node.child_by_field_name("body") or node.child_by_field_name("consequence")
        start, end = self.span(node)
        if body is not None and node.type != "do_statement":
            end = self.span(body)[0]
        return start, len(self.text[:end].rstrip())

    def neighbours(self, statement: Node) -> tuple[tuple[int, int], ...]:
        """The statements before and after, and the head of the enclosing loop or branch."""
        around: list[tuple[int, int]] = []
        for sibling in (statement.prev_named_sibling, statement.next_named_sibling):
            if sibling is not None and sibling.type in _STATEMENTS:
                around.append(self.statement_span(sibling))
        block = statement.parent
        outer = block.parent if block is not None and block.type == "compound_statement" else block
        if outer is not None and outer.type in _STATEMENTS:
            around.append(self.statement_span(outer))
        return tuple(around)

    def function_of(self, node: Node) -> FunctionDef:
        return next(
            f
            for f in self.functions
            if f.body is not None and f.body.start_byte <= node.start_byte < f.body.end_byte
        )

    def where(self, node: Node) -> str:
        """`kernel`, `launch` or `host`: which part of the program a node belongs to."""
        launches = (launch.node for launch in self.unit.launches)
        if any(launch.start_byte <= node.start_byte < launch.end_byte for launch in launches):
            return "launch"
        function = self.function_of(node)
        if self.platform == "vnni":
            assert function.body is not None
            return "kernel" if any(n.type == "for_statement" for n in inside(function.body)) else "host"
        return "kernel" if function.is_kernel or function.is_device else "host"

    def pragma_before(self, node: Node) -> Pragma | None:
        found = self.unit.pragmas_before(node)
        return found[-1] if found else None

    # ------------------------------------------------------------------------------ variables

    def integers_at(self, node: Node) -> list[str]:
        """Integer variables in scope: parameters, what was declared before, counters of enclosing loops."""
        names: list[str] = []
        for param in self.function_of(node).params:
            if param.type_node is not None and self.said(param.type_node) in _INTEGERS:
                declarator = self.said(param.declarator)
                if declarator == param.name:
                    names.append(param.name)
        child, current = node, node.parent
        while current is not None and current.type != "function_definition":
            if current.type == "compound_statement":
                earlier = [c for c in current.children if c.end_byte <= child.start_byte]
                for declaration in (c for c in earlier if c.type == "declaration"):
                    names += self._declared(declaration)
            if current.type == "for_statement":
                initial = current.child_by_field_name("initializer")
                if initial is not None and initial.type == "declaration" and initial is not child:
                    names += self._declared(initial)
            child, current = current, current.parent
        return list(dict.fromkeys(names))

    def _declared(self, declaration: Node) -> list[str]:
        kind = self.said(declaration.child_by_field_name("type"))
        if kind not in _INTEGERS:
            return []
        found = []
        for declarator in declaration.children_by_field_name("declarator"):
            inner = (
                declarator.child_by_field_name("declarator") if declarator.type == "init_declarator" else None
            )
            name = inner or declarator
            if name.type == "identifier":
                found.append(self.said(name))
        return found

    # ------------------------------------------------------------------------------ making faults

    def replace(self, code: str, kind: str, node: Node, text: str) -> Fault:
        """A fault that puts `text` in place of the node."""
        start, end = self.span(node)
        return self.edit(code, kind, node, Edit(start, end, text))

    def edit(self, code: str, kind: str, node: Node, *edits: Edit) -> Fault:
        """A fault at the statement around the node."""
        start, end = self.statement_span(self.statement(node))
        return Fault(code, kind, edits, (start, end), self.text[start:end], self.where(node))

    def insert(self, code: str, kind: str, before: Node, text: str) -> Fault:
        """A fault that puts a statement where none belongs."""
        at = self.span(before)[0]
        beside = (self.statement_span(self.statement(before)), *self.neighbours(self.statement(before)))
        return Fault(code, kind, (Edit(at, at, text),), (at, at), "", self.where(before), beside)

    def remove(self, code: str, kind: str, statement: Node, instead: str = ";") -> Fault:
        """A fault that leaves a statement out."""
        start, end = self.span(statement)
        beside = self.neighbours(statement)
        edit = Edit(start, end, instead)
        return Fault(code, kind, (edit,), (start, end), self.text[start:end], self.where(statement), beside)


def _is_head_part(node: Node) -> bool:
    """A declaration in the head of a loop or branch."""
    parent = node.parent
    if parent is None or parent.type not in ("for_statement", "if_statement", "while_statement"):
        return parent is not None and parent.type == "condition_clause"
    bodies = [parent.child_by_field_name(name) for name in ("body", "consequence", "alternative")]
    return all(body is None or body.id != node.id for body in bodies)


def inside(node: Node) -> Iterator[Node]:
    """The node and everything in it, in order."""
    yield node
    for child in node.children:
        yield from inside(child)


def operator(node: Node) -> str:
    """The operator of a binary expression or an assignment."""
    found = node.child_by_field_name("operator")
    return found.type if found is not None else ""
