"""The places of a text where a repair may change something: every expression and statement of its functions,
with what is in scope there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from tree_sitter import Node

from xpiler.frontend.syntax import SyntaxUnit
from xpiler.frontend.syntax_model import FunctionDef
from xpiler.repair.scope import ARRAY, FLOAT, INT, OTHER, POINTER, Name, Scope, declared, kind_in

BUILTIN_INTEGERS = re.compile(
    r"(?:threadIdx|blockIdx|blockDim|gridDim)\.[xyz]|warpSize|(?:task|cluster|core)(?:Id|Dim)[XYZ]?"
)


@dataclass(frozen=True, eq=False)
class Function:
    """A function with a body. `on_device`: threads or tasks run it."""

    definition: FunctionDef
    name: str
    on_device: bool
    is_kernel: bool


@dataclass(frozen=True, eq=False)
class Place:
    """`root`: the expression is no part of another (a bound, index, argument, initial value). `role` is
    what it is: `value`, `index`, `bound`, `start`, `step`, `condition`, `argument`, `launch`, `operand`,
    `statement`, `assignment`, `declaration`, `before`, `end`; `whole` that of what it is a part of."""

    node: Node
    start: int
    end: int
    role: str
    root: bool
    scope: Scope
    function: Function
    loops: tuple[Node, ...] = ()
    whole: str = ""

    @property
    def context(self) -> str:
        """What the whole expression is that this one is a part of, and where it runs."""
        return f"{'device' if self.function.on_device else 'host'} {self.whole or self.role}"


@dataclass
class Walker:
    """All places of a text, in its order. Spans are offsets of the original text."""

    unit: SyntaxUnit
    places: list[Place] = field(default_factory=list)
    whole: str = ""  # the role of the expression that is being walked

    @cached_property
    def text(self) -> str:
        return self.unit.text

    @cached_property
    def divisors(self) -> tuple[str, ...]:
        """The numbers that something is divided by, or counted in steps of."""
        found = re.findall(r"(?:/|\+=|\*)\s*(\d+)\b", self.unit.expanded)
        return tuple(dict.fromkeys(n for n in found if n not in ("0", "1")))[:8]

    def run(self) -> list[Place]:
        unit = self.unit
        globals_ = Scope()
        for variable in unit.globals:
            node = variable.node
            if node.type == "declaration":
                for name, _ in declared(unit, node):
                    globals_.names.setdefault(name.name, name)
        numbers = [
            m for m, body in unit.macros.items() if re.fullmatch(r"\(*\s*-?\d+[uUlL]*\s*\)*", body.strip())
        ]
        defined = {m: re.search(rf"#\s*define\s+{re.escape(m)}\b", self.text) for m in numbers}
        kernels, device = set(map(id, unit.kernels)), set(map(id, unit.device_functions))
        serial = unit.platform == "vnni"
        for definition in (*unit.kernels, *unit.device_functions, *unit.host_functions):
            if definition.body is None or not definition.is_local or definition.errors:
                continue
            on_device = serial or id(definition) in kernels or id(definition) in device
            function = Function(definition, definition.name, on_device, id(definition) in kernels)
            scope = globals_.inner()
            for macro, place in defined.items():
                if place is not None and place.start() < definition.span[0]:
                    scope.names[macro] = Name(macro, INT, "int", constant=True, is_const=True)
            for parameter in definition.params:
                for name, _ in declared(unit, parameter.node, parameter=True):
                    scope.names[name.name] = name
            for template in definition.template or ():
                if template.kind in ("int", "bool"):
                    scope.names[template.name] = Name(template.name, INT, "int", constant=True, is_const=True)
            self._statement(definition.body, scope, function, ())
        return sorted(self.places, key=lambda p: (p.start, -p.end))

    # ------------------------------------------------------------------------------------------ places

    def span(self, node: Node) -> tuple[int, int] | None:
        """The place of a node in the original text, None where that is not one piece of it."""
        file, start, end = self.unit.map.span(node.start_byte, node.end_byte)
        if file != 0 or not start < end <= len(self.text):
            return None
        written = self.text[start:end]
        if self.unit.map.is_from_macro(node.start_byte) and not re.fullmatch(r"[A-Za-z_]\w*", written):
            return None
        if written.count("(") != written.count(")") or "#" in written:
            return None
        return start, end

    def written(self, node: Node | None) -> str:
        """The text of a node as it was written, "" for one in pieces."""
        span = self.span(node) if node is not None else None
        return self.text[slice(*span)] if span else ""

    def _edge(self, node: Node, role: str) -> tuple[int, int] | None:
        """The place before a statement, or at the end of a block, whatever stands in it."""
        file, start, end = self.unit.map.span(node.start_byte, node.end_byte)
        if file != 0 or not start < end <= len(self.text) or self.unit.map.is_from_macro(node.start_byte):
            return None
        return (start, start) if role == "before" else (end - 1, end - 1)

    def _add(
        self,
        node: Node,
        role: str,
        root: bool,
        scope: Scope,
        function: Function,
        loops: tuple[Node, ...],
    ) -> bool:
        span = self._edge(node, role) if role in ("before", "end") else self.span(node)
        if span is None:
            return False
        self.places.append(Place(node, *span, role, root, scope.inner(), function, loops, self.whole))
        return True

    # ------------------------------------------------------------------------------------------ statements

    def _statement(self, node: Node, scope: Scope, function: Function, loops: tuple[Node, ...]) -> None:
        match node.type:
            case "compound_statement":
                inner = scope.inner()
                for child in node.named_children:
                    if child.type == "comment":
                        continue
                    self._add(child, "before", True, inner, function, loops)
                    self._statement(child, inner, function, loops)
                if node.named_children and node.named_children[-1].type not in _LEAVING:
                    self._add(node, "end", True, inner, function, loops)
            case "declaration":
                self._declaration(node, scope, function, loops)
            case "expression_statement":
                self._add(node, "statement", True, scope, function, loops)
                for child in node.named_children:
                    self._expression(child, "whole", True, scope, function, loops)
            case "if_statement":
                self._add(node, "statement", True, scope, function, loops)
                inner = scope.inner()
                condition = node.child_by_field_name("condition")
                if condition is not None:
                    self._condition(condition, inner, function, loops)
                for name in ("consequence", "alternative"):
                    branch = node.child_by_field_name(name)
                    if branch is not None:
                        chosen = branch.named_children[-1] if branch.type == "else_clause" else branch
                        self._statement(chosen, inner.inner(), function, loops)
            case "for_statement":
                self._add(node, "statement", True, scope, function, loops)
                self._for(node, scope.inner(), function, loops)
            case "while_statement" | "do_statement":
                self._add(node, "statement", True, scope, function, loops)
                condition, body = (node.child_by_field_name(n) for n in ("condition", "body"))
                if condition is not None:
                    self._condition(condition, scope, function, (*loops, node))
                if body is not None:
                    self._statement(body, scope.inner(), function, (*loops, node))
            case "return_statement":
                for child in node.named_children:
                    self._expression(child, "value", True, scope, function, loops)
            case "switch_statement" | "case_statement" | "labeled_statement" | "else_clause":
                for child in (
                    node.named_children[1:] if node.type == "case_statement" else node.named_children
                ):
                    if child.type in ("condition_clause", "parenthesized_expression"):
                        self._condition(child, scope, function, loops)
                    else:
                        self._statement(child, scope, function, loops)

    def _declaration(self, node: Node, scope: Scope, function: Function, loops: tuple[Node, ...]) -> None:
        self._add(node, "declaration", True, scope, function, loops)
        for name, declarator in declared(self.unit, node):
            value = declarator.child_by_field_name("value") if declarator.type == "init_declarator" else None
            if value is not None and not self._is_static(name, value):
                self._value(value, scope, function, loops)
            scope.names[name.name] = self._as_known(name, value, scope)
        for declarator in node.children_by_field_name("declarator"):
            if declarator.type == "function_declarator":
                self._constructed(node, declarator, scope, function, loops)

    def _constructed(
        self, node: Node, declarator: Node, scope: Scope, function: Function, loops: tuple[Node, ...]
    ) -> None:
        """`dim3 grid(rows, heads);` with names of variables is read as the declaration of a function."""
        name, given = (declarator.child_by_field_name(n) for n in ("declarator", "parameters"))
        if name is None or given is None or name.type != "identifier":
            return
        types = [one.child_by_field_name("type") for one in given.named_children]
        if not types or any(one is None or self.unit.text_of(one) not in scope.names for one in types):
            return
        for one in types:
            if one is not None:
                self._expression(one, "value", True, scope, function, loops)
        text = self.unit.text_of(name)
        scope.names[text] = Name(text, OTHER, self.unit.text_of(node.child_by_field_name("type")))

    def _is_static(self, name: Name, value: Node) -> bool:
        """Whether the value has to be known when the text is compiled."""
        return name.constant and (
            "constexpr" in name.type or value.type == "number_literal" or name.name in self._in_constants
        )

    def _as_known(self, name: Name, value: Node | None, scope: Scope) -> Name:
        """`const int row = blockIdx.x` is no constant: its value is known in a run alone."""
        if not name.constant or value is None or "constexpr" in name.type or name.name in self._in_constants:
            return name
        said = re.findall(r"[A-Za-z_]\w*", self.unit.text_of(value))
        known = [scope.names.get(word) for word in said]
        varies = any(one is not None and not one.constant for one in known)
        return replace(name, constant=not varies and not BUILTIN_INTEGERS.search(self.unit.text_of(value)))

    @cached_property
    def _in_constants(self) -> frozenset[str]:
        """Names in extents of arrays, arguments of templates and labels."""
        texts = []
        for kind in ("array_declarator", "template_argument_list", "case_statement"):
            for node in _all(self.unit.root, kind, nested=True):
                part = {"array_declarator": "size", "case_statement": "value"}.get(kind)
                texts.append(self.unit.text_of(node.child_by_field_name(part) if part else node))
        return frozenset(re.findall(r"[A-Za-z_]\w*", " ".join(texts)))

    def _value(self, value: Node, scope: Scope, function: Function, loops: tuple[Node, ...]) -> None:
        if value.type in ("initializer_list", "argument_list"):
            for child in value.named_children:
                self._value(child, scope, function, loops)
        elif value.type == "lambda_expression":
            self._expression(value, "value", True, scope, function, loops)
        else:
            self._expression(value, "value", True, scope, function, loops)

    def _for(self, node: Node, scope: Scope, function: Function, loops: tuple[Node, ...]) -> None:
        first = node.child_by_field_name("initializer")
        if first is not None and first.type == "declaration":
            for name, declarator in declared(self.unit, first):
                value = declarator.child_by_field_name("value")
                if value is not None:
                    self._expression(value, "start", True, scope, function, loops)
                scope.names[name.name] = name
        elif first is not None:
            self._expression(first, "start", True, scope, function, loops)
        loops = (*loops, node)
        condition = node.child_by_field_name("condition")
        if condition is not None:
            self._expression(condition, "condition", True, scope, function, loops)
        update = node.child_by_field_name("update")
        if update is not None:
            self._expression(update, "update", True, scope, function, loops)
        body = node.child_by_field_name("body")
        if body is not None:
            self._statement(body, scope.inner(), function, loops)

    def _condition(self, node: Node, scope: Scope, function: Function, loops: tuple[Node, ...]) -> None:
        inner = node.child_by_field_name("value") if node.type == "condition_clause" else None
        inner = inner or (node.named_children[-1] if node.named_children else None)
        if inner is not None and inner.type != "declaration":
            self._expression(inner, "condition", True, scope, function, loops)

    # ------------------------------------------------------------------------------------------ expressions

    def _expression(
        self, node: Node, role: str, root: bool, scope: Scope, function: Function, loops: tuple[Node, ...]
    ) -> None:
        def inner(child: Node | None, role: str = "operand", root: bool = False) -> None:
            if child is not None:
                self._expression(child, role, root, scope, function, loops)

        if root and role != "operand":
            self.whole = f"loop {role}" if role == "condition" and _heads(loops, node) else role

        if node.type == "sizeof_expression":
            self._add(node, role, root, scope, function, loops)
        if node.type in _NO_VALUES:
            return
        is_sign = node.type == "unary_expression" and node.children[0].type == "+"  # of a sum behind a cast
        if node.type == "parenthesized_expression" or is_sign:
            for child in node.named_children:
                bracketed = not is_sign and child.type == "binary_expression"
                inner(child, role, root or bracketed)
            return
        if node.type == "assignment_expression":
            self._add(node, "assignment", root, scope, function, loops)
            left = node.child_by_field_name("left")
            self._place(left, scope, function, loops)
            inner(node.child_by_field_name("right"), "step" if role == "update" else "value", True)
            return
        if node.type == "update_expression":
            self._place(node.child_by_field_name("argument"), scope, function, loops)
            return
        if node.type == "pointer_expression" and node.children[0].type == "&":
            self._place(node.child_by_field_name("argument"), scope, function, loops)
            return
        if node.type == "lambda_expression":
            self._lambda(node, scope, function, loops)
            return
        if node.type == "comma_expression":
            for child in node.named_children:
                inner(child, role, root)
            return
        if node.type == "initializer_list":
            for child in node.named_children:
                inner(child, "value", True)
            return
        self._add(node, role, root, scope, function, loops)
        match node.type:
            case "call_expression":
                self._call(node, scope, function, loops)
            case "subscript_expression":
                self._subscript(node, scope, function, loops)
            case "field_expression":
                argument = node.child_by_field_name("argument")
                if argument is not None and argument.type not in ("identifier", "this"):
                    inner(argument)
            case "cast_expression" | "pointer_expression" | "unary_expression":
                inner(node.child_by_field_name("value") or node.child_by_field_name("argument"))
            case "binary_expression":
                joined = self.operator(node) in ("&&", "||")
                inner(node.child_by_field_name("left"), "condition" if joined else "operand")
                part = "condition" if joined else "bound" if role == "condition" else "operand"
                inner(node.child_by_field_name("right"), part)
            case "conditional_expression":
                inner(node.child_by_field_name("condition"), "condition", True)
                inner(node.child_by_field_name("consequence"))
                inner(node.child_by_field_name("alternative"))

    def _place(self, node: Node | None, scope: Scope, function: Function, loops: tuple[Node, ...]) -> None:
        """What is written to: only its indices and the array that it belongs to may change."""
        if node is None:
            return
        if node.type == "parenthesized_expression":
            for child in node.named_children:
                self._place(child, scope, function, loops)
        elif node.type == "subscript_expression":
            self._subscript(node, scope, function, loops)
        elif node.type == "field_expression":
            self._place(node.child_by_field_name("argument"), scope, function, loops)
        elif node.type == "pointer_expression" and node.children[0].type == "*":
            argument = node.child_by_field_name("argument")
            if argument is not None:
                self._expression(argument, "index", True, scope, function, loops)

    def _subscript(self, node: Node, scope: Scope, function: Function, loops: tuple[Node, ...]) -> None:
        base = node.child_by_field_name("argument")
        if base is not None:
            if base.type == "identifier":
                self._add(base, "base", False, scope, function, loops)
            elif base.type == "subscript_expression":
                self._subscript(base, scope, function, loops)
            else:
                self._expression(base, "operand", False, scope, function, loops)
        indices = node.child_by_field_name("indices")
        for child in indices.named_children if indices is not None else ():
            self._expression(child, "index", True, scope, function, loops)

    def _call(self, node: Node, scope: Scope, function: Function, loops: tuple[Node, ...]) -> None:
        for child in node.named_children:
            if child.type == "kernel_call_syntax":
                for size in child.named_children[:3]:  # the fourth is a stream
                    self._expression(size, "launch", True, scope, function, loops)
        callee = node.child_by_field_name("function")
        if callee is not None and callee.type == "field_expression":
            self._place(callee.child_by_field_name("argument"), scope, function, loops)
        arguments = node.child_by_field_name("arguments")
        runtime = (
            callee is not None and re.match(r"(?:cuda|hip|cnrt)[A-Z]", self.unit.text_of(callee)) is not None
        )
        for child in arguments.named_children if arguments is not None else ():
            if runtime and self.unit.text_of(child) == "0":
                continue  # it may stand for a null pointer
            if self.is_immediate(callee, child, scope):
                continue  # a constant, see `values.calls`
            self._expression(child, "argument", True, scope, function, loops)

    def is_immediate(self, callee: Node | None, argument: Node, scope: Scope) -> bool:
        """Whether an argument of an instruction may have to be a constant."""
        name = self.unit.text_of(callee) if callee is not None else ""
        if not name.startswith(("_mm", "__builtin_")):
            return False
        said = self.unit.text_of(argument)
        if argument.type == "number_literal":
            return self.kind(argument, scope) == INT
        return argument.type == "identifier" and said not in scope.names

    def _lambda(self, node: Node, scope: Scope, function: Function, loops: tuple[Node, ...]) -> None:
        inner = scope.inner()
        for parameters in _all(node.child_by_field_name("declarator"), "parameter_declaration"):
            for name, _ in declared(self.unit, parameters, parameter=True):
                inner.names[name.name] = name
        body = node.child_by_field_name("body")
        if body is not None:
            self._statement(body, inner, function, loops)

    # ------------------------------------------------------------------------------------------ kinds

    def kind(self, node: Node | None, scope: Scope) -> str:
        """The kind of an expression's value, "" where it is not known."""
        if node is None:
            return ""
        text = self.unit.text_of(node)
        match node.type:
            case "number_literal":
                is_hex = text[:2].lower() == "0x"
                return FLOAT if not is_hex and re.search(r"[.eEfF]", text) else INT
            case "char_literal" | "true" | "false" | "sizeof_expression":
                return INT
            case "identifier" | "type_identifier":
                if BUILTIN_INTEGERS.fullmatch(text):
                    return INT
                return scope.kind(text)
            case "parenthesized_expression" | "pointer_expression" | "unary_expression":
                child = node.child_by_field_name("argument")
                inner = self.kind(child or next(reversed(node.named_children), None), scope)
                if node.type == "pointer_expression":
                    return POINTER if node.children[0].type == "&" else ""
                return inner
            case "field_expression":
                if BUILTIN_INTEGERS.fullmatch(text.replace(" ", "")):
                    return INT
                argument = node.child_by_field_name("argument")
                known = scope.names.get(self.unit.text_of(argument))
                if known is not None and re.match(r"(?:const )?(?:float|half)\d", known.type):
                    return FLOAT
                return INT if known is not None and re.search(r"\bdim3\b|\bu?int\d", known.type) else ""
            case "cast_expression":
                described = self.unit.text_of(node.child_by_field_name("type"))
                return POINTER if "*" in described else kind_in(self.unit, described)
            case "subscript_expression":
                base: Node | None = node
                depth = 0
                while base is not None and base.type == "subscript_expression":
                    base, depth = base.child_by_field_name("argument"), depth + 1
                known = scope.names.get(self.unit.text_of(base))
                if known is None or known.kind not in (POINTER, ARRAY):
                    return ""
                return ARRAY if depth < len(known.extents) else known.element
            case "binary_expression":
                operator = self.operator(node)
                if operator in ("<", "<=", ">", ">=", "==", "!=", "&&", "||"):
                    return INT
                kinds = {self.kind(node.child_by_field_name(side), scope) for side in ("left", "right")}
                for kind in (POINTER, ARRAY, FLOAT):
                    if kind in kinds:
                        return POINTER if kind == ARRAY else kind
                return INT if kinds == {INT} else ""
            case "conditional_expression":
                return self.kind(node.child_by_field_name("consequence"), scope)
            case "call_expression":
                return self._kind_of_call(node, scope)
        return ""

    def _kind_of_call(self, node: Node, scope: Scope) -> str:
        callee = self.unit.text_of(node.child_by_field_name("function"))
        for definition in (*self.unit.device_functions, *self.unit.host_functions):
            if definition.name == callee:
                return (
                    POINTER if "*" in definition.return_text else kind_in(self.unit, definition.return_text)
                )
        if re.fullmatch(r"\w+", callee) and kind_in(self.unit, callee) in (INT, FLOAT):
            return kind_in(self.unit, callee)  # a type: what is made of the argument
        if callee == "__ldg":
            arguments = node.child_by_field_name("arguments")
            pointer = arguments.named_children[0] if arguments and arguments.named_children else None
            return self.kind(pointer.child_by_field_name("argument"), scope) if pointer is not None else ""
        if re.fullmatch(r"(?:std::)?(?:min|max|abs)", callee):
            arguments = node.child_by_field_name("arguments")
            kinds = {self.kind(c, scope) for c in (arguments.named_children if arguments else ())}
            return kinds.pop() if len(kinds) == 1 else ""
        if re.fullmatch(r"_mm\d*_(?:mask_)?reduce_\w+_(?:ps|pd)|\w+f|__(?:expf|logf)", callee):
            return FLOAT
        if re.match(r"_mm\d*_\w*mask", callee) and callee.endswith("_mask"):
            return "mask"
        if re.match(r"_mm\d*_(?:mask_)?reduce_", callee):
            return INT
        return "vector" if callee.startswith("_mm") else ""

    def operator(self, node: Node) -> str:
        operator = node.child_by_field_name("operator")
        return self.unit.text_of(operator) if operator is not None else ""


def _heads(loops: tuple[Node, ...], condition: Node) -> bool:
    return bool(loops) and loops[-1].child_by_field_name("condition") == condition


_NO_VALUES = ("comment", "sizeof_expression", "type_descriptor", "string_literal", "template_argument_list")
_LEAVING = ("return_statement", "break_statement", "continue_statement")


def _all(node: Node | None, kind: str, *, nested: bool = False) -> Iterator[Node]:
    if node is None:
        return
    if node.type == kind:
        yield node
        if not nested:
            return
    for child in node.named_children:
        yield from _all(child, kind, nested=nested)


__all__ = ["OTHER", "Function", "Place", "Walker"]
