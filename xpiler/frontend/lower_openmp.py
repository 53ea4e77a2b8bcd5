"""Questions of a function about OpenMP's threads, answered as for a team of one: that many are allowed,
unless the text asks for a number.

    int t = omp_get_thread_num(), nt = omp_get_num_threads();    -->    t = 0, nt = 1
"""

from __future__ import annotations

from tree_sitter import Node

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import constant
from xpiler.frontend.lower_registry import builtin
from xpiler.frontend.lower_values import Value
from xpiler.ir.types import I32

_ANSWERS = {
    "omp_get_thread_num": 0, "omp_get_num_threads": 1, "omp_get_max_threads": 1, "omp_get_num_procs": 1,
    "omp_in_parallel": 0,
}  # fmt: skip


@builtin(*_ANSWERS)
def _question(call: Invocation) -> Value:
    ctx = call.ctx
    if not ctx.entities.is_serial:
        ctx.refuse("openmp", f"`{call.name}` in a kernel of threads", call.node)
    around: Node | None = call.node
    while around is not None:
        words = ctx.entities.unit.pragma_before(around).replace("(", " ").split()
        if call.name == "omp_get_thread_num" and words[:1] == ["omp"] and {"for", "taskloop"} & set(words):
            ctx.refuse("openmp", "which thread an iteration runs on is not followed", call.node)
        if words[:1] == ["omp"] and "num_threads" in words:
            ctx.refuse("openmp", "a team of a number of threads is not followed", call.node)
        around = around.parent
    return constant(_ANSWERS[call.name], I32)
