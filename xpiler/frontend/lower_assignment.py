"""Assignment in all its forms, and expressions that stand for their effects alone."""

from __future__ import annotations

from dataclasses import replace

from tree_sitter import Node

from xpiler.frontend.lower_context import (
    Context,
    expression,
    field_children,
    named_children,
    number,
    shorten,
)
from xpiler.frontend.lower_convert import construct, convert
from xpiler.frontend.lower_expressions import arithmetic, refuse_operand, signed
from xpiler.frontend.lower_heap import Heap, placed
from xpiler.frontend.lower_memory import (
    both,
    copy,
    load,
    on_both_sides,
    place_of,
    pointer_of,
    store,
    subscript,
    without_prefix,
)
from xpiler.frontend.lower_operators import user_operator
from xpiler.frontend.lower_pointers import assign_pointer, step_pointer
from xpiler.frontend.lower_registers import assign_register
from xpiler.frontend.lower_types import Array, Fragment, Pointer, Register, Scalar, Struct, Thread, Vector
from xpiler.frontend.lower_values import (
    Address,
    AddressOf,
    Choice,
    Element,
    ListValue,
    Number,
    PointerVariable,
    Value,
    Variable,
)
from xpiler.frontend.lower_vectors import elements
from xpiler.ir import build
from xpiler.ir.nodes import Const, Expr, Load, Var
from xpiler.ir.types import I32, common_type

_REDUCING = {"+=": "+", "*=": "*", "&=": "&", "|=": "|", "^=": "^"}


@expression("assignment_expression")
def _assignment(ctx: Context, node: Node) -> Value:
    left_node = node.child_by_field_name("left")
    right_node = node.child_by_field_name("right")
    operator = node.child_by_field_name("operator")
    assert left_node is not None and right_node is not None and operator is not None
    source = ctx.value(right_node)
    if isinstance(source, (Number, Variable, Element)) and not isinstance(
        source.type, (Struct, Array, Fragment, Vector, Register)
    ):
        mark = len(ctx.out)
        kept = load(ctx, source)
        target = ctx.value(left_node)
        stable = ctx.stable(kept, mark)
        if stable is not kept or not isinstance(source, Number):
            source = number(stable, source.type.name if isinstance(source.type, Scalar) else "")
    else:
        target = ctx.value(left_node)
    op = operator.type
    if op == "=":
        assign_value(ctx, target, source, node)
    else:
        compound(ctx, target, op, source, node)
    return target


def assign_value(ctx: Context, target: Value, source: Value, node: Node) -> None:
    """`target = source` for values of any type."""
    if isinstance(target, Choice):
        if isinstance(target.type, Pointer):
            ctx.refuse(
                "pointer-base",
                f"`{shorten(ctx.text(node))}`: a pointer into one of two arrays is assigned",
                node,
                "use a pointer for each array",
            )
        once = _computed_once(ctx, target, source)
        on_both_sides(ctx, target, lambda side: assign_value(ctx, side, once, node))
        return
    match target:
        case PointerVariable(type=ctype, cell=cell):
            source = placed(ctx, cell.name, source, ctype) if isinstance(source, Heap) else source
            assign_pointer(ctx, target, source)
            return
        case Variable(is_const=True):
            ctx.refuse("read-only", f"constant `{target.var.name}` is assigned", node)
    match target.type:
        case Scalar():
            if isinstance(source, ListValue):
                source = construct(ctx, target.type, source)
            store(ctx, target, load(ctx, convert(ctx, source, target.type)))
        case Struct():
            result = user_operator(ctx, "=", [target, source]) if not isinstance(source, ListValue) else None
            if result is None:
                if isinstance(source, ListValue) or source.type != target.type:
                    source = construct(ctx, target.type, source)
                copy(ctx, target, source)
        case Register():
            assign_register(ctx, target, source)
        case Vector():
            copy(ctx, target, convert(ctx, source, target.type))
        case Fragment():
            from xpiler.frontend.lower_wmma import copy_fragment

            copy_fragment(ctx, target, source)
        case Thread() if source.type == target.type:
            pass  # it runs where it was started
        case _:
            ctx.refuse(
                "assignment-type", f"`{shorten(ctx.text(node))}`: cannot assign to `{target.type}`", node
            )


def _computed_once(ctx: Context, target: Choice, source: Value) -> Value:
    """The value that one of many places gets, in a variable where writing it out for each would be long."""
    many = isinstance(target.first, Choice) or isinstance(target.second, Choice)
    if not many or not isinstance(source, Number) or isinstance(source.expr, (Const, Var)):
        return source
    return number(ctx.temporary(source.expr), source.type.name)


