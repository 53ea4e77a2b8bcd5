"""From the syntax of types and declarators to `CType`."""

from __future__ import annotations

import re
from collections.abc import Callable

from tree_sitter import Node

from xpiler.errors import Refusal
from xpiler.frontend.lower_context import Context, Scope, constant, named_children, shorten
from xpiler.frontend.lower_types import (
    VOID,
    Array,
    AtomicRef,
    Binding,
    Closure,
    CType,
    Fragment,
    Group,
    Heaped,
    Pointer,
    Reference,
    Scalar,
    Struct,
    Thread,
    field_offsets,
    named_type,
    size_of,
    sized_type,
)
from xpiler.frontend.lower_values import Value
from xpiler.frontend.syntax_model import AliasDef, FunctionDef, StructDef, TemplateParam
from xpiler.ir.nodes import Const
from xpiler.ir.types import F32, I32, U8, U32

_WORD = re.compile(r"\w+")


def constant_int(ctx: Context, node: Node, what: str = "this") -> int:
    """The value of a constant integer expression. Refuses others."""
    value = try_constant(ctx, node)
    if isinstance(value, Const) and not value.dtype.is_float:
        return int(value.value)
    ctx.refuse(
        "not-constant",
        f"{what} `{shorten(ctx.text(node))}` is not a compile-time constant here",
        node,
        "use a literal, a macro, a constexpr or a template parameter that the launch fixes",
    )


def try_constant(ctx: Context, node: Node) -> Const | None:
    """The constant that an expression is, or None."""
    from xpiler.frontend.lower_memory import load

    with ctx.capture():
        expr = load(ctx, ctx.value(node))
    return expr if isinstance(expr, Const) else None


def type_of(ctx: Context, node: Node) -> CType:
    """The type that a type node names (`type_descriptor` with its pointers and arrays included)."""
    match node.type:
        case "type_descriptor":
            base_node = node.child_by_field_name("type")
            assert base_node is not None
            base = type_of(ctx, base_node)
            declarator = node.child_by_field_name("declarator")
            is_const = any(c.type == "type_qualifier" and ctx.text(c) == "const" for c in node.children)
            return base if declarator is None else declared(ctx, base, declarator, is_const)[1]
        case "primitive_type" | "placeholder_type_specifier" | "auto":
            found = named_type(ctx.text(node))
            if found is not None:
                return found
        case "sized_type_specifier":
            return _sized(ctx, node)
        case "type_identifier" | "identifier" | "namespace_identifier":
            return _named(ctx, ctx.text(node), node)
        case "qualified_identifier":
            return _qualified(ctx, node)
        case "template_type" | "template_function":
            return _template(ctx, node)
        case "dependent_type" | "dependent_name":
            return type_of(ctx, named_children(node)[-1])
        case "decltype":
            with ctx.capture():
                return ctx.value(named_children(node)[0]).type
        case "struct_specifier" | "class_specifier" | "enum_specifier" | "union_specifier":
            name = node.child_by_field_name("name")
            if name is not None:
                return _named(ctx, ctx.text(name), node)
    ctx.refuse("unknown-type", f"type `{shorten(ctx.text(node))}` is not known", node)


def _sized(ctx: Context, node: Node) -> CType:
    words = ctx.text(node).split()
    return sized_type(words)


def _qualified(ctx: Context, node: Node) -> CType:
    scope, name = node.child_by_field_name("scope"), node.child_by_field_name("name")
    assert name is not None
    if scope is not None:
        owner = ctx.scope.find_type(ctx.text(scope))
        if owner is None and scope.type in ("template_type", "decltype"):
            owner = type_of(ctx, scope)
        if owner is None and ctx.text(scope) in ctx.entities.structs:
            structs = ctx.entities.structs[ctx.text(scope)]
            owner = instantiate(ctx, structs[0], ()) if structs[0].template is None else None
        if isinstance(owner, Struct) and owner.definition is not None:
            with ctx.nested(struct_scope(ctx, owner)):
                return type_of(ctx, name)
        if owner is not None and scope.type == "template_type" and ctx.text(name) == "type":
            return owner  # `std::conditional<...>::type`
    return type_of(ctx, name)


