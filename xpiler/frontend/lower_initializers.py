"""Braced lists that initialise arrays and structs in memory, as the scalars that the memory is seen as.

float2 a[2] = {{1, 2}, {3}};            -->  1.0f, 2.0f, 3.0f
struct { int k; float w; } = {2, 1};    -->  2, 1065353216       (the memory of a mixed struct is seen as
                                                                  its narrowest member, here an int)
"""

from __future__ import annotations

import struct

from tree_sitter import Node

from xpiler.frontend.lower_context import Context, named_children
from xpiler.frontend.lower_convert import construct, convert
from xpiler.frontend.lower_memory import load
from xpiler.frontend.lower_types import (
    Array,
    CType,
    Scalar,
    Struct,
    field_offsets,
    lanes_of,
    leaf_type,
    size_of,
)
from xpiler.frontend.lower_values import Aggregate
from xpiler.ir import build
from xpiler.ir.nodes import Const, Expr
from xpiler.ir.types import DType

_FORMATS = {
    "bool": "?",
    "i8": "b",
    "u8": "B",
    "i16": "h",
    "u16": "H",
    "i32": "i",
    "u32": "I",
    "i64": "q",
    "u64": "Q",
    "f16": "e",
    "f32": "f",
    "f64": "d",
}


def flat_initializer(ctx: Context, init: Node, ctype: CType, leaf: DType) -> tuple[Expr, ...]:
    """The leading scalars of an object from its braced list, row-major; the rest is zero."""
    values = _flat(ctx, init, ctype, leaf) if leaf_type(ctype) is not None else _mixed(ctx, init, ctype, leaf)
    while values and isinstance(values[-1], Const) and values[-1].value == 0:
        values.pop()
    return tuple(values)


def _flat(ctx: Context, node: Node, ctype: CType, leaf: DType) -> list[Expr]:
    if node.type != "initializer_list":
        value = ctx.value(node)
        if isinstance(value.type, Struct) and isinstance(ctype, Struct):
            value = construct(ctx, ctype, [value])
            assert isinstance(value, Aggregate)
            return [build.cast(load(ctx, v), leaf) for v in value.fields.values()]
        return [build.cast(load(ctx, convert(ctx, value, Scalar(leaf))), leaf)]
    children = named_children(node)
    if isinstance(ctype, Scalar):
        return _flat(ctx, children[0], ctype, leaf) if children else [build.const(0, leaf)]
    if isinstance(ctype, Struct):
        members = [t for _, t in ctype.fields]
    elif isinstance(ctype, Array):
        members = [ctype.element] * (ctype.extent or len(children))
    else:
        ctx.refuse("initializer", "this initialiser is not supported", node)
    total = sum(lanes_of(t) if isinstance(t, (Struct, Array)) else 1 for t in members)
    if len(children) > len(members) or (
        children
        and isinstance(ctype, Array)
        and isinstance(ctype.element, Array)
        and all(c.type != "initializer_list" for c in children)
    ):
        # Braces left out: the scalars in order.
        values = [v for c in children for v in _flat(ctx, c, Scalar(leaf), leaf)]
    else:
        values = []
        for child, member in zip(children, members, strict=False):
            part = _flat(ctx, child, member, leaf)
            width = lanes_of(member) if isinstance(member, (Struct, Array)) else 1
            values += part + [build.const(0, leaf)] * (width - len(part))
    return values + [build.const(0, leaf)] * (total - len(values))


def _mixed(ctx: Context, init: Node, ctype: CType, leaf: DType) -> list[Expr]:
    """The same of structs whose members have several types: their bytes, which have to be constants."""
    size = size_of(ctype) or 0
    data = bytearray(size)
    _write(ctx, init, ctype, data, 0)
    kind = _format(ctx, leaf, init)
    return [build.const(value, leaf) for (value,) in struct.iter_unpack(kind, bytes(data))]


def _write(ctx: Context, node: Node, ctype: CType, data: bytearray, at: int) -> None:
    if isinstance(ctype, Scalar):
        (inner,) = named_children(node) if node.type == "initializer_list" else [node]
        value = build.cast(load(ctx, convert(ctx, ctx.value(inner), ctype)), ctype.dtype)
        if not isinstance(value, Const):
            ctx.refuse("initializer", f"`{ctx.text(node)}` is no constant", node)
        struct.pack_into(_format(ctx, ctype.dtype, node), data, at, value.value)
        return
    parts: list[tuple[int, CType]]
    match ctype:
        case Struct(is_union=False, definition=definition) if definition is None or not definition.bases:
            parts = [(offset, member) for _, offset, member in field_offsets(ctype)]
        case Array(element=element, extent=int(extent)):
            parts = [(i * (size_of(element) or 0), element) for i in range(extent)]
        case _:
            parts = []
    children = named_children(node)
    if node.type != "initializer_list" or len(children) > len(parts):
        ctx.refuse("initializer", "this initialiser is not supported", node, "write all its braces")
    for child, (offset, member) in zip(children, parts, strict=False):
        _write(ctx, child, member, data, at + offset)


def _format(ctx: Context, dtype: DType, node: Node) -> str:
    if dtype.name not in _FORMATS:
        ctx.refuse("initializer", f"members of type {dtype} beside others are not initialised here", node)
    return f"<{_FORMATS[dtype.name]}"
