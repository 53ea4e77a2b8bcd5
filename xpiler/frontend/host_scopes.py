"""What names mean in host code around a launch: in its function, and in the blocks and lambdas that it is in.

    template <typename T> void run(const T *x, T *y, int n) {
        auto launch = [&](auto items) {
            constexpr int ITEMS = decltype(items)::value;
            scale<T, ITEMS><<<blocks, 256>>>(x, y, n);
        };
        n > 4096 ? launch(std::integral_constant<int, 4>{}) : launch(std::integral_constant<int, 1>{});
    }

There is a scope for each set of types that `run`, and in it `launch`, are called with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from tree_sitter import Node

from xpiler.errors import Refusal
from xpiler.frontend.kernel_values import enclosing, function_values
from xpiler.frontend.launch_dims import dim3_value, typed, unknown_dim3
from xpiler.frontend.lower_context import Context, Scope, named_children
from xpiler.frontend.lower_entities import Entities
from xpiler.frontend.lower_overloads import deduce, deduce_from
from xpiler.frontend.lower_scan import walk
from xpiler.frontend.lower_typenames import add_binding, declared, try_constant, type_of
from xpiler.frontend.lower_types import (
    VOID,
    Auto,
    Binding,
    Closure,
    CType,
    Pointer,
    Reference,
    Scalar,
    Struct,
    lanes_of,
    leaf_type,
)
from xpiler.frontend.lower_values import ZERO, Address, Element, Lambda, Memory, Number, Value, Variable
from xpiler.frontend.syntax_model import FunctionDef, Launch, ParamDecl, TemplateParam
from xpiler.ir.nodes import Space, Var
from xpiler.ir.types import BF16, F16, F32, F64, U8, DType

_DISPATCHED = (("HALF", F16), ("BFLOAT16", BF16), ("REDUCED_FLOATING", F16), ("REDUCED_FLOATING", BF16))


def launch_contexts(entities: Entities, launch: Launch) -> Iterator[tuple[Context, Scope]]:
    """The scopes that a launch is seen in."""
    for ctx, outer in host_contexts(entities, launch.host_function):
        yield from scopes_in(ctx, launch, outer)


def scopes_in(ctx: Context, launch: Launch, outer: Scope) -> Iterator[tuple[Context, Scope]]:
    """The scopes that a launch is seen in where its function is seen in `outer`."""
    function = launch.host_function
    for scope in _dispatch_scopes(ctx, launch, outer):
        if function is None:
            yield ctx, scope
            continue
        for inner in block_scopes(ctx, launch.node, function, scope, 0):
            yield ctx, inner


def _dispatch_scopes(ctx: Context, launch: Launch, scope: Scope) -> list[Scope]:
    """A launch in PyTorch's `AT_DISPATCH_FLOATING_TYPES(..., [&] { ... })`: a scope for each `scalar_t`."""
    around: Node | None = launch.node
    while around is not None and around.type != "function_definition":
        if around.type == "call_expression":
            name = ctx.text(around.child_by_field_name("function"))
            if name.startswith("AT_DISPATCH_"):
                listed = ctx.text(around)
                types = [] if "REDUCED" in name else [F32, F64]
                types += [
                    dtype for word, dtype in _DISPATCHED if word in name or f"::{word.title()}" in listed
                ]
                return [_dispatch_scope(ctx, scope, dtype, around) for dtype in dict.fromkeys(types)]
        around = around.parent
    return [scope]


def _dispatch_scope(ctx: Context, scope: Scope, dtype: DType, call: Node) -> Scope:
    inner = Scope(scope)
    inner.types["scalar_t"] = Scalar(dtype)
    with ctx.nested(inner):
        for node in walk(call):
            if node.type == "alias_declaration":
                name, type_node = node.child_by_field_name("name"), node.child_by_field_name("type")
                if type_node is None:
                    continue
                if "acc_type" in ctx.text(type_node) or "opmath_type" in ctx.text(type_node):
                    # Accumulation happens in float, of double in double.
                    inner.types[ctx.text(name)] = Scalar(F64 if dtype is F64 else F32)
                    continue
                try:
                    inner.types[ctx.text(name)] = type_of(ctx, type_node)
                except Refusal:
                    continue
    return inner


def host_contexts(
    entities: Entities, function: FunctionDef | None, depth: int = 0
) -> list[tuple[Context, Scope]]:
    """The scopes that the body of a host function is seen in: one, or one for each instantiation of a
    template."""
    ctx = Context(entities)
    if function is None:
        return [(ctx, Scope())]
    if function.template is None and function.outer_template is None:
        return [(ctx, _host_scope(ctx, function, Scope()))]
    result: list[tuple[Context, Scope]] = []
    seen: set[tuple[Binding, ...]] = set()
    for bindings in _instantiations(entities, function, depth):
        if bindings in seen:
            continue
        seen.add(bindings)
        result.append(instance_context(entities, function, bindings))
    return result