def find_type(ctx: Context, name: str) -> CType | None:
    """The type of a name, or None if it names no type."""
    for scope in ctx.scope.chain():
        if name in scope.types:
            return scope.types[name]
        if scope.struct is not None and scope.struct.definition is not None:
            for own in scope.struct.definition.aliases:
                if own.name == name and own.template is None:
                    return aliased(ctx, own)
            if (inner := _nested(ctx, scope.struct, name)) is not None:
                return inner
    alias, structs = ctx.entities.aliases.get(name), ctx.entities.structs.get(name)
    found = named_type(name)
    if alias is not None and alias.template is None and not (structs or _names_itself(ctx, alias)):
        meant = aliased(ctx, alias)  # a file may give a library's name, `float16_t`, to a type of its own
        if found is None or not isinstance(meant, Pointer):
            return meant  # a handle, `cudaStream_t`, stays a number
    is_alias = isinstance(found, Struct) and found.name != name  # `cuComplex`, which a file may define itself
    if found is not None and not (structs and is_alias):
        return found
    if structs and structs[0].template is None:
        return instantiate(ctx, structs[0], ())
    if alias is not None and alias.template is None:
        return aliased(ctx, alias)
    enum = ctx.entities.enums.get(name)
    if enum is not None:
        base_type = type_of(ctx, enum.base) if enum.base is not None else Scalar(I32)
        return Scalar(base_type.dtype, name) if isinstance(base_type, Scalar) else None
    return _library_type(name)


def _nested(ctx: Context, owner: Struct, name: str) -> Struct | None:
    """The struct of that name in an instance of a template, whose arguments it may use."""
    around = owner.definition
    for struct in ctx.entities.structs.get(name, ()) if around is not None and owner.arguments else ():
        inside = around is not None and around.node.start_byte < struct.node.start_byte < around.node.end_byte
        if inside and struct.template is None:
            return instantiate(ctx, struct, (), owner)
    return None


def _names_itself(ctx: Context, alias: AliasDef) -> bool:
    return alias.name in _WORD.findall(ctx.text(alias.type_node))


def aliased(ctx: Context, alias: AliasDef) -> CType:
    """What a `typedef` or `using` names."""
    from xpiler.frontend.lower_vectors import vector_of

    base = type_of(ctx, alias.type_node)
    if alias.declarator is not None:
        base = declared(ctx, base, alias.declarator)[1]
    return vector_of(ctx, base, alias.node)


def _library_type(name: str) -> CType | None:
    match name:
        case "thread_block":
            return Group("block")
        case "true_type" | "false_type":
            return constant_type(int(name == "true_type"))
        case "grid_group":
            return Group("grid")
        case "coalesced_group":
            return Group("coalesced")
        case "atomic_ref":
            return AtomicRef()
        case "thread" | "jthread":
            return Thread()
        case "memory_order" | "cudaError_t":
            return Scalar(I32)
        case (
            "matrix_a"
            | "matrix_b"
            | "accumulator"
            | "row_major"
            | "col_major"
            | "mem_row_major"
            | "mem_col_major"
        ):
            return Closure(name)
        case "uchar":
            return Scalar(U8)
    return None


def _named(ctx: Context, name: str, node: Node) -> CType:
    found = find_type(ctx, name)
    if found is not None:
        return found
    if ctx.entities.structs.get(name):
        struct = ctx.entities.structs[name][0]
        current = next((s.struct for s in ctx.scope.chain() if s.struct is not None), None)
        if current is not None and current.definition is struct:
            return current
        if struct.template is not None and all(p.default is not None for p in struct.template):
            return instantiate(ctx, struct, ())
        ctx.refuse("template-arguments", f"template `{name}` is used without arguments", node)
    ctx.refuse(
        "unknown-type",
        f"type `{name}` is not known",
        node,
        "define it in the file or include the header that does by a path that can be found",
    )


def _template(ctx: Context, node: Node) -> CType:
    name_node = node.child_by_field_name("name")
    arguments = node.child_by_field_name("arguments")
    assert name_node is not None and arguments is not None
    return template_type(
        ctx, ctx.scope.real_name(ctx.text(name_node)), tuple(named_children(arguments)), node
    )


