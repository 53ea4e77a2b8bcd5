"""Which overload a call means: template arguments deduced, conversions ranked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from xpiler.errors import Refusal
from xpiler.frontend.lower_context import Context, Scope, named_children
from xpiler.frontend.lower_packs import TypePack, expanded, params_of_pack
from xpiler.frontend.lower_typenames import (
    add_binding,
    argument,
    constant_int,
    declared,
    method_scope,
    type_of,
)
from xpiler.frontend.lower_types import (
    VOID,
    Array,
    Auto,
    Binding,
    Closure,
    CType,
    Group,
    Pointer,
    Reference,
    Scalar,
    Struct,
)
from xpiler.frontend.lower_values import Functions, Instance, ListValue, Number, Value
from xpiler.frontend.syntax_model import FunctionDef, ParamDecl, TemplateParam
from xpiler.ir.nodes import Const
from xpiler.ir.types import promote


@dataclass(frozen=True)
class _Fit:
    cost: int
    instance: Instance


def choose(ctx: Context, functions: Functions, args: tuple[Value, ...], node: Node) -> Instance | None:
    """The best of the candidates for these arguments, or None if none fits."""
    fits: list[_Fit] = []
    for candidate in functions.candidates:
        if candidate.body is None and any(c.body is not None for c in functions.candidates):
            continue
        fit = _fit(ctx, functions, candidate, args)
        if fit is not None:
            fits.append(fit)
    if not fits:
        return None
    return min(fits, key=lambda f: f.cost).instance


def _fit(ctx: Context, functions: Functions, candidate: FunctionDef, args: tuple[Value, ...]) -> _Fit | None:
    required = [p for p in candidate.params if p.default is None and not p.is_pack]
    has_pack = any(p.is_pack for p in candidate.params)
    if (len(args) > len(candidate.params) and not has_pack) or len(args) < len(required):
        return None
    scope = Scope()
    if functions.struct is not None:
        scope = method_scope(ctx, functions.struct, candidate, functions.receiver)
    bindings: tuple[Binding, ...] = ()
    cost = 0
    if candidate.template:
        found = deduce(ctx, candidate, functions.explicit, args, scope)
        if found is None:
            return None
        bindings = found
        cost += 2 if any(p.is_pack for p in candidate.template) else 1
    elif functions.explicit and candidate.template is None:
        return None
    elif candidate.specialises and functions.explicit:
        if not _specialisation_fits(ctx, candidate, functions.explicit):
            return None
        cost -= 1
    for binding in bindings:
        add_binding(scope, binding)
    with ctx.nested(scope):
        if not _is_enabled(ctx, candidate):
            return None
        try:
            types = list(_param_types(ctx, candidate))
        except Refusal:
            return None
        if len(args) > len(types):
            return None
        for ctype, arg in zip(types, args, strict=False):
            rank = conversion_cost(ctype, arg)
            if rank is None:
                return None
            cost += rank * 4
    return _Fit(cost, Instance(candidate, bindings))


def _is_enabled(ctx: Context, candidate: FunctionDef) -> bool:
    """Whether no `std::enable_if` in the type of a template parameter or of the result takes it away."""
    types = [p.node.child_by_field_name("type") for p in candidate.template or () if p.kind == "other"]
    for node in (*types, candidate.return_type if candidate.template else None):
        if node is None:
            continue
        try:
            type_of(ctx, node)
        except Refusal as refusal:
            if refusal.diagnostic.code == "enable-if":
                return False
            if "enable_if" in ctx.text(node):
                raise
    return True


def _specialisation_fits(ctx: Context, candidate: FunctionDef, explicit: tuple[Node, ...]) -> bool:
    return all(
        _same_argument(ctx, wanted, given)
        for wanted, given in zip(candidate.specialises, explicit, strict=False)
    )


def _same_argument(ctx: Context, wanted: Node, given: Node) -> bool:
    """Whether two template arguments are one type or one number, however they are spelled."""
    if ctx.text(wanted) == ctx.text(given):
        return True
    try:
        return type_of(ctx, wanted) == type_of(ctx, given)
    except Refusal:
        pass
    try:
        return _number(ctx, wanted) == _number(ctx, given)
    except Refusal:
        return False


def _number(ctx: Context, node: Node) -> int:
    inner = named_children(node) if node.type == "type_descriptor" else []  # a name, parsed as a type
    return constant_int(ctx, inner[0] if len(inner) == 1 else node)


def _param_types(ctx: Context, function: FunctionDef) -> Iterator[CType]:
    """The types of the parameters, those of a pack one by one."""
    for param in function.params:
        if not param.is_pack:
            yield _param_type(ctx, param)
            continue
        for scope in params_of_pack(ctx, param):
            with ctx.nested(scope):
                yield _param_type(ctx, param)


def _param_type(ctx: Context, param: ParamDecl) -> CType:
    if param.type_node is None:
        return Auto()
    base = type_of(ctx, param.type_node)
    if param.declarator is None:
        return base
    return declared(ctx, base, param.declarator, "const" in param.specifiers)[1]


def conversion_cost(wanted: CType, value: Value) -> int | None:
    """0 exact, 1 promotion, 2 conversion, 3 by a constructor; None if there is no conversion."""
    given = value.type
    if isinstance(wanted, Reference):
        wanted = wanted.target
    if isinstance(wanted, Auto) or wanted == given:
        return 0
    if isinstance(value, ListValue):
        return 3 if isinstance(wanted, (Struct, Scalar)) else None
    match wanted, given:
        case Scalar(dtype=a), Scalar(dtype=b):
            if a == b:
                return 1
            return 1 if promote(b) == a else 2
        case Pointer(pointee=a_type), Pointer(pointee=b_type):
            if a_type == b_type:
                return 0
            return 2 if a_type == VOID or _null(value) else None
        case Pointer(pointee=a_type), Array(element=b_type):
            return 0 if a_type == b_type else 2 if a_type == VOID else None
        case Array(element=a_type), Pointer(pointee=b_type):
            return 0 if a_type == b_type else None
        case Array(element=a_type), Array(element=b_type):
            return 0 if a_type == b_type else None
        case Struct(is_vector=False), _:
            return 3
        case Struct(), _:
            return 3 if not isinstance(given, (Pointer, Array)) else None
        case Scalar(), Struct(is_vector=False):
            return 3
        case Pointer(), Scalar():
            return 2 if isinstance(value, Number) and value.expr == Const(value.expr.dtype, 0) else None
        case Group(kind=a_kind), Group(kind=b_kind):
            return 0 if a_kind == b_kind else None
        case Closure(), _:
            return 2
    return None


def _null(value: Value) -> bool:
    return getattr(value, "memory", 0) is None


# ------------------------------------------------------------------------------------------ deduction


def deduce(
    ctx: Context, function: FunctionDef, explicit: tuple[Node, ...], args: tuple[Value, ...], scope: Scope
) -> tuple[Binding, ...] | None:
    """Template arguments from those written, the arguments of the call, and defaults; None if that does
    not work."""
    return deduce_from(ctx, function.template or (), function.params, explicit, args, scope)


def deduce_from(
    ctx: Context,
    params: tuple[TemplateParam, ...],
    declared: tuple[ParamDecl, ...],
    explicit: tuple[Node, ...],
    args: tuple[Value, ...],
    scope: Scope,
) -> tuple[Binding, ...] | None:
    """The same by the parameters of a template and those that it declares."""
    known: dict[str, Binding] = {}
    written = list(expanded(ctx, explicit))
    for position, param in enumerate(params):
        if param.is_pack and len(written) > position:
            known[param.name] = _pack(param, [_argument(ctx, param, *each) for each in written[position:]])
            break
        if position < len(written):
            known[param.name] = _argument(ctx, param, *written[position])
    names = {p.name: p for p in params}
    for position, (decl, arg) in enumerate(zip(declared, args, strict=False)):
        if decl.type_node is None:
            continue
        if decl.is_pack:
            _match_pack(ctx, decl, args[position:], names, known)
            break
        _match_declarator(ctx, decl.declarator, decl.type_node, arg.type, names, known)
    inner = Scope(scope)
    for param in params:
        binding = known.get(param.name)
        if binding is None and param.is_pack:
            binding = known[param.name] = _pack(param, [])
        if binding is None:
            if param.default is None:
                if not param.name:
                    continue
                return None
            with ctx.nested(inner):
                try:
                    binding = argument(ctx, param, param.default)
                except Refusal:
                    return None
            known[param.name] = binding
        add_binding(inner, binding)
    return tuple(known[p.name] for p in params if p.name in known)


def _argument(ctx: Context, param: TemplateParam, scope: Scope, node: Node) -> Binding:
    with ctx.nested(scope):
        return argument(ctx, param, node)


def _pack(param: TemplateParam, bindings: list[Binding]) -> Binding:
    """The template arguments that a pack takes, as one."""
    values = [binding.value for binding in bindings]
    if param.kind == "type":
        return Binding(param.name, TypePack(tuple(v for v in values if isinstance(v, CType))))
    return Binding(param.name, tuple(v for v in values if isinstance(v, int)))


def _match_pack(
    ctx: Context,
    decl: ParamDecl,
    args: tuple[Value, ...],
    names: dict[str, TemplateParam],
    known: dict[str, Binding],
) -> None:
    """Binds the packs in the type of `Ts... name` by the arguments that it takes."""
    assert decl.type_node is not None
    found: dict[str, list[Binding]] = {}
    for arg in args:
        one: dict[str, Binding] = {}
        _match_declarator(ctx, decl.declarator, decl.type_node, arg.type, names, one)
        for name, binding in one.items():
            if names[name].is_pack:
                found.setdefault(name, []).append(binding)
            else:
                known.setdefault(name, binding)
    for name, bindings in found.items():
        if name not in known:
            known[name] = _pack(names[name], bindings)


def _match_declarator(
    ctx: Context,
    declarator: Node | None,
    base: Node,
    given: CType,
    names: dict[str, TemplateParam],
    known: dict[str, Binding],
) -> None:
    """Peels pointers, references and arrays off the parameter and the argument alike."""
    layers: list[Node] = []
    current = declarator
    while current is not None and current.type not in ("identifier", "field_identifier"):
        if current.type.endswith("_declarator") and "parenthesized" not in current.type:
            layers.append(current)
        inner = current.child_by_field_name("declarator")
        if inner is None:
            inner = next(
                (
                    c
                    for c in current.named_children
                    if c.type.endswith("declarator") or c.type == "identifier"
                ),
                None,
            )
        current = inner
    for layer in reversed(layers):
        if "reference" in layer.type:
            continue
        if "pointer" in layer.type:
            if isinstance(given, Pointer):
                given = given.pointee
            elif isinstance(given, Array):
                given = given.element
            else:
                return
        elif "array" in layer.type:
            size = layer.child_by_field_name("size")
            if isinstance(given, Array):
                if size is not None and ctx.text(size) in names and given.extent is not None:
                    known.setdefault(ctx.text(size), Binding(ctx.text(size), given.extent))
                given = given.element
            elif isinstance(given, Pointer):
                given = given.pointee
    if isinstance(given, Array) and not layers:
        given = Pointer(given.element)
    match_type(ctx, base, given, names, known)


def match_type(
    ctx: Context, node: Node, given: CType, names: dict[str, TemplateParam], known: dict[str, Binding]
) -> None:
    """Binds template parameters in the syntax of a type so that it becomes `given`, as far as that goes."""
    if node.type == "type_descriptor":
        inner = node.child_by_field_name("type")
        if inner is not None:
            _match_declarator(ctx, node.child_by_field_name("declarator"), inner, given, names, known)
        return
    if isinstance(given, Reference):
        given = given.target
    text = ctx.text(node)
    if text in names:
        if isinstance(given, Auto):
            return
        known.setdefault(text, Binding(text, given))
        return
    if node.type == "qualified_identifier":
        name = node.child_by_field_name("name")
        if name is not None:
            match_type(ctx, name, given, names, known)
        return
    if node.type == "template_type":
        arguments = node.child_by_field_name("arguments")
        if arguments is None:
            return
        children = named_children(arguments)
        if isinstance(given, Struct):
            for child, binding in zip(children, given.arguments, strict=False):
                if isinstance(binding.value, CType):
                    match_type(ctx, child, binding.value, names, known)
                elif ctx.text(child) in names:
                    known.setdefault(ctx.text(child), Binding(ctx.text(child), binding.value))
        elif isinstance(given, Group) and children and ctx.text(children[0]) in names:
            known.setdefault(ctx.text(children[0]), Binding(ctx.text(children[0]), given.size))
