"""What a piece of syntax does to the names in it, before it is lowered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tree_sitter import Node

Text = Callable[[Node | None], str]

# Whether the function of a name may change its argument at a position.
Changes = Callable[[str, int], bool]


@dataclass(frozen=True)
class Mutations:
    """`changed`: names assigned, counted or handed out by address; `addressed`: whose bytes may be seen as
    another type."""

    changed: frozenset[str]
    addressed: frozenset[str]


def walk(node: Node) -> Iterator[Node]:
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(current.named_children))


def identifiers(node: Node, name: str, text: Text) -> Iterator[Node]:
    """Uses of a name below a node."""
    for current in walk(node):
        if current.type == "identifier" and text(current) == name:
            yield current


def mutations(node: Node, text: Text, changes: Changes) -> Mutations:
    changed: set[str] = set()
    addressed: set[str] = set()
    for current in walk(node):
        match current.type:
            case "assignment_expression":
                changed.update(_base(current.child_by_field_name("left"), text))
            case "update_expression":
                changed.update(_base(current.child_by_field_name("argument"), text))
            case "pointer_expression":
                if text(current.child_by_field_name("operator")) == "&":
                    names = _base(current.child_by_field_name("argument"), text)
                    changed.update(names)
                    argument = current.child_by_field_name("argument")
                    if argument is not None and argument.type in ("identifier", "field_expression"):
                        addressed.update(names)
            case "call_expression":
                function = text(current.child_by_field_name("function"))
                name = function.split("<")[0].split("::")[-1].split(".")[-1].split("->")[-1].strip()
                arguments = current.child_by_field_name("arguments")
                for position, argument in enumerate(
                    arguments.named_children if arguments is not None else ()
                ):
                    names = _base(argument, text)
                    if names and changes(name, position):
                        changed.update(names)
                    if "reinterpret_cast" in function and "&" in function:
                        addressed.update(names)
                        changed.update(names)
                target = current.child_by_field_name("function")
                if target is not None and target.type == "field_expression":
                    changed.update(_base(target.child_by_field_name("argument"), text))
    return Mutations(frozenset(changed), frozenset(addressed))


def only_reads(node: Node, name: str, text: Text, *, is_array: bool) -> bool:
    """Whether elements of the variable are read below a node, and nothing else is done with it: no address
    is taken, and an array is handed to nobody. A variable of the same name elsewhere counts as this one."""
    return all(_is_read(use, is_array) for use in identifiers(node, name, text))


def _is_read(use: Node, is_array: bool) -> bool:
    place, above, subscripts = use, use.parent, 0
    while above is not None and above.type in ("subscript_expression", "parenthesized_expression"):
        if above.type == "subscript_expression":
            if above.child_by_field_name("argument") != place:
                break  # it is part of an index
            subscripts += 1
        place, above = above, above.parent
    if above is None or (is_array and not subscripts):
        return above is not None and above.type == "sizeof_expression"
    if above.type == "assignment_expression":
        return above.child_by_field_name("left") != place
    if above.type == "pointer_expression":
        return any(child.type == "*" for child in above.children)
    return above.type not in ("update_expression", "reference_declarator", "field_expression")


def _base(node: Node | None, text: Text) -> list[str]:
    """The variable that a place belongs to; none if it is behind a subscript or pointer."""
    while node is not None:
        match node.type:
            case "identifier":
                return [text(node)]
            case "parenthesized_expression" if node.named_child_count == 1:
                node = node.named_children[0]
            case "field_expression":
                if any(c.type == "->" for c in node.children):
                    return []
                node = node.child_by_field_name("argument")
            case "conditional_expression":
                return _base(node.child_by_field_name("consequence"), text) + _base(
                    node.child_by_field_name("alternative"), text
                )
            case _:
                return []
    return []
