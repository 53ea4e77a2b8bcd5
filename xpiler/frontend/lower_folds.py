"""Fold expressions over parameter packs.

(args + ...)     -->   a + (b + c)              (... + args)         -->   a + b + c
(args && ...)    -->   a && b && c              (0 + ... + args)     -->   0 + a + b + c
"""

from __future__ import annotations

from tree_sitter import Node

from xpiler.frontend.lower_context import Context, Scope, constant, expression, number, shorten
from xpiler.frontend.lower_expressions import arithmetic, short_circuit, truth
from xpiler.frontend.lower_memory import load
from xpiler.frontend.lower_packs import expansions, pack_named
from xpiler.frontend.lower_scan import walk
from xpiler.frontend.lower_types import VOID, Scalar
from xpiler.frontend.lower_values import Nothing, Value
from xpiler.ir.nodes import Const
from xpiler.ir.types import BOOL

_COMPARISONS = ("<=", ">=", "==", "!=")


@expression("fold_expression")
def _fold(ctx: Context, node: Node) -> Value:
    """`(args + ...)`, `(... + args)`, `(init + ... + args)`, `(args + ... + init)`."""
    parts = [c for c in node.children if c.type not in ("(", ")", "comment")]
    op = next(c.type for c in parts if not c.is_named and c.type != "...")
    operands = [c for c in parts if c.is_named]
    from_left = len(operands) == 1 and parts[0].type == "..."
    seen: list[tuple[Scope, Node]] = []
    for position, operand in enumerate(operands):
        inside = (c for c in walk(operand) if c.type in ("identifier", "type_identifier"))
        if any(pack_named(ctx, ctx.text(c)) is not None for c in inside):
            from_left |= position == 1
            seen += [(scope, operand) for scope in expansions(ctx, operand)]
        else:
            seen.append((ctx.scope, operand))
    if not seen:
        empty = {"&&": constant(1, BOOL), "||": constant(0, BOOL), ",": Nothing(VOID)}
        if op not in empty:
            ctx.refuse("pack", f"`{shorten(ctx.text(node))}` has no value for an empty pack", node)
        return empty[op]
    if op in ("&&", "||"):
        with ctx.nested(seen[0][0]):
            result = ctx.value(seen[0][1])
        for scope, operand in seen[1:]:
            with ctx.nested(scope):
                result = short_circuit(ctx, op, truth(ctx, result), operand)
        return result if len(seen) > 1 else number(truth(ctx, result))
    values: list[Value] = []
    for scope, operand in seen:
        with ctx.nested(scope):
            value = ctx.value(operand)
        if op != "," and isinstance(value.type, Scalar):
            read = load(ctx, value)
            value = number(read if isinstance(read, Const) else ctx.temporary(read, "term"), value.type.name)
        values.append(value)
    if op == ",":
        return values[-1]
    if op.endswith("=") and op not in _COMPARISONS:
        ctx.refuse("pack", f"a fold over `{op}` is not supported", node, "write the assignments out")
    result, *rest = values if from_left else reversed(values)
    for value in rest:
        pair = (result, value) if from_left else (value, result)
        result = arithmetic(ctx, op, *pair, len(ctx.out), node)
    return result
