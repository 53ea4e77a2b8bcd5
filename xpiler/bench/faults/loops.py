"""P2, L1, L2: what runs how often, under which guard, and in which order."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

from tree_sitter import Node

from xpiler.bench.faults.anatomy import Anatomy, inside, operator
from xpiler.bench.faults.model import Edit, Faults

_SHIFTED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}


def guards(a: Anatomy) -> Faults:
    """P2: a guard that lets one too many through, has another extent, or is missing."""
    for node in a.all("if_statement", "conditional_expression"):
        condition = node.child_by_field_name("condition")
        if condition is None or not a.is_plain(condition):
            continue
        for part in (n for n in inside(condition) if n.type == "binary_expression" and a.is_plain(n)):
            yield from _compared(a, "P2", part)
            if operator(part) == "&&":
                for side in ("left", "right"):
                    kept = part.child_by_field_name(side)
                    yield a.replace("P2", "guard of one axis lost", part, a.said(kept))
        if any(operator(n) in _SHIFTED for n in inside(condition) if n.type == "binary_expression"):
            always = "(true)" if node.type == "if_statement" else "true"
            yield a.replace("P2", "guard missing", condition, always)
    for call, name, arguments in a.calls(lambda name: name.startswith(("std::min", "min"))):
        if len(arguments) == 2 and "tile" in a.said(arguments[0]):
            yield a.replace("P2", "tail guard missing", call, a.said(arguments[0]))
        elif len(arguments) == 2 and name == "min":
            yield a.replace("P2", "clamp missing", call, a.said(arguments[0]))


def bounds(a: Anatomy) -> Faults:
    """L1: one turn too many or too few, another start or step, another extent."""
    for loop in a.all("for_statement"):
        condition = loop.child_by_field_name("condition")
        if condition is not None and condition.type == "binary_expression" and a.is_plain(condition):
            yield from _compared(a, "L1", condition)
            stop = condition.child_by_field_name("right")
            if stop is not None and operator(condition) in ("<", ">"):
                yield a.replace("L1", "last turn lost", stop, f"{a.said(stop)} - 1")
        initial = loop.child_by_field_name("initializer")
        for node in inside(initial) if initial is not None else ():
            value = node.child_by_field_name("value") if node.type == "init_declarator" else None
            if value is not None and a.said(value) == "0" and a.is_plain(value):
                yield a.replace("L1", "first turn lost", value, "1")
        update = loop.child_by_field_name("update")
        if update is None or not a.is_plain(update):
            continue
        step = update.child_by_field_name("right")
        if update.type == "assignment_expression" and step is not None:
            if operator(update) in ("+=", "-="):
                yield a.replace("L1", "step doubled", step, f"2 * ({a.said(step)})")
                yield a.replace("L1", "step of one", step, "1")
            elif operator(update) in (">>=", "<<="):
                yield a.replace("L1", "step of two bits", step, "2")
        elif update.type == "update_expression" and a.said(update).startswith("++"):
            yield a.replace("L1", "step doubled", update, f"{a.said(update)[2:]} += 2")


def _compared(a: Anatomy, code: str, node: Node) -> Faults:
    sign, right = node.child_by_field_name("operator"), node.child_by_field_name("right")
    if sign is None or right is None or sign.type not in _SHIFTED:
        return
    yield a.replace(code, "off by one", sign, _SHIFTED[sign.type])
    if right.type == "identifier" and a.is_plain(right):
        said = a.said(right)
        params = {p.name for p in a.function_of(node).params}
        for name in a.integers_at(right):
            if name != said and name in params and said in params:
                yield a.replace(code, "wrong extent", right, name)


def orders(a: Anatomy) -> Faults:
    """L2: an initialisation moved into the loop, statements that depend on one another swapped, a sum that
    forgets what it had."""
    for loop in a.all("for_statement"):
        body = loop.child_by_field_name("body")
        if body is None or body.type != "compound_statement":
            continue
        first = next((c for c in body.named_children if c.type != "comment"), None)
        for name, value in _initialised_before(a, loop):
            if first is not None and _is_summed(name, a.said(body)):
                yield a.insert("L2", "initialised in the loop", first, f"{name} = {value}; ")
    for block in a.all("compound_statement"):
        yield from _exchanged(a, block)
    for node in a.all("assignment_expression"):
        sign = node.child_by_field_name("operator")
        parent = node.parent
        if (
            sign is not None
            and sign.type == "+="
            and parent is not None
            and parent.type == "expression_statement"
        ):
            yield a.replace("L2", "sum without what it had", sign, "=")


def _initialised_before(a: Anatomy, loop: Node) -> list[tuple[str, str]]:
    """Variables and their first values, where both stand directly before the loop."""
    found: list[tuple[str, str]] = []
    before = loop.prev_named_sibling
    for _ in range(3):
        if before is None or before.type not in ("declaration", "expression_statement"):
            break
        match = re.fullmatch(r"(?:\w+\s+)?(\w+)\s*=\s*([-\w.]+(?:\(\))?);", a.said(before))
        if match:
            found.append((match[1], match[2]))
        before = before.prev_named_sibling
    return found


def _is_summed(name: str, body: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\s*(?:[-+*]=|=[^=])", body) is not None


def _exchanged(a: Anatomy, block: Node) -> Faults:
    """Two statements of which the second uses what the first gives."""
    children = [c for c in block.named_children if c.type == "expression_statement" and a.is_plain(c)]
    for one, other in itertools.pairwise(children):
        if one.next_named_sibling is None or one.next_named_sibling.id != other.id:
            continue
        written = re.match(r"(\w+)[^=;]*=[^=]|\w+\(\s*(\w+)\s*[,)]", a.said(one))
        name = (written[1] or written[2]) if written else None
        if name and re.search(rf"\b{name}\b", a.said(other)) and a.said(one) != a.said(other):
            first = Edit(*a.span(one), a.said(other))
            second = Edit(*a.span(other), a.said(one))
            fault = a.edit("L2", "statements exchanged", one, first, second)
            yield replace(
                fault, statement=(first.start, second.end), original=a.text[first.start : second.end]
            )
