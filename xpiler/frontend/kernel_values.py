"""Kernels as values of host code, and which of them a launch by a value may start; host functions as values.

    auto k = wide ? smooth<3> : smooth<1>;
    k<<<grid, block>>>(x, y, n);                 may start smooth<3> and smooth<1>

The value is followed to where it is initialised or assigned by its name; of a parameter or a member that
cannot be told, so that it may be any kernel of the file that is taken as a value and has as many parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from xpiler.frontend.syntax import SyntaxUnit
from xpiler.frontend.syntax_model import FunctionDef, Launch

# Where a kernel's name stands as a value.
_VALUES = frozenset(
    "init_declarator assignment_expression conditional_expression initializer_list argument_list "
    "pointer_expression return_statement parenthesized_expression cast_expression initializer_pair".split()
)
_PARTS = frozenset(("qualified_identifier", "template_function", "template_type"))
_OF_THE_RUNTIME = re.compile(r"(?:cuda|hip|cnrt)[A-Z]\w*")


@dataclass(frozen=True, eq=False)
class KernelValue:
    """`name`, of a kernel or host function, with its template `arguments` as a value. `span`: of the name
    alone, in the original text; `targets`: what it is assigned to, as text, "" if to nothing."""

    node: Node
    name: str
    arguments: tuple[Node, ...]
    span: tuple[int, int]
    target: str


def is_by_value(unit: SyntaxUnit, launch: Launch) -> bool:
    declared = (p for p in unit.prototypes if p.is_kernel)
    return not any(kernel.name == launch.name for kernel in (*unit.kernels, *declared))


def kernel_values(unit: SyntaxUnit) -> tuple[KernelValue, ...]:
    """All places of host code that take a kernel as a value; none where no launch is by a value."""
    if not any(is_by_value(unit, launch) for launch in unit.launches):
        return ()
    return _values_of(unit, {kernel.name for kernel in unit.kernels})


def function_values(unit: SyntaxUnit) -> tuple[KernelValue, ...]:
    """All places of host code that take a host function as a value: tables of launchers."""
    return _values_of(unit, {function.name for function in unit.host_functions})


def _values_of(unit: SyntaxUnit, names: set[str]) -> tuple[KernelValue, ...]:
    inside = [(k.node.start_byte, k.node.end_byte) for k in unit.kernels]
    found = []
    pending = [unit.tree.root_node]
    while pending:
        node = pending.pop()
        if any(start <= node.start_byte and node.end_byte <= end for start, end in inside):
            continue
        if node.type == "identifier" and unit.text_of(node) in names:
            value = _value(unit, node)
            found += [value] if value is not None else []
        pending.extend(node.named_children)
    return tuple(sorted(found, key=lambda value: value.span))


def _value(unit: SyntaxUnit, name: Node) -> KernelValue | None:
    """The value that a kernel's name is; None where it is launched, declared or handed to the runtime."""
    whole, arguments = name, tuple[Node, ...]()
    while whole.parent is not None and whole.parent.type in _PARTS:
        whole = whole.parent
        listed = whole.child_by_field_name("arguments")
        if whole.type == "template_function" and listed is not None:
            arguments = tuple(listed.named_children)
    around = whole.parent
    if around is None or around.type not in _VALUES:
        return None
    if around.type == "init_declarator" and around.child_by_field_name("value") != whole:
        return None
    target = ""
    while around is not None and around.type not in ("compound_statement", "function_definition"):
        callee = around.child_by_field_name("function") if around.type == "call_expression" else None
        if callee is not None and _OF_THE_RUNTIME.match(unit.text_of(callee)):
            return None
        if around.type == "init_declarator":
            target = target or unit.text_of(around.child_by_field_name("declarator"))
        elif around.type == "assignment_expression":
            target = target or unit.text_of(around.child_by_field_name("left"))
        around = around.parent
    file, begin, finish = unit.map.span(name.start_byte, name.end_byte)
    return KernelValue(whole, unit.text_of(name), arguments, (begin, finish), target) if file == 0 else None


def started_by(
    unit: SyntaxUnit, launch: Launch, values: tuple[KernelValue, ...]
) -> Iterator[tuple[str, tuple[Node, ...]]]:
    """The kernels, with their template arguments, that a launch by a value may start."""
    base = re.search(r"[A-Za-z_]\w*", launch.spelling)
    if base is None:
        return
    named = re.compile(rf"\b{base[0]}\b")
    function = launch.host_function
    fitting = [value for value in values if launch.api or _takes(unit, value, len(launch.arguments))]
    own = [value for value in fitting if named.search(value.target)]
    local = [value for value in own if function is not None and _is_in(value.node, function)]
    seen: set[str] = set()
    for value in local or own or fitting:
        if (spelled := unit.text_of(value.node)) not in seen:
            seen.add(spelled)
            yield value.name, value.arguments


def _takes(unit: SyntaxUnit, value: KernelValue, count: int) -> bool:
    return any(k.name == value.name and len(k.params) == count for k in unit.kernels)


def enclosing(unit: SyntaxUnit, node: Node) -> FunctionDef | None:
    """The host function that a node stands in."""
    return next((f for f in unit.host_functions if f.body is not None and _is_in(node, f)), None)


def _is_in(node: Node, function: FunctionDef) -> bool:
    return function.node.start_byte <= node.start_byte and node.end_byte <= function.node.end_byte
