"""What a program says of itself, on every platform: assertions, ends, hints to the compiler, and output."""

from __future__ import annotations

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import constant
from xpiler.frontend.lower_expressions import truth
from xpiler.frontend.lower_registry import builtin
from xpiler.frontend.lower_values import VOID_VALUE, Value
from xpiler.ir import build
from xpiler.ir.nodes import Trap
from xpiler.ir.types import BOOL, I32


@builtin("assert")
def _assert(call: Invocation) -> Value:
    condition = truth(call.ctx, call.args[0])
    call.ctx.emit(Trap("assert", condition, call.ctx.text(call.node)))
    return VOID_VALUE


@builtin("__trap", "abort", "exit", "_Exit", "quick_exit", "__builtin_trap", "__brkpt")
def _trap(call: Invocation) -> Value:
    call.ctx.emit(Trap("assert", build.const(False, BOOL), call.ctx.text(call.node)))
    return VOID_VALUE


@builtin("__builtin_assume", "__builtin_expect", "__builtin_unreachable", "__assume")
def _hint(call: Invocation) -> Value:
    return call.args[0] if call.name == "__builtin_expect" else VOID_VALUE


@builtin("printf", "fprintf", "puts", "fputs", "perror", "fflush")
def _printf(call: Invocation) -> Value:
    ctx = call.ctx
    ctx.emit(Trap("printf", build.const(True, BOOL), ctx.text(call.node)))
    return constant(0, I32)
