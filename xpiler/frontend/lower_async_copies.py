"""Asynchronous copies to shared memory, which are done at once: that is one of the allowed times. Marks tell
a checker when they are waited for (`lower_streams.py`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_copies import clear_bytes, copy_bytes
from xpiler.frontend.lower_groups import block_rank, block_threads, meet
from xpiler.frontend.lower_registry import builtin, method
from xpiler.frontend.lower_streams import copying, mark_copies, wait_for_all_but
from xpiler.frontend.lower_typenames import constant_int
from xpiler.frontend.lower_types import Group
from xpiler.frontend.lower_values import VOID_VALUE, AddressOf, GroupValue, Value
from xpiler.ir import build
from xpiler.ir.nodes import Assign, Barrier, Block, Expr, If, Var
from xpiler.ir.types import U32

_ONE_BY_ONE: tuple[Expr, Expr] = (build.const(0, U32), build.const(1, U32))


@builtin("__pipeline_memcpy_async")
def _pipeline_copy(call: Invocation) -> Value:
    """`(to, from, bytes, zeros)`: the last bytes may be zeros instead, and are not read then."""
    call.need(3)
    count = call.number(2)
    zeros = build.cast(call.number(3), count.dtype) if len(call.args) > 3 else None
    copy_or_clear(call, count, None if zeros is None else build.sub(count, zeros))
    return VOID_VALUE


def copy_or_clear(call: Invocation, count: Expr, read: Expr | None) -> None:
    """One thread's copy of `count` bytes from the second argument to the first; of these it reads the first
    `read` ones, if they are not all, and the others are zeros."""
    copied = count if read is None else call.ctx.temporary(read, "copied")
    with copying(call.ctx, call.node):
        copy_bytes(call, call.args[0], call.args[1], copied, *_ONE_BY_ONE)
        if read is not None:
            clear_bytes(call, call.args[0], copied, count)


@builtin("__pipeline_commit")
def _commit(call: Invocation) -> Value:
    mark_copies(call.ctx, "commit", call.node)
    return VOID_VALUE


@builtin("__pipeline_wait_prior")
def _wait_prior(call: Invocation) -> Value:
    wait_for_all_but(call.ctx, call.number(0), call.node)
    return VOID_VALUE


@builtin("memcpy_async")
def _memcpy_async(call: Invocation) -> Value:
    """`([group,] to, from, bytes [, pipeline or barrier])`: the threads of the group copy in turn. Without a
    pipeline every copy is a group of its own."""
    args = list(call.args)
    kind = args[-1].type.kind if isinstance(args[-1], GroupValue) else ""
    if kind in ("pipeline", "barrier"):
        args.pop()
    share = _ONE_BY_ONE
    group = args[0] if args else None
    if isinstance(group, GroupValue):
        share = _share(group.type)
        args.pop(0)
    elif not kind:
        call.ctx.refuse("group", "`memcpy_async` needs a cooperative group", call.node)
    if len(args) != 3:
        call.ctx.refuse("arguments", "`memcpy_async` in this form is not supported", call.node)
    with copying(call.ctx, call.node):
        copy_bytes(call, args[0], args[1], call.number(call.args.index(args[2])), *share)
    if kind != "pipeline":
        mark_copies(call.ctx, "commit", call.node)
    return VOID_VALUE


def _share(group: Group) -> tuple[Expr, Expr]:
    if group.kind == "tile":
        size = build.const(group.size, U32)
        return build.mod(block_rank(), size), size
    return block_rank(), block_threads()


@builtin("wait", "wait_prior")
def _wait_and_meet(call: Invocation) -> Value:
    """`wait(group)`, `wait_prior<N>(group)`: every thread waits for its own copies, and all meet."""
    kept = constant_int(call.ctx, call.explicit[0], "the number of copies") if call.explicit else 0
    wait_for_all_but(call.ctx, build.const(kept), call.node)
    meet(call, 0)
    return VOID_VALUE


# ------------------------------------------------------------------------------------------ cuda::pipeline


@dataclass(frozen=True, eq=False)
class BlockPipeline(GroupValue):
    """A pipeline of all threads of a block: who waits for a stage waits for the copies of all, and none
    begins a stage again that others still use. `begun`: how many were committed."""

    begun: Var = field(kw_only=True)


@builtin("make_pipeline")
def _make_pipeline(call: Invocation) -> Value:
    ctx = call.ctx
    if not ctx.entities.tells_streams:
        ctx.refuse("pipeline", "a `cuda::pipeline` like this is not supported", call.node)
    if not call.args:
        return GroupValue(Group("pipeline"))
    group, state = call.args[0], call.args[1] if len(call.args) == 2 else None
    target = state.target if isinstance(state, AddressOf) else None
    if not (isinstance(group, GroupValue) and group.type.kind == "block") or not (
        isinstance(target, GroupValue) and target.type.kind == "pipeline state"
    ):
        ctx.refuse("pipeline", "a `cuda::pipeline` like this is not supported", call.node)
    begun = ctx.temporary(build.const(0, U32), "begun")
    return BlockPipeline(Group("pipeline", target.type.size), begun=begun)


_STEPS = {
    "producer_acquire": "",
    "producer_commit": "commit",
    "consumer_wait": "wait stage",
    "consumer_release": "release",
}


@method("group", *_STEPS)
def _step(call: Invocation) -> Value:
    if not (isinstance(call.receiver, GroupValue) and call.receiver.type.kind == "pipeline"):
        call.ctx.refuse("group", f"`{call.name}` of this object is not supported", call.node)
    if _STEPS[call.name]:
        mark_copies(call.ctx, _STEPS[call.name], call.node)
    if isinstance(call.receiver, BlockPipeline):
        _step_together(call, call.receiver)
    return VOID_VALUE


def _step_together(call: Invocation, pipeline: BlockPipeline) -> None:
    """What all threads of the block wait for: copies of the stage, and that it is free again."""
    ctx, begun = call.ctx, pipeline.begun
    if call.name == "producer_commit":
        ctx.emit(Assign(begun, build.add(begun, build.const(1, U32))))
    elif call.name == "consumer_wait":
        ctx.emit(Barrier("block"))
    elif call.name == "producer_acquire":
        is_again = build.binary(">=", begun, build.const(pipeline.type.size, U32))
        ctx.emit(If(is_again, Block((Barrier("block", range=ctx.range(call.node)),)), Block(())))


@builtin("pipeline_consumer_wait_prior")
def _consumer_wait_prior(call: Invocation) -> Value:
    if any(isinstance(a, BlockPipeline) for a in call.args):
        call.ctx.refuse(
            "pipeline", "`pipeline_consumer_wait_prior` of a block's pipeline is not supported", call.node
        )
    kept = constant_int(call.ctx, call.explicit[0], "the number of stages") if call.explicit else 0
    wait_for_all_but(call.ctx, build.const(kept), call.node)
    return VOID_VALUE
