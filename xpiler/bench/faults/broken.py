"""C1: texts that no compiler accepts."""

from __future__ import annotations

from xpiler.bench.faults.anatomy import Anatomy
from xpiler.bench.faults.model import Edit, Faults


def compiled(a: Anatomy) -> Faults:
    """C1: a name that nobody declares, a missing semicolon or bracket, a missing argument, a wrong type."""
    for statement in a.all("expression_statement", "declaration"):
        start, end = a.statement_span(statement)
        if a.text[start:end].endswith(";") and statement.parent is not None:
            if statement.parent.type == "compound_statement":
                yield a.edit("C1", "semicolon missing", statement, Edit(end - 1, end, ""))
            if a.text[start:end].endswith(");"):
                yield a.edit("C1", "bracket missing", statement, Edit(end - 2, end - 1, ""))
    for node in a.all("identifier"):
        said = a.said(node)
        if said in a.integers_at(node):
            yield a.replace("C1", "unknown name", node, f"{said}_")
    for call, name, arguments in a.calls(
        lambda name: name.startswith(("_mm512_", "__bang_", "__memcpy", "cuda", "hip", "cnrt"))
    ):
        function = call.child_by_field_name("function")
        if len(arguments) >= 2 and all(a.is_plain(x) for x in arguments[-2:]):
            before, last = arguments[-2], arguments[-1]
            edit = Edit(a.span(before)[1], a.span(last)[1], "")
            yield a.edit("C1", "argument missing", call, edit)
        if function is not None and a.is_plain(function):
            yield a.replace("C1", "unknown function", function, f"{name}_v2")
    for node in a.all("primitive_type"):
        if a.said(node) == "float" and node.parent is not None and node.parent.type == "declaration":
            yield a.replace("C1", "unknown type", node, "float32")
