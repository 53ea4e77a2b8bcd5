"""Host code as far as kernels need it: which instantiations are launched, with which block sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tree_sitter import Node

from xpiler.errors import Diagnostic, Refusal
from xpiler.frontend.host_scopes import launch_contexts
from xpiler.frontend.kernel_values import is_by_value, kernel_values, started_by
from xpiler.frontend.launch_dims import Dims, block_dims, grid_dims, typed
from xpiler.frontend.lower_context import Context
from xpiler.frontend.lower_entities import Entities
from xpiler.frontend.lower_overloads import deduce
from xpiler.frontend.lower_packs import TypePack
from xpiler.frontend.lower_params import members
from xpiler.frontend.lower_typenames import declared, type_of
from xpiler.frontend.lower_types import (
    Auto,
    Binding,
    CType,
    Pointer,
    Reference,
    Scalar,
    Struct,
    lanes_of,
    leaf_type,
)
from xpiler.frontend.syntax_model import FunctionDef, Launch, ParamDecl
from xpiler.frontend.unit import HostFunction, LaunchSite
from xpiler.ir.nodes import Param
from xpiler.ir.types import U8

NOT_LAUNCHED = "template-not-launched"  # the code of a refusal: nobody says what the arguments are


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
    untold: dict[Launch, Diagnostic] = {}  # launches of templates whose arguments cannot be told
    for launch in entities.unit.launches:
        named = [(launch.name, launch.template_arguments)]
        if is_by_value(entities.unit, launch):
            named = list(started_by(entities.unit, launch, values))
        for ctx, scope in launch_contexts(entities, launch):
            with ctx.nested(scope):
                for name, explicit in named:
                    chosen = launched_kernel(ctx, launch, kernels, name, explicit)
                    if chosen is not None:
                        add(*chosen, launch, block_dims(ctx, launch), grid_dims(ctx, launch))
                    elif any(k.name == name for k in kernels) and launch.is_local:
                        untold.setdefault(launch, _untold(ctx, launch, kernels, name, explicit))
    started = {launch for wanted in found.values() for launch in wanted.launches}
    untold = {launch: why for launch, why in untold.items() if launch not in started}
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
            if why := next((d for launch, d in untold.items() if launch.name == function.name), None):
                refusals[function.name] = why
                continue
            where = "is never launched in this file"
            remedy = f"add a launch, or `template __global__ void {function.name}<...>(...);`"
            within = [la.host_function for la in entities.unit.launches if la.name == function.name]
            around = within[0] if within else None
            if around is not None and around.template:
                where = f"is launched in the template `{around.name}` only, which nothing in this file calls"
                remedy = f"add a call, or `template {around.return_text or 'void'} {around.name}<...>(...);`"
            refusals[function.name] = Diagnostic(
                NOT_LAUNCHED,
                f"template kernel `{function.name}<{names}>` {where}: its arguments are unknown",
                function.range,
                remedy=remedy,
            )
    declared_only = {p.name for p in entities.unit.prototypes if p.is_kernel} - {*entities.kernels}
    for launch in entities.unit.launches:
        if launch.is_local and launch.name in declared_only:
            refusals.setdefault(launch.name, _elsewhere(launch))
    for launch, why in untold.items():
        if launch.name not in refusals and launch.host_function and not launch.host_function.template:
            refusals[launch.spelling] = why
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


def launched_kernel(
    ctx: Context, launch: Launch, kernels: list[FunctionDef], name: str, explicit: tuple[Node, ...]
) -> tuple[FunctionDef, tuple[Binding, ...]] | None:
    """The kernel `name` and its template arguments as a launch means them, or None where that cannot be
    told."""
    candidates = [k for k in kernels if k.name == name]
    for function in candidates:
        plain = not function.template and not function.specialises and not explicit
        if plain and (launch.api or len(function.params) >= len(launch.arguments)):
            return function, ()
    args = tuple(typed(ctx, node) for node in launch.arguments)
    for function in candidates:
        if function.template:
            try:
                bindings = deduce(ctx, function, explicit, args, ctx.scope)
            except Refusal:
                continue
            if bindings is not None:
                return function, bindings
    return None


def _elsewhere(launch: Launch) -> Diagnostic:
    """Of a launch of a kernel that is declared only."""
    message = f"kernel `{launch.name}` is launched here and defined in another file"
    remedy = "include that file, or have a function of it launch the kernel"
    return Diagnostic("kernel-elsewhere", message, launch.range, remedy=remedy)


def _untold(
    ctx: Context, launch: Launch, kernels: list[FunctionDef], name: str, explicit: tuple[Node, ...]
) -> Diagnostic:
    """Why nobody can tell which instance of a template kernel a launch starts."""
    arguments = {ctx.text(node): typed(ctx, node) for node in launch.arguments}
    unknown = [f"`{text}`" for text, value in arguments.items() if isinstance(value.type, Auto)]
    remedy = f"write them out: `{name}<...><<<...>>>`"
    if unknown and not explicit:
        why = f"what {' and '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} is not known here"
    else:
        why = "they do not follow from its arguments"
    for function in kernels:
        if function.name == name and function.template and explicit:
            try:
                deduce(ctx, function, explicit, tuple(arguments.values()), ctx.scope)
            except Refusal as refusal:
                why = refusal.diagnostic.message
    message = f"the template arguments of kernel `{name}` cannot be told from this launch: {why}"
    return Diagnostic("template-arguments", message, launch.range, remedy=remedy)


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
    for ctx, scope in launch_contexts(entities, launch):
        with ctx.nested(scope):
            dims = block_dims(ctx, launch)
        result = dims if result is None else _agreed(result, dims)
    return result or (None, None, None)


def host_functions(entities: Entities) -> tuple[HostFunction, ...]:
    """Definitions of host functions in the main file."""
    return tuple(
        host_function(Context(entities), function)
        for function in entities.unit.host_functions
        if function.is_local and function.body is not None and not function.owner
    )


def host_function(ctx: Context, function: FunctionDef) -> HostFunction:
    """A host function as it is seen in the scope of `ctx`, where its template parameters may be known."""
    return HostFunction(
        name=function.name,
        is_extern_c=function.is_extern_c,
        params=tuple(_host_params(ctx, function)),
        parts=tuple(_host_parts(ctx, function)),
        returns=function.return_text,
        range=function.range,
        span=function.span,
        namespace=namespace_of(function),
        body=ctx.text(function.body),
        is_template=function.template is not None,
    )


def namespace_of(function: FunctionDef) -> str:
    """`ops::detail::`, "" outside of namespaces."""
    return "".join(f"{name}::" for name in function.namespace if name)


def _host_type(ctx: Context, param: ParamDecl) -> CType | None:
    if param.type_node is None:
        return None
    try:
        base = type_of(ctx, param.type_node)
        return declared(ctx, base, param.declarator)[1] if param.declarator is not None else base
    except Refusal:
        return None


def _is_one(body: str, name: str) -> bool:
    """Whether a pointer is to one object, of which host code uses members, `d->rows`, or which it hands on
    whole; not to a kernel, whose memory is the device's."""
    used = re.findall(rf"(?<![\w.>]){re.escape(name)}\b\s*(->|[,)])?", body)
    launched = re.search(rf">>>\s*\([^;]*(?<![\w.>]){re.escape(name)}\b\s*[,)]", body)
    return "->" in used and all(used) and not launched


