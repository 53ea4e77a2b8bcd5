"""What threads do together: barriers, shuffles, votes, atomics, fences; and plain accesses under special
names."""

from __future__ import annotations

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context, number
from xpiler.frontend.lower_memory import copy, deref, load, place_of, pointer_of, snapshot, store, target_of
from xpiler.frontend.lower_registry import builtin
from xpiler.frontend.lower_streams import fenced
from xpiler.frontend.lower_types import Scalar, Struct
from xpiler.frontend.lower_values import VOID_VALUE, Aggregate, Value
from xpiler.ir import build
from xpiler.ir.nodes import Atomic, Barrier, Call, Collective, Const, Decl, Expr, Load, Var
from xpiler.ir.types import I32, I64, U32, U64, DType


def collective(
    ctx: Context,
    kind: str,
    dtype: DType,
    args: tuple[Expr, ...],
    mask: Expr | None = None,
    scope: str = "warp",
) -> Expr:
    """Emits a collective; the variable with its result."""
    target = Var(dtype, ctx.fresh("t"))
    ctx.emit(Decl(target.name, dtype))
    ctx.emit(Collective(kind, target, args, full_mask(ctx, mask), scope))
    return Var(dtype, target.name)


def mask_type(ctx: Context) -> DType:
    """One bit a lane."""
    return U64 if ctx.warp_size == 64 else U32


def full_mask(ctx: Context, mask: Expr | None) -> Expr | None:
    """All lanes is no mask at all."""
    everyone = (1 << ctx.warp_size) - 1
    if isinstance(mask, Const) and int(mask.value) & everyone == everyone:
        return None
    return build.cast(mask, mask_type(ctx)) if mask is not None else None


@builtin("__syncthreads")
def _syncthreads(call: Invocation) -> Value:
    call.ctx.emit(Barrier("block"))
    return VOID_VALUE


@builtin("__syncwarp")
def _syncwarp(call: Invocation) -> Value:
    call.ctx.emit(Barrier("warp", full_mask(call.ctx, call.number(0)) if call.args else None))
    return VOID_VALUE


@builtin("__syncthreads_count", "__syncthreads_and", "__syncthreads_or")
def _syncthreads_vote(call: Invocation) -> Value:
    predicate = build.boolean(call.number(0))
    return number(collective(call.ctx, call.name.strip("_"), I32, (predicate,), None, "block"))


@builtin("__threadfence", "__threadfence_system", "atomic_thread_fence")
def _fence(call: Invocation) -> Value:
    fenced(call.ctx, call.node)
    return VOID_VALUE


@builtin("__threadfence_block", "__nanosleep", "__prefetch")
def _no_meaning(call: Invocation) -> Value:
    return VOID_VALUE


# ---------------------------------------------------------------------------------------- shuffles and votes

_SHUFFLES = {"__shfl": "shfl", "__shfl_up": "shfl_up", "__shfl_down": "shfl_down", "__shfl_xor": "shfl_xor"}


@builtin(*_SHUFFLES, *(f"{name}_sync" for name in _SHUFFLES))
def _shuffle(call: Invocation) -> Value:
    synchronised = call.name.endswith("_sync")
    first = 1 if synchronised else 0
    call.need(first + 2)
    mask = call.number(0) if synchronised else None
    lane = call.number(first + 1)
    width = call.number_as(first + 2, I32) if len(call.args) > first + 2 else build.const(call.ctx.warp_size)
    kind = _SHUFFLES[call.name.removesuffix("_sync")]
    return shuffled(call.ctx, kind, call.args[first], lane, width, mask)


def shuffled(ctx: Context, kind: str, value: Value, lane: Expr, width: Expr, mask: Expr | None) -> Value:
    """A shuffle of a scalar, or of each member of a struct (`half2`)."""
    if isinstance(value.type, Struct):
        value = snapshot(ctx, value)
        assert isinstance(value, Aggregate) and isinstance(value.type, Struct)
        fields = {n: shuffled(ctx, kind, v, lane, width, mask) for n, v in value.fields.items()}
        return Aggregate(value.type, fields)
    operand = load(ctx, value)
    lane_type = I32 if kind in ("shfl", "shfl_xor") else U32
    # A sub-int value shuffles as itself: the bits that count are kept.
    return number(collective(ctx, kind, operand.dtype, (operand, build.cast(lane, lane_type), width), mask))


@builtin("__all_sync", "__any_sync", "__all", "__any")
def _vote(call: Invocation) -> Value:
    mask = call.number(0) if call.name.endswith("_sync") else None
    predicate = build.boolean(call.number(0 if mask is None else 1))
    return number(collective(call.ctx, call.name.strip("_").removesuffix("_sync"), I32, (predicate,), mask))


@builtin("__ballot_sync", "__ballot")
def _ballot(call: Invocation) -> Value:
    mask = call.number(0) if call.name.endswith("_sync") else None
    predicate = build.boolean(call.number(0 if mask is None else 1))
    return number(collective(call.ctx, "ballot", mask_type(call.ctx), (predicate,), mask))


@builtin("__activemask")
def _activemask(call: Invocation) -> Value:
    return number(collective(call.ctx, "activemask", mask_type(call.ctx), ()))


@builtin("__match_any_sync")
def _match(call: Invocation) -> Value:
    return number(collective(call.ctx, "match_any", mask_type(call.ctx), (call.number(1),), call.number(0)))


