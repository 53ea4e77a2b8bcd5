"""Calls: built-in functions, casts in call form, and inlining of everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tree_sitter import Node

from xpiler.errors import Refusal
from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context, Frame, Scope, expression, named_children, number, shorten
from xpiler.frontend.lower_convert import cast, construct, convert
from xpiler.frontend.lower_declarations import declare_object, local_value
from xpiler.frontend.lower_leave import resolve
from xpiler.frontend.lower_memory import copy, load, member, pointer_of, snapshot, store
from xpiler.frontend.lower_overloads import choose
from xpiler.frontend.lower_packs import expanded, params_of_pack, values_pack
from xpiler.frontend.lower_pointers import assign_pointer
from xpiler.frontend.lower_registry import BUILTINS, METHODS
from xpiler.frontend.lower_typenames import add_binding, bases_of, declared, find_type, method_scope, type_of
from xpiler.frontend.lower_types import (
    VOID,
    Array,
    Auto,
    Closure,
    CType,
    Pointer,
    Reference,
    Register,
    Scalar,
    Struct,
    Vector,
)
from xpiler.frontend.lower_values import (
    Address,
    AddressOf,
    Aggregate,
    Builtin,
    Functions,
    Instance,
    Lambda,
    ListValue,
    Nothing,
    Number,
    PointerVariable,
    TypeName,
    Value,
    Variable,
)
from xpiler.frontend.lower_vectors import converted
from xpiler.frontend.syntax_model import FunctionDef, ParamDecl
from xpiler.ir.nodes import Const, Load, Var
from xpiler.ir.rewrite import walk

FUNCTION_ELSEWHERE = "function-elsewhere"  # the code of a refusal: another file defines what is called
_CASTS = ("static_cast", "reinterpret_cast", "const_cast", "dynamic_cast", "bit_cast")
_UNSUPPORTED = {
    "clock": ("clock", "clock() has no portable meaning", "remove the timing code"),
    "clock64": ("clock", "clock64() has no portable meaning", "remove the timing code"),
    "globaltimer": ("clock", "timers have no portable meaning", "remove the timing code"),
}


@expression("call_expression")
def _call(ctx: Context, node: Node) -> Value:
    function = node.child_by_field_name("function")
    arguments = node.child_by_field_name("arguments")
    assert function is not None
    if any(c.type == "kernel_call_syntax" for c in node.children):
        ctx.refuse("dynamic-parallelism", "a kernel launches a kernel", node, "launch it from the host")
    nodes = tuple(named_children(arguments)) if arguments is not None else ()
    head = ctx.text(function).split("<")[0].split("::")[-1].strip()
    if head in _CASTS and function.type != "field_expression":  # `static_cast<const D *>(this)->f(x)`
        return _cast(ctx, function, nodes)
    if head == "__builtin_convertvector" and len(nodes) == 2:
        return converted(ctx, ctx.value(nodes[0]), find_type(ctx, ctx.text(nodes[1])), node)
    if head in _UNSUPPORTED and ctx.scope.find(head) is None:
        code, message, remedy = _UNSUPPORTED[head]
        ctx.refuse(code, message, node, remedy)
    if head.startswith(("tex1D", "tex2D", "tex3D", "surf1D", "surf2D", "surf3D", "texCubemap")):
        ctx.refuse(
            "unsupported-texture",
            f"`{head}`: textures and surfaces are not supported",
            node,
            "read from a buffer",
        )
    if function.type in ("primitive_type", "sized_type_specifier", "template_type"):
        return construct(ctx, type_of(ctx, function), arguments_of(ctx, nodes))
    target = callee(ctx, function)
    return call_value(ctx, target, nodes, node)


def callee(ctx: Context, function: Node) -> Value:
    """What is called: functions with template arguments as written, an object, a type."""
    from xpiler.frontend.lower_expressions import static_member
    from xpiler.frontend.lower_names import find_name

    if function.type in ("template_function", "template_type"):
        name_node, arguments = function.child_by_field_name("name"), function.child_by_field_name("arguments")
        assert name_node is not None and arguments is not None
        explicit = tuple(named_children(arguments))
        found = find_name(ctx, ctx.text(name_node))
        if isinstance(found, Functions):
            return Functions(found.type, found.name, found.candidates, explicit, found.receiver, found.struct)
        if isinstance(found, Builtin):
            return Builtin(found.type, found.name, explicit)
        if found is None:
            return TypeName(type_of(ctx, function))
        return found
    if function.type == "qualified_identifier":
        name_node, scope = function.child_by_field_name("name"), function.child_by_field_name("scope")
        assert name_node is not None
        if scope is not None:
            text = ctx.text(scope)
            if text.startswith(("std::numeric_limits", "numeric_limits")):
                from xpiler.frontend.lower_names import numeric_limit

                return numeric_limit(ctx, scope, ctx.text(name_node), function)
            found = static_member(ctx, scope, name_node)
            if found is not None:
                return found
            if scope.type == "namespace_identifier" and name_node.type == "qualified_identifier":
                return callee(ctx, name_node)
        if ctx.text(function).startswith("std::"):
            last = name_node
            while last.type == "qualified_identifier":
                inner = last.child_by_field_name("name")
                assert inner is not None
                last = inner
            builtin_name = ctx.text(last).split("<")[0]
            if builtin_name in BUILTINS:
                arguments = last.child_by_field_name("arguments")
                explicit = tuple(named_children(arguments)) if arguments is not None else ()
                return Builtin(Closure(builtin_name), builtin_name, explicit)
        return callee(ctx, name_node)
    if function.type == "parenthesized_expression":
        return ctx.value(named_children(function)[0])
    if function.type == "identifier":
        name = ctx.text(function)
        found = find_name(ctx, name)
        if found is not None:
            return found
        ctype = find_type(ctx, name)
        if ctype is not None:
            return TypeName(ctype)
        if name in ctx.entities.structs:
            return TypeName(type_of(ctx, function))
        if name in ctx.entities.host_functions:
            ctx.refuse("host-call", f"`{name}` is a host function and is called in device code", function)
        if any(p.name == name and p.is_device for p in ctx.entities.unit.prototypes):
            ctx.refuse(
                FUNCTION_ELSEWHERE,
                f"device function `{name}` is declared here and defined in another file",
                function,
                "include the file that defines it",
            )
        ctx.refuse(
            "unknown-function",
            f"function `{name}` is not known",
            function,
            "define it in the file or include the header that does by a path that can be found",
        )
    return ctx.value(function)


def call_value(ctx: Context, target: Value, nodes: tuple[Node, ...], node: Node) -> Value:
    match target:
        case Builtin(name=name):
            kind, _, rest = name.partition(".")
            handler = METHODS[kind, rest] if rest else BUILTINS[name]
            return handler(
                Invocation(
                    ctx, rest or name, node, arguments_of(ctx, nodes), target.explicit, target.receiver
                )
            )
        case Functions():
            args = arguments_of(ctx, nodes)
            return call_functions(ctx, target, args, node)
        case Lambda():
            return call_lambda(ctx, target, arguments_of(ctx, nodes), node)
        case TypeName(type=ctype):
            if isinstance(ctype, Closure) and ctype.name in BUILTINS:
                return Builtin(ctype, ctype.name)
            return construct(ctx, ctype, arguments_of(ctx, nodes))
        case Number() if not nodes:
            return target  # numeric_limits<T>::max()
    if isinstance(target.type, Struct):
        from xpiler.frontend.lower_operators import user_operator

        result = user_operator(ctx, "()", [target, *arguments_of(ctx, nodes)])
        if result is not None:
            return result
    ctx.refuse("not-callable", f"`{shorten(ctx.text(node))}`: this cannot be called", node)


def called_with(ctx: Context, target: Value, args: tuple[Value, ...], node: Node) -> Value:
    """A function object that a library's function was given, called with values."""
    match target:
        case Lambda():
            return call_lambda(ctx, target, args, node)
        case Functions():
            return call_functions(ctx, target, args, node)
        case Builtin(name=name) if "." not in name:
            return BUILTINS[name](Invocation(ctx, name, node, args, target.explicit))
    if isinstance(target.type, Struct):
        from xpiler.frontend.lower_operators import user_operator

        result = user_operator(ctx, "()", [target, *args])
        if result is not None:
            return result
    ctx.refuse("not-callable", f"a value of type `{target.type}` cannot be called", node)