def compound(ctx: Context, target: Value, op: str, source: Value, node: Node) -> None:
    """`target op= source`."""
    if isinstance(target, Choice):
        if isinstance(target.type, Pointer):
            for side in (target.first, target.second):
                compound(ctx, side, op, source, node)
        else:
            once = _computed_once(ctx, target, source)
            on_both_sides(ctx, target, lambda side: compound(ctx, side, op, once, node))
        return
    if isinstance(target, PointerVariable):
        step = load(ctx, source)
        step_pointer(ctx, target, step if op == "+=" else build.neg(signed(step)))
        return
    if isinstance(target.type, Struct):
        result = user_operator(ctx, op, [target, source])
        if result is None:
            value = arithmetic(ctx, op[:-1], target, source, len(ctx.out), node)
            copy(ctx, target, value)
        return
    if isinstance(target.type, Vector):
        _compound_vector(ctx, target, op, source, node)
        return
    if isinstance(target, Variable) and target.is_const:
        ctx.refuse("read-only", f"constant `{target.var.name}` is assigned", node)
    if isinstance(target.type, Register):
        assign_register(ctx, target, arithmetic(ctx, op[:-1], target, source, len(ctx.out), node))
        return
    add_to(ctx, target, op, load(ctx, source), node)


def _compound_vector(ctx: Context, target: Value, op: str, source: Value, node: Node) -> None:
    """`v += w`, `v *= 2.0f` on every element."""
    assert isinstance(target.type, Vector)
    for i, part in enumerate(elements(ctx, convert(ctx, source, target.type), target.type)):
        add_to(ctx, subscript(ctx, target, build.const(i)), op, part, node)


def add_to(ctx: Context, target: Value, op: str, value: Expr, node: Node) -> None:
    """Compound assignment of scalars, as a reduction where the meaning is one."""
    place = place_of(ctx, target)
    dtype = place.dtype
    result_type = dtype if op in ("<<=", ">>=") else common_type(dtype, value.dtype)
    if dtype.bits < 32 and dtype.is_integer:
        result_type = common_type(I32, value.dtype)
    if result_type == dtype and op in _REDUCING:
        store(ctx, target, value, _REDUCING[op])
        return
    if result_type == dtype and op == "-=" and dtype.is_float:
        store(ctx, target, build.neg(build.cast(value, dtype)), "+")
        return
    current = Load(dtype, place.array, place.index) if isinstance(place, Load) else Var(dtype, place.name)
    if op[:-1] in ("%", "&", "|", "^", "<<", ">>") and (dtype.is_float or value.dtype.is_float):
        ctx.refuse("operand-type", f"operator `{op}` cannot be applied to `{target.type}`", node)
    store(ctx, target, build.binary(op[:-1], current, value))


@expression("update_expression")
def _update(ctx: Context, node: Node) -> Value:
    return _updated(ctx, node, wanted=True)


def _updated(ctx: Context, node: Node, wanted: bool) -> Value:
    argument = node.child_by_field_name("argument")
    operator = node.child_by_field_name("operator")
    assert argument is not None and operator is not None
    target = ctx.value(argument)
    postfix = operator.start_byte > argument.start_byte
    down = operator.type == "--"
    result: Value = target
    if isinstance(target, Choice):
        if postfix and wanted:
            result = _kept_choice(ctx, target)
        compound(ctx, target, "-=" if down else "+=", number(build.const(1)), node)
        return result
    if isinstance(target, PointerVariable):
        if postfix and wanted:
            address = without_prefix_address(ctx, target)
            result = Address(address.type, address.memory, ctx.temporary(address.offset), address.unit)
        step_pointer(ctx, target, build.const(-1 if down else 1))
        return result
    if isinstance(target.type, Struct):
        found = user_operator(ctx, operator.type, [target])
        return found if found is not None else refuse_operand(ctx, operator.type, target, node)
    if postfix and wanted:
        result = number(ctx.temporary(load(ctx, target)))
    add_to(ctx, target, "-=" if down else "+=", build.const(1), node)
    return result


def _kept_choice(ctx: Context, value: Value) -> Value:
    """The value before it is counted."""
    if not isinstance(value.type, Pointer):
        return number(ctx.temporary(load(ctx, value)))
    if isinstance(value, Choice):
        return both(value, lambda side: _kept_choice(ctx, side))
    address = without_prefix_address(ctx, value)
    return replace(address, offset=ctx.temporary(address.offset))


def without_prefix_address(ctx: Context, value: Value) -> Address:
    address = pointer_of(ctx, value)
    if isinstance(address, AddressOf):
        ctx.refuse("pointer-to-variable", "a pointer to a single variable is moved")
    return without_prefix(address)


def effect(ctx: Context, node: Node) -> None:
    """An expression for its effects alone."""
    while node.type == "parenthesized_expression":
        node = named_children(node)[0]
    with ctx.at(node):
        if node.type == "update_expression":
            _updated(ctx, node, wanted=False)
        elif node.type == "comma_expression":
            for child in field_children(node, "left") + field_children(node, "right"):
                effect(ctx, child)
        else:
            ctx.value(node)


@expression("comma_expression")
def _comma(ctx: Context, node: Node) -> Value:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    assert left is not None and right is not None
    effect(ctx, left)
    return ctx.value(right)
