"""Intrinsics that add up lanes: dot products of neighbours, and reductions of a whole register."""

from __future__ import annotations

from collections.abc import Callable

from xpiler.frontend.lower_avx import (
    WIDTHS,
    Handler,
    define,
    everywhere,
    operand,
    register_type,
    selected,
    without,
)
from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import number
from xpiler.frontend.lower_lanes import (
    Lanes,
    Terms,
    kept,
    lanes_of_value,
    new_lane,
    scaled_lane,
    shuffled,
    simple,
)
from xpiler.frontend.lower_registry import BUILTINS
from xpiler.frontend.lower_values import Value
from xpiler.ir import build
from xpiler.ir.nodes import Assign, Block, Const, Decl, Expr, For, LoopKind, Var
from xpiler.ir.types import BF16, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, DType
from xpiler.platforms.vnni_elementwise import as_bits, saturated

_PRODUCTS: dict[str, tuple[DType, DType, int]] = {
    "dpbusd": (U8, I8, 4), "dpwssd": (I16, I16, 2), "dpbssd": (I8, I8, 4), "dpbuud": (U8, U8, 4),
    "dpbsud": (I8, U8, 4), "dpwusd": (U16, I16, 2), "dpwsud": (I16, U16, 2), "dpwuud": (U16, U16, 2),
}  # fmt: skip


def _dot(bits: int, left: DType, right: DType, parts: int, saturates: bool) -> Handler:
    """source + the sum of the products of `parts` neighbours."""

    def handler(call: Invocation) -> Lanes:
        ctx = call.ctx
        base = operand(call, 0, I32)
        a, b = simple(ctx, operand(call, 1, left)), simple(ctx, operand(call, 2, right))
        ctype = register_type(bits, I32)

        def term(lane: Expr, part: Expr) -> Expr:
            at = scaled_lane(ctx, lane, parts, part)
            return build.mul(build.cast(a.at(at), I32), build.cast(b.at(at), I32))

        if saturates:

            def clamped(lane: Expr) -> Expr:
                total: Expr = build.cast(base.at(lane), I64)
                for k in range(parts):
                    total = build.add(total, build.cast(term(lane, build.const(k)), I64))
                return saturated(total, I32)

            return Lanes(ctype, I32, clamped)
        return _summed(base, Terms(parts, term))

    return handler


def _summed(base: Lanes, terms: Terms) -> Lanes:
    def at(lane: Expr) -> Expr:
        total = base.at(lane)
        for k in range(terms.count):
            total = build.add(total, terms.term(lane, build.const(k)))
        return total

    return Lanes(base.type, base.dtype, at, base=base, terms=terms)


def _dot_bf16(bits: int) -> Handler:
    """The odd element first, each sum rounded."""

    def handler(call: Invocation) -> Lanes:
        ctx = call.ctx
        base = operand(call, 0, F32)
        a, b = (simple(ctx, operand(call, i, BF16)) for i in (1, 2))

        def term(lane: Expr, part: Expr) -> Expr:
            at = scaled_lane(ctx, lane, 2, part)
            return build.mul(build.cast(a.at(at), F32), build.cast(b.at(at), F32))

        return _summed(base, Terms(2, term))

    return handler


def _define_dot(prefix: str, stem: str, handler: Handler) -> None:
    """`mask_` keeps the source, which is the first operand; `maskz_` has the mask first."""
    define(prefix, stem, handler)

    def merging(call: Invocation) -> Lanes:
        return selected(call, call.args[1], handler(without(call, 1)), lanes_of_value(call.ctx, call.args[0]))

    BUILTINS[f"{prefix}mask_{stem}"] = merging


def _register_dots() -> None:
    for prefix, bits in WIDTHS.items():
        for name, (left, right, parts) in _PRODUCTS.items():
            for ending, saturates in (("", False), ("s", True)):
                handler = _dot(bits, left, right, parts, saturates)
                _define_dot(prefix, f"{name}{ending}_epi32", handler)
                BUILTINS[f"{prefix}{name}{ending}_avx_epi32"] = handler
        _define_dot(prefix, "dpbf16_ps", _dot_bf16(bits))


