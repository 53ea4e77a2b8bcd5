"""Host code as far as kernels need it: which instantiations are launched, with which block sizes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tree_sitter import Node

from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.kernel_values import is_by_value, kernel_values, started_by
from xpiler.frontend.lower_context import Context, Scope, named_children
from xpiler.frontend.lower_entities import Entities
from xpiler.frontend.lower_overloads import deduce
from xpiler.frontend.lower_packs import TypePack
from xpiler.frontend.lower_scan import walk
from xpiler.frontend.lower_typenames import add_binding, declared, try_constant, type_of
from xpiler.frontend.lower_types import (
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
from xpiler.frontend.lower_values import (
    ZERO,
    Address,
    Aggregate,
    Element,
    Lambda,
    Memory,
    Number,
    Value,
    Variable,
)
from xpiler.frontend.syntax_model import FunctionDef, Launch, TemplateParam
from xpiler.frontend.unit import HostFunction, LaunchSite
from xpiler.ir.nodes import Const, Param, Space, Var
from xpiler.ir.types import BF16, F16, F32, F64, U8, U32, DType

Dims = tuple[int | None, int | None, int | None]


@dataclass(frozen=True, eq=False)
class Wanted:
    """A kernel to lower: a plain one, or one instantiation of a template."""

    function: FunctionDef
    bindings: tuple[Binding, ...]
    name: str
    spelling: str
    block_size: Dims
    launches: tuple[Launch, ...]
    grid_size: Dims = (None, None, None)


def wanted_kernels(entities: Entities, refusals: dict[str, Diagnostic]) -> list[Wanted]:
    """Every kernel in order of appearance; templates once for each set of arguments that is launched."""
    found: dict[tuple[int, str], Wanted] = {}
    order: list[tuple[int, str]] = []
    kernels = [k for k in entities.unit.kernels if k.body is not None]

    def add(
        function: FunctionDef,
        bindings: tuple[Binding, ...],
        launch: Launch | None,
        dims: Dims | None,
        grid: Dims = (None, None, None),
    ) -> None:
        spelling = spelled(entities, function, bindings)
        key = (function.node.start_byte, spelling)
        if key not in found:
            order.append(key)
            found[key] = Wanted(
                function,
                bindings,
                mangled(spelling),
                spelling,
                dims or (None, None, None),
                (launch,) if launch else (),
                grid,
            )
            return
        known = found[key]
        if launch is not None:
            agreed = (
                known.block_size
                if not known.launches
                else _agreed(known.block_size, dims or (None, None, None))
            )
            if not known.launches:
                agreed = dims or (None, None, None)
            blocks = _agreed(known.grid_size, grid) if known.launches else grid
            found[key] = replace(
                known, block_size=agreed, grid_size=blocks, launches=(*known.launches, launch)
            )

    values = kernel_values(entities.unit)
    for launch in entities.unit.launches:
        named = [(launch.name, launch.template_arguments)]
        if is_by_value(entities.unit, launch):
            named = list(started_by(entities.unit, launch, values))
        for ctx, outer in host_contexts(entities, launch.host_function):
            for scope in _dispatch_scopes(ctx, launch, outer):
                with ctx.nested(scope):
                    for name, explicit in named:
                        chosen = _launched(ctx, launch, kernels, name, explicit)
                        if chosen is not None:
                            add(*chosen, launch, block_dims(ctx, launch), grid_dims(ctx, launch))
    for instantiation in entities.unit.instantiations:
        ctx = Context(entities)
        for function in entities.kernels.get(instantiation.name, []):
            if function.template and function.body is not None:
                try:
                    bindings = deduce(ctx, function, instantiation.arguments, (), ctx.scope)
                except Refusal:
                    bindings = None
                if bindings is not None:
                    add(function, bindings, None, None)
    for function in kernels:
        if any(w.function is function for w in found.values()):
            continue
        if not function.template:
            add(function, (), None, None)
        elif all(p.default is not None for p in function.template):
            ctx = Context(entities)
            default_bindings = deduce(ctx, function, (), (), ctx.scope)
            if default_bindings is not None:
                add(function, default_bindings, None, None)
        else:
            names = ", ".join(p.name for p in function.template)
            if any(p.is_pack for p in function.template):
                refusals[function.name] = Diagnostic(
                    "variadic",
                    f"variadic template kernel `{function.name}` is not supported",
                    function.range,
                    remedy="write out the parameters that its launches give it",
                )
                continue
            refusals[function.name] = Diagnostic(
                "template-not-launched",
                f"template kernel `{function.name}<{names}>` is never launched in this file: "
                "its arguments are unknown",
                function.range,
                remedy=f"add a launch, or `template __global__ void {function.name}<...>(...);`",
            )
    kernels_order = {k.node.start_byte: i for i, k in enumerate(kernels)}
    order.sort(key=lambda key: kernels_order.get(key[0], 0))
    return _unique(entities, [found[key] for key in order])


def _unique(entities: Entities, wanted: list[Wanted]) -> list[Wanted]:
    """With names of their own: an instance has none that the file gives to something else."""
    tables = (entities.host_functions, entities.functions, entities.kernels, entities.globals)
    result: list[Wanted] = []
    seen: set[str] = set()
    for kernel in wanted:
        if kernel.name != kernel.function.name:
            seen |= {kernel.name} & set().union(*tables)
        name, count = kernel.name, 1
        while name in seen:
            name = f"{kernel.name}_{count}"
            count += 1
        seen.add(name)
        result.append(replace(kernel, name=name))
    return result


def _agreed(first: Dims, second: Dims) -> Dims:
    x, y, z = (a if a == b else None for a, b in zip(first, second, strict=True))
    return x, y, z


def spelled(entities: Entities, function: FunctionDef, bindings: tuple[Binding, ...]) -> str:
    if not bindings:
        return function.name
    kinds = {param.name: param.type_text for param in function.template or ()}
    parts = [(b.name, part) for b in bindings for part in _parts_of(b.value)]
    values = [_spelled_value(entities, part, kinds.get(name, "")) for name, part in parts]
    return f"{function.name}<{', '.join(values)}>"


def _parts_of(value: CType | int | str | tuple[int, ...]) -> tuple[CType | int | str, ...]:
    """A template argument, those of a pack one by one."""
    if isinstance(value, TypePack):
        return value.elements
    return value if isinstance(value, tuple) else (value,)


def _spelled_value(entities: Entities, value: CType | int | str, kind: str) -> str:
    """A template argument; a number of an enumeration as that: C++ takes no other for it."""
    enum = entities.enums.get(kind.split("::")[-1].strip())
    if enum is not None and isinstance(value, int):
        space = "".join(f"{name}::" for name in enum.namespace if name)
        return f"({space}{enum.name}){value}"
    if isinstance(value, Scalar):
        return {"__half": "half"}.get(str(value), str(value))
    if isinstance(value, Struct) and value.definition is not None:
        space = "".join(f"{name}::" for name in value.definition.namespace if name)
        if not value.arguments:
            return space + value.name
        parts = [part for b in value.arguments for part in _parts_of(b.value)]
        return f"{space}{value.definition.name}<{', '.join(_spelled_value(entities, p, '') for p in parts)}>"
    return str(value)


def mangled(spelling: str) -> str:
    """A C identifier for an instantiation: `gemm<float, 16>` becomes `gemm_float_16`."""
    text = spelling.replace("*", "p").replace("-", "m")
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_") if "<" in spelling else spelling


def _launched(
    ctx: Context, launch: Launch, kernels: list[FunctionDef], name: str, explicit: tuple[Node, ...]
) -> tuple[FunctionDef, tuple[Binding, ...]] | None:
    """The kernel `name` and its template arguments as a launch means them, or None where that cannot be
    told."""
    candidates = [k for k in kernels if k.name == name]
    for function in candidates:
        plain = not function.template and not function.specialises and not explicit
        if plain and (launch.api or len(function.params) >= len(launch.arguments)):
            return function, ()
    args = tuple(_typed(ctx, node) for node in launch.arguments)
    for function in candidates:
        if function.template:
            try:
                bindings = deduce(ctx, function, explicit, args, ctx.scope)
            except Refusal:
                continue
            if bindings is not None:
                return function, bindings
    return None


_DISPATCHED = (("HALF", F16), ("BFLOAT16", BF16), ("REDUCED_FLOATING", F16), ("REDUCED_FLOATING", BF16))


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


def _typed(ctx: Context, node: Node) -> Value:
    """An argument of a launch, as far as its type goes."""
    try:
        with ctx.capture():
            return ctx.value(node)
    except Refusal:
        return Value(Auto())


# ------------------------------------------------------------------------------------------ host functions


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
        outer = Scope()
        for binding in bindings:
            add_binding(outer, binding)
        inner = Context(entities)
        result.append((inner, _host_scope(inner, function, outer)))
    return result


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
                with ctx.nested(scope):
                    result += [b for n in calls if (b := _call_bindings(ctx, n, function)) is not None]
        for instantiation in entities.unit.instantiations:
            if instantiation.name == function.name:
                ctx = Context(entities)
                found = _deduced(ctx, function, instantiation.arguments, ())
                result += [found] if found is not None else []
    if not result and params and all(p.default is not None for p in params):
        found = _deduced(Context(entities), function, (), ())
        result += [found] if found is not None else []
    return result


def _calls(entities: Entities, node: Node, name: str) -> bool:
    if node.type != "call_expression":
        return False
    callee = entities.unit.text_of(node.child_by_field_name("function"))
    return callee.split("<")[0].split("::")[-1].strip() == name


def _call_bindings(ctx: Context, call: Node, function: FunctionDef) -> tuple[Binding, ...] | None:
    callee, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
    while callee is not None and callee.type == "qualified_identifier":
        callee = callee.child_by_field_name("name")
    explicit: tuple[Node, ...] = ()
    if callee is not None and callee.type == "template_function":
        list_node = callee.child_by_field_name("arguments")
        explicit = tuple(named_children(list_node)) if list_node is not None else ()
    args = tuple(_typed(ctx, n) for n in named_children(arguments)) if arguments is not None else ()
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
            if node.type == "alias_declaration":
                from xpiler.frontend.lower_declarations import local_type

                try:
                    local_type(ctx, node)
                except Refusal:
                    continue
            if node.type != "declaration":
                continue
            type_node = node.child_by_field_name("type")
            if type_node is None:
                continue
            for declarator in node.children_by_field_name("declarator"):
                value = (
                    declarator.child_by_field_name("value") if declarator.type == "init_declarator" else None
                )
                if value is None and ctx.text(type_node) == "dim3":
                    value = declarator.child_by_field_name("parameters")
                    inner = declarator.child_by_field_name("declarator")
                    if value is not None and inner is not None:
                        scope.names[ctx.text(inner)] = _dim3(ctx, value)
                        continue
                name_text = ctx.text(declarator)
                _host_name(
                    ctx,
                    scope,
                    type_node,
                    declarator,
                    value,
                    False,
                    any(c in name_text for c in changed) and _is_in(ctx, declarator, changed),
                )
    return scope


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
        given = _typed(ctx, value)
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
        scope.names[name] = _dim3(ctx, value) if not changed else _unknown_dim3()
    elif isinstance(ctype, Struct):
        leaf = leaf_type(ctype) or U8
        scope.names[name] = Element(ctype, Memory(name, leaf, (lanes_of(ctype),), Space.LOCAL), ())


def _unknown_dim3() -> Value:
    from xpiler.frontend.lower_types import VECTORS

    fields: dict[str, Value] = {a: Variable(Scalar(U32), Var(U32, f"?.{a}")) for a in "xyz"}
    return Aggregate(VECTORS["dim3"], fields)


def _dim3(ctx: Context, value: Node | None) -> Value:
    from xpiler.frontend.lower_context import constant
    from xpiler.frontend.lower_types import VECTORS

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
    found_value = _typed(ctx, node)
    if isinstance(found_value, Aggregate):
        x, y, z = (_constant(found_value.fields.get(axis)) for axis in "xyz")
        return x, y, z
    return _extent(ctx, node), 1, 1


def _constant(value: Value | None) -> int | None:
    return int(value.expr.value) if isinstance(value, Number) and isinstance(value.expr, Const) else None


def _extent(ctx: Context, node: Node) -> int | None:
    if node.type == "parameter_declaration":
        declarator = node.child_by_field_name("declarator")
        node = node.child_by_field_name("type") or node
        if (
            declarator is not None
        ):  # `dim3 block(WARPS * WARP, ROWS)` reads as a function's parameter `WARPS *WARP`
            factors = [_extent(ctx, node), *(_extent(ctx, child) for child in named_children(declarator))]
            known = [factor for factor in factors if factor is not None]
            is_product = declarator.type == "pointer_declarator" and len(known) == len(factors) == 2
            return known[0] * known[1] if is_product else None
    try:
        value = try_constant(ctx, node)
    except Refusal:
        return None
    return int(value.value) if value is not None else None


# ------------------------------------------------------------------------------------- what the unit reports


def launch_sites(entities: Entities, wanted: list[Wanted], lowered: dict[str, str]) -> tuple[LaunchSite, ...]:
    """Every launch in the main file; in a template host function once for each kernel that it launches."""
    unit = entities.unit
    sites: list[LaunchSite] = []
    for launch in unit.launches:
        if not launch.is_local:
            continue
        config = [unit.text_of(n) for n in launch.config]
        config += [""] * (3 - len(config))
        targets: list[Wanted | None] = [w for w in wanted if launch in w.launches]
        for target in targets or [None]:
            sites.append(
                LaunchSite(
                    kernel=lowered.get(target.spelling, "") if target is not None else "",
                    spelling=target.spelling if target is not None else launch.spelling,
                    host_function=launch.host_function.name if launch.host_function else "",
                    grid=config[0],
                    block=config[1],
                    shared=config[2],
                    arguments=tuple(unit.text_of(n) for n in launch.arguments),
                    block_size=_site_dims(entities, launch),
                    range=launch.range,
                    span=launch.span,
                    value=launch.spelling if is_by_value(unit, launch) else "",
                )
            )
    return tuple(sites)


def _site_dims(entities: Entities, launch: Launch) -> Dims:
    result: Dims | None = None
    for ctx, scope in host_contexts(entities, launch.host_function):
        with ctx.nested(scope):
            dims = block_dims(ctx, launch)
        result = dims if result is None else _agreed(result, dims)
    return result or (None, None, None)


def host_functions(entities: Entities) -> tuple[HostFunction, ...]:
    """Definitions of host functions in the main file."""
    result: list[HostFunction] = []
    for function in entities.unit.host_functions:
        if function.is_local and function.body is not None and not function.owner:
            result.append(
                HostFunction(
                    name=function.name,
                    is_extern_c=function.is_extern_c,
                    params=tuple(_host_params(entities, function)),
                    returns=function.return_text or "void",
                    range=function.range,
                    span=function.span,
                    namespace=namespace_of(function),
                    body=entities.unit.text_of(function.body),
                    is_template=function.template is not None,
                )
            )
    return tuple(result)


def namespace_of(function: FunctionDef) -> str:
    """`ops::detail::`, "" outside of namespaces."""
    return "".join(f"{name}::" for name in function.namespace if name)


def _host_params(entities: Entities, function: FunctionDef) -> list[Param]:
    ctx = Context(entities)
    result: list[Param] = []
    for param in function.params:
        ctype: CType | None = None
        if param.type_node is not None:
            try:
                base = type_of(ctx, param.type_node)
                ctype = declared(ctx, base, param.declarator)[1] if param.declarator is not None else base
            except Refusal:
                ctype = None
        if isinstance(ctype, Reference):
            ctype = ctype.target
        is_pointer = isinstance(ctype, Pointer) or "*" in param.text
        inner = ctype.pointee if isinstance(ctype, Pointer) else ctype
        leaf = leaf_type(inner) if inner is not None else None
        is_object = not is_pointer and leaf is None and ("std::" in param.text or isinstance(inner, Struct))
        result.append(
            Param(
                name=param.name,
                dtype=leaf or U8,
                is_pointer=is_pointer,
                is_const="const" in param.specifiers,
                is_restrict="restrict" in param.text,
                lanes=lanes_of(inner) if inner is not None and leaf is not None else int(not is_object),
                spelling=param_spelling(param.text, param.name),
                range=entities.unit.range_of(param.node),
            )
        )
    return result


def param_spelling(text: str, name: str) -> str:
    """The type of a parameter as written, without the name."""
    return (
        " ".join(re.sub(rf"\b{re.escape(name)}\b(?=\s*(\[|$|=))", "", text.split("=")[0]).split())
        if name
        else text
    )