def is_template(ctx: Context, name: str) -> bool:
    """Whether a name is that of a class template."""
    alias, structs = ctx.entities.aliases.get(name), ctx.entities.structs.get(name)
    if alias is not None and alias.template is not None:
        return True
    return bool(structs and structs[0].template) or name in (
        "fragment",
        "thread_block_tile",
        "array",
        "vector",
    )


_STANDARD = ("fragment", "thread_block_tile", "array", "vector")


def template_type(ctx: Context, name: str, nodes: tuple[Node, ...], node: Node) -> CType:
    """`name<nodes...>`."""
    if name == "fragment":
        return _fragment(ctx, nodes, node)
    if name in ("thread_block_tile", "tiled_partition"):
        return Group("tile", constant_int(ctx, nodes[0], "the tile size"))
    alias = ctx.entities.aliases.get(name)
    if alias is not None and alias.template is not None:
        scope = Scope(ctx.scope)
        bind(ctx, scope, alias.template, nodes)
        with ctx.nested(scope):
            return aliased(ctx, alias)
    if ctx.entities.structs.get(name):
        return instantiate(ctx, ctx.entities.structs[name][0], nodes)
    found = _standard_template(ctx, name, nodes)
    if found is not None:
        return found
    ctx.refuse("unknown-type", f"type `{shorten(ctx.text(node))}` is not known", node)


def _standard_template(ctx: Context, name: str, nodes: tuple[Node, ...]) -> CType | None:
    match name:
        case "conditional_t" | "conditional":
            return type_of(ctx, nodes[1] if constant_int(ctx, nodes[0]) else nodes[2])
        case "remove_cv_t" | "remove_reference_t" | "remove_const_t" | "decay_t" | "remove_cvref_t":
            inner = type_of(ctx, nodes[0])
            return inner.target if isinstance(inner, Reference) else inner
        case "make_unsigned_t":
            inner = type_of(ctx, nodes[0])
            return sized_type(["unsigned", str(inner)]) if isinstance(inner, Scalar) else None
        case "bool_constant":
            return constant_type(constant_int(ctx, nodes[0]))
        case "integral_constant":
            return constant_type(constant_int(ctx, nodes[1]))
        case "atomic_ref":
            return AtomicRef(type_of(ctx, nodes[0]), "thread_scope_block" in map(_last_name(ctx), nodes))
        case "barrier" if [*map(_last_name(ctx), nodes)] == ["thread_scope_block"]:
            return Group("barrier")
        case "pipeline" if [*map(_last_name(ctx), nodes)] in (
            ["thread_scope_thread"],
            ["thread_scope_block"],
        ):
            return Group("pipeline")
        case "pipeline_shared_state" if _last_name(ctx)(nodes[0]) == "thread_scope_block":
            return Group("pipeline state", constant_int(ctx, nodes[1], "the number of stages"))
        case "array":
            return Array(type_of(ctx, nodes[0]), constant_int(ctx, nodes[1]))
        case "vector":
            return Heaped(type_of(ctx, nodes[0]), None)
        case "plus" | "less" | "greater" | "bit_and" | "bit_or" | "bit_xor":
            return Closure(name)
        case "enable_if_t" | "enable_if":
            if not constant_int(ctx, nodes[0]):
                ctx.refuse("enable-if", f"`{ctx.text(nodes[0])}` does not hold", nodes[0])
            return type_of(ctx, nodes[1]) if len(nodes) > 1 else VOID
    from xpiler.frontend.lower_traits import trait

    told = trait(ctx, name, nodes)
    return None if told is None else constant_type(int(told))


def _last_name(ctx: Context) -> Callable[[Node], str]:
    """`thread_scope_block` of `cuda::thread_scope_block`."""
    return lambda node: ctx.text(node).rpartition("::")[2].strip()


def constant_type(value: int) -> Struct:
    """`std::integral_constant<T, value>`: a type whose objects say a number at compile time."""
    return Struct(f"integral_constant<{value}>", (), arguments=(Binding("value", value),))


