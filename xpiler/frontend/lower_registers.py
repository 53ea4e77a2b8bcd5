"""Register registers in the language: variables, assignment, conversion, the operators of compilers."""

from __future__ import annotations

from collections.abc import Callable

from xpiler.frontend.lower_context import Context, number
from xpiler.frontend.lower_lanes import (
    Lanes,
    assign_lanes,
    chosen_bit,
    constant_lanes,
    declare_register,
    is_settled,
    kept,
    lanes_of_value,
    listed,
    mask_from,
    mask_of,
    retyped,
)
from xpiler.frontend.lower_memory import load
from xpiler.frontend.lower_types import Register
from xpiler.frontend.lower_values import Choice, Element, ListValue, Number, Value
from xpiler.ir import build
from xpiler.ir.nodes import Const, Expr
from xpiler.ir.types import BOOL, I64, DType
from xpiler.platforms.vnni_elementwise import inverted


def to_register(ctx: Context, value: Value, ctype: Register) -> Value:
    """The value as one of a register type: another register's bits, a mask from the bits of a number."""
    if isinstance(value, ListValue):
        return _listed(ctx, value, ctype)
    if isinstance(value, Choice):
        first, second = (lanes_of_value(ctx, to_register(ctx, v, ctype)) for v in (value.first, value.second))
        return chosen(ctx, value.condition, first, second)
    if value.type == ctype:
        return value
    if isinstance(value.type, Register) and not value.type.is_mask and not ctype.is_mask:
        return retyped(lanes_of_value(ctx, value), ctype)
    if ctype.is_mask:
        return mask_from(ctx, value, ctype)
    ctx.refuse("vector-type", f"a value of type `{value.type}` is no `{ctype}`")


def _listed(ctx: Context, values: ListValue, ctype: Register) -> Lanes:
    """`__m512 v = {a, b}`: the rest is zero."""
    if ctype.is_mask:
        with ctx.nested(values.scope):
            only = ctx.value(values.nodes[0]) if values.nodes else number(build.const(0))
        return mask_from(ctx, only, ctype)
    with ctx.nested(values.scope):
        given: list[Expr] = [build.cast(load(ctx, ctx.value(n)), ctype.dtype) for n in values.nodes]
    given += [build.const(0, ctype.dtype)] * (ctype.lanes - len(given))
    return listed(ctx, ctype, given)


def register_variable(ctx: Context, name: str, ctype: Register, value: Value | None, changed: bool) -> Value:
    """A local register. One that never changes and is made of such numbers alone is just a name for its
    value."""
    if value is None:
        return declare_register(ctx, name, ctype, ctype.dtype)
    lanes = lanes_of_value(ctx, to_register(ctx, value, ctype))
    if not changed and is_settled(ctx, lanes):
        return lanes
    return kept(ctx, name, lanes)


def assign_register(ctx: Context, target: Value, source: Value) -> None:
    """`target = source`."""
    assert isinstance(target.type, Register)
    if not isinstance(target, Element):
        ctx.refuse("not-assignable", "this vector is no place that can be assigned to")
    assign_lanes(ctx, target, lanes_of_value(ctx, to_register(ctx, source, target.type)))


def chosen(ctx: Context, condition: Expr, first: Lanes, second: Lanes) -> Lanes:
    """`condition ? first : second`."""
    if first.type.is_mask:
        return Lanes(
            first.type, BOOL, lambda lane: chosen_bit(ctx, condition, first.at(lane), second.at(lane))
        )
    second = second if second.dtype == first.dtype else lanes_of_value(ctx, second, first.dtype)
    return Lanes(
        first.type, first.dtype, lambda lane: build.select(condition, first.at(lane), second.at(lane))
    )


def register_operator(ctx: Context, op: str, left: Value, right: Value) -> Value | None:
    """An operator on registers: `m1 & m2` of masks, `a * b + c` ; None where it is one of numbers."""
    kinds = [v.type for v in (left, right) if isinstance(v.type, Register)]
    if not kinds:
        return None
    ctype = kinds[0]
    if ctype.is_mask:
        if op not in ("&", "|", "^") or (len(kinds) < 2 and not _stays_a_mask(op, left, right, ctype)):
            return None
        first, second = (mask_of(ctx, v, ctype.lanes) for v in (left, right))
        joins: dict[str, Callable[[Expr, Expr], Expr]] = {"&": build.and_, "|": build.or_, "^": build.ne}
        join = joins[op]
        return Lanes(ctype, BOOL, lambda lane: join(first(lane), second(lane)))
    if op not in ("+", "-", "*", "/", "&", "|", "^") or (ctype.is_integer and op in ("*", "/")):
        ctx.refuse("operand-type", f"operator `{op}` on values of type `{ctype}` is not supported")
    a, b = (_operand(ctx, v, ctype) for v in (left, right))
    dtype = a.dtype
    return Lanes(ctype, dtype, lambda lane: build.cast(build.binary(op, a.at(lane), b.at(lane)), dtype))


def _stays_a_mask(op: str, left: Value, right: Value, ctype: Register) -> bool:
    """Whether `mask op number` sets no bit beyond those of the mask."""
    number = left if isinstance(right.type, Register) else right
    if not isinstance(number, Number) or not number.expr.dtype.is_integer:
        return False
    bits = number.expr
    return op == "&" or (isinstance(bits, Const) and 0 <= int(bits.value) < 1 << ctype.lanes)


def _operand(ctx: Context, value: Value, ctype: Register) -> Lanes:
    if isinstance(value.type, Register):
        return lanes_of_value(ctx, value, operator_type(ctype))
    return constant_lanes(ctype, build.cast(load(ctx, value), operator_type(ctype)))


def operator_type(ctype: Register) -> DType:
    """The lanes that operators see: of integers 64 bits wide."""
    return I64 if ctype.is_integer else ctype.dtype


def negated(ctx: Context, value: Value, op: str) -> Value | None:
    """`~mask`, `-v`; None where the operator is one of numbers."""
    if not isinstance(value.type, Register):
        return None
    lanes = lanes_of_value(ctx, value)
    if value.type.is_mask and op == "~":
        return Lanes(value.type, BOOL, lambda lane: build.not_(lanes.at(lane)))
    if op == "-" and lanes.dtype.is_float:
        return Lanes(value.type, lanes.dtype, lambda lane: build.neg(lanes.at(lane)))
    if op == "~" and value.type.is_integer:
        return Lanes(value.type, lanes.dtype, lambda lane: inverted(lanes.at(lane)))
    return None
