"""Data-parallel primitives of AMD: `update_dpp`, `mov_dpp` and `ds_swizzle` move a register between lanes."""

from __future__ import annotations

from xpiler.frontend.lower_amd import lane_of
from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import number
from xpiler.frontend.lower_memory import load
from xpiler.frontend.lower_registry import builtin
from xpiler.frontend.lower_simt import shuffled
from xpiler.frontend.lower_values import Value
from xpiler.ir import build
from xpiler.ir.nodes import TRUE, Bitcast, Const, Expr
from xpiler.ir.types import I32


def _constant(call: Invocation, position: int) -> int:
    value = call.number(position)
    if not isinstance(value, Const):
        call.ctx.refuse("not-constant", f"argument {position + 1} of `{call.name}` is no constant", call.node)
    return int(value.value)


def _moved(call: Invocation, value: Expr, source: Expr, valid: Expr, otherwise: Expr) -> Value:
    """The register of lane `source` where that is valid; floats move as floats."""
    ctx = call.ctx
    plain = value.operand if isinstance(value, Bitcast) else value
    width = build.const(ctx.warp_size)
    if isinstance(valid, Const):
        taken = load(ctx, shuffled(ctx, "shfl", number(plain), source, width, None))
        return number(build.bitcast(taken, I32))
    lane = lane_of(ctx)
    taken = load(ctx, shuffled(ctx, "shfl", number(plain), build.select(valid, source, lane), width, None))
    other = build.bitcast(otherwise, plain.dtype)
    return number(build.bitcast(build.select(valid, taken, other), I32))


@builtin("__builtin_amdgcn_update_dpp", "__builtin_amdgcn_mov_dpp")
def _dpp(call: Invocation) -> Value:
    """Lanes without a source, or masked off, keep the old value, or get 0 where `bound_ctrl` asks for it."""
    updates = call.name.endswith("update_dpp")
    first = 1 if updates else 0
    call.need(first + 5)
    control, rows, banks = (_constant(call, first + n) for n in (1, 2, 3))
    bound = _constant(call, first + 4)
    lane = lane_of(call.ctx)
    source, valid = _source(call, control, lane)
    old = call.number_as(0, I32) if updates else build.const(0)
    otherwise = build.const(0) if bound else old
    if rows != 0xF or banks != 0xF:
        own = build.and_(
            _in_mask(rows, build.div(lane, 16)), _in_mask(banks, build.div(build.mod(lane, 16), 4))
        )
        if bound:
            otherwise = build.select(own, otherwise, old)
        valid = own if valid == TRUE else build.and_(own, valid)
    return _moved(call, call.number_as(first, I32), source, valid, otherwise)


def _in_mask(mask: int, bit: Expr) -> Expr:
    shifted = build.binary(">>", build.const(mask), bit)
    return build.ne(build.binary("&", shifted, build.const(1)), build.const(0))


def _source(call: Invocation, control: int, lane: Expr) -> tuple[Expr, Expr]:
    """The lane that is read, and whether there is one. A row has 16 lanes."""
    in_row = build.mod(lane, 16)
    row = build.sub(lane, in_row)
    step = build.const(control & 15)
    if control <= 0xFF:
        two = build.mul(build.mod(lane, 4), 2)
        digit = build.binary("&", build.binary(">>", build.const(control), two), build.const(3))
        return build.add(build.mul(build.div(lane, 4), 4), digit), TRUE
    match control >> 4:
        case 0x10 if control & 15:
            return build.add(lane, step), build.lt(build.add(in_row, step), build.const(16))
        case 0x11 if control & 15:
            return build.sub(lane, step), build.ge(in_row, step)
        case 0x12 if control & 15:
            turned = build.mod(build.sub(build.add(in_row, 16), step), 16)
            return build.add(row, turned), TRUE
    match control:
        case 0x130:
            return build.add(lane, 1), build.lt(lane, build.const(63))
        case 0x134:
            return build.mod(build.add(lane, 1), 64), TRUE
        case 0x138:
            return build.sub(lane, 1), build.ge(lane, build.const(1))
        case 0x13C:
            return build.mod(build.add(lane, 63), 64), TRUE
        case 0x140:
            return build.sub(build.add(row, 15), in_row), TRUE
        case 0x141:
            half = build.mod(lane, 8)
            return build.sub(build.add(build.sub(lane, half), 7), half), TRUE
        case 0x142:
            return build.sub(row, 1), build.ge(lane, build.const(16))
        case 0x143:
            return build.const(31), build.ge(lane, build.const(32))
    call.ctx.refuse("dpp", f"`{call.name}` with control {control:#x} is not known", call.node)


@builtin("__builtin_amdgcn_ds_swizzle")
def _swizzle(call: Invocation) -> Value:
    """A pattern of and, or and exclusive or on the lane within 32, or a permutation of four."""
    lane, pattern = lane_of(call.ctx), _constant(call, 1)
    if pattern & 0x8000:
        source, _ = _source(call, pattern & 0xFF, lane)
    else:
        masks = [build.const(pattern >> shift & 31) for shift in (0, 5, 10)]
        inner = build.mod(lane, 32)
        for op, mask in zip("&|^", masks, strict=True):
            if int(mask.value) != (31 if op == "&" else 0):
                inner = build.binary(op, inner, mask)
        source = build.add(build.mul(build.div(lane, 32), 32), inner)
    return _moved(call, call.number_as(0, I32), source, TRUE, build.const(0))