def arguments_of(ctx: Context, nodes: Sequence[Node]) -> tuple[Value, ...]:
    """Arguments from left to right; one that a later one changes keeps its value."""
    values: list[Value] = []
    for scope, node in expanded(ctx, nodes):
        mark = len(ctx.out)
        with ctx.nested(scope):
            value = ctx.value(node)
        if len(ctx.out) > mark:
            values = [_kept(ctx, v, mark) for v in values]
        values.append(value)
    return tuple(values)


def _kept(ctx: Context, value: Value, mark: int) -> Value:
    if isinstance(value, Number):
        kept = ctx.stable(value.expr, mark)
        return value if kept is value.expr else replace(value, expr=kept)
    return value


def _cast(ctx: Context, function: Node, nodes: tuple[Node, ...]) -> Value:
    arguments = function.child_by_field_name("arguments")
    if arguments is None:
        name = function.child_by_field_name("name")
        arguments = name.child_by_field_name("arguments") if name is not None else None
    if arguments is None or len(nodes) != 1:
        ctx.refuse("syntax", f"`{shorten(ctx.text(function))}` needs a type and one value", function)
    ctype = type_of(ctx, named_children(arguments)[0])
    return cast(ctx, nodes[0], ctype)


# ------------------------------------------------------------------------------------------ inlining


