"""Cooperative groups: blocks, tiles of a warp, the lanes that are together, the grid."""

from __future__ import annotations

from collections.abc import Callable

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context, constant, number
from xpiler.frontend.lower_memory import load
from xpiler.frontend.lower_registry import builtin, method
from xpiler.frontend.lower_simt import collective, mask_type, shuffled
from xpiler.frontend.lower_typenames import constant_int
from xpiler.frontend.lower_types import VECTORS, Closure, Group
from xpiler.frontend.lower_values import VOID_VALUE, Aggregate, GroupValue, Lambda, TypeName, Value
from xpiler.ir import build
from xpiler.ir.nodes import Assign, Barrier, Block, Call, Const, Expr, For, Var
from xpiler.ir.types import I32, I64, U32, U64, DType


def _index(name: str, axis: str) -> Expr:
    return Var(U32, f"{name}.{axis}")


def block_rank() -> Expr:
    """The number of a thread in its block: x fastest."""
    plane = build.add(build.mul(_index("threadIdx", "z"), _index("blockDim", "y")), _index("threadIdx", "y"))
    return build.add(build.mul(plane, _index("blockDim", "x")), _index("threadIdx", "x"))


def block_threads() -> Expr:
    return build.mul(build.mul(_index("blockDim", "x"), _index("blockDim", "y")), _index("blockDim", "z"))


def grid_block() -> Expr:
    """The number of a block in the grid: x fastest."""
    plane = build.add(build.mul(_index("blockIdx", "z"), _index("gridDim", "y")), _index("blockIdx", "y"))
    return build.add(build.mul(plane, _index("gridDim", "x")), _index("blockIdx", "x"))


def grid_blocks() -> Expr:
    return build.mul(build.mul(_index("gridDim", "x"), _index("gridDim", "y")), _index("gridDim", "z"))


def group_value(call: Invocation, position: int | None = None) -> GroupValue:
    """The group that a method is called of, or that an argument is."""
    value = call.receiver if position is None else call.args[position]
    if not isinstance(value, GroupValue):
        call.ctx.refuse("group", f"`{call.name}` needs a cooperative group", call.node)
    return value


def _group(call: Invocation, position: int | None = None) -> Group:
    """The same for what coalesced groups and `cuda::barrier` do not have."""
    value = group_value(call, position)
    if value.type.kind in ("coalesced", "barrier"):
        whose = "a coalesced group" if value.type.kind == "coalesced" else "`cuda::barrier`"
        call.ctx.refuse("group", f"`{call.name}` of {whose} is not supported", call.node)
    return value.type


@builtin("this_thread_block", "this_grid")
def _this(call: Invocation) -> Value:
    return GroupValue(Group("block" if call.name == "this_thread_block" else "grid"))


@builtin("coalesced_threads")
def _coalesced(call: Invocation) -> Value:
    """The lanes that are here: the group keeps their mask."""
    mask = collective(call.ctx, "activemask", mask_type(call.ctx), ())
    return GroupValue(Group("coalesced"), mask)


def _bits(ctx: Context, mask: Expr) -> Expr:
    """How many lanes a mask has."""
    return build.cast(Call(I32, "popc", (build.cast(mask, _signed(ctx)),)), U32)


def _signed(ctx: Context) -> DType:
    return I64 if ctx.warp_size == 64 else I32


def _lane(ctx: Context, mask: Expr, rank: Expr) -> Expr:
    """The lane of the thread of a rank: the bit of the mask with that many below it."""
    rest = mask
    if not build.is_const(rank, 0):
        rest = ctx.temporary(mask, "rest")
        assert isinstance(rest, Var)
        lowest = build.sub(rest, build.const(1, rest.dtype))
        drop = Assign(rest, build.cast(build.binary("&", rest, lowest), rest.dtype))
        ctx.emit(
            For(ctx.fresh("rank"), I32, build.const(0), build.cast(rank, I32), build.const(1), Block((drop,)))
        )
    return build.sub(Call(I32, "ffs", (build.cast(rest, _signed(ctx)),)), build.const(1))


