"""Objects of the user's structs: construction, default members, methods' view of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from xpiler.frontend.lower_assignment import assign_value
from xpiler.frontend.lower_context import Context, constant
from xpiler.frontend.lower_convert import convert
from xpiler.frontend.lower_declarations import declare_object, local_value
from xpiler.frontend.lower_memory import copy, member, snapshot
from xpiler.frontend.lower_overloads import choose
from xpiler.frontend.lower_typenames import bases_of, struct_scope
from xpiler.frontend.lower_types import Array, Closure, CType, Pointer, Reference, Scalar, Struct
from xpiler.frontend.lower_values import Aggregate, Elements, Functions, ListValue, Value
from xpiler.frontend.syntax_model import Field, FunctionDef, StructDef


def has_pointers(ctype: CType) -> bool:
    match ctype:
        case Pointer() | Closure():
            return True
        case Struct(fields=fields):
            return any(has_pointers(t) for _, t in fields)
        case Array(element=element):
            return has_pointers(element)
    return False


def constructors(ctx: Context, ctype: Struct) -> tuple[FunctionDef, ...]:
    assert ctype.definition is not None
    found = ctx.entities.methods_of(ctype.definition, ctype.definition.name)
    return tuple(f for f in found if f.body is not None)


def construct_object(ctx: Context, ctype: Struct, values: Sequence[Value], braced: bool) -> Value:
    """An object from constructor arguments, or member by member."""
    user = constructors(ctx, ctype)
    args = tuple(values)
    if user:
        functions = Functions(Closure(ctype.name), ctype.name, user, struct=ctype)
        instance = choose(ctx, functions, args, ctx.here) if ctx.here is not None else None
        if instance is not None:
            return _constructed(ctx, ctype, instance.function, args)
    if not values:
        return _zero(ctx, ctype)
    if len(values) == 1 and not braced and isinstance(values[0].type, Struct):
        from xpiler.frontend.lower_operators import conversion_operator

        converted = conversion_operator(ctx, values[0], ctype)
        if converted is not None:
            return converted
    if user or len(values) > len(ctype.fields):
        ctx.refuse("construct", f"`{ctype}` cannot be constructed from these values")
    if ctype.definition is not None and ctype.definition.bases:
        ctx.refuse("construct", f"`{ctype}` has a base: name the members, or give it a constructor")
    fields: dict[str, Value] = {}
    if any(isinstance(t, Array) for _, t in ctype.fields):
        target = declare_object(ctx, _local_name(ctype), ctype)
        for (name, inner), value in zip(ctype.fields, values, strict=False):
            place = member(ctx, target, name)
            assert place is not None
            if isinstance(inner, Array) and isinstance(value, ListValue):
                from xpiler.frontend.lower_declarations import _assign_list

                for index_node in value.nodes[:1]:
                    assert index_node.parent is not None
                    _assign_list(ctx, place, inner, index_node.parent)
            else:
                assign_value(ctx, place, value, ctx.here) if ctx.here is not None else copy(ctx, place, value)
        return target
    for position, (name, inner) in enumerate(ctype.fields):
        if position < len(values):
            fields[name] = convert(ctx, values[position], inner)
        else:
            fields[name] = _default_member(ctx, ctype, name, inner)
    return Aggregate(ctype, fields)


def _local_name(ctype: Struct) -> str:
    return ctype.definition.name.lower() if ctype.definition is not None else ctype.name


def _zero(ctx: Context, ctype: Struct) -> Value:
    if ctype.definition is not None:
        _default_bases(ctx, ctype.definition)
    if any(isinstance(t, Array) for _, t in ctype.fields):
        return default_object(ctx, _local_name(ctype), ctype)
    return Aggregate(ctype, {n: _default_member(ctx, ctype, n, t) for n, t in ctype.fields})


def _default_member(ctx: Context, ctype: Struct, name: str, inner: CType) -> Value:
    if ctype.definition is not None:
        for home, field in _all_fields(ctx, ctype):
            if field.default is not None and ctx.text(field.declarator).split("[")[0].strip("* ") == name:
                with ctx.nested(struct_scope(ctx, home)):
                    return convert(ctx, ctx.value(field.default), inner)
    match inner:
        case Scalar(dtype=dtype):
            return constant(0, dtype)
        case Struct():
            return Aggregate(inner, {n: _default_member(ctx, inner, n, t) for n, t in inner.fields})
    from xpiler.frontend.lower_convert import construct

    return construct(ctx, inner, [])


def default_object(ctx: Context, name: str, ctype: Struct, pieces: bool = True) -> Value:
    """A variable without initialiser: default constructor or member initialisers run, the rest is left
    alone."""
    target = declare_object(ctx, name, ctype, pieces=pieces)
    user = [f for f in constructors(ctx, ctype) if all(p.default is not None for p in f.params)]
    if user:
        _run_constructor(ctx, ctype, user[0], (), target)
        return target
    assert ctype.definition is not None
    _default_bases(ctx, ctype.definition)
    _set_defaults(ctx, ctype, target)
    return target


def _all_fields(ctx: Context, struct: Struct) -> Iterator[tuple[Struct, Field]]:
    """With those of its bases, which are no more than their members as long as they have no constructors, and
    the struct that each is of."""
    assert struct.definition is not None
    with ctx.nested(struct_scope(ctx, struct)):
        bases = bases_of(ctx, struct.definition)
    for base in bases:
        yield from _all_fields(ctx, base)
    for field in struct.definition.fields:
        yield struct, field


def _default_bases(ctx: Context, definition: StructDef, explicit: frozenset[str] = frozenset()) -> None:
    """Refuses bases whose constructors would run by themselves."""
    for base in ctx.entities.bases_of(definition) or ():
        if base.name not in explicit and ctx.entities.methods_of(base, base.name):
            what = f"the constructor of `{base.name}` runs by itself in `{definition.name}`"
            ctx.refuse("construct", what, remedy="name it among the initialisers")
        _default_bases(ctx, base)


def _set_defaults(ctx: Context, ctype: Struct, target: Value) -> None:
    for home, field in _all_fields(ctx, ctype):
        if field.default is not None:
            place = member(ctx, target, ctx.text(field.declarator).split("[")[0].strip("* "))
            if place is not None:
                with ctx.nested(struct_scope(ctx, home, target)):
                    assign_value(ctx, place, ctx.value(field.default), field.node)


def _constructed(ctx: Context, ctype: Struct, function: FunctionDef, args: tuple[Value, ...]) -> Value:
    target = declare_object(ctx, _local_name(ctype), ctype)
    _run_constructor(ctx, ctype, function, args, target)
    return target


def _run_constructor(
    ctx: Context, ctype: Struct, function: FunctionDef, args: tuple[Value, ...], target: Value
) -> None:
    from xpiler.frontend.lower_calls import inline
    from xpiler.frontend.lower_values import Instance

    assert ctype.definition is not None
    named = next((c for c in function.node.children if c.type == "field_initializer_list"), None)
    names = [c.named_children[0] for c in named.named_children if c.named_children] if named else []
    _default_bases(ctx, ctype.definition, frozenset(ctx.text(n).split("::")[-1] for n in names))
    _set_defaults(ctx, ctype, target)
    functions = Functions(Closure(ctype.name), ctype.name, (function,), receiver=target, struct=ctype)
    node = ctx.here
    assert node is not None
    inline(ctx, Instance(function), args, functions, node)


def initialise_object(ctx: Context, name: str, ctype: Struct, value: Value) -> Value:
    """A struct variable in pieces that begin with the members of `value`."""
    value = snapshot(ctx, value)
    fields: dict[str, Value] = {}
    for field, inner in ctype.fields:
        part = member(ctx, value, field)
        if part is None:
            ctx.refuse("construct", f"`{ctype}` cannot be made from a value of type `{value.type}`")
        if isinstance(inner, Reference):
            fields[field] = part
        elif isinstance(inner, Struct):
            fields[field] = initialise_object(ctx, f"{name}_{field}", inner, part)
        elif isinstance(inner, (Scalar, Pointer)):
            part = convert(ctx, part, inner)
            fields[field] = _member_variable(ctx, name, field, inner, part)
        elif isinstance(part, Elements) and name not in ctx.frames[-1].mutated:
            fields[field] = part
        else:
            target = declare_object(ctx, f"{name}_{field}", inner)
            copy(ctx, target, part)
            fields[field] = target
    return Aggregate(ctype, fields)


def _member_variable(ctx: Context, name: str, field: str, inner: CType, part: Value) -> Value:
    frame = ctx.frames[-1]
    changed = name in frame.mutated
    full = f"{name}_{field}"
    outer = frame.mutated
    frame.mutated = outer | {full} if changed else outer - {full}
    try:
        return local_value(ctx, full, inner, part, False)
    finally:
        frame.mutated = outer
