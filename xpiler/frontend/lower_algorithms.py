"""Algorithms of the C++ library on ranges, `std::fill`, `std::transform`, `std::accumulate`..., and loops
over a range, as the counted loops that they mean.

    std::transform(x, x + n, y, [](float v) { return 2 * v; });  -->  for (i = 0; i < n; ++i) y[i] = 2 * x[i];
    for (float &v : row) v = 0;                                  -->  for (i = 0; i < size; ++i) row[i] = 0;
"""

from __future__ import annotations

from collections.abc import Callable

from tree_sitter import Node

from xpiler.frontend.lower_assignment import assign_value
from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_calls import called_with
from xpiler.frontend.lower_context import Context, number, statement
from xpiler.frontend.lower_convert import convert
from xpiler.frontend.lower_declarations import local_value
from xpiler.frontend.lower_expressions import arithmetic
from xpiler.frontend.lower_heap import require_serial
from xpiler.frontend.lower_memory import advanced, load, pointer_of, subscript
from xpiler.frontend.lower_pointers import settled
from xpiler.frontend.lower_registry import builtin, method
from xpiler.frontend.lower_typenames import declared, type_of
from xpiler.frontend.lower_types import Array, Auto, Reference, Scalar, Thread
from xpiler.frontend.lower_values import (
    VOID_VALUE,
    Address,
    Element,
    Nothing,
    Value,
    Variable,
)
from xpiler.ir import build
from xpiler.ir.affine import Overflow, linear, simplify, to_expr
from xpiler.ir.nodes import Assign, Cast, Decl, Expr, For, If, LoopKind, Var
from xpiler.ir.types import I32, I64

# ------------------------------------------------------------------------------------------ ranges


def _range(call: Invocation, first: int = 0) -> tuple[Address, Expr]:
    """The begin of `[first, last)` and how many elements there are, both kept as they are now."""
    ctx = call.ctx
    require_serial(ctx, f"std::{call.name}", call.node)
    call.need(first + 2)
    begin = _iterator(call, first)
    mark = len(ctx.out)
    count = load(ctx, arithmetic(ctx, "-", call.args[first + 1], begin, mark, call.node))
    return begin, settled(ctx, _plain(count), "count")


def _plain(count: Expr) -> Expr:
    """`n` of `(i + 1) * n - i * n`; pointers into an array are no further apart than numbers reach. An int is
    left one."""
    form = linear(simplify(count, {}, Overflow.IGNORED))
    plain = count if form is None else to_expr(form, count.dtype)
    return plain.operand if isinstance(plain, Cast) and plain.operand.dtype is I32 else plain


def _iterator(call: Invocation, position: int) -> Address:
    call.need(position + 1)
    pointer = pointer_of(call.ctx, call.args[position])
    if not isinstance(pointer, Address) or pointer.memory is None:
        call.ctx.refuse("iterator", f"`std::{call.name}` needs pointers into arrays", call.node)
    return pointer


def _each(ctx: Context, count: Expr, body: Callable[[Expr], None]) -> None:
    """`for (i = 0; i < count; ++i) body(i)`"""
    count = count if count.dtype is I32 else build.cast(count, I64)
    dtype = count.dtype
    at = Var(dtype, ctx.fresh("i"))
    ctx.settled.add(at.name)
    ctx.non_negative.add(at.name)
    ctx.breaks.append(None)
    with ctx.nested(), ctx.branch() as out:
        body(at)
    ctx.breaks.pop()
    zero, one = build.const(0, dtype), build.const(1, dtype)
    ctx.emit(For(at.name, dtype, zero, count, one, ctx.sealed(out), LoopKind.SERIAL))


# ------------------------------------------------------------------------------------------ algorithms


