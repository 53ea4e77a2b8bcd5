"""Expressions of host code as closed formulas over what is free there: parameters, and what is read.

(n + 255) / 256          -->  "(n + 255) // 256"
rows * sizeof(float4)    -->  "rows * 16"
"""

from __future__ import annotations

import re

from tree_sitter import Node

from xpiler.frontend.syntax import SyntaxUnit
from xpiler.frontend.syntax_model import FunctionDef, StructDef

Formula = str  # a Python expression over parameter names; `//` and `%` on non-negative values

SIZES = {
    "char": 1, "bool": 1, "int8_t": 1, "uint8_t": 1, "short": 2, "int16_t": 2, "uint16_t": 2, "half": 2,
    "__half": 2,
    "__nv_bfloat16": 2, "nv_bfloat16": 2, "int": 4, "unsigned": 4, "float": 4, "int32_t": 4, "uint32_t": 4,
    "long": 8,
    "double": 8, "size_t": 8, "int64_t": 8, "uint64_t": 8, "half2": 4, "float2": 8, "float4": 16, "int4": 16,
}  # fmt: skip
_OPERATORS = {"+": "+", "-": "-", "*": "*", "/": "//", "%": "%", "<<": "<<", ">>": ">>", "&": "&", "|": "|"}


class Formulas:
    """What is known of the variables at a place of a function, and what its expressions are there."""

    def __init__(self, unit: SyntaxUnit, values: dict[str, Formula]) -> None:
        self.unit = unit
        self.values = values
        self.dims: dict[str, list[Formula | None]] = {}
        self.inputs: list[str] = []
        self.pointees: dict[str, str] = {}  # the types that pointers point to, as written
        self.lengths: dict[str, Formula] = {}  # of vectors
        self.vectors: set[str] = set()  # that are passed: their lengths are free
        self.members: dict[str, Formula] = {}  # numbers in structs, by `p.n`
        self.types: dict[str, str] = {}  # arguments of the template

    def text(self, node: Node) -> str:
        return self.unit.text_of(node)

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
                return self.members.get(self.text(node)) or self._component(node)
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
        words = [self.types.get(word, word) for word in re.findall(r"\w+", text)]
        sizes = [SIZES[word] for word in words if word in SIZES]
        if not sizes and (struct := next((s for s in self.unit.structs if s.name in words), None)):
            sizes = [size for size in (self._struct_size(struct),) if size]
        return str(sizes[-1]) if sizes and "*" not in text else None

    def _struct_size(self, struct: StructDef) -> int:
        """Of one whose members are numbers; 0 of any other."""
        end, alignment = 0, 1
        for field in struct.fields:
            kind = self.text(field.type_node) if field.type_node is not None else ""
            size = SIZES.get(kind.split()[-1] if kind else "", 0)
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
            return self._length(name.removesuffix(".size"))
        if len(given) == 1 and (name.startswith("static_cast<") or name in SIZES):
            return given[0]
        for helper in (f for f in (*self.unit.host_functions, *self.unit.device_functions) if f.name == name):
            returned = returned_by(helper)
            if returned is not None and len(helper.params) == len(given) and None not in given:
                inner = {p.name: f"({g})" for p, g in zip(helper.params, given, strict=True)}
                return Formulas(self.unit, inner).formula(returned)
        return None

    def _length(self, vector: str) -> Formula | None:
        if vector in self.vectors and vector not in self.lengths:
            self.lengths[vector] = f"{vector}_size"
            self.inputs.append(f"{vector}_size")
        return self.lengths.get(vector)


def returned_by(function: FunctionDef) -> Node | None:
    """The expression of a body that is a single return statement."""
    if function.body is None or len(function.body.named_children) != 1:
        return None
    statement = function.body.named_children[0]
    return (
        statement.named_children[0]
        if statement.type == "return_statement" and statement.named_children
        else None
    )
