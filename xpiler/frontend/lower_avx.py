"""The intrinsics of AVX-512, AVX2 and SSE as calls: names, widths, operands, and the forms with a mask.

Each family has a module of its own that registers its names here; what an intrinsic means for one lane is in
`platforms/vnni_elementwise.py` and beside the families.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_lanes import Lanes, below, constant_lanes, lanes_of_value, mask_of, seen_as
from xpiler.frontend.lower_registry import BUILTINS
from xpiler.frontend.lower_types import REGISTERS, Register
from xpiler.frontend.lower_values import Value
from xpiler.ir import build
from xpiler.ir.nodes import Const
from xpiler.ir.types import BF16, F16, F32, F64, DType

WIDTHS = {"_mm_": 128, "_mm256_": 256, "_mm512_": 512}
Handler = Callable[[Invocation], Lanes]


def bits_of(name: str) -> int:
    """The width of the registers that an intrinsic works on, by its name."""
    return WIDTHS[name[: name.index("_", 1) + 1]]


def register_type(bits: int, dtype: DType) -> Register:
    """The register type of a width and an element type; no narrower than 128 bits."""
    kind = {F32: "", F64: "d", F16: "h", BF16: "bh"}.get(dtype, "i")
    return REGISTERS[f"__m{max(bits, 128)}{kind}"]


def operand(call: Invocation, position: int, dtype: DType) -> Lanes:
    """An operand's lanes as `dtype`."""
    call.need(position + 1)
    return lanes_of_value(call.ctx, call.args[position], dtype)


def immediate(call: Invocation, position: int) -> int:
    """An operand that has to be a constant."""
    number = call.number(position)
    if not isinstance(number, Const):
        call.ctx.refuse("immediate", f"`{call.name}` needs a constant as operand {position + 1}", call.node)
    return int(number.value)


def nearest(call: Invocation, position: int) -> None:
    """An operand that says how to round: only as by default."""
    if immediate(call, position) & 7 not in (0, 4):
        call.ctx.refuse("rounding-mode", f"`{call.name}`: only rounding to nearest is supported", call.node)


def without(call: Invocation, *positions: int) -> Invocation:
    """The call without some of its operands."""
    return replace(call, args=tuple(a for i, a in enumerate(call.args) if i not in positions))


def selected(call: Invocation, mask: Value, result: Lanes, kept: Lanes) -> Lanes:
    """The lanes of `result` where the mask has a bit, else those of `kept`."""
    condition = mask_of(call.ctx, mask, result.live or result.count)
    rest = seen_as(call.ctx, kept, result.dtype)
    if result.live:
        inner, live = condition, result.live
        condition = lambda lane: build.or_(build.not_(below(call.ctx, lane, live)), inner(lane))  # noqa: E731
    return Lanes(
        result.type, result.dtype, lambda lane: build.select(condition(lane), result.at(lane), rest.at(lane))
    )


def define(prefix: str, stem: str, handler: Handler, *, masked: bool = True) -> None:
    """Registers an intrinsic and, if `masked`, its forms `mask_` (source, mask, operands) and `maskz_`."""
    BUILTINS[prefix + stem] = handler
    if not masked:
        return

    def merging(call: Invocation) -> Lanes:
        call.need(2)
        result = handler(without(call, 0, 1))
        return selected(call, call.args[1], result, lanes_of_value(call.ctx, call.args[0]))

    def zeroing(call: Invocation) -> Lanes:
        call.need(1)
        result = handler(without(call, 0))
        zero = constant_lanes(result.type, build.const(0, result.dtype))
        return selected(call, call.args[0], result, zero)

    BUILTINS[f"{prefix}mask_{stem}"] = merging
    BUILTINS[f"{prefix}maskz_{stem}"] = zeroing


def everywhere(stem: str, make: Callable[[int], Handler], *, masked: bool = True) -> None:
    """Registers an intrinsic of all three widths."""
    for prefix, bits in WIDTHS.items():
        define(prefix, stem, make(bits), masked=masked)