@builtin("fill", "fill_n", "iota")
def _fill(call: Invocation) -> Value:
    """`fill(first, last, value)`, `fill_n(first, count, value)`, `iota(first, last, value)`"""
    ctx = call.ctx
    call.need(3)
    if call.name == "fill_n":
        require_serial(ctx, "std::fill_n", call.node)
        begin, count = _iterator(call, 0), settled(ctx, call.number(1), "count")
    else:
        begin, count = _range(call)
    value = settled(ctx, load(ctx, convert(ctx, call.args[2], begin.type.pointee)), "value")

    def body(at: Expr) -> None:
        filler = build.add(value, build.cast(at, value.dtype)) if call.name == "iota" else value
        assign_value(ctx, subscript(ctx, begin, at), number(filler), call.node)

    _each(ctx, count, body)
    return advanced(ctx, begin, count) if call.name == "fill_n" else VOID_VALUE


@builtin("copy", "copy_n")
def _copy(call: Invocation) -> Value:
    """`copy(first, last, out)`, `copy_n(first, count, out)`"""
    ctx = call.ctx
    if call.name == "copy_n":
        require_serial(ctx, "std::copy_n", call.node)
        begin, count = _iterator(call, 0), settled(ctx, call.number(1), "count")
    else:
        begin, count = _range(call)
    out = _iterator(call, 2)
    _each(
        ctx,
        count,
        lambda at: assign_value(ctx, subscript(ctx, out, at), subscript(ctx, begin, at), call.node),
    )
    return advanced(ctx, out, count)


@builtin("transform")
def _transform(call: Invocation) -> Value:
    """`transform(first, last, out, function)`, `transform(first, last, second, out, function)`"""
    ctx = call.ctx
    begin, count = _range(call)
    call.need(4)
    sources = (begin,) if len(call.args) == 4 else (begin, _iterator(call, 2))
    out, function = _iterator(call, len(call.args) - 2), call.args[-1]

    def body(at: Expr) -> None:
        value = called_with(ctx, function, tuple(subscript(ctx, s, at) for s in sources), call.node)
        assign_value(ctx, subscript(ctx, out, at), value, call.node)

    _each(ctx, count, body)
    return advanced(ctx, out, count)


@builtin("for_each")
def _for_each(call: Invocation) -> Value:
    """`for_each(first, last, function)`"""
    begin, count = _range(call)
    call.need(3)
    each = call.args[2]
    _each(call.ctx, count, lambda at: _ignored(call, each, subscript(call.ctx, begin, at)))
    return each


def _ignored(call: Invocation, function: Value, element: Value) -> None:
    called_with(call.ctx, function, (element,), call.node)


@builtin("accumulate", "inner_product")
def _accumulate(call: Invocation) -> Value:
    """`accumulate(first, last, start)`, `inner_product(first, last, second, start)`, with functions in place
    of the sum, and of the product, if there are more arguments. The sum has the type of its start."""
    ctx = call.ctx
    begin, count = _range(call)
    pairs = call.name == "inner_product"
    at_start = 3 if pairs else 2
    call.need(at_start + 1)
    second = _iterator(call, 2) if pairs else None
    functions = call.args[at_start + 1 :]
    start = load(ctx, call.args[at_start])
    total = Variable(Scalar(start.dtype), Var(start.dtype, ctx.fresh("total")))
    ctx.emit(Decl(total.var.name, start.dtype, init=start))

    def combined(position: int, op: str, left: Value, right: Value) -> Value:
        if position < len(functions):
            return called_with(ctx, functions[position], (left, right), call.node)
        return arithmetic(ctx, op, left, right, len(ctx.out), call.node)

    def body(at: Expr) -> None:
        value = subscript(ctx, begin, at)
        if second is not None:
            value = combined(1, "*", value, subscript(ctx, second, at))
        assign_value(ctx, total, combined(0, "+", total, value), call.node)

    _each(ctx, count, body)
    return number(total.var)


