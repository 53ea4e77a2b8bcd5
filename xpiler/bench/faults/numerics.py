"""N1, G1: what is computed, and whether it is computed at all."""

from __future__ import annotations

import re

from tree_sitter import Node

from xpiler.bench.faults.anatomy import Anatomy, operator
from xpiler.bench.faults.model import Faults

_FUNCTIONS = {
    "expf": "exp2f",
    "__expf": "exp2f",
    "std::exp": "std::exp2",
    "rsqrtf": "sqrtf",
    "sqrtf": "fabsf",
    "std::sqrt": "std::abs",
    "fmaxf": "fminf",
    "fminf": "fmaxf",
    "tanhf": "sinhf",
    "std::tanh": "std::sinh",
    "max": "min",
}
_FLOAT = re.compile(r"-?\d*\.\d*(?:e-?\d+)?f?|\d+e-?\d+f?")


def arithmetic(a: Anatomy) -> Faults:
    """N1: a scale, an epsilon or the maximum forgotten, another constant, function or sign."""
    for node in a.all("binary_expression"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None or not _is_of_floats(a, node):
            continue
        sign = operator(node)
        if sign in ("/", "*", "-"):
            kind = {"/": "division missing", "*": "factor missing", "-": "term missing"}[sign]
            yield a.replace("N1", kind, node, a.said(left))
        elif sign == "+" and re.fullmatch(r"eps\w*|1e-\d+f", a.said(right)):
            yield a.replace("N1", "epsilon missing", node, a.said(left))
        if sign in ("+", "-"):
            found = node.child_by_field_name("operator")
            if found is not None:
                yield a.replace("N1", "wrong sign", found, "-" if sign == "+" else "+")
    for node in a.all("number_literal"):
        said = a.said(node)
        if _FLOAT.fullmatch(said) and a.where(node) == "kernel" and float(said.rstrip("f")) != 0:
            value = float(said.rstrip("f"))
            yield a.replace("N1", "another constant", node, f"{value * 1.5 if value != 1 else 2.0!r}f")
    for call, name, _ in a.calls(lambda name: name in _FUNCTIONS):
        function = call.child_by_field_name("function")
        if function is not None and a.where(call) == "kernel":
            yield a.replace("N1", "wrong function", function, _FUNCTIONS[name])


def _is_of_floats(a: Anatomy, node: Node) -> bool:
    """An operation on floats, as far as the words tell: it stands in the value of a float or in no index."""
    if a.where(node) != "kernel":
        return False
    current, child = node.parent, node
    while current is not None and child.type not in ("expression_statement", "declaration"):
        if current.type == "conditional_expression" and _is_condition(child, current):
            return False
        if current.type in ("subscript_argument_list", "for_statement", "condition_clause", "argument_list"):
            call = current.parent
            function = (
                a.said(call.child_by_field_name("function"))
                if call is not None and call.type == "call_expression"
                else ""
            )
            if not re.fullmatch(
                r"(?:std::)?\w*(?:exp|sqrt|tanh|fmax|fma|pow|abs|log|erf)\w*|_mm512_set1_ps", function
            ):
                return False
        if current.type == "declaration":
            return a.said(current.child_by_field_name("type")) in ("float", "double", "half", "__half")
        if current.type == "pointer_expression" or (
            current.type == "init_declarator" and _is_pointer(current)
        ):
            return False
        child, current = current, current.parent
    return child.type == "expression_statement" and not re.match(r"\s*(?:int|unsigned)", a.said(child))


def _is_condition(node: Node, choice: Node) -> bool:
    condition = choice.child_by_field_name("condition")
    return condition is not None and condition.id == node.id


def _is_pointer(node: Node) -> bool:
    name = node.child_by_field_name("declarator")
    return name is not None and name.type == "pointer_declarator"


def skipped(a: Anatomy) -> Faults:
    """G1: a constant for a result, one turn for a loop, an extent that is a number."""
    for node in a.all("assignment_expression"):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        stored = left is not None and left.type == "subscript_expression" and node.parent is not None
        if stored and right is not None and a.where(node) == "kernel" and a.said(right) not in ("0", "0.0f"):
            yield a.replace("G1", "a constant for the result", right, "0")
    for loop in a.all("for_statement"):
        condition = loop.child_by_field_name("condition")
        stop = condition.child_by_field_name("right") if condition is not None else None
        if condition is None or stop is None or not a.is_plain(stop) or a.where(loop) == "host":
            continue
        if operator(condition) == "<":
            yield a.replace("G1", "one turn only", stop, "1")
        if a.said(stop) in a.constants:
            yield a.replace("G1", "extent hard-coded", stop, str(a.constants[a.said(stop)]))
    for call, _, _ in a.calls(lambda name: "store" in name and name.startswith(("_mm512", "wmma"))):
        if call.parent is not None and call.parent.type == "expression_statement":
            yield a.remove("G1", "result not stored", call.parent)
