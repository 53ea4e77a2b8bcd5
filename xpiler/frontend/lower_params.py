"""Parameters of kernels: scalars, arrays in global memory, structs by value in pieces, of plain functions
those by constant reference or pointer, too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tree_sitter import Node

from xpiler.frontend.lambda_captures import as_struct, captures, closed_over
from xpiler.frontend.lower_calls import param_type, return_type
from xpiler.frontend.lower_context import Context, Frame, Scope
from xpiler.frontend.lower_declarations import declare_object
from xpiler.frontend.lower_packs import params_of_pack, values_pack
from xpiler.frontend.lower_pointers import declare_pointer
from xpiler.frontend.lower_structs import construct_object
from xpiler.frontend.lower_types import (
    VOID,
    Array,
    Closure,
    CType,
    Pointer,
    Reference,
    Scalar,
    Struct,
    Void,
    decay,
    field_offsets,
    lanes_of,
    leaf_type,
    size_of,
    stored_type,
)
from xpiler.frontend.lower_values import (
    ZERO,
    Address,
    AddressOf,
    Aggregate,
    Element,
    Elements,
    Lambda,
    Memory,
    Value,
    Variable,
)
from xpiler.frontend.syntax_model import FunctionDef, ParamDecl
from xpiler.ir.nodes import RETURN, Block, Call, Const, Decl, Expr, Load, Param, Ref, Space, Var
from xpiler.ir.rewrite import map_expr, substitute, uses, walk
from xpiler.ir.types import U8, DType


def declare_params(
    ctx: Context, declarations: Sequence[ParamDecl], types: Sequence[CType], frame: Frame
) -> tuple[Param, ...]:
    """Binds the parameters in the current scope; the IR's parameters."""
    params: list[Param] = []
    for argument, (decl, ctype) in enumerate(zip(declarations, types, strict=True)):
        name = decl.name or f"unnamed_{len(params)}"
        first = len(params)
        ctx.scope.names[name] = _param(ctx, params, decl, name, ctype, name in frame.mutated)
        whole = decay(ctype.target if isinstance(ctype, Reference) else ctype)
        if isinstance(ctx.scope.names[name], AddressOf) and isinstance(whole, Pointer):
            whole = whole.pointee
        if isinstance(whole, Closure) and whole.name in ctx.entities.lambdas:
            whole = as_struct(whole.name, captures(ctx, ctx.entities.lambdas[whole.name]))
        for i, (member, offset, _) in zip(range(first, len(params)), members(whole), strict=False):
            params[i] = replace(params[i], argument=argument, member=member.removeprefix("."), offset=offset)
    return tuple(params)


def declared_params(ctx: Context, function: FunctionDef) -> tuple[list[ParamDecl], list[CType]]:
    """The parameters and their types, those of a pack one by one: `const Ts *...in` is `in_0`, `in_1`."""
    declarations: list[ParamDecl] = []
    types: list[CType] = []
    for decl in function.params:
        if not decl.is_pack:
            declarations.append(decl)
            types.append(param_type(ctx, decl))
            continue
        for number, scope in enumerate(params_of_pack(ctx, decl)):
            with ctx.nested(scope):
                types.append(param_type(ctx, decl))
            declarations.append(replace(decl, name=f"{decl.name}_{number}"))
    return declarations, types


def name_packs(ctx: Context, function: FunctionDef) -> None:
    """The packs among the parameters by their names, each element of which is declared."""
    for decl in function.params:
        if decl.is_pack:
            count = len(list(params_of_pack(ctx, decl)))
            elements = [ctx.scope.names[f"{decl.name}_{number}"] for number in range(count)]
            ctx.scope.names[decl.name] = values_pack(elements)


def declare_returned(ctx: Context, function: FunctionDef, frame: Frame) -> tuple[Param, ...]:
    """The parameter that a plain function's value goes to, none if it returns nothing.

    float sum(const float *x, int n) {... return s; }   -->   sum(x, n, float *return) {... return[0] = s; }
    """
    ctype = return_type(ctx, function)
    if ctype == VOID:
        return ()
    if not isinstance(ctype, Scalar):
        ctx.refuse(
            "result",
            f"`{function.name}` returns a `{ctype}`, which is no number",
            function.node,
            "return it through a pointer",
        )
    frame.result = Element(ctype, Memory(RETURN, ctype.dtype, (), Space.GLOBAL), (ZERO,))
    kind = str(ctype)
    return (Param(RETURN, ctype.dtype, True, is_restrict=True, spelling=f"{kind} *", range=function.range),)


def members(ctype: CType) -> Iterator[tuple[str, int, CType]]:
    """Path, offset in bytes and type of the scalars and pointers of a value, in the order of its parameters:
    `.range.low`, `.strides[1]`; "" for a value that has no parts."""
    parts: list[tuple[str, int, CType]]
    match ctype:
        case Struct():
            parts = [(f".{field}", offset, inner) for field, offset, inner in field_offsets(ctype)]
        case Array(element=element, extent=int(extent)):
            size = size_of(element) or 0
            parts = [(f"[{i}]", i * size, element) for i in range(extent)]
        case _:
            yield "", 0, ctype
            return
    for part, start, inner in parts:
        for path, offset, leaf in members(inner):
            yield f"{part}{path}", start + offset, leaf


