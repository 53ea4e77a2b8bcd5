"""Intrinsics that convert lanes: between widths, between integers and floats, to and from half precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from xpiler.frontend.lower_avx import (
    WIDTHS,
    Handler,
    define,
    everywhere,
    immediate,
    nearest,
    operand,
    register_type,
)
from xpiler.frontend.lower_avx_math import rounding_form
from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import number
from xpiler.frontend.lower_lanes import Lanes, assign_lanes, mask_of, register_at, simple
from xpiler.frontend.lower_registry import BUILTINS, builtin
from xpiler.frontend.lower_values import VOID_VALUE, Value
from xpiler.ir import build
from xpiler.ir.nodes import Expr
from xpiler.ir.types import F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, DType
from xpiler.platforms import vnni_elementwise as meanings
from xpiler.platforms.vnni_elementwise import unsigned


def conversion(source: DType, target: DType, change: Callable[[Expr], Expr]) -> Callable[[int], Handler]:
    """A conversion whose name says the width of the wider side."""
    wide = max(source.bits, target.bits)

    def make(bits: int) -> Handler:
        count = bits // wide
        result = register_type(count * target.bits, target)

        def handler(call: Invocation) -> Lanes:
            value = simple(call.ctx, operand(call, 0, source))
            zero = build.const(0, target)
            if count * target.bits >= 128:
                return Lanes(result, target, lambda lane: change(value.at(lane)))
            # What is left of the register is zero.
            limit = build.const(count)
            return Lanes(
                result,
                target,
                lambda lane: build.select(build.lt(lane, limit), change(value.at(lane)), zero),
                live=count,
            )

        return handler

    return make


def _narrowing_store(
    bits: int, source: DType, target: DType, change: Callable[[Expr], Expr]
) -> Callable[[Invocation], Value]:
    """(pointer, mask, register): the converted lanes that the mask selects, to memory without a gap."""
    count = bits // source.bits
    register = register_type(max(128, count * target.bits), target)

    def handler(call: Invocation) -> Value:
        call.need(3)
        value = simple(call.ctx, operand(call, 2, source))
        selected = mask_of(call.ctx, call.args[1], count)
        narrow = Lanes(register, target, lambda lane: change(value.at(lane)), live=count)

        def where(lane: Expr) -> Expr:
            return build.and_(build.lt(lane, build.const(count)), selected(lane))

        place = register_at(call.ctx, register, call.args[0])
        assign_lanes(call.ctx, place, narrow, where if count * target.bits < 128 else selected)
        return VOID_VALUE

    return handler


def _to(dtype: DType) -> Callable[[Expr], Expr]:
    return lambda x: build.cast(x, dtype)


def _register_conversions() -> None:
    integers = {"epi8": I8, "epi16": I16, "epi32": I32, "epi64": I64, "epu8": U8, "epu16": U16, "epu32": U32}
    for name, source in integers.items():
        for bits in (16, 32, 64):
            if bits > source.bits:
                target = {16: I16, 32: I32, 64: I64}[bits]
                everywhere(f"cvt{name}_epi{bits}", conversion(source, target, _to(target)))
    for bits in (16, 32, 64):
        wide = {16: I16, 32: I32, 64: I64}[bits]
        for narrow_bits in (8, 16, 32):
            if narrow_bits >= bits:
                continue
            narrow = {8: I8, 16: I16, 32: I32}[narrow_bits]
            word, wide_word = unsigned(narrow), unsigned(wide)
            forms: dict[str, tuple[DType, Callable[[Expr], Expr]]] = {
                "cvtepi": (wide, _to(narrow)),
                "cvtsepi": (wide, partial(meanings.saturated, dtype=narrow)),
                "cvtusepi": (wide_word, partial(meanings.saturated, dtype=word)),
            }
            for form, (source, change) in forms.items():
                target = word if form == "cvtusepi" else narrow
                everywhere(f"{form}{bits}_epi{narrow_bits}", conversion(source, target, change))
                for prefix, width in WIDTHS.items():
                    store = _narrowing_store(width, source, target, change)
                    BUILTINS[f"{prefix}mask_{form}{bits}_storeu_epi{narrow_bits}"] = store
    for suffix, dtype in (("ps", F32), ("pd", F64), ("ph", F16)):
        for name, target in (("epi32", I32), ("epu32", U32), ("epi64", I64), ("epu64", U64)):
            for form, mode in (("cvt", 0), ("cvtt", 3)):
                whole = partial(meanings.to_integer, dtype=target, mode=mode)
                everywhere(f"{form}{suffix}_{name}", conversion(dtype, target, whole))
            back = conversion(target, dtype, _to(dtype))
            everywhere(f"cvt{name}_{suffix}", back)
            for prefix, bits in WIDTHS.items():
                define(prefix, f"cvt_round{name}_{suffix}", rounding_form(back(bits)))
                define(prefix, f"cvt_round{suffix}_{name}", _directed(dtype, target, bits))
    for source, target, name in ((F32, F64, "cvtps_pd"), (F64, F32, "cvtpd_ps"), (F16, F32, "cvtph_ps")):
        everywhere(name, conversion(source, target, _to(target)))
    everywhere("cvtxph_ps", conversion(F16, F32, _to(F32)))
    for prefix, bits in WIDTHS.items():
        define(prefix, "cvtps_ph", _to_half(bits))
        define(prefix, "cvt_roundps_ph", _to_half(bits))


def _directed(source: DType, target: DType, bits: int) -> Handler:
    def handler(call: Invocation) -> Lanes:
        mode = immediate(call, 1)
        change = partial(meanings.to_integer, dtype=target, mode=mode & 7)
        return conversion(source, target, change)(bits)(call)

    return handler


@builtin("_cvtsh_ss")
def _one_from_half(call: Invocation) -> Value:
    half = build.bitcast(call.number_as(0, U16), F16)
    return number(build.cast(half, F32))


@builtin("_cvtss_sh")
def _one_to_half(call: Invocation) -> Value:
    nearest(call, 1)
    return number(build.bitcast(build.cast(call.number_as(0, F32), F16), U16))


def _to_half(bits: int) -> Handler:
    plain = conversion(F32, F16, _to(F16))(bits)

    def handler(call: Invocation) -> Lanes:
        nearest(call, 1)
        return replace(plain(call), type=register_type(bits // 2, I16))

    return handler


_register_conversions()
