"""Marks in the IR of what an MLU core does at the same time, for those who check it.

    __memcpy_async(a, x, n, GDRAM2NRAM);        Barrier("issue io")  a[i] = x[i]...  Barrier("done")
    __memcpy(b, y, n, GDRAM2NRAM);       -->    Barrier("within io") b[i] = y[i]...  Barrier("done")
    __sync_io();                                Barrier("wait io")
    __bang_not(a, b, n);                        Barrier("operands same") a[i] = b[i]...  Barrier("apart")

A copy that touches DRAM is in the stream `io`, another one in `move`, all else in `compute` (as are copies of
one piece within NRAM). What one stream does is in order; the marks order nothing else, and nobody but the log
of a run looks at them. The operands of an instruction, or the sides of a copy, may be the `same` memory or
share none; or must share none.

    __pipeline_memcpy_async(s, x, 4);           Barrier("copies begin") s[0] = x[0]  Barrier("copies end")
    __pipeline_commit();                        Barrier("copies commit")
    __pipeline_wait_prior(1);                   Barrier("copies wait 1")

Threads of a grid have no streams, but their copies to shared memory are under way until they wait: for all,
for all groups but the last ones that they committed, or for the stage of a pipeline that comes next.
`Barrier("fence")` orders what a thread writes to the eyes of all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tree_sitter import Node

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context
from xpiler.ir import build
from xpiler.ir.nodes import Barrier, Block, Const, Expr, If

_WAITS = {
    "__sync_io": ("io",),
    "__sync_move": ("move",),
    "__sync_compute": ("compute",),
}


@contextlib.contextmanager
def stream_of(call: Invocation, direction: str, strided: bool) -> Iterator[None]:
    """Around the statements of a copy in this direction. Within NRAM a copy of one piece is an instruction of
    the stream `compute`, which is waited for if the copy is no asynchronous one."""
    moves = direction == "NRAM2NRAM" and (not strided or call.name == "__bang_move")
    if not call.ctx.entities.tells_streams or (moves and call.name != "__memcpy"):
        yield
        return
    stream = "io" if "DRAM" in direction else "compute" if moves else "move"
    start = "issue" if call.name.endswith("_async") else "within"
    call.ctx.emit(Barrier(f"{start} {stream}", range=call.ctx.range(call.node)))
    yield
    call.ctx.emit(Barrier("done"))


@contextlib.contextmanager
def operands_of(call: Invocation, rule: str) -> Iterator[None]:
    """Around the statements of an instruction. `rule`: `same`, `none`, or `any` where all may overlap."""
    if not call.ctx.entities.tells_streams:
        yield
        return
    call.ctx.emit(Barrier(f"operands {rule}", range=call.ctx.range(call.node)))
    yield
    call.ctx.emit(Barrier("apart", range=call.ctx.range(call.node)))


@contextlib.contextmanager
def copying(ctx: Context, node: Node) -> Iterator[None]:
    """Around the statements of an asynchronous copy of threads."""
    mark_copies(ctx, "begin", node)
    yield
    mark_copies(ctx, "end", node)


def mark_copies(ctx: Context, word: str, node: Node) -> None:
    if ctx.entities.tells_streams:
        ctx.emit(Barrier(f"copies {word}", range=ctx.range(node)))


def fenced(ctx: Context, node: Node) -> None:
    """What was written before is there before what comes after."""
    if ctx.entities.tells_streams:
        ctx.emit(Barrier("fence", range=ctx.range(node)))


def wait_for_all_but(ctx: Context, groups: Expr, node: Node) -> None:
    """Where the number of groups is no constant, it is one of the few that there may be."""
    if not ctx.entities.tells_streams:
        return
    if isinstance(groups, Const):
        mark_copies(ctx, f"wait {int(groups.value)}", node)
        return
    kept = ctx.temporary(groups, "kept")
    for number in range(_MOST_KEPT):
        wait = Block((Barrier(f"copies wait {number}", range=ctx.range(node)),))
        ctx.emit(If(build.eq(kept, build.const(number, kept.dtype)), wait, Block(())))


_MOST_KEPT = 8


def waited(ctx: Context, name: str) -> None:
    """A core waits for a stream of its own, or for all."""
    if ctx.entities.tells_streams:
        for stream in _WAITS.get(name, ("all",)):
            ctx.emit(Barrier(f"wait {stream}"))
