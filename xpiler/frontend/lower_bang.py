"""Intrinsics of BANG C: each call becomes the loops that it means (`platforms/bang_meaning.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context, number
from xpiler.frontend.lower_memory import load, pointer_of, snapshot, without_prefix
from xpiler.frontend.lower_offsets import in_units
from xpiler.frontend.lower_registry import method
from xpiler.frontend.lower_spaces import wanted_in
from xpiler.frontend.lower_streams import operands_of
from xpiler.frontend.lower_types import Array, Pointer, Scalar
from xpiler.frontend.lower_values import VOID_VALUE, Address, Choice, Value
from xpiler.ir import build
from xpiler.ir.nodes import Expr, If, Load, Ref
from xpiler.ir.rewrite import walk
from xpiler.ir.types import U8, DType, promote
from xpiler.platforms import (
    bang_convert,
    bang_elementwise,
    bang_matrix,
    bang_reduce,
    bang_select,
    bang_shape,
)
from xpiler.platforms.bang_meaning import MEANINGS, BadUse, Use
from xpiler.platforms.bang_operands import operand_memory, operand_rule

_FAMILIES = (bang_convert, bang_elementwise, bang_matrix, bang_reduce, bang_select, bang_shape)


@method("bang", *MEANINGS)
def _intrinsic(call: Invocation) -> Value:
    def lowered(args: Sequence[Value]) -> Value:
        ctx = call.ctx
        operands = tuple(operand(call, arg) for arg in args)
        pointers = [n for n, arg in enumerate(args) if isinstance(arg.type, (Pointer, Array))]
        for n, position in enumerate(pointers):
            memory = operand_memory(call.name, n, len(pointers))
            if memory:
                wanted_in(call, address(call, args[position]), memory, f"operand {position + 1}")
        use = Use(call.name, operands, ctx.fresh, began=ctx.began)
        try:
            stmts = MEANINGS[call.name](use)
        except BadUse as bad:
            ctx.refuse("bang-operand", str(bad), call.node)
        with operands_of(call, operand_rule(call.name)):
            for stmt in (*use.declared, *stmts):
                ctx.emit(stmt)
        return VOID_VALUE if use.result is None else number(use.result)

    return on_each_side(call.ctx, call.args, lowered)


def on_each_side(ctx: Context, args: Sequence[Value], action: Callable[[Sequence[Value]], Value]) -> Value:
    """The action with pointers that are one of two arrays (`i % 2 ? ping : pong`) on either side of an if."""
    choice = next((a for a in args if isinstance(a, Choice) and isinstance(a.type, (Pointer, Array))), None)
    if choice is None:
        return action(args)

    def side(first: bool) -> list[Value]:
        def chosen(arg: Value) -> Value:
            if isinstance(arg, Choice) and arg.condition == choice.condition:
                return arg.first if first else arg.second
            return arg

        return [chosen(a) for a in args]

    with ctx.branch() as yes:
        on_each_side(ctx, side(True), action)
    with ctx.branch() as no:
        on_each_side(ctx, side(False), action)
    ctx.emit(If(choice.condition, ctx.sealed(yes), ctx.sealed(no)))
    return VOID_VALUE


def operand(call: Invocation, arg: Value) -> Expr:
    """An argument as the meanings take it: a place in an array, or a number that keeps its value."""
    if isinstance(arg.type, (Pointer, Array)):
        return ref_of(call, arg)
    expr = load(call.ctx, snapshot(call.ctx, arg))
    if any(isinstance(n, Load) for n in walk(expr)):
        return call.ctx.temporary(expr, "value")
    return expr


def ref_of(call: Invocation, arg: Value, dtype: DType | None = None) -> Ref:
    """A pointer argument as an array of its elements, or of elements of `dtype`."""
    pointer = address(call, arg)
    assert pointer.memory is not None
    element = dtype or element_type(pointer)
    offset = in_units(pointer.memory, pointer.offset, pointer.unit, element.bytes)
    return Ref(element, pointer.memory.name, build.cast(offset, promote(offset.dtype)))


def address(call: Invocation, arg: Value) -> Address:
    """A pointer argument as a place in an array. Refuses pointers to variables and null."""
    ctx = call.ctx
    pointer = pointer_of(ctx, arg)
    if not isinstance(pointer, Address) or pointer.memory is None:
        ctx.refuse("bang-operand", f"`{call.name}` needs an array in memory here", call.node)
    return without_prefix(pointer)


def element_type(pointer: Address) -> DType:
    """What a pointer points to; the array's own elements for `void *`."""
    pointee = pointer.type.pointee
    while isinstance(pointee, Array):
        pointee = pointee.element
    if isinstance(pointee, Scalar):
        return pointee.dtype
    return pointer.memory.dtype if pointer.memory is not None else U8