@builtin("tiled_partition")
def _partition(call: Invocation) -> Value:
    if call.explicit:
        size = constant_int(call.ctx, call.explicit[0], "the tile size")
    else:
        expr = call.number(1)
        if not isinstance(expr, Const):
            call.ctx.refuse("not-constant", "the tile size is no constant", call.node)
        size = int(expr.value)
    if size not in (1, 2, 4, 8, 16, 32, 64) or size > call.ctx.warp_size:
        call.ctx.refuse("tile-size", f"tiles of {size} threads are not supported", call.node)
    return GroupValue(Group("tile", size))


# ------------------------------------------------------------------------------------------ members


@method("group", "thread_rank", "thread_index_in_group")
def _thread_rank(call: Invocation) -> Value:
    mask = group_value(call).mask
    if mask is not None:
        lane = build.mod(block_rank(), build.const(call.ctx.warp_size, U32))
        below = build.sub(build.binary("<<", build.const(1, mask.dtype), lane), build.const(1, mask.dtype))
        return number(_bits(call.ctx, build.binary("&", mask, below)))
    group = _group(call)
    match group.kind:
        case "tile":
            return number(build.mod(block_rank(), build.const(group.size, U32)))
        case "grid":
            whole = build.mul(build.cast(grid_block(), U64), build.cast(block_threads(), U64))
            return number(build.add(whole, build.cast(block_rank(), U64)))
    return number(block_rank())


@method("group", "size", "num_threads")
def _size(call: Invocation) -> Value:
    mask = group_value(call).mask
    if mask is not None:
        return number(_bits(call.ctx, mask))
    group = _group(call)
    match group.kind:
        case "tile":
            return constant(group.size, U32)
        case "grid":
            return number(build.mul(build.cast(grid_blocks(), U64), build.cast(block_threads(), U64)))
    return number(block_threads())


@method("group", "meta_group_rank")
def _meta_rank(call: Invocation) -> Value:
    return number(build.div(block_rank(), build.const(_group(call).size, U32)))


@method("group", "meta_group_size")
def _meta_size(call: Invocation) -> Value:
    return number(build.ceil_div(block_threads(), build.const(_group(call).size, U32)))


@method("group", "block_rank")
def _block_rank(call: Invocation) -> Value:
    return number(grid_block())


@method("group", "num_blocks")
def _num_blocks(call: Invocation) -> Value:
    return number(grid_blocks())


@method(
    "group",
    "group_index",
    "thread_index",
    "group_dim",
    "dim_threads",
    "block_index",
    "dim_blocks",
    "grid_dim",
)
def _indices(call: Invocation) -> Value:
    name = {
        "group_index": "blockIdx",
        "block_index": "blockIdx",
        "thread_index": "threadIdx",
        "group_dim": "gridDim" if _group(call).kind == "grid" else "blockDim",
        "dim_threads": "blockDim",
        "dim_blocks": "gridDim",
        "grid_dim": "gridDim",
    }[call.name]
    fields: dict[str, Value] = {axis: number(_index(name, axis)) for axis in "xyz"}
    return Aggregate(VECTORS["dim3"], fields)


_SCOPES = {"block": "block", "tile": "warp", "grid": "grid"}


@method("group", "sync")
def _sync_method(call: Invocation) -> Value:
    meet(call, None)
    return VOID_VALUE


@builtin("sync")
def _sync(call: Invocation) -> Value:
    meet(call, 0)
    return VOID_VALUE


def meet(call: Invocation, position: int | None) -> None:
    mask = group_value(call, position).mask
    if mask is not None:
        call.ctx.emit(Barrier("warp", mask))
    else:
        call.ctx.emit(_barrier(call.ctx, _group(call, position)))


def _barrier(ctx: Context, group: Group) -> Barrier:
    if group.kind != "tile" or group.size == ctx.warp_size:
        return Barrier(_SCOPES[group.kind])
    first = build.mod(block_rank(), build.const(ctx.warp_size, U32))
    first = build.mul(build.div(first, build.const(group.size, U32)), build.const(group.size, U32))
    lanes = build.const((1 << group.size) - 1, mask_type(ctx))
    return Barrier("warp", build.binary("<<", lanes, first))


