"""Intrinsics on masks: logic, conversion to and from numbers and registers."""

from __future__ import annotations

from collections.abc import Callable

from xpiler.frontend.lower_avx import WIDTHS, Handler, bits_of, immediate, operand, register_type
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


def _shifted(count: int, left: bool) -> Handler:
    """`kshiftli`, `kshiftri`: lanes take the bit of a lane some places away, 0 where there is none."""

    def handler(call: Invocation) -> Lanes:
        a, places = mask_of(call.ctx, call.args[0], count), immediate(call, 1)

        def at(lane: Expr) -> Expr:
            source = build.sub(lane, places) if left else build.add(lane, places)
            inside = build.ge(source, 0) if left else build.lt(source, count)
            return build.and_(inside, a(build.select(inside, source, build.const(0))))

        return new_mask(call.ctx, count, at)

    return handler


def _sum(count: int) -> Handler:
    """`kadd`: masks as numbers."""
    dtype = U64 if count == 64 else U32

    def handler(call: Invocation) -> Lanes:
        total = build.add(call.number_as(0, dtype), call.number_as(1, dtype))
        return new_mask(call.ctx, count, mask_of(call.ctx, number(total), count))

    return handler


def _unpacked(count: int) -> Handler:
    """`kunpack`: the low halves of two masks, the first one's above."""

    def handler(call: Invocation) -> Lanes:
        high, low = (mask_of(call.ctx, call.args[i], count) for i in range(2))
        half = count // 2

        def at(lane: Expr) -> Expr:
            below, place = build.lt(lane, half), build.mod(lane, half)
            return build.or_(build.and_(below, low(place)), build.and_(build.not_(below), high(place)))

        return new_mask(call.ctx, count, at)

    return handler


def _or_test(count: int, ones: bool) -> Callable[[Invocation], Value]:
    """`kortestz`, `kortestc`: whether the union of two masks is empty, or all there is."""
    dtype = U64 if count == 64 else U32
    wanted = build.const((1 << count) - 1 if ones else 0, dtype)

    def handler(call: Invocation) -> Value:
        a, b = (mask_of(call.ctx, call.args[i], count) for i in range(2))
        union = new_mask(call.ctx, count, lambda lane: build.or_(a(lane), b(lane)))
        return number(build.cast(build.eq(build.cast(mask_number(call.ctx, union), dtype), wanted), I32))

    return handler


def _bit_test(bits: int, of_first: bool) -> Callable[[Invocation], Value]:
    """`testz`: whether two registers have no bit in common; `testc`: whether the first has all of the
    second."""

    def handler(call: Invocation) -> Value:
        a, b = (operand(call, i, U32) for i in range(2))

        def differs(lane: Expr) -> Expr:
            first = build.binary("^", a.at(lane), build.const(0xFFFFFFFF, U32)) if of_first else a.at(lane)
            return build.ne(build.binary("&", first, b.at(lane)), build.const(0, U32))

        some = mask_number(call.ctx, new_mask(call.ctx, bits // 32, differs))
        return number(build.cast(build.eq(some, build.const(0, some.dtype)), I32))

    return handler


for _bits in (128, 256):
    _prefix = "_mm" if _bits == 128 else "_mm256"
    BUILTINS[f"{_prefix}_testz_si{_bits}"] = _bit_test(_bits, of_first=False)
    BUILTINS[f"{_prefix}_testc_si{_bits}"] = _bit_test(_bits, of_first=True)
BUILTINS["_mm_test_all_zeros"] = _bit_test(128, of_first=False)


def _register_masks() -> None:
    for count in (8, 16, 32, 64):
        BUILTINS[f"_kshiftli_mask{count}"] = _shifted(count, left=True)
        BUILTINS[f"_kshiftri_mask{count}"] = _shifted(count, left=False)
        BUILTINS[f"_kadd_mask{count}"] = _sum(count)
        BUILTINS[f"_kortestz_mask{count}_u8"] = _or_test(count, ones=False)
        BUILTINS[f"_kortestc_mask{count}_u8"] = _or_test(count, ones=True)
        for name, join in _JOINS.items():
            BUILTINS[f"_k{name}_mask{count}"] = _join(count, join)
            if count == 16:
                BUILTINS[f"_mm512_k{name}"] = _join(count, join)
        BUILTINS[f"_knot_mask{count}"] = _opposite(count)
        BUILTINS[f"_cvtu{32 if count < 64 else 64}_mask{count}"] = _from_number(count)
        BUILTINS[f"_cvtmask{count}_u{32 if count < 64 else 64}"] = _to_number
    BUILTINS["_mm512_knot"] = _opposite(16)
    BUILTINS["_mm512_kortestz"] = _or_test(16, ones=False)
    BUILTINS["_mm512_kortestc"] = _or_test(16, ones=True)
    for count, name in ((16, "_mm512_kunpackb"), (32, "_mm512_kunpackw"), (64, "_mm512_kunpackd")):
        BUILTINS[name] = BUILTINS[f"_kunpack{name[-1]}_mask{count}"] = _unpacked(count)
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