def _fragment(ctx: Context, nodes: tuple[Node, ...], node: Node) -> Fragment:
    if len(nodes) < 5:
        ctx.refuse("wmma-fragment", "a fragment needs use, three extents and a type", node)
    use = ctx.text(nodes[0]).split("::")[-1]
    m, n, k = (constant_int(ctx, extent, "the fragment extent") for extent in nodes[1:4])
    tf32 = "tf32" in ctx.text(nodes[4])
    if "precision" in ctx.text(nodes[4]) and not tf32:
        ctx.refuse("wmma-type", f"fragments of `{ctx.text(nodes[4])}` are not supported", nodes[4])
    # tf32 values are floats that __float_to_tf32 has rounded; products and sums are those of floats.
    element = Scalar(F32) if tf32 else type_of(ctx, nodes[4])
    if not isinstance(element, Scalar):
        ctx.refuse("wmma-type", f"fragments of `{ctx.text(nodes[4])}` are not supported", nodes[4])
    layout = ""
    if len(nodes) > 5:
        chosen = type_of(ctx, nodes[5])
        layout = chosen.name if isinstance(chosen, Closure) else ""
    if use not in ("matrix_a", "matrix_b", "accumulator"):
        chosen = type_of(ctx, nodes[0])
        use = chosen.name if isinstance(chosen, Closure) else use
    return Fragment(use, m, n, k, element.dtype, layout)


# ------------------------------------------------------------------------------------------ declarators


def declared(
    ctx: Context, base: CType, declarator: Node, is_const: bool = False
) -> tuple[str, CType, Node | None]:
    """(name, type, node of the name) of a declarator around a base type; `is_const` is the base type's."""
    match declarator.type:
        case "init_declarator":
            inner = declarator.child_by_field_name("declarator")
            assert inner is not None
            return declared(ctx, base, inner, is_const)
        case "pointer_declarator" | "abstract_pointer_declarator" | "pointer_type_declarator":
            words = {ctx.text(c) for c in declarator.children if c.type == "type_qualifier"}
            return _inner(ctx, Pointer(base, is_const), declarator, "const" in words)
        case "reference_declarator" | "abstract_reference_declarator":
            return _inner(ctx, Reference(base, is_const), declarator, is_const)
        case "array_declarator" | "abstract_array_declarator":
            size = declarator.child_by_field_name("size")
            extent = None if size is None else constant_int(ctx, size, "the array extent")
            return _inner(ctx, Array(base, extent), declarator, is_const)
        case "parenthesized_declarator" | "abstract_parenthesized_declarator":
            return _inner(ctx, base, declarator, is_const)
        case "function_declarator" | "abstract_function_declarator":
            return _inner(ctx, Closure("function"), declarator, is_const)
        case "attributed_declarator" | "ERROR":
            return _inner(ctx, base, declarator, is_const)
        case "structured_binding_declarator":
            return "", base, declarator
    return ctx.text(declarator), base, declarator


def _inner(ctx: Context, ctype: CType, declarator: Node, is_const: bool) -> tuple[str, CType, Node | None]:
    inner = declarator.child_by_field_name("declarator")
    if inner is None:
        inner = next(
            (
                c
                for c in declarator.named_children
                if c.type.endswith("declarator")
                or (c.type in ("identifier", "field_identifier") and declarator.type != "array_declarator")
            ),
            None,
        )
    if inner is None:
        return "", ctype, None
    return declared(ctx, ctype, inner, is_const)


# ------------------------------------------------------------------------------------------ templates


def bind(
    ctx: Context, scope: Scope, params: tuple[TemplateParam, ...], nodes: tuple[Node, ...]
) -> tuple[Binding, ...]:
    """Template arguments as written, and defaults for the rest, into `scope`."""
    bindings: list[Binding] = []
    for position, param in enumerate(params):
        if param.is_pack:
            ctx.refuse("variadic", f"variadic template parameter `{param.name}` is not supported")
        if position < len(nodes):
            binding = argument(ctx, param, nodes[position])
        elif param.default is not None:
            with ctx.nested(scope):
                binding = argument(ctx, param, param.default)
        else:
            ctx.refuse("template-arguments", f"template argument `{param.name}` is missing")
        add_binding(scope, binding)
        bindings.append(binding)
    return tuple(bindings)


