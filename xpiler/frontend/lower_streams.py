"""Marks in the IR of what an MLU core does at the same time, for those who check it.

    __memcpy_async(a, x, n, GDRAM2NRAM);        Barrier("issue io")  a[i] = x[i]...  Barrier("done")
    __memcpy(b, y, n, GDRAM2NRAM);       -->    Barrier("within io") b[i] = y[i]...  Barrier("done")
    __sync_io();                                Barrier("wait io")
    __bang_not(a, b, n);                        Barrier("operands same") a[i] = b[i]...  Barrier("apart")

A copy that touches DRAM is in the stream `io`, another one in `move`, all else in `compute` (as are copies of
one piece within NRAM). What one stream does is in order; the marks order nothing else, and nobody but the log
of a run looks at them. The operands of an instruction, or the sides of a copy, may be the `same` memory or
share none; or must share none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context
from xpiler.ir.nodes import Barrier

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


def waited(ctx: Context, name: str) -> None:
    """A core waits for a stream of its own, or for all."""
    if ctx.entities.tells_streams:
        for stream in _WAITS.get(name, ("all",)):
            ctx.emit(Barrier(f"wait {stream}"))
