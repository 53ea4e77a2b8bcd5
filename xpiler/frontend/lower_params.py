"""Parameters of kernels: scalars, arrays in global memory, structs by value in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xpiler.frontend.lower_context import Context, Frame, Scope
from xpiler.frontend.lower_pointers import declare_pointer
from xpiler.frontend.lower_structs import construct_object
from xpiler.frontend.lower_types import (
    Array,
    Closure,
    CType,
    Pointer,
    Reference,
    Scalar,
    Struct,
    Void,
    lanes_of,
    stored_type,
)
from xpiler.frontend.lower_values import ZERO, Address, Aggregate, Lambda, Memory, Value, Variable
from xpiler.frontend.syntax_model import FunctionDef, ParamDecl
from xpiler.ir.nodes import Block, Decl, Param, Space, Var
from xpiler.ir.rewrite import substitute, uses
from xpiler.ir.types import U8


def declare_params(
    ctx: Context, function: FunctionDef, types: Sequence[CType], frame: Frame
) -> tuple[Param, ...]:
    """Binds the parameters in the current scope; the IR's parameters."""
    params: list[Param] = []
    for argument, (decl, ctype) in enumerate(zip(function.params, types, strict=True)):
        name = decl.name or f"unnamed_{len(params)}"
        first = len(params)
        ctx.scope.names[name] = _param(ctx, params, decl, name, ctype, name in frame.mutated)
        members = _members(ctype)
        for i, member in zip(range(first, len(params)), members, strict=False):
            params[i] = replace(params[i], argument=argument, member=member)
    return tuple(params)


def _members(ctype: CType) -> tuple[str, ...]:
    """The paths to the scalars and pointers of a value, in the order of their parameters."""
    if not isinstance(ctype, Struct):
        return ("",)
    return tuple(f"{field}.{inner}" if inner else field for field, t in ctype.fields for inner in _members(t))


def _param(
    ctx: Context, params: list[Param], decl: ParamDecl, name: str, ctype: CType, changed: bool
) -> Value:
    if isinstance(ctype, Array):
        ctype = Pointer(ctype.element, "const" in decl.specifiers)
    match ctype:
        case Scalar(dtype=dtype):
            unique = ctx.fresh(name)
            params.append(
                Param(unique, dtype, False, is_const=True, spelling=str(ctype), range=ctx.range(decl.node))
            )
            if changed:  # each thread has a copy of its own
                own = Var(dtype, ctx.fresh(name))
                ctx.emit(Decl(own.name, dtype, init=Var(dtype, unique)))
                ctx.copies[own.name] = Var(dtype, unique)
                return Variable(ctype, own)
            ctx.settled.add(unique)
            return Variable(ctype, Var(dtype, unique))
        case Pointer():
            return _pointer(ctx, params, decl, name, ctype, changed)
        case Struct():
            return _struct(ctx, params, decl, name, ctype, changed)
        case Closure(name=kind) if kind in ctx.entities.lambdas:
            return _lambda(ctx, decl, ctx.entities.lambdas[kind])
        case Reference():
            ctx.refuse(
                "kernel-parameter", f"kernel parameter `{name}` is a reference", decl.node, "pass it by value"
            )
    ctx.refuse("kernel-parameter", f"kernel parameter `{name}` of type `{ctype}` is not supported", decl.node)


def without_idle_copies(ctx: Context, body: Block) -> Block:
    """The body without copies of parameters that nothing assigns to after all."""
    rest = tuple(s for s in body.body if not (isinstance(s, Decl) and s.name in ctx.copies))
    assigned = uses(replace(body, body=rest)).vars_assigned
    idle = {name: value for name, value in ctx.copies.items() if name not in assigned}
    kept = tuple(s for s in body.body if not (isinstance(s, Decl) and s.name in idle))
    result = substitute(replace(body, body=kept), idle)
    assert isinstance(result, Block)
    return result


def _lambda(ctx: Context, decl: ParamDecl, function: Lambda) -> Value:
    """A lambda that the host passes: its code is known, what it captures would have to be passed."""
    captures = next((c for c in function.node.children if c.type == "lambda_capture_specifier"), None)
    if captures is not None and ctx.text(captures).replace(" ", "") not in ("[]", "[=]"):
        ctx.refuse(
            "lambda-capture",
            f"kernel parameter `{decl.name}` is a lambda with captures",
            decl.node,
            "pass a struct with `operator()` and the values as members",
        )
    return replace(function, scope=Scope())


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
        fields[field] = _param(ctx, params, decl, f"{name}_{field}", inner, changed)
    return Aggregate(ctype, fields)