def instance_context(
    entities: Entities, function: FunctionDef, bindings: tuple[Binding, ...]
) -> tuple[Context, Scope]:
    """The scope that the body of a host function is seen in with these template arguments."""
    ctx = Context(entities)
    outer = Scope()
    for binding in bindings:
        add_binding(outer, binding)
    return ctx, _host_scope(ctx, function, outer)


def explicit_bindings(entities: Entities, function: FunctionDef) -> list[tuple[Binding, ...]]:
    """The template arguments of each `template void run<float>(const float *, int);` of a function, and of
    each `template void run(const float *, int);`, which leaves them to the types of its parameters."""
    result: list[tuple[Binding, ...]] = []
    for instantiation in entities.unit.instantiations:
        if instantiation.name != function.name or len(instantiation.params) != len(function.params):
            continue
        ctx = Context(entities)
        found = _deduced(ctx, function, instantiation.arguments, _of_types(ctx, instantiation.params))
        if found is not None and found not in result:
            result.append(found)
    return result


def _of_types(ctx: Context, params: tuple[ParamDecl, ...]) -> tuple[Value, ...]:
    """Values of the types of parameters, as far as those are known."""
    values: list[Value] = []
    for param in params:
        ctype: CType = VOID
        if param.type_node is not None:
            with suppress(Refusal):
                base = type_of(ctx, param.type_node)
                ctype = declared(ctx, base, param.declarator)[1] if param.declarator is not None else base
        values.append(Value(ctype.target if isinstance(ctype, Reference) else ctype))
    return tuple(values)


def _instantiations(entities: Entities, function: FunctionDef, depth: int) -> list[tuple[Binding, ...]]:
    params: tuple[TemplateParam, ...] = function.template or ()
    result: list[tuple[Binding, ...]] = []
    if depth < 6:
        for caller in (*entities.unit.host_functions, *entities.unit.device_functions):
            if (
                caller.body is None
                or caller is function
                or function.name not in entities.unit.text_of(caller.body)
            ):
                continue
            calls = [n for n in walk(caller.body) if _calls(entities, n, function.name)]
            if not calls:
                continue
            for ctx, scope in host_contexts(entities, caller, depth + 1):
                for call in calls:
                    for inner in block_scopes(ctx, call, caller, scope, depth + 1):
                        with ctx.nested(inner):
                            found = call_bindings(ctx, call, function)
                        result += [found] if found is not None else []
        result += explicit_bindings(entities, function)
        result += _taken_bindings(entities, function, depth)
    if not result and params and all(p.default is not None for p in params):
        found = _deduced(Context(entities), function, (), ())
        result += [found] if found is not None else []
    return result


def _taken_bindings(entities: Entities, function: FunctionDef, depth: int) -> list[tuple[Binding, ...]]:
    """The template arguments with which a function is taken as a value: `{run<float, 2>, run<half, 4>}`."""
    if not re.search(rf"\b{function.name}\s*<", entities.unit.text):
        return []
    result: list[tuple[Binding, ...]] = []
    for value in function_values(entities.unit):
        if value.name != function.name or not value.arguments:
            continue
        around = enclosing(entities.unit, value.node)
        if around is function:
            continue
        for ctx, scope in host_contexts(entities, around, depth + 1):
            with ctx.nested(scope):
                found = _deduced(ctx, function, value.arguments, ())
            result += [found] if found is not None else []
    return result


def _calls(entities: Entities, node: Node, name: str) -> bool:
    if node.type != "call_expression":
        return False
    callee = entities.unit.text_of(node.child_by_field_name("function"))
    return callee.split("<")[0].split("::")[-1].strip() == name


def call_bindings(ctx: Context, call: Node, function: FunctionDef) -> tuple[Binding, ...] | None:
    callee, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    while callee is not None and callee.type == "qualified_identifier":
        callee = callee.child_by_field_name("name")
    explicit: tuple[Node, ...] = ()
    if callee is not None and callee.type == "template_function":
        list_node = callee.child_by_field_name("arguments")
        explicit = tuple(named_children(list_node)) if list_node is not None else ()
    args = tuple(typed(ctx, n) for n in named_children(arguments)) if arguments is not None else ()
    return _deduced(ctx, function, explicit, args)


def _deduced(
    ctx: Context, function: FunctionDef, explicit: tuple[Node, ...], args: tuple[Value, ...]
) -> tuple[Binding, ...] | None:
    try:
        return deduce(ctx, function, explicit, args, ctx.scope)
    except Refusal:
        return None


