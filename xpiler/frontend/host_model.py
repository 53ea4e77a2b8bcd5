"""What a host wrapper allocates and launches, as closed formulas over its parameters.

    int blocks = (n + 255) / 256;                     launch: grid ("(n + 255) // 256", "1", "1")
    cudaMalloc(&d_a, n * sizeof(float));       -->    bytes:  d_a -> "n * 4"
    add<<<blocks, 256>>>(d_a, ...)                    arguments: ("d_a", ...)

Needed where the kernel's extents are fixed numbers and the wrapper's parameters must be solved for:
formulas can be
evaluated for many values at once. What cannot be put into a formula is left out (None); running the
wrapper in the
emulator is the authority, this is the shortcut to good questions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from xpiler.frontend.syntax import SyntaxUnit
from xpiler.frontend.syntax_model import FunctionDef, StructDef

Formula = str  # a Python expression over parameter names; `//` and `%` on non-negative values

_SIZES = {
    "char": 1, "bool": 1, "int8_t": 1, "uint8_t": 1, "short": 2, "int16_t": 2, "uint16_t": 2, "half": 2,
    "__half": 2,
    "__nv_bfloat16": 2, "nv_bfloat16": 2, "int": 4, "unsigned": 4, "float": 4, "int32_t": 4, "uint32_t": 4,
    "long": 8,
    "double": 8, "size_t": 8, "int64_t": 8, "uint64_t": 8, "half2": 4, "float2": 8, "float4": 16, "int4": 16,
}  # fmt: skip
_OPERATORS = {"+": "+", "-": "-", "*": "*", "/": "//", "%": "%", "<<": "<<", ">>": ">>", "&": "&", "|": "|"}

_PITCH = 512  # bytes that rows of `cudaMallocPitch` are aligned to
_INPUT = re.compile(r"\b(?:ato[il]|atoll|strtou?ll?|stou?[il]l?|argc)\b")  # reads the command line


@dataclass(frozen=True)
class LaunchModel:
    kernel: str
    grid: tuple[Formula | None, Formula | None, Formula | None]
    block: tuple[Formula | None, Formula | None, Formula | None]
    arguments: tuple[str, ...]  # texts
    shared: Formula | None = "0"
    values: tuple[Formula | None, ...] = ()  # the arguments, where they are numbers
    conditions: tuple[Formula | None, ...] = ()  # that hold where it is reached, as Python expressions
    span: tuple[int, int] = (0, 0)  # in the text


@dataclass(frozen=True)
class HostModel:
    """`bytes` maps a pointer variable (a device buffer or a parameter copied to one) to its size."""

    bytes: dict[str, Formula]
    launches: tuple[LaunchModel, ...]
    inputs: tuple[str, ...] = ()  # variables that are read when the program runs: free in the formulas


def model_host(unit: SyntaxUnit, function: FunctionDef) -> HostModel:
    """Reads `function` from top to bottom; a variable stands for the formula last given to it."""
    if function.body is None:
        return HostModel({}, ())
    reader = _Reader(unit, {p.name: p.name for p in function.params})
    for node in _statements(function.body):
        reader.read(node)
    return HostModel(reader.bytes, tuple(reader.launches), tuple(reader.inputs))


def _statements(node: Node) -> Iterator[Node]:
    for child in node.named_children:
        yield child
        yield from _statements(child)


class _Reader:
    def __init__(self, unit: SyntaxUnit, values: dict[str, Formula]) -> None:
        self.unit = unit
        self.values = values
        self.dims: dict[str, list[Formula | None]] = {}
        self.bytes: dict[str, Formula] = {}
        self.launches: list[LaunchModel] = []
        self.inputs: list[str] = []
        self.pointees: dict[str, str] = {}  # the types that pointers point to, as written
        self.lengths: dict[str, Formula] = {}  # of vectors
        self.by_node = {launch.node.id: launch for launch in unit.launches}

    def text(self, node: Node) -> str:
        return self.unit.text_of(node)

    def read(self, node: Node) -> None:
        match node.type:
            case "init_declarator":
                name, value = node.child_by_field_name("declarator"), node.child_by_field_name("value")
                if name is not None and value is not None:
                    self._define(self.text(name).lstrip("*& "), value)
                    if value.type == "argument_list" and "vector<" in self._declared_type(node):
                        self._give_length(self.text(name), value)
            case "pointer_declarator":
                self.pointees[self.text(node).lstrip("*& ")] = self._declared_type(node)
            case "assignment_expression":
                left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
                if left is not None and right is not None and left.type == "identifier":
                    self._define(self.text(left), right)
                elif left is not None and right is not None and left.type == "field_expression":
                    self._define_component(self.text(left), right)
            case "call_expression":
                self._call(node)
            case "function_declarator":
                self._declare(node)
        if node.id in self.by_node:
            self._launch(node)

    def _declare(self, node: Node) -> None:
        """`dim3 grid(b, heads);` which the grammar takes for a function of that type."""
        name, arguments = node.child_by_field_name("declarator"), node.child_by_field_name("parameters")
        kind = node.parent.child_by_field_name("type") if node.parent is not None else None
        if name is None or arguments is None or kind is None:
            return
        texts = [self.text(child) for child in arguments.named_children]
        if "vector<" in self.text(kind) and texts and (length := self._of_words(texts[0])) is not None:
            self.lengths[self.text(name)] = length
        if self.text(kind) != "dim3":
            return
        self.dims[self.text(name)] = [
            self.values.get(text) if text.isidentifier() else None for text in texts
        ]

    def _of_words(self, text: str) -> Formula | None:
        """A product that the grammar takes for a parameter: `rows * columns`."""
        factors = [self.values.get(f, f if f.isdecimal() else "") for f in re.split(r"\s*\*\s*", text)]
        return "(" + " * ".join(f"({f})" for f in factors) + ")" if all(factors) else None

    def _define(self, name: str, value: Node) -> None:
        if value.type in ("argument_list", "initializer_list"):
            self.dims[name] = [self.formula(child) for child in value.named_children]
            if len(value.named_children) == 1 and (only := self.dims[name][0]) is not None:
                self.values[name] = only
            return
        dims = self._dims(value)
        if dims is not None:
            self.dims[name] = dims
        formula = self.formula(value)
        if formula is None and _INPUT.search(self.text(value)) and name.isidentifier():
            formula = name
            self.inputs.append(name)
        if formula is not None:
            self.values[name] = formula
        else:
            self.values.pop(name, None)

    def _declared_type(self, declarator: Node) -> str:
        outer: Node | None = declarator.parent
        while outer is not None and outer.type in ("init_declarator", "pointer_declarator"):
            outer = outer.parent
        kind = outer.child_by_field_name("type") if outer is not None else None
        return self.text(kind) if kind is not None else ""

    def _give_length(self, name: str, arguments: Node) -> None:
        """`std::vector<float> x(n);`"""
        length = self.formula(arguments.named_children[0]) if arguments.named_children else None
        if length is not None:
            self.lengths[name] = length

    def _define_component(self, place: str, value: Node) -> None:
        """`dim.x = n`"""
        name, _, axis = place.partition(".")
        if axis in ("x", "y", "z"):
            known = self.dims.setdefault(name, [])
            known += ["1"] * (3 - len(known))
            known["xyz".index(axis)] = self.formula(value)

    def _dims(self, node: Node) -> list[Formula | None] | None:
        """The components of `dim3(x, y)`, `{x, y}` or a variable that holds them."""
        if node.type == "identifier" and self.text(node) in self.dims:
            return self.dims[self.text(node)]
        arguments = node.child_by_field_name("arguments")
        if node.type == "call_expression" and arguments is not None and self.text(node).startswith("dim3"):
            return [self.formula(child) for child in arguments.named_children]
        if node.type == "compound_literal_expression" or node.type == "initializer_list":
            holder = node.child_by_field_name("value") or node
            return [self.formula(child) for child in holder.named_children]
        return None

    def _triple(self, node: Node) -> tuple[Formula | None, Formula | None, Formula | None]:
        dims = self._dims(node)
        if dims is None:
            return self.formula(node), "1", "1"
        padded = [*dims, *["1"] * (3 - len(dims))]
        return padded[0], padded[1], padded[2]

    def _call(self, node: Node) -> None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or arguments is None:
            return
        name, given = self.text(function), arguments.named_children
        if re.fullmatch(r"(cuda|hip|cnrt)Malloc(Managed|Async)?", name) and len(given) >= 2:
            formula = self.formula(given[1])
            if formula is not None:
                self.bytes[self._pointer(given[0])] = formula
        elif re.fullmatch(r"(cuda|hip)MallocPitch", name) and len(given) == 4:
            width, rows = self.formula(given[2]), self.formula(given[3])
            if width is not None and rows is not None:
                pitch = f"(({width} + {_PITCH - 1}) // {_PITCH} * {_PITCH})"
                self.values[self._pointer(given[1])] = pitch
                self.bytes[self._pointer(given[0])] = f"({pitch} * {rows})"
        elif re.fullmatch(r"(cuda|hip|cnrt)Memcpy(Async)?", name) and len(given) >= 3:
            formula = self.formula(given[2])
            if formula is not None:
                for side in given[:2]:
                    self.bytes.setdefault(self._pointer(side), formula)

    def _pointer(self, node: Node) -> str:
        return re.sub(r"\([^()]*\)|[&\s()]", "", self.text(node))

    def _launch(self, node: Node) -> None:
        launch = self.by_node[node.id]
        if len(launch.config) < 2:
            return
        grid, block = self._triple(launch.config[0]), self._triple(launch.config[1])
        shared = self.formula(launch.config[2]) if len(launch.config) > 2 else "0"
        arguments = tuple(self.text(a) for a in launch.arguments)
        values = tuple(self.formula(a) for a in launch.arguments)
        conditions = tuple(self._conditions(node))
        span = self.unit.span_of(launch.node)
        self.launches.append(
            LaunchModel(launch.name, grid, block, arguments, shared, values, conditions, span)
        )

    def _conditions(self, node: Node) -> Iterator[Formula | None]:
        """Of the `if`s around a node, and of those before it that leave the function."""
        inner, outer = node, node.parent
        while outer is not None and outer.type != "function_definition":
            if outer.type == "if_statement":
                test = outer.child_by_field_name("condition")
                if test is not None and inner.id != test.id:
                    holds = self.condition(test)
                    is_else = inner.type == "else_clause"
                    yield f"not {holds}" if is_else and holds is not None else holds
            if outer.type == "compound_statement":
                for before in outer.named_children:
                    if before.id == inner.id:
                        break
                    if before.type == "if_statement" and _leaves(before):
                        test = before.child_by_field_name("condition")
                        holds = self.condition(test) if test is not None else None
                        yield None if holds is None else f"not {holds}"
            if outer.type == "case_statement":
                yield self._case(outer)
            inner, outer = outer, outer.parent

    def _case(self, case: Node) -> Formula | None:
        """`switch (threads) { case 256: ...`  -->  threads == 256"""
        value, above = case.child_by_field_name("value"), case.parent
        while above is not None and above.type != "switch_statement":
            above = above.parent
        subject = above.child_by_field_name("condition") if above is not None else None
        if value is None or subject is None or not subject.named_children:
            return None
        first, second = self.formula(subject.named_children[-1]), self.formula(value)
        return None if first is None or second is None else f"({first} == {second})"

    def condition(self, node: Node) -> Formula | None:
        """A condition as a Python expression, or None."""
        match node.type:
            case "condition_clause" | "parenthesized_expression" if node.named_children:
                return self.condition(node.named_children[-1])
            case "unary_expression" if self.text(node).startswith("!") and node.named_children:
                inner = self.condition(node.named_children[-1])
                return None if inner is None else f"(not {inner})"
            case "binary_expression":
                return self._comparison(node)
        value = self.formula(node)
        return None if value is None else f"(({value}) != 0)"

    def _comparison(self, node: Node) -> Formula | None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        symbol = node.child_by_field_name("operator")
        if left is None or right is None or symbol is None:
            return None
        operator, first, second = self.text(symbol), None, None
        if operator in ("&&", "||"):
            first, second = self.condition(left), self.condition(right)
            operator = "and" if operator == "&&" else "or"
        elif operator in ("<", "<=", ">", ">=", "==", "!="):
            first, second = self.formula(left), self.formula(right)
        else:
            value = self.formula(node)
            return None if value is None else f"(({value}) != 0)"
        return None if first is None or second is None else f"({first} {operator} {second})"

    def formula(self, node: Node) -> Formula | None:
        """`node` over the parameters, or None."""
        match node.type:
            case "number_literal":
                digits = self.text(node).rstrip("uUlLfF")
                return digits if re.fullmatch(r"\d+", digits) else None
            case "identifier":
                name = self.text(node)
                if name in self.values:
                    return f"({self.values[name]})" if name != self.values[name] else name
                for variable in self.unit.globals:
                    if variable.name == name and variable.init is not None:
                        return self.formula(variable.init)
                return None
            case "field_expression":
                return self._component(node)
            case "parenthesized_expression":
                return self.formula(node.named_children[0]) if node.named_children else None
            case "cast_expression":
                value = node.child_by_field_name("value")
                return self.formula(value) if value is not None else None
            case "sizeof_expression":
                return self._size_of(self.text(node))
            case "binary_expression":
                return self._binary(node)
            case "call_expression":
                return self._converted(node)
            case "initializer_list" if len(node.named_children) == 1:
                return self.formula(node.named_children[0])
        return None

    def _size_of(self, text: str) -> Formula | None:
        """`sizeof(float)` or that of a struct, or `sizeof(*x)` of a pointer to such."""
        pointee = re.fullmatch(r"sizeof\s*\(?\s*(?:\*\s*(\w+)|(\w+)\s*\[\s*0\s*\])\s*\)?", text)
        if pointee is not None:
            text = self.pointees.get(pointee[1] or pointee[2], "*")
        words = re.findall(r"\w+", text)
        sizes = [_SIZES[word] for word in words if word in _SIZES]
        if not sizes and (struct := next((s for s in self.unit.structs if s.name in words), None)):
            sizes = [size for size in (self._struct_size(struct),) if size]
        return str(sizes[-1]) if sizes and "*" not in text else None

    def _struct_size(self, struct: StructDef) -> int:
        """Of one whose members are numbers; 0 of any other."""
        end, alignment = 0, 1
        for field in struct.fields:
            kind = self.text(field.type_node) if field.type_node is not None else ""
            size = _SIZES.get(kind.split()[-1] if kind else "", 0)
            if not size or field.declarator.type != "field_identifier":
                return 0
            end = -(-end // size) * size + size
            alignment = max(alignment, size)
        return (
            0
            if struct.kind == "union" or struct.alignment or struct.bases
            else -(-end // alignment) * alignment
        )

    def _component(self, node: Node) -> Formula | None:
        """`block.x` of a `dim3`."""
        name, field = node.child_by_field_name("argument"), node.child_by_field_name("field")
        axis = "xyz".find(self.text(field)) if field is not None else -1
        dims = self.dims.get(self.text(name)) if name is not None else None
        if dims is None or axis < 0:
            return None
        return dims[axis] if axis < len(dims) else "1"

    def _binary(self, node: Node) -> Formula | None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = node.child_by_field_name("operator")
        if left is None or right is None or operator is None or self.text(operator) not in _OPERATORS:
            return None
        first, second = self.formula(left), self.formula(right)
        if first is None or second is None:
            return None
        return f"({first} {_OPERATORS[self.text(operator)]} {second})"

    def _converted(self, node: Node) -> Formula | None:
        """`static_cast<size_t>(e)`, `size_t(e)`, or a one-line helper such as `ceil_div(a, b)`."""
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or arguments is None:
            return None
        given = [self.formula(child) for child in arguments.named_children]
        name = self.text(function)
        if name.endswith(".size") and not given:
            return self.lengths.get(name.removesuffix(".size"))
        if len(given) == 1 and (name.startswith("static_cast<") or name in _SIZES):
            return given[0]
        for helper in (f for f in (*self.unit.host_functions, *self.unit.device_functions) if f.name == name):
            returned = _returned(helper)
            if returned is not None and len(helper.params) == len(given) and None not in given:
                inner = {p.name: f"({g})" for p, g in zip(helper.params, given, strict=True)}
                return _Reader(self.unit, inner).formula(returned)
        return None


def _leaves(statement: Node) -> bool:
    """Whether a branch returns, throws or exits."""
    branch = statement.child_by_field_name("consequence")
    if branch is None:
        return False
    inside = [branch, *_statements(branch)]
    return any(n.type in ("return_statement", "throw_statement") for n in inside) or any(
        n.type == "call_expression" and (n.text or b"").startswith((b"exit", b"abort", b"std::exit"))
        for n in inside
    )


def _returned(function: FunctionDef) -> Node | None:
    """The expression of a body that is a single return statement."""
    if function.body is None or len(function.body.named_children) != 1:
        return None
    statement = function.body.named_children[0]
    return (
        statement.named_children[0]
        if statement.type == "return_statement" and statement.named_children
        else None
    )