def _param(
    ctx: Context, params: list[Param], decl: ParamDecl, name: str, ctype: CType, changed: bool
) -> Value:
    match ctype:
        case Scalar(dtype=dtype):
            unique = ctx.fresh(name)
            enum = ctx.entities.enums.get(ctype.name)
            spelling = f"enum class {ctype}" if enum is not None and enum.is_scoped else str(ctype)
            params.append(
                Param(unique, dtype, False, is_const=True, spelling=spelling, range=ctx.range(decl.node))
            )
            if changed:  # each thread has a copy of its own
                own = Var(dtype, ctx.fresh(name))
                ctx.emit(Decl(own.name, dtype, init=Var(dtype, unique)))
                ctx.copies[own.name] = Var(dtype, unique)
                return Variable(ctype, own)
            ctx.settled.add(unique)
            return Variable(ctype, Var(dtype, unique))
        case Array():
            return _pointer(
                ctx, params, decl, name, Pointer(ctype.element, "const" in decl.specifiers), changed
            )
        case Pointer(pointee=Struct() as target, is_const=True) if (
            ctx.entities.is_serial and not changed and _is_descriptor(ctx, decl, name, target)
        ):
            return AddressOf(ctype, _struct(ctx, params, decl, name, target, changed), passed=name)
        case Pointer():
            return _pointer(ctx, params, decl, name, ctype, changed)
        case Struct():
            return _struct(ctx, params, decl, name, ctype, changed)
        case Closure(name=kind) if kind in ctx.entities.lambdas:
            return _lambda(ctx, params, decl, name, ctx.entities.lambdas[kind], changed)
        case Reference(target=Struct() as target, is_const=True) if ctx.entities.is_serial:
            return _struct(ctx, params, decl, name, target, changed)
        case Reference():
            ctx.refuse(
                "kernel-parameter", f"kernel parameter `{name}` is a reference", decl.node, "pass it by value"
            )
    ctx.refuse("kernel-parameter", f"kernel parameter `{name}` of type `{ctype}` is not supported", decl.node)


def as_used(params: tuple[Param, ...], body: Block) -> tuple[Param, ...]:
    """Members that point to what is only read point to const: `T *data` with a const `T` has lost that. What
    `void *` points to is what all accesses take it for."""
    written = uses(body).arrays_written
    taken = _taken_for(body)
    result: list[Param] = []
    for p in params:
        if p.member and p.is_pointer and not p.is_const and p.name not in written:
            p = replace(p, is_const=True, spelling=f"const {p.spelling}")
        kinds = taken.get(p.name, set())
        if p.is_pointer and "void" in p.spelling.split("*")[0].split() and len(kinds) == 1:
            p = replace(p, dtype=next(iter(kinds)))
        result.append(p)
    return tuple(result)


def _taken_for(body: Block) -> dict[str, set[DType]]:
    """The types that elements of each array are accessed as."""
    tests = {id(arg) for n in walk(body) if isinstance(n, Call) and n.function == "is_null" for arg in n.args}
    taken: dict[str, set[DType]] = {}
    for node in walk(body):
        if isinstance(node, (Load, Ref)) and id(node) not in tests:
            taken.setdefault(node.array, set()).add(node.dtype)
    return taken


def without_idle_copies(ctx: Context, body: Block) -> Block:
    """The body without copies of parameters that nothing assigns to after all."""
    rest = tuple(s for s in body.body if not (isinstance(s, Decl) and s.name in ctx.copies))
    assigned = uses(replace(body, body=rest)).vars_assigned
    idle = {name: value for name, value in ctx.copies.items() if name not in assigned}
    kept = tuple(s for s in body.body if not (isinstance(s, Decl) and s.name in idle))
    result = substitute(replace(body, body=kept), idle)
    assert isinstance(result, Block)
    return _without_idle_arrays(ctx, result)


def _without_idle_arrays(ctx: Context, body: Block) -> Block:
    """The body without arrays of parameters where constants index all that is read of them, and nothing is
    written: `strides[1]` is `p_strides_1`."""
    unchanged = {name: ctx.held[name] for name in ctx.held if name not in uses(body).arrays_written}
    if not unchanged:
        return body
    shapes = {d.name: d.shape for d in walk(body) if isinstance(d, Decl) and d.name in unchanged}

    def direct(expr: Expr) -> Expr:
        if not isinstance(expr, Load) or expr.array not in unchanged:
            return expr
        at = 0
        shape = shapes[expr.array] if len(expr.index) > 1 else expr.index
        for index, extent in zip(expr.index, shape, strict=True):
            if not isinstance(index, Const) or not isinstance(extent, Const):
                return expr
            at = at * int(extent.value) + int(index.value)
        numbers = unchanged[expr.array]
        return numbers[at] if 0 <= at < len(numbers) and numbers[at].dtype == expr.dtype else expr

    result = map_expr(body, direct)
    read = uses(result).arrays_read
    return replace(
        result,
        body=tuple(s for s in result.body if not (isinstance(s, Decl) and s.name in {*unchanged} - read)),
    )