def _host_scope(ctx: Context, function: FunctionDef, outer: Scope) -> Scope:
    """Names of a host function: constants with their values, other variables with their types."""
    scope = Scope(outer)
    if function.body is None:
        return scope
    changed = ctx.entities.mutations_of(function.body).changed
    with ctx.nested(scope):
        for param in function.params:
            if param.type_node is not None and param.name:
                _host_name(
                    ctx, scope, param.type_node, param.declarator, None, "const" in param.specifiers, True
                )
        for node in walk(function.body):
            _declare(ctx, scope, node, changed)
    return scope


def _declare(ctx: Context, scope: Scope, node: Node, changed: frozenset[str]) -> None:
    """Gives `scope`, the current one, what a declaration declares. `changed`: variables that the function
    changes later."""
    if node.type == "alias_declaration":
        from xpiler.frontend.lower_declarations import local_type

        with suppress(Refusal):
            local_type(ctx, node)
    if node.type != "declaration":
        return
    type_node = node.child_by_field_name("type")
    if type_node is None:
        return
    for declarator in node.children_by_field_name("declarator"):
        value = declarator.child_by_field_name("value") if declarator.type == "init_declarator" else None
        if value is None and ctx.text(type_node) == "dim3":
            value = declarator.child_by_field_name("parameters")
            inner = declarator.child_by_field_name("declarator")
            if value is not None and inner is not None:
                scope.names[ctx.text(inner)] = dim3_value(ctx, value)
                continue
        is_changed = any(c in ctx.text(declarator) for c in changed) and _is_in(ctx, declarator, changed)
        _host_name(ctx, scope, type_node, declarator, value, False, is_changed)


# --------------------------------------------------------------------------------------- blocks and lambdas


def block_scopes(
    ctx: Context, node: Node, function: FunctionDef, outer: Scope, depth: int
) -> Iterator[Scope]:
    """The scopes of the blocks around `node`, which hide what other blocks of the function declare by the
    same names; of a lambda with parameters of any type one for each call of it."""
    assert function.body is not None
    around: list[Node] = []
    current: Node | None = node
    while current is not None and current != function.body:
        around.append(current)
        current = current.parent
    around.append(function.body)
    changed = ctx.entities.mutations_of(function.body).changed
    scopes = [Scope(outer)]
    for position in range(len(around) - 1, 0, -1):
        block, inner = around[position], around[position - 1]
        if block.type == "lambda_expression" and inner.type == "compound_statement":
            scopes = [s for o in scopes for s in _lambda_scopes(ctx, block, function, o, depth)]
        elif block.type == "compound_statement":
            for scope in scopes:
                with ctx.nested(scope):
                    for statement in block.named_children:
                        if statement.start_byte < inner.start_byte:
                            _declare(ctx, scope, statement, changed)
    yield from scopes


def _lambda_scopes(
    ctx: Context, node: Node, function: FunctionDef, outer: Scope, depth: int
) -> Iterator[Scope]:
    """Scopes with the parameters of a lambda, where they may be of any type, and those of its template."""
    with ctx.nested(outer):
        value = typed(ctx, node)
    params = value.params if isinstance(value, Lambda) else ()
    header = next((c for c in node.named_children if c.type == "template_parameter_list"), None)
    template = ctx.entities.collector.template_params(header)
    if not template and not any(
        p.type_node is not None and p.type_node.type == "placeholder_type_specifier" for p in params
    ):
        yield Scope(outer)
        return
    seen: set[tuple[object, ...]] = set()
    for given, args, around in _calls_of(ctx, node, function, outer, depth):
        bindings = _deduced_by(ctx, template, params, given, args, around)
        spelled = (bindings, *(str(arg.type) for arg in args))
        if bindings is None or len(args) != len(params) or spelled in seen:
            continue
        seen.add(spelled)
        inner = Scope(outer, names={p.name: arg for p, arg in zip(params, args, strict=True) if p.name})
        for binding in bindings:
            add_binding(inner, binding)
        yield inner


def _deduced_by(
    ctx: Context,
    template: tuple[TemplateParam, ...],
    params: tuple[ParamDecl, ...],
    given: tuple[Node, ...],
    args: tuple[Value, ...],
    around: Scope,
) -> tuple[Binding, ...] | None:
    with ctx.nested(around), suppress(Refusal):
        return deduce_from(ctx, template, params, given, args, ctx.scope)
    return None


# The template arguments of a call, what it passes, and the scope that it stands in.
_Call = tuple[tuple[Node, ...], tuple[Value, ...], Scope]


