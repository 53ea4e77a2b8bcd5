"""What `<type_traits>` says of types: `std::is_same_v<T, float>`, `std::is_integral<T>::value`."""

from __future__ import annotations

from tree_sitter import Node

from xpiler.frontend.lower_context import Context, constant, expression, named_children, shorten
from xpiler.frontend.lower_typenames import type_of
from xpiler.frontend.lower_types import CType, Pointer, Reference, Scalar, Void
from xpiler.frontend.lower_values import Value
from xpiler.ir.types import BOOL

_OF_NUMBERS = frozenset(
    ("is_floating_point", "is_integral", "is_arithmetic", "is_signed", "is_unsigned", "is_enum")
)
_STANDARD_FLOATS = ("f32", "f64")  # `half` is a class


def trait(ctx: Context, name: str, nodes: tuple[Node, ...]) -> bool | None:
    """The value of a trait; None for a name that is none."""
    if name == "is_same" and len(nodes) == 2:
        one, other = (_exactly(ctx, node) for node in nodes)
        return one == other
    if len(nodes) != 1:
        return None
    if name in _OF_NUMBERS:
        return _of_number(type_of(ctx, nodes[0]), name)
    if name == "is_pointer":
        return isinstance(type_of(ctx, nodes[0]), Pointer)
    if name == "is_void":
        return isinstance(type_of(ctx, nodes[0]), Void)
    if name == "is_reference":
        return isinstance(type_of(ctx, nodes[0]), Reference)
    return None


def _exactly(ctx: Context, node: Node) -> CType:
    """The type, where nothing of it is lost here: `const float` would be `float`."""
    of_value = node.child_by_field_name("declarator") is None
    if of_value and any(c.type == "type_qualifier" for c in node.children):
        ctx.refuse("type-trait", f"whether a type is `{ctx.text(node)}` is not told from its `const`", node)
    return type_of(ctx, node)


def _of_number(ctype: CType, name: str) -> bool:
    if not isinstance(ctype, Scalar):
        return False
    is_enum = bool(ctype.name)
    if is_enum or name == "is_enum":
        return is_enum and name == "is_enum"
    dtype = ctype.dtype
    is_float = dtype.name in _STANDARD_FLOATS
    is_integer = not dtype.is_float
    is_unsigned = is_integer and (dtype.name == "bool" or dtype.name.startswith("u"))
    return {
        "is_floating_point": is_float,
        "is_integral": is_integer,
        "is_arithmetic": is_float or is_integer,
        "is_signed": is_float or (is_integer and not is_unsigned),
        "is_unsigned": is_unsigned,
    }[name]


@expression("template_function")
def _template_function(ctx: Context, node: Node) -> Value:
    """A trait's value by its short name; a function template with its arguments is no value here."""
    name, arguments = node.child_by_field_name("name"), node.child_by_field_name("arguments")
    assert name is not None and arguments is not None
    spelled = ctx.text(name)
    if spelled.endswith("_v"):
        value = trait(ctx, spelled.removesuffix("_v"), tuple(named_children(arguments)))
        if value is not None:
            return constant(value, BOOL)
    ctx.refuse("template-value", f"`{shorten(ctx.text(node))}` is not supported as a value", node)