@builtin("__match_all_sync")
def _match_all(call: Invocation) -> Value:
    """All lanes of the mask hold the same value: compared with that of the first."""
    ctx = call.ctx
    call.need(3)
    value = call.number(1)
    mask = call.number_as(0, mask_type(ctx))
    if full_mask(ctx, mask) is None:
        first: Expr = build.const(0)
    else:
        first = build.sub(Call(I32, "ffs", (build.cast(mask, I64 if ctx.warp_size == 64 else I32),)), 1)
    other = collective(ctx, "shfl", value.dtype, (value, first, build.const(ctx.warp_size)), mask)
    same = collective(ctx, "all", I32, (build.eq(value, other),), mask)
    target = deref(ctx, pointer_of(ctx, call.args[2]))
    store(ctx, target, same)
    return number(build.select(build.boolean(same), mask, build.const(0, mask.dtype)))


_REDUCES = {
    "__reduce_add_sync": "reduce_add", "__reduce_min_sync": "reduce_min", "__reduce_max_sync": "reduce_max",
    "__reduce_and_sync": "reduce_and", "__reduce_or_sync": "reduce_or", "__reduce_xor_sync": "reduce_xor",
}  # fmt: skip


@builtin(*_REDUCES)
def _reduce(call: Invocation) -> Value:
    value = call.number(1)
    dtype = U32 if not value.dtype.is_signed or call.name.split("_")[3] in ("and", "or", "xor") else I32
    return number(
        collective(call.ctx, _REDUCES[call.name], dtype, (build.cast(value, dtype),), call.number(0))
    )


# ------------------------------------------------------------------------------------------ atomics

_ATOMICS = {
    "atomicAdd": "add", "atomicSub": "sub", "atomicMin": "min", "atomicMax": "max", "atomicAnd": "and",
    "atomicOr": "or", "atomicXor": "xor", "atomicInc": "inc", "atomicDec": "dec", "atomicExch": "exch",
    "atomicCAS": "cas", "unsafeAtomicAdd": "add", "atomicAddNoRet": "add",
}  # fmt: skip


@builtin(*_ATOMICS, *(f"{n}_block" for n in _ATOMICS), *(f"{n}_system" for n in _ATOMICS))
def _atomic(call: Invocation) -> Value:
    ctx = call.ctx
    op = _ATOMICS[call.name.removesuffix("_block").removesuffix("_system")]
    call.need(3 if op == "cas" else 2)
    target = deref(ctx, pointer_of(ctx, call.args[0]))
    if isinstance(target.type, Struct):
        return _atomic_lanes(ctx, op, target, call)
    place = place_of(ctx, target)
    if not isinstance(place, Load):
        ctx.refuse("atomic-place", "an atomic operation on a variable that is no memory", call.node)
    args = tuple(build.cast(call.number(i), place.dtype) for i in range(1, 3 if op == "cas" else 2))
    return atomic(call, op, place, args, call.name.endswith("_block"))


def atomic(
    call: Invocation,
    op: str,
    place: Load,
    args: tuple[Expr, ...],
    of_block: bool,
    is_used: bool = False,
) -> Value:
    """Emits an atomic operation; its old value, where the call's value is used or `is_used` says so."""
    ctx = call.ctx
    old = Var(place.dtype, ctx.fresh("old"))
    wanted = is_used or _is_used(call)
    if wanted:
        ctx.emit(Decl(old.name, place.dtype))
    ctx.emit(Atomic(op, place, args, old if wanted else None, of_block))
    if not wanted:
        ctx.names.discard(old.name)
        return VOID_VALUE
    return number(Var(place.dtype, old.name))


def _is_used(call: Invocation) -> bool:
    parent = call.node.parent
    return parent is None or parent.type != "expression_statement"


def _atomic_lanes(ctx: Context, op: str, target: Value, call: Invocation) -> Value:
    from xpiler.frontend.lower_memory import member

    assert isinstance(target.type, Struct)
    value = snapshot(ctx, call.args[1])
    fields: dict[str, Value] = {}
    for name, _ in target.type.fields:
        part, operand = member(ctx, target, name), member(ctx, value, name)
        assert part is not None and operand is not None
        place = place_of(ctx, part)
        assert isinstance(place, Load)
        old = Var(place.dtype, ctx.fresh("old"))
        ctx.emit(Decl(old.name, place.dtype))
        value_of = build.cast(load(ctx, operand), place.dtype)
        ctx.emit(Atomic(op, place, (value_of,), old, call.name.endswith("_block")))
        fields[name] = number(Var(place.dtype, old.name))
    return Aggregate(target.type, fields)


# ------------------------------------------------------------------------------------------ plain accesses


@builtin("__ldg", "__ldcs", "__ldca", "__ldcg", "__ldcv", "__ldlu")
def _load(call: Invocation) -> Value:
    target = target_of(call.ctx, call.args[0])
    return target if isinstance(target.type, Struct) else snapshot(call.ctx, target)


@builtin("__stcs", "__stcg", "__stwb", "__stwt")
def _store(call: Invocation) -> Value:
    call.need(2)
    ctx = call.ctx
    target = target_of(ctx, call.args[0])
    if isinstance(target.type, Scalar):
        store(ctx, target, call.number(1))
    else:
        copy(ctx, target, call.args[1])
    return VOID_VALUE


@builtin("__lane_id", "__laneid")
def _lane(call: Invocation) -> Value:
    call.ctx.refuse(
        "lane-id", f"`{call.name}` is not supported", call.node, "compute the lane from threadIdx"
    )
