"""Intrinsics that pack selected lanes together, in a register or in memory, or spread lanes out."""

from __future__ import annotations

from dataclasses import dataclass

from xpiler.frontend.lower_avx import WIDTHS, operand, register_type
from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_lanes import (
    Lane,
    Lanes,
    lane_loop,
    lane_place,
    mask_of,
    new_lane,
    register_at,
    simple,
)
from xpiler.frontend.lower_registry import BUILTINS
from xpiler.frontend.lower_values import VOID_VALUE, Value
from xpiler.ir import build
from xpiler.ir.nodes import Assign, Block, Decl, If, Load, LoopKind, Space, Var
from xpiler.ir.types import I32, DType
from xpiler.platforms.vnni_elementwise import SUFFIXES


@dataclass(frozen=True)
class _Family:
    """The compressing intrinsics of one width and element type."""

    bits: int
    dtype: DType

    @property
    def count(self) -> int:
        return self.bits // self.dtype.bits

    def mask(self, call: Invocation, position: int) -> Lane:
        return mask_of(call.ctx, call.args[position], self.count)

    def compress_zero(self, call: Invocation) -> Lanes:
        return _compressed(self, call, operand(call, 1, self.dtype), self.mask(call, 0), None)

    def compress_into(self, call: Invocation) -> Lanes:
        kept = operand(call, 0, self.dtype)
        return _compressed(self, call, operand(call, 2, self.dtype), self.mask(call, 1), kept)

    def expand_zero(self, call: Invocation) -> Lanes:
        mask, zero = self.mask(call, 0), build.const(0, self.dtype)
        result = _expanded(self, call, operand(call, 1, self.dtype), mask)
        return Lanes(result.type, self.dtype, lambda lane: build.select(mask(lane), result.at(lane), zero))

    def expand_into(self, call: Invocation) -> Lanes:
        mask, kept = self.mask(call, 1), operand(call, 0, self.dtype)
        result = _expanded(self, call, operand(call, 2, self.dtype), mask)
        return Lanes(
            result.type, self.dtype, lambda lane: build.select(mask(lane), result.at(lane), kept.at(lane))
        )

    def compress_store(self, call: Invocation) -> Value:
        ctx = call.ctx
        value, mask = simple(ctx, operand(call, 2, self.dtype)), self.mask(call, 1)
        place = register_at(ctx, register_type(self.bits, self.dtype), call.args[0])
        taken = Var(I32, ctx.fresh("selected"))
        ctx.emit(Decl(taken.name, I32, init=build.const(0)))
        target = lane_place(ctx, place, self.dtype, taken)
        if target is None:
            ctx.refuse("store-width", f"`{call.name}` stores parts of elements", call.node)
        lane = new_lane(ctx, self.count)
        then = Block((Assign(target, value.at(lane)), Assign(Var(I32, taken.name), build.const(1), "+")))
        ctx.emit(lane_loop(lane, self.count, (If(mask(lane), then),), LoopKind.SERIAL))
        return VOID_VALUE


def _ranked(call: Invocation, mask: Lane, count: int) -> str:
    """An array that says for each lane how many selected lanes come before it."""
    ctx = call.ctx
    rank, taken = ctx.fresh("rank"), ctx.fresh("selected")
    ctx.emit(Decl(rank, I32, (build.const(count),), Space.LOCAL))
    ctx.emit(Decl(taken, I32, init=build.const(0)))
    lane = new_lane(ctx, count)
    body = (
        Assign(Load(I32, rank, (lane,)), Var(I32, taken)),
        If(mask(lane), Block((Assign(Var(I32, taken), build.const(1), "+"),))),
    )
    ctx.emit(lane_loop(lane, count, body, LoopKind.SERIAL))
    return rank


def _expanded(family: _Family, call: Invocation, value: Lanes, mask: Lane) -> Lanes:
    value = simple(call.ctx, value)
    rank = _ranked(call, mask, family.count)
    ctype = register_type(family.bits, family.dtype)
    return Lanes(ctype, family.dtype, lambda lane: value.at(Load(I32, rank, (lane,))))


def _compressed(family: _Family, call: Invocation, value: Lanes, mask: Lane, kept: Lanes | None) -> Lanes:
    ctx, dtype, count = call.ctx, family.dtype, family.count
    value = simple(ctx, value)
    result, taken = ctx.fresh("packed"), ctx.fresh("selected")
    ctx.emit(Decl(result, dtype, (build.const(count),), Space.LOCAL))
    lane = new_lane(ctx, count)
    start = kept.at(lane) if kept is not None else build.const(0, dtype)
    ctx.emit(lane_loop(lane, count, (Assign(Load(dtype, result, (lane,)), start),), LoopKind.THREADS))
    ctx.emit(Decl(taken, I32, init=build.const(0)))
    lane = new_lane(ctx, count)
    then = Block(
        (
            Assign(Load(dtype, result, (Var(I32, taken),)), value.at(lane)),
            Assign(Var(I32, taken), build.const(1), "+"),
        )
    )
    ctx.emit(lane_loop(lane, count, (If(mask(lane), then),), LoopKind.SERIAL))
    return Lanes(register_type(family.bits, dtype), dtype, lambda at: Load(dtype, result, (at,)))


for _suffix, _dtype in SUFFIXES.items():
    if _suffix.startswith("epu") or _suffix == "ph":
        continue
    for _prefix, _bits in WIDTHS.items():
        _family = _Family(_bits, _dtype)
        BUILTINS[f"{_prefix}maskz_compress_{_suffix}"] = _family.compress_zero
        BUILTINS[f"{_prefix}mask_compress_{_suffix}"] = _family.compress_into
        BUILTINS[f"{_prefix}maskz_expand_{_suffix}"] = _family.expand_zero
        BUILTINS[f"{_prefix}mask_expand_{_suffix}"] = _family.expand_into
        BUILTINS[f"{_prefix}mask_compressstoreu_{_suffix}"] = _family.compress_store
