"""What GCC and Clang build in, under the names of the functions that mean the same.

__builtin_sqrtf(x)   -->  sqrtf(x)          __builtin_popcount(m)  -->  __popc(m)
__builtin_ctz(m)     -->  __ffs(m) - 1      __builtin_assume_aligned(p, 64)  -->  p

and the instructions of x86 on the bits of an integer, but `_bzhi_u32`, which makes masks
(`lower_avx_mask.py`).
"""

from __future__ import annotations

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_context import number
from xpiler.frontend.lower_registry import BUILTINS, builtin
from xpiler.frontend.lower_values import Value
from xpiler.ir import build
from xpiler.ir.nodes import Call, Unary
from xpiler.ir.types import I32, I64, U32, U64

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


@builtin("_tzcnt_u32", "_tzcnt_u64")
def _trailing_zeros_or_width(call: Invocation) -> Value:
    """Of zero it is the number's width, where `__builtin_ctz` has no value."""
    dtype = U64 if call.name.endswith("64") else U32
    bits = call.number_as(0, dtype)
    zeros = build.sub(Call(I32, "ffs", (build.cast(bits, I64 if dtype is U64 else I32),)), build.const(1))
    found = build.select(build.eq(bits, build.const(0, dtype)), build.const(dtype.bits), zeros)
    return number(build.cast(found, dtype))


@builtin(*(f"_{name}_u{bits}" for name in ("blsr", "blsi", "blsmsk") for bits in (32, 64)))
def _lowest_set_bit(call: Invocation) -> Value:
    """Without the lowest set bit; that bit alone; all bits up to it."""
    dtype = U64 if call.name.endswith("64") else U32
    bits = call.number_as(0, dtype)
    before = build.sub(bits, build.const(1, dtype))
    if call.name.startswith("_blsr"):
        return number(build.binary("&", bits, before))
    if call.name.startswith("_blsmsk"):
        return number(build.binary("^", bits, before))
    return number(build.binary("&", bits, build.sub(build.const(0, dtype), bits)))


@builtin("_andn_u32", "_andn_u64")
def _and_not(call: Invocation) -> Value:
    dtype = U64 if call.name.endswith("64") else U32
    return number(build.binary("&", Unary(dtype, "~", call.number_as(0, dtype)), call.number_as(1, dtype)))


@builtin("__builtin_assume_aligned")
def _aligned(call: Invocation) -> Value:
    call.need(1)
    return call.args[0]