_register_dots()


def _neighbours(bits: int, left: DType, right: DType, result: DType) -> Handler:
    """`madd_epi16`, `maddubs_epi16`: two products added; bytes are clamped to 16 bits."""

    def handler(call: Invocation) -> Lanes:
        ctx = call.ctx
        a, b = simple(ctx, operand(call, 0, left)), simple(ctx, operand(call, 1, right))

        def at(lane: Expr) -> Expr:
            places = [scaled_lane(ctx, lane, 2, build.const(k)) for k in range(2)]
            first, second = (build.mul(build.cast(a.at(p), I32), build.cast(b.at(p), I32)) for p in places)
            total = build.add(first, second)
            return saturated(total, I16) if result is I16 else total

        return Lanes(register_type(bits, result), result, at)

    return handler


everywhere("madd_epi16", lambda bits: _neighbours(bits, I16, I16, I32))
everywhere("maddubs_epi16", lambda bits: _neighbours(bits, U8, I8, I16))


def _differences(bits: int) -> Handler:
    """`sad_epu8`: the sum of eight absolute differences in each 64 bits."""

    def handler(call: Invocation) -> Lanes:
        ctx = call.ctx
        a, b = (simple(ctx, operand(call, i, U8)) for i in range(2))

        def at(lane: Expr) -> Expr:
            total: Expr = build.const(0)
            for k in range(8):
                place = scaled_lane(ctx, lane, 8, build.const(k))
                difference = build.sub(build.cast(a.at(place), I32), build.cast(b.at(place), I32))
                total = build.add(total, build.call("abs", I32, difference))
            return build.cast(total, I64)

        return Lanes(register_type(bits, I64), I64, at)

    return handler


everywhere("sad_epu8", _differences, masked=False)