def call_functions(ctx: Context, functions: Functions, args: tuple[Value, ...], node: Node) -> Value:
    """The overload that fits, inlined."""
    if any(f.is_kernel for f in functions.candidates):
        ctx.refuse("kernel-call", f"kernel `{functions.name}` is called as a function", node)
    instance = choose(ctx, functions, args, node)
    if instance is None:
        if functions.name in BUILTINS:
            return BUILTINS[functions.name](Invocation(ctx, functions.name, node, args, functions.explicit))
        types = ", ".join(str(a.type) for a in args)
        ctx.refuse("no-overload", f"no `{functions.name}` takes arguments of types ({types})", node)
    return inline(ctx, instance, args, functions, node)


def inline(
    ctx: Context,
    instance: Instance,
    args: tuple[Value, ...],
    functions: Functions,
    node: Node,
    result: Value | None = None,
) -> Value:
    """The body of a function in place of its call."""
    function = instance.function
    if function.body is None:
        ctx.refuse("no-body", f"`{function.name}` is declared but not defined in the file", node)
    if "virtual" in function.qualifiers:
        ctx.refuse(
            "virtual",
            f"`{function.qualified}` is virtual",
            node,
            "call a function that is known at compile time",
        )
    if function.errors:
        problem = function.errors[0]
        raise Refusal("syntax", f"{problem} in `{function.name}`", problem.range)
    chain = [f.name for f in ctx.frames]
    if any(f.function is function for f in ctx.frames) and len(ctx.frames) > _depth_limit(ctx, instance):
        start = chain.index(function.name) if function.name in chain else 0
        cycle = " -> ".join([*chain[start:], function.name])
        ctx.refuse(
            "recursion", f"recursion is not supported: {cycle}", node, "use a loop with a stack of your own"
        )
    scope = Scope()
    if functions.struct is not None:
        scope = method_scope(ctx, functions.struct, function, functions.receiver)
    for binding in instance.bindings:
        add_binding(scope, binding)
    frame = _frame(ctx, function.name, function, function.body)
    frame.instance = f"{functions.struct or ''}{[(b.name, str(b.value)) for b in instance.bindings]}"
    with ctx.nested(scope):
        bound = _bind_params(ctx, function.params, args, frame, node)
    with ctx.nested(Scope(scope, names=bound)):
        frame.result_type = return_type(ctx, function)  # `-> decltype(a + b)` speaks of the parameters
        _initialise_members(ctx, function, functions)
        return _body(ctx, frame, function.body)


