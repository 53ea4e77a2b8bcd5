"""The numbers with which a program's own `main` calls the functions of its file.

int main() { const int rows = 1024; ... softmax(x, y, rows, 768); }     -->   softmax: rows 1024, cols 768
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from tree_sitter import Node

from xpiler.errors import Refusal
from xpiler.frontend.host_scopes import block_scopes, host_contexts
from xpiler.frontend.lower_context import Context, named_children
from xpiler.frontend.lower_entities import Entities
from xpiler.frontend.lower_scan import walk
from xpiler.frontend.lower_typenames import try_constant
from xpiler.frontend.unit import HostCall


def calls_of_main(entities: Entities) -> tuple[HostCall, ...]:
    """The calls of functions of the file, in the order of the text, with the numbers that are known."""
    return tuple(dict.fromkeys(_calls(entities)))


def _calls(entities: Entities) -> Iterator[HostCall]:
    for main in entities.host_functions.get("main", ()):
        if main.body is None or not main.is_local:
            continue
        for ctx, outer in host_contexts(entities, main):
            for node in walk(main.body):
                callee = node.child_by_field_name("function") if node.type == "call_expression" else None
                name = entities.unit.text_of(callee).split("<")[0].split("::")[-1].strip() if callee else ""
                arguments = node.child_by_field_name("arguments")
                if arguments is None or name not in entities.host_functions:
                    continue
                for scope in block_scopes(ctx, node, main, outer, 0):
                    with ctx.nested(scope):
                        numbers = tuple(_number(ctx, argument) for argument in named_children(arguments))
                    if any(number is not None for number in numbers):
                        yield HostCall(name, numbers)


def _number(ctx: Context, argument: Node) -> int | float | None:
    with suppress(Refusal):
        constant = try_constant(ctx, argument)
        return constant.value if constant is not None else None
    return None