@method("group", "shfl", "shfl_up", "shfl_down", "shfl_xor")
def _shuffle(call: Invocation) -> Value:
    mask = group_value(call).mask
    if mask is not None and call.name == "shfl":
        lane = _lane(call.ctx, mask, call.number(1))
        return shuffled(call.ctx, "shfl", call.args[0], lane, build.const(call.ctx.warp_size), mask)
    group = _tile(call)
    return shuffled(call.ctx, call.name, call.args[0], call.number(1), build.const(group.size), None)


def _tile(call: Invocation) -> Group:
    group = _group(call)
    if group.kind != "tile":
        call.ctx.refuse("group", f"`{call.name}` needs a tile of a warp", call.node)
    return group


@method("group", "any", "all", "ballot")
def _vote(call: Invocation) -> Value:
    ctx, mask = call.ctx, group_value(call).mask
    if mask is not None and call.name != "ballot":
        return number(collective(ctx, call.name, I32, (build.boolean(call.number(0)),), mask))
    group = _tile(call)
    predicate = build.boolean(call.number(0))
    bits = mask_type(ctx)
    if group.size == ctx.warp_size:
        return number(collective(ctx, call.name, bits if call.name == "ballot" else I32, (predicate,)))
    votes = collective(ctx, "ballot", bits, (predicate,))
    lane = build.mod(block_rank(), build.const(ctx.warp_size, U32))
    first = build.mul(build.div(lane, build.const(group.size, U32)), build.const(group.size, U32))
    full = build.const((1 << group.size) - 1, bits)
    own = build.binary("&", build.binary(">>", votes, first), full)
    if call.name == "ballot":
        return number(own)
    test = build.ne(own, build.const(0, bits)) if call.name == "any" else build.eq(own, full)
    return number(build.cast(test, I32))


# ------------------------------------------------------------------------------------------ reductions

_OPERATORS = {
    "plus": "add", "less": "min", "greater": "max", "bit_and": "and", "bit_or": "or", "bit_xor": "xor",
}  # fmt: skip


@builtin(*_OPERATORS)
def _operator(call: Invocation) -> Value:
    return TypeName(Closure(call.name))


def _combined(name: str) -> Callable[[Expr, Expr], Expr]:
    match name:
        case "add":
            return build.add
        case "min":
            return build.minimum
        case "max":
            return build.maximum
    return lambda a, b: build.binary({"and": "&", "or": "|", "xor": "^"}[name], a, b)


@builtin("reduce")
def _reduce(call: Invocation) -> Value:
    ctx = call.ctx
    call.need(3)
    group = _group(call, 0)
    if group.kind != "tile":
        ctx.refuse("group", "`reduce` needs a tile of a warp", call.node)
    operator = call.args[2]
    name = _OPERATORS.get(operator.type.name, "") if isinstance(operator.type, Closure) else ""
    value = call.args[1]
    operand = load(ctx, value) if name else None
    if operand is not None and group.size == ctx.warp_size and operand.dtype in (I32, U32):
        return number(collective(ctx, f"reduce_{name}", operand.dtype, (operand,)))
    result = load(ctx, value)
    step = group.size // 2
    while step:
        current = ctx.temporary(result, "part")
        other = shuffled(ctx, "shfl_xor", number(current), build.const(step), build.const(group.size), None)
        if name:
            result = build.cast(_combined(name)(current, load(ctx, other)), current.dtype)
        else:
            result = build.cast(load(ctx, _apply(ctx, operator, number(current), other, call)), current.dtype)
        step //= 2
    return number(result)


def _apply(ctx: Context, operator: Value, first: Value, second: Value, call: Invocation) -> Value:
    from xpiler.frontend.lower_calls import call_lambda
    from xpiler.frontend.lower_operators import user_operator

    if isinstance(operator, Lambda):
        return call_lambda(ctx, operator, (first, second), call.node)
    result = user_operator(ctx, "()", [operator, first, second])
    if result is None:
        ctx.refuse("group", "the operator of `reduce` is not supported", call.node)
    return result


@builtin("inclusive_scan", "exclusive_scan", "labeled_partition", "binary_partition", "invoke_one")
def _unsupported(call: Invocation) -> Value:
    call.ctx.refuse("group", f"`{call.name}` of cooperative groups is not supported", call.node)
