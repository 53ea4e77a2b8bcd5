"""Threads of the host: what one runs is run where it is started. A program whose result does not depend on
how its threads take turns means the same so; which of the iterations that start them are independent is found
out like that of any loop.

    for (int t = 0; t < 4; ++t) pool.emplace_back([=] { rows(x, y, t * n / 4, (t + 1) * n / 4); });
    for (auto &thread : pool) thread.join();
    -->
    for (int t = 0; t < 4; ++t) rows(x, y, t * n / 4, (t + 1) * n / 4);

How many threads a machine has is answered as for a machine of one (`lower_openmp.py`).
"""

from __future__ import annotations

from tree_sitter import Node

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import Context, constant
from xpiler.frontend.lower_heap import require_serial
from xpiler.frontend.lower_registry import builtin, method
from xpiler.frontend.lower_types import Thread
from xpiler.frontend.lower_values import VOID_VALUE, Nothing, Value
from xpiler.ir.types import U32


@builtin("thread", "jthread")
def _thread(call: Invocation) -> Value:
    """`std::thread(function, arguments...)`"""
    return started_thread(call.ctx, call.args, call.node)


@method("thread", "emplace_back", "push_back")
def _started(call: Invocation) -> Value:
    """`pool.emplace_back(function, arguments...)`; what is moved into a vector runs already."""
    if not (len(call.args) == 1 and isinstance(call.args[0].type, Thread)):
        started_thread(call.ctx, call.args, call.node)
    return VOID_VALUE


def started_thread(ctx: Context, values: tuple[Value, ...], node: Node | None) -> Value:
    """A thread that runs a function with arguments, or nothing yet."""
    from xpiler.frontend.lower_calls import called_with

    if values and node is not None:
        require_serial(ctx, "std::thread", node)
        called_with(ctx, values[0], values[1:], node)
    return Nothing(Thread())


@method("thread", "join", "detach", "reserve", "clear", "resize")
def _joined(call: Invocation) -> Value:
    return VOID_VALUE


@builtin("hardware_concurrency")
def _threads_of_machine(call: Invocation) -> Value:
    require_serial(call.ctx, "hardware_concurrency", call.node)
    return constant(1, U32)
