"""Conversions to a type, and construction of objects from values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tree_sitter import Node

from xpiler.frontend.lower_context import Context, constant, number
from xpiler.frontend.lower_heap import Heap
from xpiler.frontend.lower_memory import (
    address_of,
    both,
    deref,
    in_memory,
    load,
    member,
    pointer_of,
    snapshot,
)
from xpiler.frontend.lower_pointers import retype
from xpiler.frontend.lower_registers import to_register
from xpiler.frontend.lower_types import (
    VOID,
    Array,
    AtomicRef,
    Auto,
    Closure,
    CType,
    Fragment,
    Pointer,
    Reference,
    Register,
    Scalar,
    Struct,
    Vector,
    Void,
    size_of,
)
from xpiler.frontend.lower_values import (
    ZERO,
    Address,
    AddressOf,
    Aggregate,
    AtomicRefValue,
    Choice,
    Element,
    ListValue,
    Nothing,
    PointerVariable,
    SharedAddress,
    TypeName,
    Value,
)
from xpiler.frontend.lower_vectors import listed, splat
from xpiler.ir import build


def cast(ctx: Context, node: Node, ctype: CType) -> Value:
    """`(T)node`. In a base, `static_cast<const Derived *>(this)` is the object that `this` stands for."""
    value = ctx.value(node)
    if node.type == "this" and isinstance(ctype, Pointer) and ctype.pointee == value.type:
        return value
    return convert(ctx, value, ctype, explicit=True)


def convert(ctx: Context, value: Value, ctype: CType, explicit: bool = False) -> Value:
    """The value as C converts it to `ctype`. `explicit` for casts: objects may then be seen as another
    type."""
    match ctype:
        case Scalar(dtype=dtype, name=name):
            if isinstance(value, ListValue):
                return construct(ctx, ctype, value)
            if isinstance(value.type, Struct):
                from xpiler.frontend.lower_operators import conversion_operator

                converted = conversion_operator(ctx, value, ctype)
                if converted is not None:
                    return converted
            if isinstance(value, (Address, AddressOf, PointerVariable)) and dtype.name == "bool":
                from xpiler.frontend.lower_expressions import truth

                return number(truth(ctx, value))
            if isinstance(value, SharedAddress) and dtype.is_integer and dtype.bits >= 32:
                return replace(value, type=ctype, expr=build.cast(value.expr, dtype))
            return number(build.cast(load(ctx, value), dtype), name)
        case Pointer():
            if isinstance(value, Heap):
                return replace(value, type=ctype)
            if isinstance(value, ListValue) and not value.nodes:
                return Address(ctype, None, ZERO, 1)
            if isinstance(value, Aggregate) and isinstance(value.type, Struct):
                from xpiler.frontend.lower_operators import conversion_operator

                converted = conversion_operator(ctx, value, ctype)
                if converted is not None:
                    return converted
            if isinstance(value, Choice):
                return both(value, lambda side: convert(ctx, side, ctype))
            return retype(pointer_of(ctx, value), ctype)
        case Reference(target=target):
            if value.type == target or isinstance(target, Auto):
                return value
            if explicit:
                return deref(ctx, retype(address_of(ctx, value), Pointer(target)))
            return convert(ctx, value, target)
        case Void():
            return Nothing(VOID)
        case Auto():
            return snapshot(ctx, value)
        case Struct():
            if value.type == ctype:
                return snapshot(ctx, value)
            return construct(ctx, ctype, value)
        case Register():
            return to_register(ctx, value, ctype)
        case Vector():
            return _to_vector(ctx, value, ctype)
    return value


def _to_vector(ctx: Context, value: Value, ctype: Vector) -> Value:
    if isinstance(value, ListValue):
        return construct(ctx, ctype, value)
    if value.type == ctype:
        return value if isinstance(value, (Aggregate, Element)) else snapshot(ctx, value)
    if isinstance(value.type, Scalar):
        return splat(ctx, ctype, value)
    if isinstance(value.type, Vector) and size_of(value.type) == size_of(ctype):
        place = in_memory(ctx, value)
        return snapshot(ctx, deref(ctx, retype(address_of(ctx, place), Pointer(ctype))))
    ctx.refuse("construct", f"a value of type `{value.type}` is no `{ctype}`")


def construct(ctx: Context, ctype: CType, args: Value | Sequence[Value]) -> Value:
    """`T{...}`, `T(...)` or an implicit conversion to a struct."""
    nested = isinstance(args, ListValue)
    if isinstance(ctype, AtomicRef) and isinstance(args, ListValue) and len(args.nodes) == 1:
        with ctx.nested(args.scope):
            return AtomicRefValue(ctype, ctx.value(args.nodes[0]))
    if isinstance(args, ListValue):
        values = _elements(ctx, args, ctype)
    elif isinstance(args, Value):
        values = [args]
    else:
        values = list(args)
    match ctype:
        case Scalar(dtype=dtype):
            return convert(ctx, values[0], ctype) if values else constant(0, dtype)
        case Register():
            return to_register(ctx, args if isinstance(args, ListValue) else values[0], ctype)
        case Pointer():
            return convert(ctx, values[0], ctype) if values else Address(ctype, None, ZERO, 1)
        case Struct():
            if len(values) == 1 and values[0].type == ctype:
                return snapshot(ctx, values[0])
            if not ctype.is_vector:
                from xpiler.frontend.lower_structs import construct_object

                return construct_object(ctx, ctype, values, nested)
            return _vector(ctx, ctype, values)
        case Vector():
            if len(values) == 1 and not nested and not isinstance(values[0].type, Vector):
                return splat(ctx, ctype, values[0])
            if len(values) == 1 and values[0].type == ctype:
                return values[0]
            return listed(ctx, ctype, values)
        case Fragment() if not values:
            from xpiler.frontend.lower_declarations import declare_object

            return declare_object(ctx, "fragment", ctype)
        case Auto():
            return snapshot(ctx, values[0])
        case AtomicRef() if len(values) == 1:
            return AtomicRefValue(ctype, values[0])
        case Reference(target=target):
            return construct(ctx, target, values)
        case Closure():
            return TypeName(ctype)
    ctx.refuse("construct", f"an object of type `{ctype}` cannot be made from this")


def _elements(ctx: Context, values: ListValue, ctype: CType) -> list[Value]:
    """The values of a braced list; inner lists get the type of the member they initialise."""
    result: list[Value] = []
    fields = [t for _, t in ctype.fields] if isinstance(ctype, Struct) else []
    for position, node in enumerate(values.nodes):
        if node.type == "initializer_pair":
            value_node = node.child_by_field_name("value")
            assert value_node is not None
            node = value_node
        mark = len(ctx.out)
        with ctx.nested(values.scope):
            value = ctx.value(node)
        result = [_stable(ctx, v, mark) for v in result]
        if (
            isinstance(value, ListValue)
            and position < len(fields)
            and not isinstance(fields[position], Array)
        ):
            value = construct(ctx, fields[position], value)
        result.append(value if isinstance(value, ListValue) else snapshot(ctx, value))
    return result


def _stable(ctx: Context, value: Value, mark: int) -> Value:
    from xpiler.frontend.lower_values import Number

    if isinstance(value, Number):
        kept = ctx.stable(value.expr, mark)
        return value if kept is value.expr else number(kept, value.type.name)
    return value


def _vector(ctx: Context, ctype: Struct, values: list[Value]) -> Value:
    names = [n for n, _ in ctype.fields]
    if len(values) == 1 and isinstance(values[0].type, Struct):
        source = values[0]
        assert isinstance(source.type, Struct)
        if [n for n, _ in source.type.fields] == names and source.type.is_vector:
            parts = {n: convert(ctx, _part(ctx, source, n), t) for n, t in ctype.fields}
            return Aggregate(ctype, parts)
    if len(values) > len(names):
        ctx.refuse("construct", f"too many values for `{ctype}`")
    if len(values) == 1 and len(names) == 2 and ctype.name in ("half2", "__nv_bfloat162"):
        values = values * 2
    default = 1 if ctype.name == "dim3" else 0
    fields: dict[str, Value] = {}
    for position, (name, inner) in enumerate(ctype.fields):
        assert isinstance(inner, Scalar)
        fields[name] = (
            convert(ctx, values[position], inner)
            if position < len(values)
            else constant(default, inner.dtype)
        )
    return Aggregate(ctype, fields)


def _part(ctx: Context, value: Value, name: str) -> Value:
    part = member(ctx, value, name)
    if part is None:
        ctx.refuse("no-member", f"type `{value.type}` has no member `{name}`")
    return part
