"""Asynchronous copies to shared memory, which are done at once: that is one of the allowed times. Marks tell
a checker when they are waited for (`lower_streams.py`)."""

from __future__ import annotations

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_copies import clear_bytes, copy_bytes
from xpiler.frontend.lower_groups import block_rank, block_threads, meet
from xpiler.frontend.lower_registry import builtin, method
from xpiler.frontend.lower_streams import copying, mark_copies, wait_for_all_but
from xpiler.frontend.lower_typenames import constant_int
from xpiler.frontend.lower_types import Group
from xpiler.frontend.lower_values import VOID_VALUE, GroupValue, Value
from xpiler.ir import build
from xpiler.ir.nodes import Expr
from xpiler.ir.types import U32

_ONE_BY_ONE: tuple[Expr, Expr] = (build.const(0, U32), build.const(1, U32))


@builtin("__pipeline_memcpy_async")
def _pipeline_copy(call: Invocation) -> Value:
    """`(to, from, bytes, zeros)`: the last bytes may be zeros instead, and are not read then."""
    call.need(3)
    count = call.number(2)
    zeros = build.cast(call.number(3), count.dtype) if len(call.args) > 3 else None
    copied = count if zeros is None else call.ctx.temporary(build.sub(count, zeros), "copied")
    with copying(call.ctx, call.node):
        copy_bytes(call, call.args[0], call.args[1], copied, *_ONE_BY_ONE)
        if zeros is not None:
            clear_bytes(call, call.args[0], copied, count)
    return VOID_VALUE


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


@builtin("make_pipeline")
def _make_pipeline(call: Invocation) -> Value:
    if call.args or not call.ctx.entities.tells_streams:
        call.ctx.refuse("pipeline", "a `cuda::pipeline` like this is not supported", call.node)
    return GroupValue(Group("pipeline"))


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
    return VOID_VALUE


@builtin("pipeline_consumer_wait_prior")
def _consumer_wait_prior(call: Invocation) -> Value:
    kept = constant_int(call.ctx, call.explicit[0], "the number of stages") if call.explicit else 0
    wait_for_all_but(call.ctx, build.const(kept), call.node)
    return VOID_VALUE