def _conflicts(bits: int, dtype: DType) -> Handler:
    """Bit j of a lane is set if lane j before it is equal."""

    def handler(call: Invocation) -> Lanes:
        a = simple(call.ctx, operand(call, 0, dtype))
        word = U32 if dtype.bits == 32 else U64

        def at(lane: Expr) -> Expr:
            found: Expr = build.const(0, word)
            for j in range(bits // dtype.bits):
                same = build.and_(build.gt(lane, j), build.eq(a.at(lane), a.at(build.const(j))))
                found = build.binary(
                    "|", found, build.select(same, build.const(1 << j, word), build.const(0, word))
                )
            return as_bits(found, dtype)

        return Lanes(register_type(bits, dtype), dtype, at)

    return handler


everywhere("conflict_epi32", lambda bits: _conflicts(bits, I32))
everywhere("conflict_epi64", lambda bits: _conflicts(bits, I64))


# ----------------------------------------------------------------------------------------- sums within blocks


def _horizontal(bits: int, dtype: DType, op: str) -> Handler:
    """`hadd_ps`: in each block the sums of neighbours, those of the first operand first."""
    n = 128 // dtype.bits
    blocks = bits // 128

    def handler(call: Invocation) -> Lanes:
        parts = [operand(call, i, dtype) for i in range(2)]
        sides = []
        for k in range(2):
            places = [
                (i // (n // 2), block * n + 2 * (i % (n // 2)) + k)
                for block in range(blocks)
                for i in range(n)
            ]
            sides.append(shuffled(call.ctx, register_type(bits, dtype), dtype, parts, places))
        return Lanes(
            register_type(bits, dtype),
            dtype,
            lambda lane: build.cast(build.binary(op, sides[0].at(lane), sides[1].at(lane)), dtype),
        )

    return handler


for _suffix, _dtype in (("ps", F32), ("pd", F64), ("epi32", I32), ("epi16", I16)):
    for _prefix, _bits in (("_mm_", 128), ("_mm256_", 256)):
        BUILTINS[f"{_prefix}hadd_{_suffix}"] = _horizontal(_bits, _dtype, "+")
        BUILTINS[f"{_prefix}hsub_{_suffix}"] = _horizontal(_bits, _dtype, "-")


# ------------------------------------------------------------------------------------------- first lanes only


def _first_only(dtype: DType, op: str) -> Handler:
    """`_mm_add_ss`: lane 0 is computed, the others are those of the first operand."""

    def handler(call: Invocation) -> Lanes:
        a, b = (simple(call.ctx, operand(call, i, dtype)) for i in range(2))

        def combined(lane: Expr) -> Expr:
            x, y = a.at(lane), b.at(lane)
            if op == "max":
                return build.select(build.gt(x, y), x, y)
            if op == "min":
                return build.select(build.lt(x, y), x, y)
            return build.binary(op, x, y)

        return Lanes(
            register_type(128, dtype),
            dtype,
            lambda lane: build.select(build.eq(lane, 0), combined(build.const(0)), a.at(lane)),
        )

    return handler


for _suffix, _dtype in (("ss", F32), ("sd", F64)):
    for _name, _op in (
        ("add", "+"),
        ("sub", "-"),
        ("mul", "*"),
        ("div", "/"),
        ("max", "max"),
        ("min", "min"),
    ):
        BUILTINS[f"_mm_{_name}_{_suffix}"] = _first_only(_dtype, _op)


# -------------------------------------------------------------------------------------------- whole registers


def _neutral(op: str, dtype: DType) -> Const:
    match op:
        case "+" | "|":
            return build.const(0, dtype)
        case "*":
            return build.const(1, dtype)
        case "&":
            return build.const(-1 if dtype.is_signed else (1 << dtype.bits) - 1, dtype)
        case "min":
            return build.const(float("inf") if dtype.is_float else build.int_limits(dtype)[1], dtype)
    return build.const(float("-inf") if dtype.is_float else build.int_limits(dtype)[0], dtype)


def _reduction(dtype: DType, op: str, masked: bool) -> Callable[[Invocation], Value]:
    """All lanes folded into one number."""

    def handler(call: Invocation) -> Value:
        ctx = call.ctx
        value = operand(call, 1 if masked else 0, dtype)
        if masked:
            neutral = Lanes(value.type, dtype, lambda lane: _neutral(op, dtype))
            value = selected(call, call.args[0], value, neutral)
        if value.origin is None or value.dtype != value.origin.memory.dtype:
            value = lanes_of_value(ctx, kept(ctx, "part", value))
        total = Var(dtype, ctx.fresh({"+": "sum", "*": "product"}.get(op, f"reduced_{op}".rstrip("&|"))))
        ctx.emit(Decl(total.name, dtype, init=_neutral(op, dtype)))
        lane = new_lane(ctx, value.count)
        body = Assign(Var(dtype, total.name), value.at(lane), op)
        ctx.emit(
            For(
                lane.name,
                I32,
                build.const(0),
                build.const(value.count),
                build.const(1),
                Block((body,)),
                LoopKind.SERIAL,
            )
        )
        return number(total)

    return handler


def _register_reductions() -> None:
    operators = {"add": "+", "mul": "*", "min": "min", "max": "max", "and": "&", "or": "|"}
    suffixes = {
        "ps": F32,
        "pd": F64,
        "ph": F16,
        "epi32": I32,
        "epi64": I64,
        "epu32": U32,
        "epu64": U64,
        "epi8": I8,
        "epi16": I16,
    }
    for prefix in WIDTHS:
        for name, op in operators.items():
            for suffix, dtype in suffixes.items():
                if op in "&|" and dtype.is_float:
                    continue
                BUILTINS[f"{prefix}reduce_{name}_{suffix}"] = _reduction(dtype, op, False)
                BUILTINS[f"{prefix}mask_reduce_{name}_{suffix}"] = _reduction(dtype, op, True)


_register_reductions()
