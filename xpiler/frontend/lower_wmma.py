"""Warp matrix fragments: each function of `nvcuda::wmma` is an instruction on `Space.FRAGMENT` arrays."""

from __future__ import annotations

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context, number
from xpiler.frontend.lower_memory import pointer_of, without_prefix
from xpiler.frontend.lower_offsets import flattened, in_units
from xpiler.frontend.lower_registry import builtin
from xpiler.frontend.lower_types import Closure, Fragment
from xpiler.frontend.lower_values import VOID_VALUE, Address, Element, Number, Value
from xpiler.ir import build
from xpiler.ir.nodes import Assign, Block, Const, Expr, For, Instr, Load, Ref, Var
from xpiler.ir.types import F32, I32, U32, DType, promote


def fragment_of(call: Invocation, position: int) -> tuple[Fragment, Ref]:
    """A fragment argument and the reference to it; its offset counts elements of the array of fragments."""
    call.need(position + 1)
    value = call.args[position]
    if not isinstance(value, Element) or not isinstance(value.type, Fragment) or value.index is None:
        call.ctx.refuse("wmma-operand", f"`{call.name}` needs a fragment here", call.node)
    return value.type, Ref(value.type.dtype, value.memory.name, flattened(value.memory, value.index))


def memory_of(call: Invocation, position: int, dtype: DType) -> Ref:
    """A pointer argument as a reference in units of `dtype`."""
    ctx = call.ctx
    call.need(position + 1)
    pointer = pointer_of(ctx, call.args[position])
    if not isinstance(pointer, Address) or pointer.memory is None:
        ctx.refuse("wmma-operand", f"`{call.name}` needs a pointer into an array", call.node)
    pointer = without_prefix(pointer)
    assert pointer.memory is not None
    offset = in_units(pointer.memory, pointer.offset, pointer.unit, dtype.bytes)
    return Ref(dtype, pointer.memory.name, build.cast(offset, promote(offset.dtype)))


def _stride(call: Invocation, position: int) -> Expr:
    stride = call.number(position)
    return build.cast(stride, promote(stride.dtype))


def _memory_layout(call: Invocation, position: int) -> str:
    value = call.args[position]
    name = value.type.name if isinstance(value.type, Closure) else ""
    if isinstance(value, Number) and isinstance(value.expr, Const):  # an enumerator of the text's own
        name = "mem_col_major" if value.expr.value else "mem_row_major"
    if name not in ("mem_row_major", "mem_col_major"):
        call.ctx.refuse(
            "wmma-layout", f"the layout of `{call.name}` must be mem_row_major or mem_col_major", call.node
        )
    return name


@builtin("fill_fragment")
def _fill(call: Invocation) -> Value:
    fragment, ref = fragment_of(call, 0)
    call.ctx.emit(Instr("wmma.fill_fragment", (ref, call.number_as(1, fragment.dtype))))
    return VOID_VALUE


@builtin("load_matrix_sync")
def _load(call: Invocation) -> Value:
    fragment, ref = fragment_of(call, 0)
    memory = memory_of(call, 1, fragment.dtype)
    layout = fragment.layout if len(call.args) < 4 else _memory_layout(call, 3).removeprefix("mem_")
    if layout not in ("row_major", "col_major"):
        call.ctx.refuse("wmma-layout", f"`{call.name}` of an accumulator needs a layout", call.node)
    attributes = (("layout", layout), ("use", fragment.use))
    call.ctx.emit(Instr("wmma.load_matrix_sync", (ref, memory, _stride(call, 2)), attributes))
    return VOID_VALUE


@builtin("store_matrix_sync")
def _store(call: Invocation) -> Value:
    fragment, ref = fragment_of(call, 1)
    call.need(4)
    memory = memory_of(call, 0, fragment.dtype)
    attributes = (("layout", _memory_layout(call, 3)),)
    call.ctx.emit(Instr("wmma.store_matrix_sync", (memory, ref, _stride(call, 2)), attributes))
    return VOID_VALUE


@builtin("mma_sync")
def _mma(call: Invocation) -> Value:
    call.need(4)
    operands = [fragment_of(call, position) for position in range(4)]
    _, a, b, _ = (fragment for fragment, _ in operands)
    if (a.use, b.use) != ("matrix_a", "matrix_b") or (a.m, a.n, a.k) != (b.m, b.n, b.k):
        call.ctx.refuse("wmma-operand", f"`{call.name}`: the fragments do not fit together", call.node)
    attributes: tuple[tuple[str, str], ...] = (("a_layout", a.layout), ("b_layout", b.layout))
    if len(call.args) > 4:
        saturates = call.number(4)
        if not isinstance(saturates, Const):
            call.ctx.refuse("not-constant", f"`satf` of `{call.name}` is no constant", call.node)
        attributes = (*attributes, ("satf", "true")) if saturates.value else attributes
    call.ctx.emit(Instr("wmma.mma_sync", tuple(ref for _, ref in operands), attributes))
    return VOID_VALUE


@builtin("__float_to_tf32")
def _tf32(call: Invocation) -> Value:
    # Round to 10 bits of mantissa, ties away from zero: on the bits of the magnitude.
    bits = build.bitcast(call.number_as(0, F32), U32)
    rounded = build.add(bits, build.const(0x1000, U32))
    return number(build.bitcast(build.binary("&", rounded, build.const(0xFFFFE000, U32)), F32))


def copy_fragment(ctx: Context, target: Value, source: Value) -> None:
    """`a = b` for fragments: every thread copies its elements."""
    from xpiler.frontend.lower_memory import fragment_elements

    if not (isinstance(target, Element) and isinstance(source, Element) and target.type == source.type):
        ctx.refuse("wmma-operand", "fragments of different types are assigned")
    assert isinstance(target.type, Fragment) and target.index is not None and source.index is not None
    count = fragment_elements(target.type, ctx.warp_size)
    i = ctx.fresh("i")
    position = Var(I32, i)
    dtype = target.type.dtype
    copied = Assign(
        Load(dtype, target.memory.name, (*target.index, position)),
        Load(dtype, source.memory.name, (*source.index, position)),
    )
    ctx.emit(For(i, I32, build.const(0), build.const(count), build.const(1), Block((copied,))))
