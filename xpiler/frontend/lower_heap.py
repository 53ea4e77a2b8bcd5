"""Memory that a plain function takes for its own use: `malloc`, `new`, `std::vector` and arrays of variable
length become local arrays.

float *row = (float *)malloc(n * sizeof(float));   -->   float row[n];
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tree_sitter import Node

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context, constant, expression, named_children
from xpiler.frontend.lower_memory import deref, load, pointer_of
from xpiler.frontend.lower_offsets import exact_div
from xpiler.frontend.lower_registry import builtin, method
from xpiler.frontend.lower_typenames import type_of
from xpiler.frontend.lower_types import (
    VOID,
    Array,
    CType,
    Pointer,
    Thread,
    Void,
    lanes_of,
    size_of,
    stored_type,
)
from xpiler.frontend.lower_values import VOID_VALUE, ZERO, Address, Element, Memory, Nothing, Value
from xpiler.ir import build
from xpiler.ir.nodes import Assign, Block, Decl, Expr, For, Load, LoopKind, Space, Var
from xpiler.ir.rewrite import free_vars
from xpiler.ir.types import I32, I64, U64, DType


@dataclass(frozen=True, eq=False)
class Heap(Value):
    """Bytes of new memory, before it is known what they hold."""

    bytes: Expr
    zero: bool = False


def placed(ctx: Context, name: str, heap: Heap, ctype: Pointer) -> Address:
    """New memory as an array of what the pointer points to."""
    leaf = stored_type(ctype.pointee)
    if leaf is None or isinstance(ctype.pointee, Void):
        ctx.refuse(
            "heap-type", f"memory for `{ctype.pointee}` is not supported", remedy="use arrays of numbers"
        )
    return new_array(ctx, name, ctype, leaf, exact_div(heap.bytes, leaf.bytes), heap.zero)


def new_array(ctx: Context, name: str, ctype: Pointer, leaf: DType, count: Expr, zero: bool) -> Address:
    memory = Memory(ctx.fresh(name), leaf, (), Space.LOCAL)
    extent = build.cast(count, I32)
    ctx.emit(Decl(memory.name, leaf, (extent,), Space.LOCAL))
    if zero:
        at = Var(I32, ctx.fresh("e"))
        body = Assign(Load(leaf, memory.name, (at,)), build.const(0, leaf))
        ctx.emit(For(at.name, I32, build.const(0), extent, build.const(1), Block((body,)), LoopKind.SERIAL))
    return Address(ctype, memory, ZERO, leaf.bytes)


def require_serial(ctx: Context, what: str, node: Node) -> None:
    if not ctx.entities.is_serial:
        ctx.refuse(
            "device-malloc",
            "allocation in device code is not supported",
            node,
            "use a buffer that the host allocates",
        )


@builtin("malloc", "_mm_malloc", "aligned_alloc", "calloc", "alloca", "__builtin_alloca")
def _malloc(call: Invocation) -> Value:
    require_serial(call.ctx, call.name, call.node)
    if call.name == "calloc":
        return Heap(Pointer(VOID), build.mul(call.number_as(0, U64), call.number_as(1, U64)), zero=True)
    return Heap(Pointer(VOID), call.number_as(1 if call.name == "aligned_alloc" else 0, U64))


@builtin("posix_memalign")
def _posix_memalign(call: Invocation) -> Value:
    """`posix_memalign((void **)&p, alignment, bytes)`, which succeeds."""
    from xpiler.frontend.lower_assignment import assign_value

    require_serial(call.ctx, call.name, call.node)
    call.need(3)
    heap = Heap(Pointer(VOID), call.number_as(2, U64))
    assign_value(call.ctx, deref(call.ctx, pointer_of(call.ctx, call.args[0])), heap, call.node)
    return constant(0, I32)


@builtin("free")
def _free(call: Invocation) -> Value:
    require_serial(call.ctx, call.name, call.node)
    return VOID_VALUE


@expression("new_expression")
def _new(ctx: Context, node: Node) -> Value:
    """`new T[n]`"""
    require_serial(ctx, "new", node)
    type_node, declarator = node.child_by_field_name("type"), node.child_by_field_name("declarator")
    if type_node is None or declarator is None:
        ctx.refuse("heap-type", f"`{ctx.text(node)}` is not supported", node, "use an array")
    ctype = type_of(ctx, type_node)
    count = load(ctx, ctx.value(named_children(declarator)[0]))
    size = size_of(ctype)
    if size is None:
        ctx.refuse("incomplete-type", f"the size of `{ctype}` is not known here", node)
    zero = node.child_by_field_name("arguments") is not None
    return Heap(Pointer(ctype), build.mul(build.cast(count, U64), build.const(size, U64)), zero)


@expression("delete_expression")
def _delete(ctx: Context, node: Node) -> Value:
    return VOID_VALUE


def vector_variable(ctx: Context, name: str, element: CType, values: Sequence[Value]) -> Value:
    """`std::vector<T> name(n)` and `name(n, value)`."""
    if isinstance(element, Thread):
        return Nothing(element)
    leaf = stored_type(element)
    if not values or leaf is None:
        ctx.refuse("vector", f"`std::vector` {name} needs its size where it is declared")
    count = load(ctx, values[0])
    lanes = lanes_of(element)
    total = count if lanes == 1 else build.mul(count, build.const(lanes, count.dtype))
    address = new_array(ctx, name, Pointer(element), leaf, total, zero=len(values) < 2)
    assert address.memory is not None
    if all("." in v or v in ctx.settled for v in free_vars(count)):
        ctx.lengths[address.memory.name] = build.cast(count, I64)
    if len(values) > 1:
        at = Var(I32, ctx.fresh("e"))
        body = Assign(Load(leaf, address.memory.name, (at,)), build.cast(load(ctx, values[1]), leaf))
        extent = build.cast(total, I32)
        ctx.emit(For(at.name, I32, build.const(0), extent, build.const(1), Block((body,)), LoopKind.SERIAL))
    return Element(Array(element, None), address.memory, None, ZERO, leaf.bytes)


def array_of_variable_length(ctx: Context, name: str, element: CType, size: Node) -> Value:
    """`T name[n]` in a plain function."""
    leaf = stored_type(element)
    if leaf is None:
        ctx.refuse("declaration", f"an array `{name}` of `{element}` needs a constant size", size)
    count = build.mul(load(ctx, ctx.value(size)), build.const(lanes_of(element)))
    address = new_array(ctx, name, Pointer(element), leaf, count, zero=False)
    assert address.memory is not None
    return Element(Array(element, None), address.memory, None, ZERO, leaf.bytes)


@method("array", "data", "begin", "cbegin")
def _data(call: Invocation) -> Value:
    assert call.receiver is not None
    return pointer_of(call.ctx, call.receiver)