def _is_descriptor(ctx: Context, decl: ParamDecl, name: str, target: Struct) -> bool:
    """Whether a pointer is to one object, as libraries in C take it: what is in an array is of one type, and
    of whole numbers that nothing but members is asked of only one is looked at."""
    stored = stored_type(target)
    if stored is None:
        return True
    function: Node | None = decl.node
    while function is not None and function.type != "function_definition":
        function = function.parent
    body = function.child_by_field_name("body") if function is not None else None
    if body is None or not stored.is_integer:
        return False
    text, word = ctx.text(body), rf"\b{re.escape(name)}\b"
    return len(re.findall(word, text)) == len(re.findall(rf"(?<!\.){word}\s*->", text)) > 0


def _lambda(
    ctx: Context, params: list[Param], decl: ParamDecl, name: str, function: Lambda, changed: bool
) -> Value:
    """A lambda that the host passes: its code is known, what it captures is a parameter for each value."""
    scope = Scope(names=closed_over(ctx, function))
    for captured, value in captures(ctx, function).items():
        if isinstance(value, Lambda):
            continue
        inner = f"{name}_{captured}"
        scope.names[captured] = _param(ctx, params, decl, inner, _without_const(value.type), changed)
    ctx.entities.handed_lambdas[function.type.name] = as_struct(function.type.name, captures(ctx, function))
    return replace(function, scope=scope)


def _without_const(ctype: CType) -> CType:
    return ctype.target if isinstance(ctype, Reference) else ctype


def _pointer(
    ctx: Context, params: list[Param], decl: ParamDecl, name: str, ctype: Pointer, changed: bool
) -> Value:
    pointee = ctype.pointee
    leaf = U8 if isinstance(pointee, Void) else stored_type(pointee)
    if isinstance(pointee, Pointer):
        ctx.refuse(
            "pointer-to-pointer",
            f"kernel parameter `{name}` is an array of pointers, which is not supported",
            decl.node,
            "pass one array and offsets into it",
        )
    if leaf is None:
        ctx.refuse(
            "kernel-parameter",
            f"kernel parameter `{name}` points to `{pointee}`, which is not supported",
            decl.node,
            "pass arrays of numbers",
        )
    unique = ctx.fresh(name)
    spelling = f"{ctype}{' __restrict__' if 'restrict' in decl.text else ''}"
    params.append(
        Param(
            unique,
            leaf,
            True,
            is_const=ctype.is_const,
            is_restrict="restrict" in decl.text,
            lanes=lanes_of(pointee) if not isinstance(pointee, Void) else 1,
            spelling=spelling,
            range=ctx.range(decl.node),
        )
    )
    memory = Memory(unique, leaf, (), Space.GLOBAL, ctype.is_const)
    address = Address(ctype, memory, ZERO, leaf.bytes)
    return declare_pointer(ctx, name, ctype, address, changed)


def _struct(
    ctx: Context, params: list[Param], decl: ParamDecl, name: str, ctype: Struct, changed: bool
) -> Value:
    """A struct by value: a parameter for each scalar or pointer member. One without members is just
    constructed."""
    if not ctype.fields:
        return Aggregate(ctype, {}) if ctype.definition is None else construct_object(ctx, ctype, [], True)
    fields: dict[str, Value] = {}
    for field, inner in ctype.fields:
        part = f"{name}_{field}"
        if isinstance(inner, Array):
            fields[field] = _array_member(ctx, params, decl, part, inner, changed)
        else:
            fields[field] = _param(ctx, params, decl, part, inner, changed)
    return Aggregate(ctype, fields)


def _array_member(
    ctx: Context, params: list[Param], decl: ParamDecl, name: str, ctype: Array, changed: bool
) -> Value:
    """An array in a struct by value: a parameter for each of its numbers, and an array of them."""
    leaf, size = leaf_type(ctype), size_of(ctype)
    if leaf is None or size is None:
        return _objects(ctx, params, decl, name, ctype, changed)
    spelling, place = str(Scalar(leaf)), ctx.range(decl.node)
    numbers = [Var(leaf, ctx.fresh(f"{name}_{i}")) for i in range(size // leaf.bytes)]
    params += [Param(v.name, leaf, False, is_const=True, spelling=spelling, range=place) for v in numbers]
    place_of = declare_object(ctx, name, ctype, init=tuple(numbers))
    if isinstance(place_of, Element):
        ctx.held[place_of.memory.name] = tuple(numbers)
    return place_of


def _objects(
    ctx: Context, params: list[Param], decl: ParamDecl, name: str, ctype: Array, changed: bool
) -> Value:
    """An array of pointers, or of structs that hold some: the parameters of one after the other."""
    values: list[Value] = []
    for i in range(ctype.extent or 0):
        part = f"{name}_{i}"
        if isinstance(ctype.element, Array):
            values.append(_array_member(ctx, params, decl, part, ctype.element, changed))
        else:
            values.append(_param(ctx, params, decl, part, ctype.element, changed))
    return Elements(ctype, tuple(values))
