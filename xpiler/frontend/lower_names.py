"""What a name means: variables, members, functions, globals, enumerators, the built-in index variables."""

from __future__ import annotations

import math

from tree_sitter import Node

from xpiler.frontend.lower_context import Context, constant, named_children, number
from xpiler.frontend.lower_gnu import function_of
from xpiler.frontend.lower_memory import member
from xpiler.frontend.lower_registry import BUILTINS, METHODS, is_of_threads
from xpiler.frontend.lower_scratchpads import scratchpad
from xpiler.frontend.lower_tasks import task_variable
from xpiler.frontend.lower_typenames import declared, struct_scope, try_constant, type_of
from xpiler.frontend.lower_types import (
    VECTORS,
    Array,
    Closure,
    CType,
    Scalar,
    Struct,
    bits_type,
    lanes_of,
    leaf_type,
)
from xpiler.frontend.lower_values import (
    Aggregate,
    Builtin,
    Element,
    Functions,
    GroupValue,
    Memory,
    Value,
)
from xpiler.frontend.syntax_model import GlobalVar
from xpiler.ir import build
from xpiler.ir.nodes import Const, Decl, Space, Var
from xpiler.ir.types import I32, U32

_INDEX_VARIABLES = ("threadIdx", "blockIdx", "blockDim", "gridDim")


def find_name(ctx: Context, name: str) -> Value | None:
    """The meaning of a name in the current scope, or None."""
    for scope in ctx.scope.chain():
        if name in scope.names:
            return scope.names[name]
        if name in scope.aliases:
            return find_name(ctx, scope.aliases[name])
        if scope.struct is not None:
            found = struct_member(ctx, scope.struct, name, scope.receiver)
            if found is not None:
                return found
    on_tasks = ctx.entities.unit.platform == "bang"
    if name in _INDEX_VARIABLES and not on_tasks:
        fields: dict[str, Value] = {a: number(Var(U32, f"{name}.{a}")) for a in "xyz"}
        return Aggregate(VECTORS["dim3"], fields)
    functions = ctx.entities.functions.get(name) or ctx.entities.kernels.get(name)
    if functions:
        return Functions(Closure(name), name, tuple(functions))
    if name in ctx.entities.globals:
        return _global(ctx, ctx.entities.globals[name])
    if name in ctx.entities.enumerators:
        return _enumerator(ctx, name)
    if on_tasks:
        found = task_variable(name)
        if found is not None:
            return found
        if ("bang", name) in METHODS:
            return Builtin(Closure(name), f"bang.{name}")
    builtin = function_of(name)
    if builtin in BUILTINS and not (on_tasks and is_of_threads(builtin)):
        return Builtin(Closure(builtin), builtin)
    return None


def struct_member(ctx: Context, struct: Struct, name: str, receiver: Value | None) -> Value | None:
    """A member by its unqualified name inside a method, or by `Struct::name`."""
    if name == "this" and receiver is not None:
        return receiver
    if struct.definition is not None and name == struct.definition.name:
        return None  # the type, or its constructor
    if receiver is not None:
        found = member(ctx, receiver, name)
        if found is not None:
            return found
    definition = struct.definition
    if definition is None:
        return None
    for static in definition.statics:
        if static.name == name:
            with ctx.nested(struct_scope(ctx, struct)):
                value = _constant_value(ctx, static)
            if value is None:
                ctx.refuse("not-constant", f"static member `{struct}::{name}` is no constant", static.node)
            return value
    for enum in definition.enums:
        if any(e.name == name for e in enum.enumerators):
            with ctx.nested(struct_scope(ctx, struct)):
                return _enumerator(ctx, name)
    methods = ctx.entities.methods_of(definition, name)
    if methods:
        return Functions(Closure(name), name, methods, receiver=receiver, struct=struct)
    return None


def method_value(ctx: Context, receiver: Value, name: str, explicit: tuple[Node, ...]) -> Value | None:
    """`receiver.name` as a method: one of the user's structs or of a type of CUDA."""
    ctype: CType = receiver.type
    if isinstance(ctype, Struct) and ctype.definition is not None:
        methods = ctx.entities.methods_of(ctype.definition, name)
        if methods:
            return Functions(Closure(name), name, methods, explicit, receiver, ctype)
        return struct_member(ctx, ctype, name, receiver)
    if isinstance(ctype, Struct) and name == "value" and ctype.arguments and ctype.definition is None:
        return number_of_type(ctype)
    kind = "group" if isinstance(receiver, GroupValue) else type(ctype).__name__.lower()
    if (kind, name) in METHODS:
        return Builtin(Closure(name), f"{kind}.{name}", explicit, receiver)
    return None


def number_of_type(ctype: Struct) -> Value | None:
    """The `value` of `std::integral_constant` and its like."""
    value = ctype.arguments[0].value if ctype.arguments else None
    return constant(value, I32) if isinstance(value, int) else None


def _enumerator(ctx: Context, name: str) -> Value:
    enum, position = ctx.entities.enumerators[name]
    value, steps = 0, 0
    for index in range(position, -1, -1):
        node = enum.enumerators[index].value
        if node is not None:
            found = try_constant(ctx, node)
            if found is None:
                ctx.refuse("not-constant", f"the value of enumerator `{name}` is no constant", node)
            value = int(found.value)
            break
        steps += 1
    else:
        steps -= 1
    result = constant(value + steps, I32)
    return type(result)(Scalar(I32, enum.name), result.expr)