def _host_parts(ctx: Context, function: FunctionDef) -> Iterator[Param]:
    """`Shape s` is `s_rows` and `s_cols`; so is `const Shape *s`, of which nothing but members is used."""
    for place, param in enumerate(function.params):
        ctype = _host_type(ctx, param)
        is_const = "const" in param.specifiers
        if isinstance(ctype, Reference) and is_const:
            ctype = ctype.target
        elif isinstance(ctype, Pointer) and is_const and _is_one(ctx.text(function.body), param.name):
            ctype = ctype.pointee
        parts = list(members(ctype)) if isinstance(ctype, Struct) else []
        for path, offset, leaf in parts if all(isinstance(leaf, Scalar) for _, _, leaf in parts) else []:
            assert isinstance(leaf, Scalar)
            name = re.sub(r"\W+", "_", f"{param.name}{path}").rstrip("_")
            yield Param(
                name,
                leaf.dtype,
                False,
                spelling=str(leaf),
                range=ctx.entities.unit.range_of(param.node),
                argument=place,
                member=path.removeprefix("."),
                offset=offset,
            )


def _host_params(ctx: Context, function: FunctionDef) -> list[Param]:
    result: list[Param] = []
    for param in function.params:
        ctype = _host_type(ctx, param)
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
                range=ctx.entities.unit.range_of(param.node),
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
