"""Declarations inside functions: scalars, arrays, structs in pieces, shared memory, pointers, references."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tree_sitter import Node

from xpiler.frontend.lower_assignment import assign_value
from xpiler.frontend.lower_context import Context, constant, named_children, number, shorten, statement
from xpiler.frontend.lower_convert import construct, convert
from xpiler.frontend.lower_heap import Heap, array_of_variable_length, placed, vector_variable
from xpiler.frontend.lower_loops import non_negative
from xpiler.frontend.lower_memory import carried_type, copy, load, subscript
from xpiler.frontend.lower_pointers import declare_pointer
from xpiler.frontend.lower_registers import register_variable
from xpiler.frontend.lower_scratchpads import scratchpad
from xpiler.frontend.lower_threads import started_thread
from xpiler.frontend.lower_typenames import constant_int, declared, instantiate, try_constant, type_of
from xpiler.frontend.lower_types import (
    Array,
    AtomicRef,
    Auto,
    CType,
    Fragment,
    Group,
    Heaped,
    Pointer,
    Reference,
    Register,
    Scalar,
    Struct,
    Thread,
    Vector,
    align_of,
    lanes_of,
    leaf_type,
    size_of,
)
from xpiler.frontend.lower_values import (
    ZERO,
    Address,
    AddressOf,
    Aggregate,
    AtomicRefValue,
    Element,
    Elements,
    GroupValue,
    Lambda,
    ListValue,
    Memory,
    Nothing,
    SharedAddress,
    TypeName,
    Value,
    Variable,
)
from xpiler.frontend.lower_vectors import vector_of
from xpiler.ir import build
from xpiler.ir.nodes import Const, Decl, Expr, Space, Var
from xpiler.ir.types import I32, U8, U32, DType

_STRUCTS = ("struct_specifier", "union_specifier", "class_specifier")
_OPERATORS = {"pointer_declarator": "*", "reference_declarator": "&"}
DYNAMIC_SHARED_BYTES = Var(U32, "dynamicShared.bytes")


@statement("declaration")
def _declaration(ctx: Context, node: Node) -> None:
    type_node = node.child_by_field_name("type")
    assert type_node is not None
    words = {
        ctx.text(c)
        for c in node.children
        if c.type.endswith(("qualifier", "specifier")) and c.id != type_node.id
    }
    declarators = node.children_by_field_name("declarator")
    if type_node.type in ("struct_specifier", "enum_specifier", "union_specifier", "class_specifier"):
        local_type(ctx, type_node)
    unnamed = type_node.type in _STRUCTS and not type_node.child_by_field_name("name")
    written = _unnamed_struct(ctx, type_node) if unnamed else type_of(ctx, type_node)
    base = vector_of(ctx, written, node)
    alignment = alignment_of(ctx, node)
    for declarator in declarators:
        with ctx.at(declarator):
            _declare(ctx, base, declarator, words, alignment, node.child_by_field_name("value"))


def alignment_of(ctx: Context, node: Node) -> int:
    for child in node.children:
        if child.type in ("alignas_qualifier", "alignas_specifier"):
            arguments = named_children(child)
            if arguments:
                return constant_int(ctx, arguments[0], "the alignment")
    return 0


def local_type(ctx: Context, node: Node) -> None:
    """`using T = ...;` and `typedef ... T;` in a function; local structs are known from the unit."""
    if node.type == "alias_declaration":
        name, type_node = node.child_by_field_name("name"), node.child_by_field_name("type")
        assert type_node is not None
        ctx.scope.types[ctx.text(name)] = vector_of(ctx, type_of(ctx, type_node), node)
    elif node.type == "type_definition":
        type_node = node.child_by_field_name("type")
        assert type_node is not None
        base = type_of(ctx, type_node)
        for declarator in node.children_by_field_name("declarator"):
            name_text, ctype, _ = declared(ctx, base, declarator)
            ctx.scope.types[name_text] = vector_of(ctx, ctype, node)
    elif node.type in ("struct_specifier", "class_specifier", "union_specifier"):
        _local_struct(ctx, node)
    elif node.type == "enum_specifier":
        _local_enum(ctx, node)


def _local_struct(ctx: Context, node: Node) -> None:
    name_node = node.child_by_field_name("name")
    if name_node is None or node.child_by_field_name("body") is None:
        return
    name = ctx.text(name_node)
    ctx.scope.types[name] = _struct_named(ctx, node, name)


def _unnamed_struct(ctx: Context, node: Node) -> CType:
    """`union { float f; unsigned u; } bits;`: a type of its place."""
    return _struct_named(ctx, node, f"unnamed_{node.start_byte}")


def _struct_named(ctx: Context, node: Node, name: str) -> CType:
    struct = instantiate(ctx, ctx.entities.add_local_struct(node, name), ())
    # Its members may depend on template arguments of the function: not the same type the next time.
    ctx.entities.instances.pop(struct.name, None)
    return struct


def _local_enum(ctx: Context, node: Node) -> None:
    body = node.child_by_field_name("body")
    value = 0
    for enumerator in named_children(body) if body is not None else ():
        value_node = enumerator.child_by_field_name("value")
        if value_node is not None:
            value = constant_int(ctx, value_node, "the enumerator")
        ctx.scope.names[ctx.text(enumerator.child_by_field_name("name"))] = constant(value, I32)
        value += 1
    name = node.child_by_field_name("name")
    if name is not None:
        ctx.scope.types[ctx.text(name)] = Scalar(I32, ctx.text(name))


def _declare(
    ctx: Context, base: CType, declarator: Node, words: set[str], alignment: int, tested: Node | None
) -> None:
    """`tested`: the value of a variable that a condition declares: `if (int left = n - i)`."""
    is_const = bool(words & {"const", "constexpr"})
    size = _variable_length(ctx, declarator)
    if size is not None:
        name = ctx.text(declarator.child_by_field_name("declarator"))
        ctx.scope.names[name] = array_of_variable_length(ctx, name, base, size)
        return
    name, ctype, _ = declared(ctx, base, declarator, is_const)
    value_node = declarator.child_by_field_name("value") if declarator.type == "init_declarator" else tested
    inner = (
        declarator.child_by_field_name("declarator") if declarator.type == "init_declarator" else declarator
    )
    if inner is not None and inner.type == "structured_binding_declarator":
        _structured_binding(ctx, inner, value_node)
        return
    if inner is not None and inner.type == "function_declarator":
        if words & {"__shared__"}:
            ctx.refuse("syntax", f"`{shorten(ctx.text(declarator))}` is not understood", declarator)
        _constructed_or_prototype(ctx, base, inner)
        return
    space = scratchpad(words)
    if space is not None and isinstance(ctype, (Scalar, Array, Struct)):
        ctx.scope.names[name] = own_memory(ctx, name, ctype, declarator, space, alignment)
        return
    if "__shared__" in words:
        ctx.scope.names[name] = shared(ctx, name, ctype, declarator, "extern" in words, alignment)
        return
    if "static" in words and not is_const:
        ctx.refuse("static-local", f"static variable `{name}` in device code is not supported", declarator)
    value = local(ctx, name, ctype, value_node, is_const, alignment)
    ctx.scope.names[name] = value


def _variable_length(ctx: Context, declarator: Node) -> Node | None:
    """The size of an array of one dimension in a plain function, where it is no constant."""
    if not ctx.entities.is_serial or declarator.type != "array_declarator":
        return None
    inner, size = (declarator.child_by_field_name(field) for field in ("declarator", "size"))
    if inner is None or inner.type != "identifier" or size is None:
        return None
    return size if try_constant(ctx, size) is None else None


def declare_name(ctx: Context, name: str, ctype: CType, init: Node | None) -> None:
    """`ctype name = init;` in the current scope."""
    ctx.scope.names[name] = local(ctx, name, ctype, init, False)


def _constructed_or_prototype(ctx: Context, base: CType, declarator: Node) -> None:
    """`T name(args)` that the grammar took for a function: `float4 v(a, b)`, `dim3 b(x)`."""
    name_node = declarator.child_by_field_name("declarator")
    parameters = declarator.child_by_field_name("parameters")
    if name_node is None or parameters is None:
        return
    arguments: list[Value] = []
    for parameter in named_children(parameters):
        argument = _taken_for_parameter(ctx, parameter)
        if argument is None:
            return
        arguments.append(argument)
    if not arguments:
        return
    name = ctx.text(name_node)
    if isinstance(base, Heaped):
        ctx.scope.names[name] = vector_variable(ctx, name, base.element, arguments)
        return
    if isinstance(base, Thread):
        ctx.scope.names[name] = started_thread(ctx, tuple(arguments), declarator)
        return
    is_ref = isinstance(base, AtomicRef)
    made = construct(ctx, base, arguments) if is_ref else object_from(ctx, name, base, arguments)
    ctx.scope.names[name] = made


def _taken_for_parameter(ctx: Context, parameter: Node) -> Value | None:
    """The argument `x`, or `x[i][j]`, that the grammar took for a parameter of the type `x`; `x * y` and
    `x & y`, which it took for the pointer or reference `y` to such a type."""
    kind, declarator = parameter.child_by_field_name("type"), parameter.child_by_field_name("declarator")
    operator = _OPERATORS.get(declarator.type) if declarator is not None else None
    if operator and declarator is not None and kind is not None and kind.type == "type_identifier":
        (right,) = named_children(declarator)
        factors = [ctx.value(kind), ctx.value(right)] if right.type == "identifier" else []
        if not factors or any(isinstance(f, TypeName) for f in factors):
            return None
        return number(build.binary(operator, *(load(ctx, f) for f in factors)))
    indices: list[Node] = []
    while declarator is not None and declarator.type == "abstract_array_declarator":
        size = declarator.child_by_field_name("size")
        if size is None:
            return None
        indices.insert(0, size)
        declarator = declarator.child_by_field_name("declarator")
    if kind is None or declarator is not None:
        return None
    value = ctx.value(kind)
    for index in indices:
        value = subscript(ctx, value, load(ctx, ctx.value(index)))
    return value


def local(
    ctx: Context, name: str, ctype: CType, init: Node | None, is_const: bool, alignment: int = 0
) -> Value:
    """Declares a local variable and what it begins with; the value that its name stands for."""
    arguments = init is not None and init.type == "argument_list"
    if init is not None and init.type == "lambda_expression":
        return ctx.value(init)
    match ctype:
        case Reference(target=target):
            assert init is not None
            return _reference(ctx, ctx.value(init), target)
        case Heaped(element=element):
            given = named_children(init) if arguments and init is not None else []
            return vector_variable(ctx, name, element, [ctx.value(n) for n in given])
        case Thread():
            given = named_children(init) if arguments and init is not None else []
            return started_thread(ctx, tuple(ctx.value(n) for n in given), init)
        case Array():
            return _array(ctx, name, ctype, init, alignment, is_const)
        case Vector() if init is None:
            return declare_object(ctx, name, ctype, alignment=alignment)
        case Fragment():
            return declare_object(ctx, name, ctype, alignment=alignment)
        case Group():
            return ctx.value(init) if init is not None else GroupValue(ctype)
    if arguments:
        assert init is not None
        values = [ctx.value(n) for n in named_children(init)]
        if isinstance(ctype, (Struct, Auto)):
            return object_from(ctx, name, ctype, values)
        if isinstance(ctype, (Vector, AtomicRef)):
            return local_value(ctx, name, ctype, construct(ctx, ctype, values), is_const)
        value: Value | None = convert(ctx, values[0], ctype) if values else None
    else:
        value = ctx.value(init) if init is not None else None
    return local_value(ctx, name, ctype, value, is_const)


def local_value(ctx: Context, name: str, ctype: CType, value: Value | None, is_const: bool) -> Value:
    """A local variable with a value that is already lowered."""
    changed = name in ctx.frames[-1].mutated if ctx.frames else True
    if isinstance(ctype, Auto):
        if value is None:
            ctx.refuse("auto", f"`auto {name}` has no initialiser")
        if isinstance(value, (Lambda, GroupValue, Nothing)) or not isinstance(
            value.type, (Scalar, Struct, Pointer, Array, Vector, Register)
        ):
            return value
        ctype = Pointer(value.type.element) if isinstance(value.type, Array) else value.type
    match ctype:
        case Pointer():
            if isinstance(value, Heap):
                value = placed(ctx, name, value, ctype)
            init = convert(ctx, value, ctype) if isinstance(value, ListValue) else value
            if (
                init is None
                or isinstance(init, (Address, AddressOf))
                or isinstance(init.type, (Pointer, Array))
            ):
                return declare_pointer(ctx, name, ctype, init, changed)
            return declare_pointer(ctx, name, ctype, convert(ctx, init, ctype), changed)
        case Register():
            return register_variable(ctx, name, ctype, value, changed)
        case Scalar(dtype=dtype):
            init = None if value is None else convert(ctx, value, ctype)
            if isinstance(init, SharedAddress) and not changed:
                kept = ctx.temporary(init.expr, name)
                ctx.settled.add(kept.name)
                return replace(init, expr=kept)
            expr = None if init is None else load(ctx, init)
            return _scalar(ctx, name, ctype, dtype, expr, is_const, changed)
        case Struct():
            if value is None:
                return object_from(ctx, name, ctype, None)
            return object_from(ctx, name, ctype, value if isinstance(value, ListValue) else [value])
        case Group():
            return value or GroupValue(ctype)
        case AtomicRef() if value is not None and not isinstance(value, AtomicRefValue):
            return construct(ctx, ctype, value)
        case Vector() if value is not None:
            if isinstance(value, Element) and value.memory.name in ctx.results:
                ctx.results.discard(value.memory.name)
                return value
            result = convert(ctx, value, ctype)
            place = declare_object(ctx, name, ctype)
            copy(ctx, place, result)
            return place
    if value is not None:
        return value
    ctx.refuse("declaration", f"a variable `{name}` of type `{ctype}` is not supported")


def _scalar(
    ctx: Context, name: str, ctype: Scalar, dtype: DType, init: Expr | None, is_const: bool, changed: bool
) -> Value:
    if is_const and isinstance(init, Const):
        return number(Const(dtype, init.value), ctype.name)
    var = Var(dtype, ctx.fresh(name))
    if not changed:
        ctx.settled.add(var.name)
        if init is not None and dtype.is_integer and non_negative(ctx, init):
            ctx.non_negative.add(var.name)
    ctx.emit(Decl(var.name, dtype, init=init))
    return Variable(ctype, var, is_const=is_const)


def _reference(ctx: Context, value: Value, target: CType) -> Value:
    if isinstance(target, Auto) or value.type == target:
        return value
    return convert(ctx, value, Reference(target))


def _structured_binding(ctx: Context, declarator: Node, init: Node | None) -> None:
    assert init is not None
    value = ctx.value(init)
    names = [ctx.text(n) for n in named_children(declarator)]
    if isinstance(value, Aggregate) and isinstance(value.type, Struct):
        for name, (field, ctype) in zip(names, value.type.fields, strict=False):
            ctx.scope.names[name] = local_value(ctx, name, ctype, value.fields[field], False)
        return
    ctx.refuse("structured-binding", f"`{shorten(ctx.text(declarator))}` is not supported", declarator)


# ------------------------------------------------------------------------------------------ objects


def array_shape(ctx: Context, ctype: CType) -> tuple[int, ...]:
    """Extents of an object of one scalar type, the lanes of a struct last."""
    shape: list[int] = []
    while isinstance(ctype, Array):
        if ctype.extent is None:
            ctx.refuse("array-extent", "an array without extent")
        shape.append(ctype.extent)
        ctype = ctype.element
    if isinstance(ctype, Fragment):
        return (*shape, *ctype.shape)
    lanes = lanes_of(ctype)
    if lanes > 1 or (isinstance(ctype, (Struct, Vector)) and not shape):
        shape.append(lanes)
    return tuple(shape)


def element_type(ctype: CType) -> CType:
    while isinstance(ctype, Array):
        ctype = ctype.element
    return ctype


def declare_object(
    ctx: Context,
    name: str,
    ctype: CType,
    space: Space = Space.LOCAL,
    alignment: int = 0,
    init: tuple[Expr, ...] | None = None,
    pieces: bool = True,
) -> Value:
    """Declares an uninitialised object. A single struct is taken to pieces if `pieces` and nothing looks
    at its bytes."""
    match ctype:
        case Scalar(dtype=dtype) if space is Space.LOCAL and pieces:
            var = Var(dtype, ctx.fresh(name))
            ctx.emit(Decl(var.name, dtype))
            return Variable(ctype, var)
        case Pointer():
            return declare_pointer(ctx, name, ctype, None, True)
        case Struct() if space is Space.LOCAL and pieces and not ctype.is_union:
            own = [(n, t) for n, t in ctype.fields if not isinstance(t, Reference)]  # the others are bound
            return Aggregate(ctype, {n: declare_object(ctx, f"{name}_{n}", t, space) for n, t in own})
    inner = element_type(ctype)
    leaf = inner.dtype if isinstance(inner, Fragment) else leaf_type(inner)
    if leaf is None:
        from xpiler.frontend.lower_structs import has_pointers

        if isinstance(ctype, Array) and ctype.extent and space is Space.LOCAL and has_pointers(inner):
            parts = [declare_object(ctx, f"{name}_{i}", ctype.element) for i in range(ctype.extent)]
            return Elements(ctype, tuple(parts))
        if isinstance(inner, Struct) and not inner.is_union:
            return _field_arrays(ctx, name, ctype, inner, space)
        ctx.refuse("declaration", f"a variable `{name}` of type `{ctype}` is not supported")
    if isinstance(inner, Fragment):
        space = Space.FRAGMENT
    shape = array_shape(ctx, ctype) or (1,)
    memory = Memory(ctx.fresh(name), leaf, shape, space)
    pool = ctx.pool_of(memory.name, replace(memory, shape=()))
    if pool is not None and isinstance(ctype, Array):
        alignment = alignment or _natural_alignment(inner, leaf)
        return pool.part(ctype, shape, alignment, ctx.prologue, ctx.range())
    extents = tuple(build.const(e) for e in shape)
    decl = Decl(memory.name, leaf, extents, space, init, alignment or _natural_alignment(inner, leaf))
    _place(ctx, decl)
    return Element(ctype, memory, (ZERO,) if isinstance(ctype, Scalar) else ())


def _natural_alignment(inner: CType, leaf: DType) -> int:
    """Alignment that the element type asks for beyond that of its scalars: arrays of float4 are 16-byte
    aligned."""
    alignment = align_of(inner) if isinstance(inner, (Struct, Vector)) else 0
    return alignment if alignment > leaf.bytes else 0


def _place(ctx: Context, decl: Decl) -> None:
    if decl.space in (Space.SHARED, Space.NRAM, Space.WRAM):
        ctx.prologue.append(
            Decl(decl.name, decl.dtype, decl.shape, decl.space, None, decl.alignment, range=ctx.range())
        )
    else:
        ctx.emit(Decl(decl.name, decl.dtype, decl.shape, decl.space, decl.init, decl.alignment))


def _field_arrays(ctx: Context, name: str, ctype: CType, inner: Struct, space: Space) -> Value:
    """One array a member for an array of structs whose members have different types."""

    def with_element(outer: CType, element: CType) -> CType:
        if isinstance(outer, Array):
            return Array(with_element(outer.element, element), outer.extent)
        return element

    fields = {
        n: declare_object(ctx, f"{name}_{n}", with_element(ctype, t), space, pieces=False)
        for n, t in inner.fields
    }
    assert isinstance(ctype, (Array, Struct))
    return Aggregate(ctype, fields)


def object_from(ctx: Context, name: str, ctype: CType, init: ListValue | Sequence[Value] | None) -> Value:
    """A struct variable from constructor arguments, a braced list or another object."""
    if isinstance(ctype, Auto):
        assert init is not None and not isinstance(init, ListValue)
        return local_value(ctx, name, ctype, init[0], False)
    assert isinstance(ctype, Struct)
    from xpiler.frontend.lower_structs import has_pointers, initialise_object

    if has_pointers(ctype) and init is not None:
        value = construct(ctx, ctype, init)
        return initialise_object(ctx, name, ctype, value)
    if init is not None and not isinstance(init, ListValue) and len(init) == 1 and init[0].type == ctype:
        narrow = carried_type(init[0])
        if narrow is not None:
            return _carrier(ctx, name, ctype, init[0], narrow)
    addressed = bool(ctx.frames) and name in ctx.frames[-1].punned and leaf_type(ctype) is not None
    value_now: Value | None = None
    if init is not None:
        value_now = construct(ctx, ctype, init)
    elif not ctype.is_vector:
        from xpiler.frontend.lower_structs import default_object

        return default_object(ctx, name, ctype, pieces=not addressed)
    if value_now is None or addressed or ctype.is_union or _has_arrays(ctype):
        target = declare_object(ctx, name, ctype, pieces=not addressed)
        if value_now is not None:
            copy(ctx, target, value_now)
        return target
    return initialise_object(ctx, name, ctype, value_now)


def _carrier(ctx: Context, name: str, ctype: Struct, value: Value, dtype: DType) -> Value:
    """`float4 v = *(float4*)halves`: eight halves, seen as four floats where something asks for them."""
    count = (size_of(ctype) or 0) // dtype.bytes
    memory = Memory(ctx.fresh(name), dtype, (count,), Space.LOCAL)
    ctx.emit(Decl(memory.name, dtype, (build.const(count),), Space.LOCAL, None, align_of(ctype)))
    target = Element(ctype, memory, None, ZERO, dtype.bytes)
    copy(ctx, target, value)
    return target


def _has_arrays(ctype: Struct) -> bool:
    return any(isinstance(t, Array) or (isinstance(t, Struct) and _has_arrays(t)) for _, t in ctype.fields)


# ------------------------------------------------------------------------------------------ arrays


def _array(ctx: Context, name: str, ctype: Array, init: Node | None, alignment: int, is_const: bool) -> Value:
    if init is None:
        return declare_object(ctx, name, ctype, alignment=alignment)
    if init.type == "string_literal":
        ctx.refuse("string", "strings are not supported in device code", init)
    if ctype.extent is None:
        ctype = Array(ctype.element, len(named_children(init)))
    leaf = leaf_type(element_type(ctype))
    if leaf is None or isinstance(element_type(ctype), Register):
        target = declare_object(ctx, name, ctype, alignment=alignment)
        _assign_list(ctx, target, ctype, init)
        return target
    with ctx.capture() as before:
        from xpiler.frontend.lower_initializers import flat_initializer

        values = flat_initializer(ctx, init, ctype, leaf)
    ctx.out.extend(before)
    return declare_object(ctx, name, ctype, alignment=alignment, init=values)


def _assign_list(ctx: Context, target: Value, ctype: Array, init: Node) -> None:
    for position, child in enumerate(named_children(init)):
        place = subscript(ctx, target, build.const(position))
        if isinstance(ctype.element, Array):
            _assign_list(ctx, place, ctype.element, child)
        else:
            assign_value(ctx, place, ctx.value(child), child)


# ------------------------------------------------------------------------------------------ shared memory


def shared(ctx: Context, name: str, ctype: CType, node: Node, external: bool, alignment: int) -> Value:
    """A `__shared__` variable. It exists once a block, however often its function is inlined, and once for
    each instantiation of a template."""
    if isinstance(ctype, Group):
        return GroupValue(ctype)
    if external or (isinstance(ctype, Array) and ctype.extent is None):
        return dynamic_shared(ctx, name, ctype, alignment)
    instance = next((f.instance for f in reversed(ctx.frames) if f.function is not None), "")
    key = (node.start_byte, f"{ctype} {instance}")
    if key not in ctx.statics:
        ctx.statics[key] = declare_object(ctx, name, ctype, Space.SHARED, alignment, pieces=False)
    return ctx.statics[key]


def own_memory(ctx: Context, name: str, ctype: CType, node: Node, space: Space, alignment: int = 0) -> Value:
    """A variable in a scratchpad of BANG C. It keeps its contents however often its function is inlined."""
    key = (node.start_byte, str(ctype))
    if key not in ctx.statics:
        ctx.statics[key] = declare_object(ctx, name, ctype, space, alignment, pieces=False)
    return ctx.statics[key]


def dynamic_shared(ctx: Context, name: str, ctype: CType, alignment: int) -> Value:
    """`extern __shared__ T name[]`: all of these in a kernel are one piece of memory."""
    element = ctype.element if isinstance(ctype, Array) else ctype
    leaf = leaf_type(element) or U8
    if ctx.dynamic_shared is None:
        memory = Memory(ctx.fresh(name), leaf, (), Space.SHARED)
        extent = build.div(DYNAMIC_SHARED_BYTES, build.const(leaf.bytes, U32))
        ctx.prologue.append(
            Decl(memory.name, leaf, (extent,), Space.SHARED, None, alignment, range=ctx.range())
        )
        ctx.dynamic_shared = memory
    memory = ctx.dynamic_shared
    if size_of(element) is None:
        ctx.refuse("incomplete-type", f"the size of `{element}` is not known here")
    return Element(Array(element, None), memory, None, ZERO, memory.dtype.bytes)