def _initialise_members(ctx: Context, function: FunctionDef, functions: Functions) -> None:
    """`: x(a), y{b}` of a constructor."""
    from xpiler.frontend.lower_assignment import assign_value

    initialisers = next((c for c in function.node.children if c.type == "field_initializer_list"), None)
    if initialisers is None or functions.receiver is None:
        return
    for initialiser in named_children(initialisers):
        name, values = initialiser.named_children[0], initialiser.named_children[-1]
        if _binds(ctx, functions.receiver, ctx.text(name), named_children(values)):
            continue
        place = member(ctx, functions.receiver, ctx.text(name))
        base = _base_named(ctx, functions, ctx.text(name)) if place is None else None
        whole = base if base is not None else place.type if place is not None else None
        if whole is None:
            ctx.refuse("construct", f"`{ctx.text(initialiser)}` initialises no member", initialiser)
        with ctx.at(initialiser):
            value = construct(ctx, whole, arguments_of(ctx, named_children(values)))
            if place is not None:
                assign_value(ctx, place, value, initialiser)
            for field, _ in base.fields if base is not None else ():
                own, given = member(ctx, functions.receiver, field), member(ctx, value, field)
                assert own is not None and given is not None
                assign_value(ctx, own, given, initialiser)


def _binds(ctx: Context, receiver: Value, name: str, values: Sequence[Node]) -> bool:
    """Whether a member that is a reference, `TempStorage &temp`, was made to stand for an object."""
    kind = receiver.type.field_type(name) if isinstance(receiver.type, Struct) else None
    if not isinstance(kind, Reference) or not isinstance(receiver, Aggregate) or len(values) != 1:
        return False
    value = ctx.value(values[0])
    receiver.fields[name] = value if value.type == kind.target else convert(ctx, value, kind)
    return True


def _base_named(ctx: Context, functions: Functions, name: str) -> Struct | None:
    if functions.struct is None or functions.struct.definition is None:
        return None
    bases = bases_of(ctx, functions.struct.definition)
    return next((base for base in bases if base.name == name.split("::")[-1]), None)


def _depth_limit(ctx: Context, instance: Instance) -> int:
    """Templates may call themselves with other arguments (`f<N>` calls `f<N / 2>`); plain functions may
    not."""
    return 40 if instance.bindings else 0


def _frame(ctx: Context, name: str, function: FunctionDef | None, body: Node) -> Frame:
    found = ctx.entities.mutations_of(body)
    return Frame(function, name, ctx.fresh(f"{name}.return"), None, None, found.changed, found.addressed)


def return_type(ctx: Context, function: FunctionDef) -> CType:
    """The declared type of the result; void for constructors."""
    if function.return_type is None:
        return _conversion_type(ctx, function)
    base = type_of(ctx, function.return_type)
    declarator = function.declarator
    while declarator.type != "function_declarator":
        inner = declarator.child_by_field_name("declarator") or next(
            (c for c in declarator.named_children if c.type.endswith("declarator")), None
        )
        if inner is None:
            break
        declarator = inner
    # Pointers and references around the function's declarator belong to the type, the outermost first.
    layers: list[str] = []
    around = declarator.parent
    while around is not None and around.type in ("pointer_declarator", "reference_declarator"):
        layers.append(around.type)
        around = around.parent
    for layer in reversed(layers):
        base = Pointer(base) if layer == "pointer_declarator" else Reference(base)
    trailing = next((c for c in declarator.children if c.type == "trailing_return_type"), None)
    if trailing is not None and isinstance(base, Auto):
        return type_of(ctx, named_children(trailing)[0])
    return base


def _conversion_type(ctx: Context, function: FunctionDef) -> CType:
    """The type of a conversion operator, which stands in its declarator."""
    declarator: Node | None = function.declarator
    if declarator is None or declarator.type != "operator_cast":
        declarator = next((c for c in function.node.named_children if c.type == "operator_cast"), None)
    type_node = declarator.child_by_field_name("type") if declarator is not None else None
    if declarator is None or type_node is None:
        return VOID
    base = type_of(ctx, type_node)
    inner = declarator.child_by_field_name("declarator")
    if inner is not None and inner.type == "abstract_pointer_declarator":
        return Pointer(base)
    return base


def param_type(ctx: Context, param: ParamDecl) -> CType:
    """The declared type of a parameter."""
    if param.type_node is None:
        ctx.refuse("syntax", f"parameter `{param.text}` is not understood", param.node)
    base = type_of(ctx, param.type_node)
    if param.declarator is None:
        return base
    return declared(ctx, base, param.declarator, "const" in param.specifiers)[1]


