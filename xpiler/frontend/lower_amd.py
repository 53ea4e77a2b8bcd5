"""What AMD's compiler has built in: matrix instructions, lane exchange, dot products, functions, hints."""

from __future__ import annotations

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context, constant, number
from xpiler.frontend.lower_groups import block_rank
from xpiler.frontend.lower_memory import copy, deref, load, pointer_of, snapshot, store
from xpiler.frontend.lower_offsets import flat_offset
from xpiler.frontend.lower_registry import builtin
from xpiler.frontend.lower_simt import collective, shuffled
from xpiler.frontend.lower_types import Scalar, Vector
from xpiler.frontend.lower_values import VOID_VALUE, Element, Memory, Value
from xpiler.frontend.lower_vectors import elements
from xpiler.ir import build
from xpiler.ir.nodes import Assign, Barrier, Call, Const, Decl, Expr, Instr, Load, Ref, Space, Var
from xpiler.ir.types import BF16, F16, F32, F64, I8, I32, U32, U64, DType
from xpiler.platforms.hip_mfma import INSTRUCTIONS, PREFIX

_TYPES: dict[str, DType] = {"f32": F32, "f16": F16, "bf16": BF16, "i8": I8, "f64": F64, "i32": I32}


# ------------------------------------------------------------------------------------------ matrices


@builtin(*(PREFIX + name for name in INSTRUCTIONS))
def _mfma(call: Invocation) -> Value:
    """`d = mfma(a, b, c, 0, 0, 0)`: an instruction on the registers of all lanes of the wave."""
    ctx, found = call.ctx, INSTRUCTIONS[call.name.removeprefix(PREFIX)]
    call.need(6)
    for position in (3, 4, 5):
        modifier = call.number(position)
        if not isinstance(modifier, Const) or modifier.value:
            ctx.refuse("mfma-modifier", f"`{call.name}` with a modifier is not supported", call.node)
    element, result = _TYPES[found.element], _TYPES[found.result]
    left, right = (_registers(call, position, element, found.per_lane) for position in (0, 1))
    addend = _registers(call, 2, result, found.outputs)
    memory = Memory(ctx.fresh("mfma"), result, (found.outputs,), Space.LOCAL)
    ctx.emit(Decl(memory.name, result, (build.const(found.outputs),)))
    target = Ref(result, memory.name, build.const(0))
    ctx.emit(Instr(f"mfma.{call.name.removeprefix(PREFIX)}", (target, left, right, addend), found.attributes))
    ctx.results.add(memory.name)
    if found.outputs == 1:
        return Element(Scalar(result), memory, (build.const(0),))
    return Element(Vector(Scalar(result), found.outputs), memory, ())


def _registers(call: Invocation, position: int, dtype: DType, count: int) -> Ref:
    """An operand as an array of one lane's elements."""
    ctx, value = call.ctx, call.args[position]
    bits = _bits_of(value)
    if bits != dtype.bits * count:
        ctx.refuse("mfma-operand", f"`{call.name}` needs {count} elements of {dtype} here", call.node)
    if isinstance(value, Element) and value.memory.space is Space.LOCAL and isinstance(value.type, Vector):
        offset, unit = flat_offset(value)
        if unit == dtype.bytes:
            return Ref(dtype, value.memory.name, offset)
    if isinstance(value.type, Vector):
        parts, stored = elements(ctx, value, value.type), value.type.element.dtype
    else:
        parts = [load(ctx, value)]
        stored = parts[0].dtype
    memory = ctx.fresh("operand")
    ctx.emit(Decl(memory, stored, (build.const(len(parts)),)))
    for n, part in enumerate(parts):
        ctx.emit(Assign(Load(stored, memory, (build.const(n),)), part))
    return Ref(dtype, memory, build.const(0))


def _bits_of(value: Value) -> int:
    match value.type:
        case Vector(element=element, extent=extent):
            return element.dtype.bits * extent
        case Scalar(dtype=dtype):
            return dtype.bits
    return 0


# ------------------------------------------------------------------------------------------ lanes of a wave


def lane_of(ctx: Context) -> Expr:
    """The number of a thread in its wave."""
    return build.cast(build.mod(block_rank(), build.const(ctx.warp_size, U32)), I32)


@builtin("__lane_id")
def _lane_id(call: Invocation) -> Value:
    return number(build.cast(lane_of(call.ctx), U32))


@builtin("__builtin_amdgcn_mbcnt_lo", "__builtin_amdgcn_mbcnt_hi")
def _count_below(call: Invocation) -> Value:
    """Bits of a mask below this lane, in one half of the wave, added to the second argument."""
    mask, lane = call.number_as(0, U32), build.cast(lane_of(call.ctx), U64)
    below = build.sub(build.binary("<<", build.const(1, U64), lane), build.const(1, U64))
    if call.name.endswith("hi"):
        below = build.binary(">>", below, build.const(32, U64))
    if isinstance(mask, Const) and int(mask.value) == 0xFFFFFFFF:
        half = build.const(32, I32)
        own = lane_of(call.ctx)
        count = (
            build.maximum(build.sub(own, half), build.const(0))
            if call.name.endswith("hi")
            else build.minimum(own, half)
        )
        return number(build.cast(build.add(count, call.number_as(1, I32)), U32))
    chosen = build.binary("&", mask, build.cast(below, U32))
    return number(build.cast(build.add(Call(I32, "popc", (chosen,)), call.number_as(1, I32)), U32))


