"""What GCC and Clang build in, under the names of the functions that mean the same.

__builtin_sqrtf(x)   -->  sqrtf(x)          __builtin_popcount(m)  -->  __popc(m)
__builtin_ctz(m)     -->  __ffs(m) - 1      __builtin_assume_aligned(p, 64)  -->  p
"""

from __future__ import annotations

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import number
from xpiler.frontend.lower_registry import BUILTINS, builtin
from xpiler.frontend.lower_values import Value
from xpiler.ir import build
from xpiler.ir.nodes import Call
from xpiler.ir.types import I32, I64

_PREFIX = "__builtin_"
_BITS = {
    "__builtin_popcount": "__popc", "__builtin_popcountl": "__popcll", "__builtin_popcountll": "__popcll",
    "__builtin_clz": "__clz", "__builtin_clzl": "__clzll", "__builtin_clzll": "__clzll",
    "__builtin_ffs": "__ffs", "__builtin_ffsll": "__ffsll",
    "_mm_popcnt_u32": "__popc", "_mm_popcnt_u64": "__popcll", "_popcnt32": "__popc", "_popcnt64": "__popcll",
    "_lzcnt_u32": "__clz", "_lzcnt_u64": "__clzll",
}  # fmt: skip
_TRAILING = {"__builtin_ctz": I32, "__builtin_ctzl": I64, "__builtin_ctzll": I64}


def function_of(name: str) -> str:
    """The function of the table that a name stands for; the name itself if it is no other's."""
    if name in BUILTINS:
        return name
    plain = name.removeprefix(_PREFIX)
    return _BITS.get(name, plain if plain in BUILTINS and not plain.startswith("_") else name)


@builtin(*_TRAILING)
def _trailing_zeros(call: Invocation) -> Value:
    bits = call.number_as(0, _TRAILING[call.name])
    return number(build.sub(Call(I32, "ffs", (bits,)), build.const(1)))


@builtin("__builtin_assume_aligned")
def _aligned(call: Invocation) -> Value:
    call.need(1)
    return call.args[0]