def _calls_of(ctx: Context, node: Node, function: FunctionDef, outer: Scope, depth: int) -> Iterator[_Call]:
    """The calls of a lambda: by its name, or in a function of the file that it is handed to."""
    assert function.body is not None
    if depth > 6:
        return
    parent = node.parent
    named = parent is not None and parent.type == "init_declarator"
    name = ctx.text(parent.child_by_field_name("declarator")) if parent is not None and named else ""
    for call in walk(function.body):
        arguments = call.child_by_field_name("arguments") if call.type == "call_expression" else None
        if arguments is None or node.start_byte < call.start_byte < node.end_byte:
            continue
        explicit = _called_with(ctx.entities, call, name) if name else None
        if explicit is not None:
            for scope in block_scopes(ctx, call, function, outer, depth + 1):
                with ctx.nested(scope):
                    yield (
                        explicit,
                        tuple(typed(ctx, argument) for argument in named_children(arguments)),
                        scope,
                    )
            continue
        handed = [
            i for i, a in enumerate(named_children(arguments)) if a == node or (name and ctx.text(a) == name)
        ]
        callee = ctx.text(call.child_by_field_name("function")).split("<")[0].split("::")[-1].strip()
        for other in ctx.entities.host_functions.get(callee, ()) if handed else ():
            if other is not function and other.body is not None and handed[0] < len(other.params):
                yield from _calls_in(ctx.entities, other, other.params[handed[0]].name, depth + 1)


def _called_with(entities: Entities, call: Node, name: str) -> tuple[Node, ...] | None:
    """The template arguments with which a call calls the object `name`, as `name()` or as `name.template
    operator()<4>()`; None if it calls something else."""
    callee = call.child_by_field_name("function")
    if callee is None or callee.type != "field_expression":
        return () if entities.unit.text_of(callee) == name else None
    if entities.unit.text_of(callee.child_by_field_name("argument")) != name:
        return None
    method = next((n for n in walk(callee) if n.type == "template_method"), None)
    if method is None or not any(c.type == "operator_name" for c in method.named_children):
        return None
    listed = method.child_by_field_name("arguments")
    return tuple(named_children(listed)) if listed is not None else None


def _calls_in(entities: Entities, function: FunctionDef, name: str, depth: int) -> Iterator[_Call]:
    """How a function calls its parameter `name`."""
    assert function.body is not None
    for ctx, outer in host_contexts(entities, function, depth):
        for call in walk(function.body):
            arguments = call.child_by_field_name("arguments") if call.type == "call_expression" else None
            explicit = _called_with(entities, call, name) if arguments is not None else None
            if arguments is None or explicit is None:
                continue
            for scope in block_scopes(ctx, call, function, outer, depth):
                with ctx.nested(scope):
                    yield (
                        explicit,
                        tuple(typed(ctx, argument) for argument in named_children(arguments)),
                        scope,
                    )


def _is_in(ctx: Context, declarator: Node, changed: frozenset[str]) -> bool:
    node: Node | None = declarator
    while node is not None and node.type not in ("identifier", "field_identifier"):
        node = node.child_by_field_name("declarator") or next(
            (c for c in node.named_children if c.type.endswith("declarator") or c.type == "identifier"), None
        )
    return ctx.text(node) in changed


def _host_name(
    ctx: Context,
    scope: Scope,
    type_node: Node,
    declarator: Node | None,
    value: Node | None,
    is_const: bool,
    changed: bool,
) -> None:
    if declarator is None:
        return
    try:
        base = type_of(ctx, type_node)
        name, ctype, _ = declared(ctx, base, declarator, is_const)
    except Refusal:
        return
    if isinstance(ctype, Reference):
        ctype = ctype.target
    if isinstance(ctype, Auto) and value is not None:
        given = typed(ctx, value)
        if isinstance(given, Lambda):
            scope.names[name] = given
            return
        ctype = given.type
    if isinstance(ctype, Closure) and ctype.name in ctx.entities.lambdas:
        scope.names[name] = ctx.entities.lambdas[ctype.name]
    elif isinstance(ctype, Scalar):
        if value is not None and not changed:
            try:
                constant = try_constant(ctx, value)
            except Refusal:
                constant = None
            if constant is not None:
                from xpiler.ir import build

                scope.names[name] = Number(ctype, build.cast(constant, ctype.dtype))
                return
        scope.names[name] = Variable(ctype, Var(ctype.dtype, name))
    elif isinstance(ctype, Pointer):
        leaf = leaf_type(ctype.pointee) or U8
        scope.names[name] = Address(ctype, Memory(name, leaf, (), Space.GLOBAL), ZERO, leaf.bytes)
    elif isinstance(ctype, Struct) and ctype.name == "dim3":
        scope.names[name] = dim3_value(ctx, value) if not changed else unknown_dim3()
    elif isinstance(ctype, Struct):
        leaf = leaf_type(ctype) or U8
        scope.names[name] = Element(ctype, Memory(name, leaf, (lanes_of(ctype),), Space.LOCAL), ())
