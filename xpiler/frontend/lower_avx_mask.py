"""Intrinsics on masks: logic, conversion to and from numbers and registers."""

from __future__ import annotations

from collections.abc import Callable

from xpiler.frontend.lower_avx import WIDTHS, Handler, bits_of, operand, register_type
from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import number
from xpiler.frontend.lower_lanes import Lanes, mask_number, mask_of, new_mask
from xpiler.frontend.lower_registry import BUILTINS, builtin
from xpiler.frontend.lower_values import Value
from xpiler.ir import build
from xpiler.ir.nodes import Expr
from xpiler.ir.types import I8, I16, I32, I64, U32, U64, DType

_JOINS: dict[str, Callable[[Expr, Expr], Expr]] = {
    "and": build.and_, "or": build.or_, "xor": build.ne, "xnor": build.eq,
    "andn": lambda a, b: build.and_(build.not_(a), b),
}  # fmt: skip


def _join(count: int, join: Callable[[Expr, Expr], Expr]) -> Handler:
    def handler(call: Invocation) -> Lanes:
        call.need(2)
        a, b = (mask_of(call.ctx, call.args[i], count) for i in range(2))
        return new_mask(call.ctx, count, lambda lane: join(a(lane), b(lane)))

    return handler


def _opposite(count: int) -> Handler:
    def handler(call: Invocation) -> Lanes:
        a = mask_of(call.ctx, call.args[0], count)
        return new_mask(call.ctx, count, lambda lane: build.not_(a(lane)))

    return handler


def _from_number(count: int) -> Handler:
    return lambda call: new_mask(call.ctx, count, mask_of(call.ctx, call.args[0], count))


def _to_number(call: Invocation) -> Value:
    return number(build.cast(call.number(0), U64 if call.name.endswith("64") else U32))


def _register_masks() -> None:
    for count in (8, 16, 32, 64):
        for name, join in _JOINS.items():
            BUILTINS[f"_k{name}_mask{count}"] = _join(count, join)
            if count == 16:
                BUILTINS[f"_mm512_k{name}"] = _join(count, join)
        BUILTINS[f"_knot_mask{count}"] = _opposite(count)
        BUILTINS[f"_cvtu{32 if count < 64 else 64}_mask{count}"] = _from_number(count)
        BUILTINS[f"_cvtmask{count}_u{32 if count < 64 else 64}"] = _to_number
    BUILTINS["_mm512_knot"] = _opposite(16)
    BUILTINS["_mm512_int2mask"] = _from_number(16)
    BUILTINS["_mm512_mask2int"] = _to_number
    for dtype in (I8, I16, I32, I64):
        for prefix, bits in WIDTHS.items():
            lanes = bits // dtype.bits

            def signs(call: Invocation, dtype: DType = dtype, lanes: int = lanes) -> Lanes:
                value = operand(call, 0, dtype)
                return new_mask(call.ctx, lanes, lambda lane: build.lt(value.at(lane), build.const(0, dtype)))

            def spread(call: Invocation, dtype: DType = dtype, bits: int = bits, lanes: int = lanes) -> Lanes:
                mask = mask_of(call.ctx, call.args[0], lanes)
                ones, none = build.const(-1, dtype), build.const(0, dtype)
                return Lanes(
                    register_type(bits, dtype), dtype, lambda lane: build.select(mask(lane), ones, none)
                )

            BUILTINS[f"{prefix}movepi{dtype.bits}_mask"] = signs
            BUILTINS[f"{prefix}movm_epi{dtype.bits}"] = spread


_register_masks()


@builtin(
    "_mm_movemask_ps",
    "_mm256_movemask_ps",
    "_mm_movemask_pd",
    "_mm256_movemask_pd",
    "_mm_movemask_epi8",
    "_mm256_movemask_epi8",
)
def _movemask(call: Invocation) -> Value:
    """The sign bits as a number."""
    dtype = {"ps": I32, "pd": I64, "epi8": I8}[call.name.rsplit("_", 1)[1]]
    value = operand(call, 0, dtype)
    lanes = bits_of(call.name) // dtype.bits
    zero = build.const(0, dtype)
    mask = new_mask(call.ctx, lanes, lambda lane: build.lt(value.at(lane), zero))
    return number(build.cast(mask_number(call.ctx, mask), I32))


@builtin("_bzhi_u32", "_bzhi_u64")
def _low_bits(call: Invocation) -> Value:
    """The lowest bits of a number: as many as the lowest byte of the second operand says."""
    dtype = U64 if call.name.endswith("64") else U32
    value, count = call.number_as(0, dtype), build.binary("&", call.number_as(1, U32), build.const(255, U32))
    ones = build.sub(build.binary("<<", build.const(1, dtype), count), build.const(1, dtype))
    low = ones if build.is_const(value, (1 << dtype.bits) - 1) else build.binary("&", value, ones)
    return number(build.select(build.ge(count, build.const(dtype.bits, U32)), value, low))