def argument(ctx: Context, param: TemplateParam, node: Node) -> Binding:
    """The value of one template argument as written."""
    if param.kind == "type":
        return Binding(param.name, type_of(ctx, node))
    if param.kind == "template":
        return Binding(param.name, ctx.scope.real_name(ctx.text(node).split("::")[-1]))
    if node.type == "type_descriptor":
        # `f<N>` parses `N` as a type; a value is meant.
        inner = named_children(node)
        if len(inner) == 1:
            node = inner[0]
    name = ctx.scope.real_name(ctx.text(node).lstrip("&").split("::")[-1].strip())
    if name in ctx.entities.functions and ctx.scope.find(name) is None:
        return Binding(param.name, name)
    return Binding(param.name, constant_int(ctx, node, f"template argument `{param.name}` ="))


def add_binding(scope: Scope, binding: Binding) -> None:
    match binding.value:
        case CType():
            scope.types[binding.name] = binding.value
        case str():
            scope.aliases[binding.name] = binding.value
        case bool():
            scope.names[binding.name] = constant(binding.value, I32)
        case tuple():
            from xpiler.frontend.lower_packs import numbers_pack

            scope.names[binding.name] = numbers_pack(binding.value)
        case int():
            scope.names[binding.name] = constant(binding.value, I32 if abs(binding.value) < 2**31 else U32)


def instantiate(
    ctx: Context, struct: StructDef, nodes: tuple[Node, ...], owner: Struct | None = None
) -> Struct:
    """The struct type for template arguments (none for a plain struct); `owner` is what it is defined in, if
    that is an instance of a template."""
    bindings: tuple[Binding, ...] = ()
    candidates = ctx.entities.structs[struct.name]
    primary = next((s for s in candidates if not s.specialises), None)
    if primary is None:
        # Only specialisations have a body: what they are chosen by are the arguments as written.
        bindings = tuple(_written(ctx, node, position) for position, node in enumerate(nodes))
    elif primary.template:
        bindings = bind(ctx, Scope(ctx.scope), primary.template, nodes)
    name = struct.name if owner is None else f"{owner.name}::{struct.name}"
    if bindings:
        name = f"{struct.name}<{', '.join(str(b.value) for b in bindings)}>"
    found = ctx.entities.instances.get(name)
    if found is not None:
        return found
    chosen = primary
    for candidate in candidates:
        own = _specialised(ctx, candidate, bindings) if candidate.specialises else None
        if own is not None and (chosen is primary or not candidate.template):
            chosen, inner_bindings = candidate, own
    if chosen is None:
        ctx.refuse("incomplete-type", f"`{name}` is declared but not defined for these arguments")
    if chosen is not primary:
        bindings = inner_bindings
    result = Struct(name, (), 0, chosen.kind == "union", chosen, bindings, owner)
    ctx.entities.instances[name] = result
    outer_scope = ctx.scope if "@" in struct.name else struct_scope(ctx, owner) if owner else None
    inner = Scope(outer_scope, types={name: result, struct.name.split("@")[0]: result}, struct=result)
    for binding in bindings:
        add_binding(inner, binding)
    with ctx.nested(inner):
        before = dict(ctx.entities.instances)
        try:
            inherited = [field for base in bases_of(ctx, chosen) for field in base.fields]
        except Refusal:
            del ctx.entities.instances[name]
            raise
        if chosen.bases:
            # A base may be told what is derived from it, `Relu : Op<Relu>`, which has no members yet.
            ctx.entities.instances = before
        fields: list[tuple[str, CType]] = [*inherited]
        for field in chosen.fields:
            if field.type_node is None:
                continue
            base = type_of(ctx, field.type_node)
            field_name, ctype, _ = declared(ctx, base, field.declarator, "const" in field.specifiers)
            fields.append((field_name, ctype))
        alignment = _alignment(ctx, chosen)
    if inherited and len({field_name for field_name, _ in fields}) < len(fields):
        ctx.refuse("base-class", f"members of `{name}` are called like those of its base", chosen.node)
    result = Struct(name, tuple(fields), alignment, chosen.kind == "union", chosen, bindings, owner)
    ctx.entities.instances[name] = result
    return result


