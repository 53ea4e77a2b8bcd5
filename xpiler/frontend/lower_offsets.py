"""Arithmetic of indices in units of a memory: what pointers and members add up to."""

from __future__ import annotations

from xpiler.frontend.lower_types import CType, stored_type
from xpiler.frontend.lower_values import ZERO, Element, Memory
from xpiler.ir import build
from xpiler.ir.nodes import Binary, Cast, Const, Expr, Space
from xpiler.ir.types import I32, I64, DType, promote


def index_type(memory: Memory | None, *parts: Expr) -> DType:
    """The type for index arithmetic that C does in pointers: exact, so 64 bits, unless the array is known
    to be small."""
    small = memory is not None and memory.space is not Space.GLOBAL
    return I32 if small and all(p.dtype.bits <= 32 for p in parts) else I64


def plus(memory: Memory | None, left: Expr, right: Expr) -> Expr:
    """Sum of two offsets; one alone keeps the type it was written in."""
    if build.is_const(right, 0):
        return left
    if build.is_const(left, 0):
        return right
    dtype = index_type(memory, left, right)
    return build.add(build.cast(left, dtype), build.cast(right, dtype))


def scaled(memory: Memory | None, index: Expr, factor: int) -> Expr:
    if factor == 1 or build.is_const(index, 0):
        return build.cast(index, promote(index.dtype))
    return build.mul(
        build.cast(index, index_type(memory, index)), build.const(factor, index_type(memory, index))
    )


def in_units(memory: Memory | None, offset: Expr, old: int, new: int) -> Expr:
    """An offset in `old` bytes counted in `new` bytes. Memory has to be aligned to what is read from it: the
    division is exact."""
    if old == new or build.is_const(offset, 0):
        return offset
    if old % new == 0:
        return scaled(memory, offset, old // new)
    return exact_div(offset, new // old)


def exact_div(expr: Expr, divisor: int) -> Expr:
    """`expr / divisor`, which has to leave no rest, without a division where the factors show it."""
    shorter = expr if divisor == 1 else divided(expr, divisor)
    if shorter is not None:
        return shorter
    match expr:
        case Binary(op="+" | "-" as op, left=left, right=right):
            # The sum is a multiple, so where one side is, the other is, too.
            first, second = divided(left, divisor), divided(right, divisor)
            if first is not None or second is not None:
                return build.binary(
                    op,
                    exact_div(left, divisor) if first is None else first,
                    exact_div(right, divisor) if second is None else second,
                )
    dtype = promote(expr.dtype)
    return Binary(dtype, "/", build.cast(expr, dtype), build.const(divisor, dtype), True)


def divided(expr: Expr, divisor: int) -> Expr | None:
    match expr:
        case Const(dtype=dtype, value=value) if int(value) % divisor == 0:
            return build.const(int(value) // divisor, dtype)
        case Cast(dtype=dtype, operand=operand) if (
            operand.dtype.is_integer and operand.dtype.bits <= dtype.bits
        ):
            inner = divided(operand, divisor)
            return None if inner is None else build.cast(inner, dtype)
        case Binary(op="+" | "-" as op, left=left, right=right):
            first, second = divided(left, divisor), divided(right, divisor)
            return None if first is None or second is None else build.binary(op, first, second)
        case Binary(op="*", left=left, right=right):
            second = divided(right, divisor)
            if second is not None:
                return build.mul(left, second)
            first = divided(left, divisor)
            return None if first is None else build.mul(first, right)
        case Binary(op="<<", left=left, right=Const(value=shift)) if (1 << int(shift)) % divisor == 0:
            return build.mul(left, build.const((1 << int(shift)) // divisor, left.dtype))
    return None


def flattened(memory: Memory, index: tuple[Expr, ...]) -> Expr:
    """The flat offset, in elements, of the first element under `index`."""
    offset: Expr = ZERO
    for position, part in enumerate(index):
        stride = 1
        for extent in memory.shape[position + 1 :]:
            stride *= extent
        offset = plus(memory, offset, scaled(memory, part, stride))
    return offset


def flat_offset(element: Element) -> tuple[Expr, int]:
    """(offset, unit in bytes) of an object in an array."""
    memory = element.memory
    if element.index is not None:
        return flattened(memory, element.index), memory.dtype.bytes
    if not element.prefix:
        return element.offset, element.unit
    rows = in_units(memory, flattened(memory, element.prefix), memory.dtype.bytes, element.unit)
    return plus(memory, rows, element.offset), element.unit


def unit_of(ctype: CType) -> int | None:
    """Bytes of the scalars that objects of the type are counted in; None for void and structs with
    pointers."""
    leaf = stored_type(ctype)
    return leaf.bytes if leaf else None