def _bind_params(
    ctx: Context, params: tuple[ParamDecl, ...], args: tuple[Value, ...], frame: Frame, node: Node
) -> dict[str, Value]:
    """Parameters as names: of the argument itself where the body cannot tell the difference, else of a
    copy."""
    bound: dict[str, Value] = {}
    if len(args) > len(params) and not any(param.is_pack for param in params):
        ctx.refuse("arguments", f"`{frame.name}` takes {len(params)} arguments, not {len(args)}", node)
    for position, param in enumerate(params):
        if param.is_pack:
            bound[param.name] = _bind_pack(ctx, param, args[position:], frame)
            continue
        ctype = param_type(ctx, param)
        if position < len(args):
            value = args[position]
        elif param.default is not None:
            value = ctx.value(param.default)
        else:
            ctx.refuse("arguments", f"`{frame.name}` needs an argument for `{param.name}`", node)
        if not param.name:
            continue
        bound[param.name] = _bind_param(ctx, param.name, ctype, value, frame)
    return bound


def _bind_pack(ctx: Context, param: ParamDecl, args: tuple[Value, ...], frame: Frame) -> Value:
    """The arguments that a pack of parameters takes, each bound as a parameter of its own type."""
    elements: list[Value] = []
    for scope, value in zip(params_of_pack(ctx, param), args, strict=True):
        with ctx.nested(scope):
            ctype = param_type(ctx, param)
        elements.append(_bind_param(ctx, param.name, ctype, value, frame))
    return values_pack(elements)


def _bind_param(ctx: Context, name: str, ctype: CType, value: Value, frame: Frame) -> Value:
    changed = name in frame.mutated
    match ctype:
        case Reference(target=target, is_const=is_const):
            if value.type == target or isinstance(target, Auto) or not _is_plain(target):
                return value
            if isinstance(target, Array) and isinstance(value.type, Array):
                return value
            converted = convert(ctx, value, target)
            if not is_const and isinstance(value, Variable):
                ctx.refuse(
                    "reference-type", f"`{name}` of type `{ctype}` is bound to a value of type `{value.type}`"
                )
            return converted
        case Array(element=element):
            ctype = Pointer(element)
        case Auto():
            ctype = value.type if not isinstance(value.type, Array) else Pointer(value.type.element)
    if isinstance(value, (Lambda, Functions, Builtin)) or not _is_plain(ctype):
        return value
    if isinstance(ctype, Scalar):
        converted = convert(ctx, value, ctype)
        if not changed and isinstance(converted, Number) and _is_settled(ctx, converted):
            return converted
        if not changed and isinstance(converted, Number) and isinstance(converted.expr, Const):
            return converted
    with ctx.nested(Scope(ctx.scope)):
        outer = ctx.frames
        ctx.frames = [*outer, frame]
        try:
            return local_value(ctx, name, ctype, value, False)
        finally:
            ctx.frames = outer


def _is_plain(ctype: CType) -> bool:
    return isinstance(ctype, (Scalar, Pointer, Struct, Array, Vector, Register))


def _is_settled(ctx: Context, value: Number) -> bool:
    match value.expr:
        case Const():
            return True
        case Var(name=name):
            return "." in name or name in ctx.settled
    return False


def call_lambda(ctx: Context, function: Lambda, args: tuple[Value, ...], node: Node) -> Value:
    frame = _frame(ctx, "lambda", None, function.body)
    with ctx.nested(Scope(function.scope)):
        bound = _bind_params(ctx, function.params, args, frame, node)
        if function.return_type is not None:
            frame.result_type = type_of(ctx, function.return_type)
    with ctx.nested(Scope(function.scope, names=bound)):
        return _body(ctx, frame, function.body)


