"""The constant extents of a launch's grid and blocks, and values of host code by their types."""

from __future__ import annotations

import re

from tree_sitter import Node

from xpiler.errors import Refusal
from xpiler.frontend.lower_context import Context, constant, named_children
from xpiler.frontend.lower_typenames import try_constant
from xpiler.frontend.lower_types import VECTORS, Auto, Scalar, Struct
from xpiler.frontend.lower_values import Aggregate, Number, Value, Variable
from xpiler.frontend.syntax_model import Launch
from xpiler.ir.nodes import Const, Var
from xpiler.ir.types import U32

Dims = tuple[int | None, int | None, int | None]


def typed(ctx: Context, node: Node) -> Value:
    """An argument of a launch, as far as its type goes."""
    try:
        with ctx.capture():
            return ctx.value(node)
    except Refusal:
        return Value(Auto())


def unknown_dim3() -> Value:
    """A dim3 whose extents nobody can tell."""
    fields: dict[str, Value] = {a: Variable(Scalar(U32), Var(U32, f"?.{a}")) for a in "xyz"}
    return Aggregate(VECTORS["dim3"], fields)


def dim3_value(ctx: Context, value: Node | None) -> Value:
    """A dim3 made of `value`, with those extents that are constants; of ones, where it is made of nothing."""
    dims = _dims(ctx, value) if value is not None else (1, 1, 1)
    fields: dict[str, Value] = {
        axis: constant(extent, U32) if extent is not None else Variable(Scalar(U32), Var(U32, f"?.{axis}"))
        for axis, extent in zip("xyz", dims, strict=True)
    }
    return Aggregate(VECTORS["dim3"], fields)


def block_dims(ctx: Context, launch: Launch) -> Dims:
    """The constant dimensions of a launch's blocks."""
    return _dims(ctx, launch.config[1]) if len(launch.config) > 1 else (None, None, None)


def grid_dims(ctx: Context, launch: Launch) -> Dims:
    """The constant dimensions of a launch's grid: of `<<<blocks, 256>>>` the last two are 1."""
    return _dims(ctx, launch.config[0]) if launch.config else (None, None, None)


def _dims(ctx: Context, node: Node) -> Dims:
    while node.type == "parenthesized_expression":
        node = named_children(node)[0]
    parts: list[Node] | None = None
    if node.type == "call_expression" and ctx.text(node.child_by_field_name("function")) == "dim3":
        arguments = node.child_by_field_name("arguments")
        parts = named_children(arguments) if arguments is not None else []
    elif node.type == "compound_literal_expression":
        value = node.child_by_field_name("value")
        parts = named_children(value) if value is not None else []
    elif node.type in ("initializer_list", "argument_list", "parameter_list"):
        parts = named_children(node)
    if parts is not None and len(parts) != 1:
        found = [_extent(ctx, p) for p in parts[:3]]
        found += [1] * (3 - len(found))
        return found[0], found[1], found[2]
    if parts is not None:
        node = parts[0]
        if node.type == "parameter_declaration" and node.child_by_field_name("declarator") is not None:
            return _extent(ctx, node), 1, 1
        if node.type == "parameter_declaration":
            node = node.child_by_field_name("type") or node
    found_value = typed(ctx, node)
    if isinstance(found_value, Aggregate):
        x, y, z = (_constant(found_value.fields.get(axis)) for axis in "xyz")
        return x, y, z
    known = found_value.type
    if isinstance(known, Struct) or (isinstance(known, Auto) and _may_have_axes(ctx, node)):
        return None, None, None
    return _extent(ctx, node), 1, 1


_ALIAS = re.compile(r"\busing\s+(\w+)\s*=\s*(?:dim3|uint3)\s*;|\btypedef\s+(?:dim3|uint3)\s+(\w+)\s*;")


def _may_have_axes(ctx: Context, node: Node) -> bool:
    """Whether something of a type that nobody can tell, `grid_for(w, h)`, `config.grid`, `p.first`, may be a
    dim3: the file declares one of its name, or leaves its type to the compiler."""
    text = ctx.entities.unit.text
    names = re.findall(r"[A-Za-z_]\w*", re.sub(r"[<(\[].*", "", ctx.text(node), flags=re.S))
    if not names or names[-1] in ("first", "second") or "get" in names:
        return True
    kinds = {"dim3", "uint3", *(one or other for one, other in _ALIAS.findall(text))}
    declared = rf"\b(?:{'|'.join(sorted(kinds))})\b[^;(){{}}=]*(?:[=(][^;{{}}]*,\s*)?\b{names[-1]}\b"
    left_open = rf"\bauto\b[\s&*]*(?:\w+::)*(?:{names[-1]}\b|\[[^\]]*\b{names[-1]}\b)"
    return re.search(rf"{declared}|{left_open}", text) is not None


def _constant(value: Value | None) -> int | None:
    return int(value.expr.value) if isinstance(value, Number) and isinstance(value.expr, Const) else None


def _extent(ctx: Context, node: Node) -> int | None:
    if node.type == "parameter_declaration":
        declarator = node.child_by_field_name("declarator")
        node = node.child_by_field_name("type") or node
        # `dim3 block(WARPS * WARP, ROWS)` reads as a function's parameter `WARPS *WARP`.
        if declarator is not None:
            factors = [_extent(ctx, node), *(_extent(ctx, child) for child in named_children(declarator))]
            known = [factor for factor in factors if factor is not None]
            is_product = declarator.type == "pointer_declarator" and len(known) == len(factors) == 2
            return known[0] * known[1] if is_product else None
    try:
        value = try_constant(ctx, node)
    except Refusal:
        return None
    return int(value.value) if value is not None else None