@builtin("max_element", "min_element")
def _extremum(call: Invocation) -> Value:
    """`max_element(first, last)`: the first of the largest ones, where it lies."""
    ctx = call.ctx
    begin, count = _range(call)
    if len(call.args) > 2:
        ctx.refuse("algorithm", f"`std::{call.name}` with an order of its own is not supported", call.node)
    if not isinstance(begin.type.pointee, Scalar):
        ctx.refuse("algorithm", f"`std::{call.name}` of other things than numbers", call.node)
    op = ">" if call.name == "max_element" else "<"
    zero = build.const(0, I64)
    at = Var(I64, ctx.fresh("at"))
    ctx.emit(Decl(at.name, I64, init=zero))
    first = load(ctx, subscript(ctx, begin, zero))
    some = build.binary("<", zero, build.cast(count, I64))
    best = ctx.temporary(build.select(some, first, build.const(0, first.dtype)), "best")

    def body(i: Expr) -> None:
        value = load(ctx, subscript(ctx, begin, i))
        found = (Assign(best, value), Assign(at, build.cast(i, I64)))
        ctx.emit(If(build.binary(op, value, best), ctx.sealed(found)))

    _each(ctx, count, body)
    return advanced(ctx, begin, at)


# ------------------------------------------------------------------------------------------ containers


def extent_of(ctx: Context, value: Value) -> Expr | None:
    """How many elements an array or vector has."""
    if not isinstance(value.type, Array):
        return None
    if value.type.extent is not None:
        return build.const(value.type.extent, I64)
    return ctx.lengths.get(value.memory.name) if isinstance(value, Element) else None


@method("array", "size")
def _size(call: Invocation) -> Value:
    assert call.receiver is not None
    extent = extent_of(call.ctx, call.receiver)
    if extent is None:
        call.ctx.refuse("vector", "the size of this vector is not known here", call.node)
    return number(extent)


@method("array", "end", "cend")
def _end(call: Invocation) -> Value:
    assert call.receiver is not None
    begin = pointer_of(call.ctx, call.receiver)
    assert isinstance(begin, Address)
    return advanced(call.ctx, begin, load(call.ctx, _size(call)))


@method("array", "front", "back", "at")
def _at(call: Invocation) -> Value:
    assert call.receiver is not None
    index: Expr = build.const(0, I64)
    if call.name == "at":
        index = call.number(0)
    elif call.name == "back":
        index = build.sub(load(call.ctx, _size(call)), build.const(1, I64))
    return subscript(call.ctx, call.receiver, index)


@method("array", "fill")
def _filled(call: Invocation) -> Value:
    """`std::array`'s own `fill(value)`."""
    ctx, receiver = call.ctx, call.receiver
    call.need(1)
    assert receiver is not None and isinstance(receiver.type, Array)
    value = settled(ctx, load(ctx, convert(ctx, call.args[0], receiver.type.element)), "value")
    count = load(ctx, _size(call))
    _each(ctx, count, lambda at: assign_value(ctx, subscript(ctx, receiver, at), number(value), call.node))
    return VOID_VALUE


# ------------------------------------------------------------------------------------------ loops over ranges


@statement("for_range_loop")
def _for_each_of(ctx: Context, node: Node) -> None:
    """`for (T &x : range) body`"""
    type_node, declarator = node.child_by_field_name("type"), node.child_by_field_name("declarator")
    right, body_node = node.child_by_field_name("right"), node.child_by_field_name("body")
    assert type_node is not None and declarator is not None and right is not None and body_node is not None
    whole = ctx.value(right)
    name, ctype, _ = declared(ctx, type_of(ctx, type_node), declarator)
    if isinstance(whole.type, Thread):
        with ctx.nested():
            ctx.scope.names[name] = Nothing(whole.type)
            ctx.statement(body_node)
        return
    count = extent_of(ctx, whole)
    if count is None or not name:
        ctx.refuse("range-for", "the extent of what this loop goes over is not known here", node)

    def body(at: Expr) -> None:
        element = subscript(ctx, whole, at)
        if isinstance(ctype, Reference) and (isinstance(ctype.target, Auto) or ctype.target == element.type):
            ctx.scope.names[name] = element
        else:
            plain = ctype.target if isinstance(ctype, Reference) else ctype
            ctx.scope.names[name] = local_value(ctx, name, plain, element, False)
        ctx.statement(body_node)

    _each(ctx, count, body)