def bases_of(ctx: Context, struct: StructDef) -> tuple[Struct, ...]:
    """The structs that one is derived from, in whose scope they are written: their members come first, as its
    own. Refuses what is more than that: virtual functions, and members behind which the compiler may put
    those of the other."""
    if not struct.bases:
        return ()
    definitions = ctx.entities.bases_of(struct)
    what = f"`{struct.name}` is derived from {', '.join(map(ctx.text, struct.bases))}"
    if definitions is None:
        ctx.refuse("base-class", f"{what}, which has specialisations, or is defined nowhere", struct.node)
    if any(re.search(r"\bvirtual\b", ctx.text(one.node)) for one in (struct, *definitions)):
        ctx.refuse("base-class", f"{what}, and virtual functions are not supported", struct.node)
    bases = tuple(
        instantiate(ctx, one, _template_arguments(node))
        for one, node in zip(definitions, struct.bases, strict=True)
    )
    for base in bases:
        end = max((offset + (size_of(inner) or 0) for _, offset, inner in field_offsets(base)), default=0)
        if base.fields and (size_of(base) != end or base.alignment):
            ctx.refuse("base-class", f"{what}, which ends in padding", struct.node)
    return bases


def _template_arguments(node: Node) -> tuple[Node, ...]:
    """Those of a struct's name as written: `Op<Relu<T>, T>`."""
    while node.type == "qualified_identifier" and (name := node.child_by_field_name("name")) is not None:
        node = name
    arguments = node.child_by_field_name("arguments")
    return tuple(named_children(arguments)) if arguments is not None else ()


def _alignment(ctx: Context, struct: StructDef) -> int:
    try:
        return int(struct.alignment, 0) if struct.alignment else 0
    except ValueError:
        return 0


def _written(ctx: Context, node: Node, position: int) -> Binding:
    """A template argument whose parameter is not known: a type, or else a number."""
    try:
        return Binding(str(position), type_of(ctx, node))
    except Refusal:
        return Binding(str(position), constant_int(ctx, node, "the template argument"))


def _specialised(ctx: Context, struct: StructDef, given: tuple[Binding, ...]) -> tuple[Binding, ...] | None:
    """The template arguments of a specialisation for `given`, () for a full one; None if it does not fit."""
    from xpiler.frontend.lower_overloads import match_type

    if len(struct.specialises) != len(given):
        return None
    names = {p.name: p for p in struct.template or ()}
    known: dict[str, Binding] = {}
    for node, binding in zip(struct.specialises, given, strict=True):
        if isinstance(binding.value, CType):
            match_type(ctx, node, binding.value, names, known)
        elif ctx.text(node) in names:
            known[ctx.text(node)] = Binding(ctx.text(node), binding.value)
    if len(known) != len(names):
        return None
    scope = Scope(ctx.scope)
    for binding in known.values():
        add_binding(scope, binding)
    with ctx.nested(scope):
        for node, binding in zip(struct.specialises, given, strict=True):
            same = type_of(ctx, node) if isinstance(binding.value, CType) else constant_int(ctx, node)
            if same != binding.value:
                return None
    return tuple(known[n] for n in names)


def struct_scope(ctx: Context, struct: Struct, receiver: Value | None = None) -> Scope:
    """The scope inside a struct: its template arguments and, through `receiver`, its members."""
    assert struct.definition is not None
    around = struct_scope(ctx, struct.owner) if struct.owner is not None else None
    scope = Scope(around, struct=struct, receiver=receiver)
    scope.types[struct.definition.name] = struct
    for binding in struct.arguments:
        add_binding(scope, binding)
    return scope


def method_scope(ctx: Context, struct: Struct, function: FunctionDef, receiver: Value | None) -> Scope:
    """The scope inside a method of a struct, which one of its bases may have: names mean there what they mean
    in that base."""
    return struct_scope(ctx, _home(ctx, struct, function) or struct, receiver)


def _home(ctx: Context, struct: Struct, function: FunctionDef) -> Struct | None:
    definition = struct.definition
    if definition is None or function in ctx.entities.methods.get((definition.name, function.name), ()):
        return struct
    if not definition.bases:
        return None
    with ctx.nested(struct_scope(ctx, struct)):
        bases = bases_of(ctx, definition)
    return next((home for base in bases if (home := _home(ctx, base, function)) is not None), None)