def _constant_value(ctx: Context, variable: GlobalVar) -> Value | None:
    """The value of a constant of namespace or class scope, converted to its type."""
    if variable.init is None or variable.type_node is None:
        return None
    from xpiler.frontend.lower_convert import convert
    from xpiler.frontend.lower_memory import load

    _, ctype, _ = declared(ctx, type_of(ctx, variable.type_node), variable.declarator)
    if isinstance(ctype, Array):
        return None
    with ctx.capture():
        value = convert(ctx, ctx.value(variable.init), ctype)
        if isinstance(value.type, Scalar):
            expr = load(ctx, value)
            return number(expr, value.type.name) if isinstance(expr, Const) else None
    return None


def _global(ctx: Context, variable: GlobalVar) -> Value:
    """A variable of namespace scope: a constant, or an array in constant or device memory."""
    space = scratchpad(variable.qualifiers, everywhere=True)
    if space is not None:
        return _scratchpad(ctx, variable, space)
    device = ctx.entities.is_serial or variable.qualifiers & {"__constant__", "__device__", "__managed__"}
    if variable.qualifiers & {"const", "constexpr"} and "__constant__" not in variable.qualifiers:
        value = _constant_value(ctx, variable)
        if value is not None:
            return value
    if not device and not variable.qualifiers & {"const", "constexpr"}:
        ctx.refuse("host-variable", f"host variable `{variable.name}` is used in device code", None)
    assert variable.type_node is not None
    _, ctype, _ = declared(ctx, type_of(ctx, variable.type_node), variable.declarator)
    is_constant = bool(variable.qualifiers & {"__constant__", "const", "constexpr"})
    is_constant |= ctx.entities.is_serial and ctx.entities.is_only_read(variable)
    space = Space.CONSTANT if is_constant else Space.GLOBAL
    leaf = leaf_type(ctype) or bits_type(ctype)
    if leaf is None:
        ctx.refuse(
            "global-type", f"global `{variable.name}` of type `{ctype}` is not supported", variable.node
        )
    from xpiler.frontend.lower_declarations import array_shape
    from xpiler.frontend.lower_initializers import flat_initializer

    if isinstance(ctype, Array) and ctype.extent is None and variable.init is not None:
        ctype = Array(ctype.element, len([c for c in variable.init.named_children if c.type != "comment"]))
    shape = array_shape(ctx, ctype) or (lanes_of(ctype),)
    memory = Memory(variable.name, leaf, shape, space)
    if variable.name not in ctx.globals:
        ctx.names.add(variable.name)
        init = flat_initializer(ctx, variable.init, ctype, leaf) if variable.init is not None else None
        ctx.globals[variable.name] = Decl(
            variable.name, leaf, tuple(build.const(e) for e in shape), space, init, range=variable.range
        )
    index = (build.const(0),) if isinstance(ctype, Scalar) else ()
    return Element(ctype, memory, index)


def _scratchpad(ctx: Context, variable: GlobalVar, space: Space) -> Value:
    """A scratchpad of namespace scope: one a task, a block or a cluster, as if the kernel declared it."""
    from xpiler.frontend.lower_declarations import alignment_of, dynamic_shared, own_memory

    assert variable.type_node is not None
    _, ctype, _ = declared(ctx, type_of(ctx, variable.type_node), variable.declarator)
    if isinstance(ctype, Array) and ctype.extent is None:
        return dynamic_shared(ctx, variable.name, ctype, alignment_of(ctx, variable.node))
    return own_memory(ctx, variable.name, ctype, variable.declarator, space)


def numeric_limit(ctx: Context, scope: Node, name: str, node: Node) -> Value:
    """`std::numeric_limits<T>::name`."""
    inner: Node | None = scope
    while inner is not None and inner.type == "qualified_identifier":
        inner = inner.child_by_field_name("name")
    arguments = inner.child_by_field_name("arguments") if inner is not None else None
    ctype = type_of(ctx, named_children(arguments)[0]) if arguments is not None else None
    if not isinstance(ctype, Scalar):
        ctx.refuse("numeric-limits", f"`{ctx.text(node)}` is not supported", node)
    dtype = ctype.dtype
    value: float | int | None
    if dtype.is_float:
        value = _FLOAT_LIMITS[dtype.name].get("lowest" if name == "lowest" else name)
        value = -_FLOAT_LIMITS[dtype.name]["max"] if name == "lowest" else value
        value = math.inf if name == "infinity" else math.nan if name == "quiet_NaN" else value
    else:
        low, high = build.int_limits(dtype)
        value = {"max": high, "min": low, "lowest": low}.get(name)
    if value is None:
        ctx.refuse("numeric-limits", f"`{ctx.text(node)}` is not supported", node)
    return constant(value, dtype)


_FLOAT_LIMITS = {
    "f16": {"max": 65504.0, "min": 2.0**-14, "epsilon": 2.0**-10},
    "bf16": {"max": 3.3895313892515355e38, "min": 2.0**-126, "epsilon": 2.0**-7},
    "f32": {"max": 3.4028234663852886e38, "min": 2.0**-126, "epsilon": 2.0**-23},
    "f64": {"max": 1.7976931348623157e308, "min": 2.0**-1022, "epsilon": 2.0**-52},
}
