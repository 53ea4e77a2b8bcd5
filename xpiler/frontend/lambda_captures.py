"""What a lambda of host code captures by value: a kernel that is handed it gets these values as parameters.

    float bias = 0.25f;
    map<<<grid, block>>>(x, n, [=] __device__ (float v) { return v + bias; });      bias: float

The captures are laid out as compilers do: those listed in their order, by default in the order of their use.
"""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from xpiler.frontend.lower_context import Context, named_children
from xpiler.frontend.lower_scan import walk
from xpiler.frontend.lower_types import Struct
from xpiler.frontend.lower_values import Lambda, Number, Value


def captures(ctx: Context, function: Lambda) -> dict[str, Value]:
    """The captured variables of the host function by name, in the order of their layout; a captured lambda is
    one of them. Raises `Refusal` for a capture by reference or of an expression, which a kernel cannot be
    handed."""
    found: dict[str, Value] = {}
    for name in _captured_names(ctx, function):
        value = function.scope.find(name)
        if isinstance(value, Number) and _is_constant(ctx, function, name):
            continue
        if isinstance(value, Lambda) and captures(ctx, value):
            ctx.refuse(
                "lambda-capture",
                f"a kernel is handed a lambda that captures `{name}`, a lambda with captures of its own",
                function.node,
                "pass a struct with `operator()` and the values as members",
            )
        if value is not None:
            found.setdefault(name, value)
    return found


def closed_over(ctx: Context, function: Lambda) -> dict[str, Value]:
    """What the lambda sees of the host function without being handed it: constants, and lambdas."""
    values = {name: function.scope.find(name) for name in _captured_names(ctx, function)}
    handed = captures(ctx, function)
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, Lambda) or (isinstance(value, Number) and name not in handed)
    }


def as_struct(name: str, values: dict[str, Value]) -> Struct:
    """The captures as members of a struct; lambdas without captures take a byte there."""
    empty = Struct("", ())
    return Struct(
        name, tuple((n, empty if isinstance(value, Lambda) else value.type) for n, value in values.items())
    )


def _captured_names(ctx: Context, function: Lambda) -> Iterator[str]:
    listed = next((c for c in function.node.children if c.type == "lambda_capture_specifier"), None)
    by_default = False
    for child in named_children(listed) if listed is not None else []:
        text = ctx.text(child).strip()
        if child.type == "lambda_default_capture" and text == "=":
            by_default = True
        elif child.type == "identifier" and _stands_alone(ctx, child):
            yield text
        else:
            ctx.refuse(
                "lambda-capture",
                f"a kernel is handed a lambda that captures `{ctx.text(listed).strip('[]')}`",
                function.node,
                "capture variables by value: [=]",
            )
    if by_default:
        own = {param.name for param in function.params} | set(_declared(ctx, function.body))
        yield from (name for name in _names(ctx, function.body) if name not in own)


def _is_constant(ctx: Context, function: Lambda, name: str) -> bool:
    """Whether a variable of known value is declared const, so that using it captures nothing."""
    around: Node | None = function.node
    while around is not None and around.type != "function_definition":
        around = around.parent
    for node in walk(around) if around is not None else ():
        if node.type == "declaration" and name in _declared(ctx, node):
            return any(c.type == "type_qualifier" and "const" in ctx.text(c) for c in node.named_children)
    return True


def _stands_alone(ctx: Context, name: Node) -> bool:
    """`x`, not the `x` of `&x`."""
    before = name.prev_sibling
    return before is None or ctx.text(before) != "&"


def _names(ctx: Context, body: Node) -> Iterator[str]:
    for node in walk(body):
        if node.type == "identifier":
            yield ctx.text(node)


def _declared(ctx: Context, body: Node) -> Iterator[str]:
    """The variables that are declared there."""
    for node in walk(body):
        if node.type in ("declaration", "init_declarator", "for_range_loop"):
            for declarator in node.children_by_field_name("declarator"):
                inner: Node | None = declarator
                while inner is not None and inner.type != "identifier":
                    inner = inner.child_by_field_name("declarator") or next(
                        (c for c in inner.named_children if c.type.endswith(("declarator", "identifier"))),
                        None,
                    )
                if inner is not None:
                    yield ctx.text(inner)