def _body(ctx: Context, frame: Frame, body: Node) -> Value:
    """Lowers the body; its value. A single return at the end is the value itself."""
    returns = _returns(body)
    ctx.frames.append(frame)
    outer_breaks, ctx.breaks = ctx.breaks, []
    single = len(returns) == 1 and _is_last(returns[0], body)
    try:
        if not returns or single:
            result: Value = Nothing(VOID)
            for child in named_children(body):
                if single and child.id == returns[0].id:
                    values = named_children(child)
                    if values:
                        with ctx.at(child):
                            result = _returned(ctx, frame, ctx.value(values[0]))
                else:
                    ctx.statement(child)
            return result
        assert frame.label is not None
        with ctx.capture() as out:
            for child in named_children(body):
                ctx.statement(child)
        ctx.out.extend(ctx.hoisted.pop(frame.label, []))
        ctx.emit_resolved(resolve(out, frame.label, ctx.fresh))
        return Nothing(VOID) if frame.result is None else snapshot(ctx, frame.result)
    finally:
        ctx.frames.pop()
        ctx.breaks = outer_breaks


def _returned(ctx: Context, frame: Frame, value: Value) -> Value:
    """The value of the one return: as an object for references, else as a value of the return type."""
    ctype = frame.result_type
    if ctype is None or isinstance(ctype, Auto):
        return snapshot(ctx, value)
    if isinstance(ctype, Reference):
        return value
    if ctype == VOID:
        return Nothing(VOID)
    if isinstance(value, ListValue):
        return construct(ctx, ctype, value)
    converted = convert(ctx, value, ctype)
    if isinstance(converted, Number) and any(isinstance(n, Load) for n in walk(converted.expr)) and ctx.out:
        return number(ctx.temporary(converted.expr, frame.name), converted.type.name)
    return snapshot(ctx, converted)


def set_result(ctx: Context, frame: Frame, value: Value) -> None:
    """`return value` where there are several: the result variable gets it."""
    ctype = frame.result_type
    if isinstance(ctype, Reference):
        ctype = ctype.target
    if ctype is None or isinstance(ctype, Auto):
        ctype = value.type
    value = construct(ctx, ctype, value) if isinstance(value, ListValue) else convert(ctx, value, ctype)
    if frame.result is None:
        frame.result = _declare_result(ctx, frame, ctype, value)
    match frame.result:
        case PointerVariable():
            assign_pointer(ctx, frame.result, value)
        case Variable():
            store(ctx, frame.result, load(ctx, value))
        case _ if isinstance(ctype, (Struct, Vector, Register)):
            copy(ctx, frame.result, value)
        case _:
            ctx.refuse("return-type", f"`{frame.name}` returns a `{ctype}` in several places")


def _declare_result(ctx: Context, frame: Frame, ctype: CType, value: Value) -> Value:
    """The result variable, declared where the function begins, so that every return sees it."""
    depth_out, ctx.out = ctx.out, []
    try:
        if isinstance(ctype, Pointer):
            address = pointer_of(ctx, value)
            if isinstance(address, AddressOf):
                ctx.refuse("return-type", f"`{frame.name}` returns pointers to variables in several places")
            assert isinstance(address, Address)
        result = declare_object(ctx, f"{frame.name}_result", ctype)
        ctx.hoisted.setdefault(frame.label or "", []).extend(ctx.out)
    finally:
        ctx.out = depth_out
    return result


def _returns(body: Node) -> list[Node]:
    found: list[Node] = []
    stack = [body]
    while stack:
        node = stack.pop()
        if node.type == "return_statement":
            found.append(node)
        elif node.type != "lambda_expression":
            stack.extend(node.named_children)
    return found


def _is_last(node: Node, body: Node) -> bool:
    children = named_children(body)
    return bool(children) and children[-1].id == node.id


@expression("lambda_expression")
def _lambda(ctx: Context, node: Node) -> Value:
    body = node.child_by_field_name("body")
    declarator = node.child_by_field_name("declarator")
    assert body is not None
    params = ctx.entities.collector.params(declarator) if declarator is not None else ()
    trailing = None
    if declarator is not None:
        found = next((c for c in declarator.children if c.type == "trailing_return_type"), None)
        trailing = named_children(found)[0] if found is not None else None
    ctype = Closure(f"lambda_{node.start_byte}")
    result = Lambda(ctype, node, params, body, ctx.scope, trailing)
    ctx.entities.lambdas.setdefault(ctype.name, result)
    return result