@builtin("__builtin_amdgcn_readfirstlane")
def _first_lane(call: Invocation) -> Value:
    return shuffled(call.ctx, "shfl", call.args[0], build.const(0), build.const(call.ctx.warp_size), None)


@builtin("__builtin_amdgcn_readlane")
def _read_lane(call: Invocation) -> Value:
    width = build.const(call.ctx.warp_size)
    return shuffled(call.ctx, "shfl", call.args[0], call.number(1), width, None)


@builtin("__builtin_amdgcn_ds_bpermute")
def _permute(call: Invocation) -> Value:
    """The address counts bytes of a register file: four a lane."""
    lane = build.binary(">>", call.number_as(0, I32), build.const(2))
    return shuffled(call.ctx, "shfl", call.args[1], lane, build.const(call.ctx.warp_size), None)


@builtin("__builtin_amdgcn_s_barrier")
def _block_barrier(call: Invocation) -> Value:
    call.ctx.emit(Barrier("block"))
    return VOID_VALUE


@builtin("__builtin_amdgcn_wave_barrier")
def _wave_barrier(call: Invocation) -> Value:
    call.ctx.emit(Barrier("warp"))
    return VOID_VALUE


@builtin("__builtin_amdgcn_ballot_w64", "__builtin_amdgcn_uballot")
def _ballot(call: Invocation) -> Value:
    return number(collective(call.ctx, "ballot", U64, (build.boolean(call.number(0)),)))


@builtin("__builtin_amdgcn_wavefrontsize")
def _wave_size(call: Invocation) -> Value:
    return constant(call.ctx.warp_size, U32)


@builtin(
    "__builtin_amdgcn_sched_barrier",
    "__builtin_amdgcn_sched_group_barrier",
    "__builtin_amdgcn_s_waitcnt",
    "__builtin_amdgcn_s_setprio",
    "__builtin_amdgcn_iglp_opt",
    "__builtin_amdgcn_s_sleep",
    "__builtin_amdgcn_s_nop",
    "__builtin_amdgcn_fence",
)
def _hint(call: Invocation) -> Value:
    return VOID_VALUE


_INDICES = {
    f"__builtin_amdgcn_{work}_id_{axis}": f"{name}.{axis}"
    for work, name in (("workitem", "threadIdx"), ("workgroup", "blockIdx"))
    for axis in "xyz"
}


@builtin(*_INDICES)
def _index(call: Invocation) -> Value:
    return number(Var(U32, _INDICES[call.name]))


# ------------------------------------------------------------------------------------------ arithmetic

_FUNCTIONS: dict[str, str] = {
    "__builtin_amdgcn_exp2f": "exp2", "__builtin_amdgcn_logf": "log2", "__builtin_amdgcn_rsqf": "rsqrt",
    "__builtin_amdgcn_sqrtf": "sqrt",
}  # fmt: skip


@builtin(*_FUNCTIONS)
def _function(call: Invocation) -> Value:
    return number(Call(F32, _FUNCTIONS[call.name], (call.number_as(0, F32),), fast=True))


@builtin("__builtin_amdgcn_rcpf")
def _reciprocal(call: Invocation) -> Value:
    return number(build.div(build.const(1.0, F32), call.number_as(0, F32)))


@builtin("__builtin_amdgcn_fmed3f")
def _median(call: Invocation) -> Value:
    a, b, c = (call.number_as(n, F32) for n in range(3))
    return number(build.maximum(build.minimum(a, b), build.minimum(build.maximum(a, b), c)))


@builtin("__builtin_amdgcn_fdot2")
def _dot_of_halves(call: Invocation) -> Value:
    ctx = call.ctx
    call.need(3)
    left, right = call.args[0], call.args[1]
    if not isinstance(left.type, Vector) or not isinstance(right.type, Vector):
        ctx.refuse("arguments", f"`{call.name}` needs vectors of two halves", call.node)
    total = call.number_as(2, F32)
    for a, b in zip(elements(ctx, left, left.type), elements(ctx, right, right.type), strict=True):
        total = build.add(total, build.mul(build.cast(a, F32), build.cast(b, F32)))
    return number(total)


@builtin("__builtin_amdgcn_sdot4", "__builtin_amdgcn_udot4")
def _dot_of_bytes(call: Invocation) -> Value:
    dtype = U32 if call.name.endswith("udot4") else I32
    args = tuple(call.number_as(n, dtype) for n in range(3))
    if len(call.args) > 3 and not build.is_const(call.number(3), 0):
        call.ctx.refuse("arguments", f"`{call.name}` that clamps is not supported", call.node)
    return number(Call(dtype, "dp4a", args))


@builtin("__builtin_nontemporal_load")
def _load(call: Invocation) -> Value:
    target = deref(call.ctx, pointer_of(call.ctx, call.args[0]))
    return snapshot(call.ctx, target)


@builtin("__builtin_nontemporal_store")
def _store(call: Invocation) -> Value:
    call.need(2)
    target = deref(call.ctx, pointer_of(call.ctx, call.args[1]))
    if isinstance(target.type, Scalar):
        store(call.ctx, target, call.number(0))
    else:
        copy(call.ctx, target, call.args[0])
    return VOID_VALUE
