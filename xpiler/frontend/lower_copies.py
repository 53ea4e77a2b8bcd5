"""memcpy and memset in device code."""

from __future__ import annotations

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context
from xpiler.frontend.lower_memory import deref, load, place_of, pointer_of, store, without_prefix
from xpiler.frontend.lower_offsets import in_units, plus
from xpiler.frontend.lower_registry import builtin
from xpiler.frontend.lower_types import Pointer, Scalar, lanes_of, leaf_type, size_of
from xpiler.frontend.lower_values import (
    VOID_VALUE,
    Address,
    AddressOf,
    Memory,
    Value,
    Variable,
)
from xpiler.ir import build
from xpiler.ir.nodes import Assign, Block, Const, Expr, For, Load, Var
from xpiler.ir.types import U32, U64, DType


@builtin("memcpy", "__builtin_memcpy", "memmove")
def _memcpy(call: Invocation) -> Value:
    call.need(3)
    copy_bytes(call, call.args[0], call.args[1], call.number(2), build.const(0, U32), build.const(1, U32))
    return VOID_VALUE


def copy_bytes(call: Invocation, target: Value, source: Value, count: Expr, first: Expr, step: Expr) -> None:
    """Elements `first`, `first + step`... of `count` bytes, counted in the widest scalar that both sides
    are made of."""
    ctx = call.ctx
    to, from_ = pointer_of(ctx, target), pointer_of(ctx, source)
    if isinstance(to, AddressOf) or isinstance(from_, AddressOf):
        _copy_variable(call, to, from_, count)
        return
    to, from_ = without_prefix(to), without_prefix(from_)
    if to.memory is None or from_.memory is None:
        ctx.refuse("null-pointer", f"`{call.name}` with a null pointer", call.node)
    dtype = from_.memory.dtype if from_.memory.dtype.bytes <= to.memory.dtype.bytes else to.memory.dtype
    if isinstance(count, Const) and int(count.value) % dtype.bytes:
        ctx.refuse("copy-size", f"`{call.name}` copies part of an element", call.node)
    total = in_units(None, count, 1, dtype.bytes)
    i = ctx.fresh("i")
    position = Var(U32, i)
    assign = Assign(_at(to, to.memory, dtype, position), _at(from_, from_.memory, dtype, position))
    ctx.emit(For(i, U32, first, build.cast(total, U32), step, Block((assign,))))


def _at(pointer: Address, memory: Memory, dtype: DType, index: Expr) -> Load:
    offset = plus(memory, in_units(memory, pointer.offset, pointer.unit, dtype.bytes), index)
    return Load(dtype, memory.name, (offset,))


def _copy_variable(
    call: Invocation, to: Address | AddressOf, from_: Address | AddressOf, count: Expr
) -> None:
    """A copy from or to a single variable: its value, or its bits."""
    ctx = call.ctx
    variable = (
        to.target if isinstance(to, AddressOf) else from_.target if isinstance(from_, AddressOf) else None
    )
    assert variable is not None
    size = size_of(variable.type)
    if not isinstance(variable.type, Scalar) or not isinstance(count, Const) or int(count.value) != size:
        _copy_struct(call, to, from_, count)
        return
    source = deref(
        ctx,
        from_
        if isinstance(from_, AddressOf)
        else Address(Pointer(variable.type), from_.memory, from_.offset, from_.unit, from_.prefix),
    )
    value = load(ctx, source)
    target = deref(
        ctx,
        to
        if isinstance(to, AddressOf)
        else Address(Pointer(variable.type), to.memory, to.offset, to.unit, to.prefix),
    )
    place = place_of(ctx, target)
    if value.dtype.bits != place.dtype.bits:
        ctx.refuse("copy-size", f"`{call.name}` copies between variables of different sizes", call.node)
    store(ctx, target, build.bitcast(value, place.dtype) if value.dtype != place.dtype else value)


def _copy_struct(call: Invocation, to: Address | AddressOf, from_: Address | AddressOf, count: Expr) -> None:
    """A struct in pieces and memory: member by member, where all have one type."""
    from xpiler.frontend.lower_memory import copy

    ctx = call.ctx
    whole = to.target if isinstance(to, AddressOf) else from_.target if isinstance(from_, AddressOf) else None
    assert whole is not None
    leaf = leaf_type(whole.type)
    size = size_of(whole.type)
    if leaf is None or not isinstance(count, Const) or int(count.value) != size or not lanes_of(whole.type):
        ctx.refuse(
            "copy-variable", f"`{call.name}` of a variable of type `{whole.type}` is not supported", call.node
        )
    sides = [
        p.target
        if isinstance(p, AddressOf)
        else deref(ctx, Address(Pointer(whole.type), p.memory, p.offset, p.unit, p.prefix))
        for p in (to, from_)
    ]
    if sides[0].type != sides[1].type:
        ctx.refuse("copy-variable", f"`{call.name}` between variables of different types", call.node)
    copy(ctx, sides[0], sides[1])


def clear_bytes(call: Invocation, target: Value, begin: Expr, end: Expr) -> None:
    """Zeros in bytes `begin`, ... `end - 1`."""
    pointer = pointer_of(call.ctx, target)
    if isinstance(pointer, AddressOf):
        call.ctx.refuse("memset", f"`{call.name}` of this variable is not supported", call.node)
    pointer = without_prefix(pointer)
    if pointer.memory is None:
        call.ctx.refuse("null-pointer", f"`{call.name}` of a null pointer", call.node)
    dtype = pointer.memory.dtype
    i = call.ctx.fresh("i")
    place = _at(pointer, pointer.memory, dtype, Var(U32, i))
    first, last = (build.cast(in_units(None, e, 1, dtype.bytes), U32) for e in (begin, end))
    body = Block((Assign(place, build.const(0, dtype)),))
    call.ctx.emit(For(i, U32, first, last, build.const(1, U32), body))


@builtin("memset", "__builtin_memset")
def _memset(call: Invocation) -> Value:
    call.need(3)
    ctx: Context = call.ctx
    value, count = call.number(1), call.number(2)
    pointer = pointer_of(ctx, call.args[0])
    if not isinstance(value, Const) or value.value != 0:
        ctx.refuse("memset", "`memset` with a value other than 0 is not supported", call.node)
    if isinstance(pointer, AddressOf):
        if isinstance(pointer.target, Variable):
            store(ctx, pointer.target, build.const(0, pointer.target.var.dtype))
            return VOID_VALUE
        ctx.refuse("memset", "`memset` of this variable is not supported", call.node)
    clear_bytes(call, call.args[0], build.const(0, U64), build.cast(count, U64))
    return VOID_VALUE
