"""Operands of BANG C in a memory that an instruction, or the direction of a copy, does not take.

    __memcpy(tile, x, n, NRAM2GDRAM);     -->     trap(space, "... wants its destination in GDRAM ...")

Said only to those who check a kernel: real kernels of some sets do it, and mean the data all the same.
"""

from __future__ import annotations

from xpiler.frontend.lower_builtins import Invocation
from xpiler.frontend.lower_values import Address
from xpiler.ir.nodes import FALSE, Space, Trap

_TAKEN = {
    "NRAM": {Space.NRAM, Space.LOCAL},
    "LDRAM": {Space.NRAM, Space.LOCAL},
    "WRAM": {Space.WRAM},
    "SRAM": {Space.SHARED},
    "GDRAM": {Space.GLOBAL, Space.CONSTANT},
}
_CALLED = {
    Space.NRAM: "NRAM",
    Space.LOCAL: "NRAM",
    Space.WRAM: "WRAM",
    Space.SHARED: "SRAM",
    Space.GLOBAL: "GDRAM",
    Space.CONSTANT: "GDRAM",
}


def wanted_in(call: Invocation, pointer: Address, memory: str, operand: str) -> None:
    """`operand` says which of the call's it is."""
    ctx = call.ctx
    there = pointer.memory
    if not ctx.entities.tells_streams or there is None or there.space in _TAKEN[memory]:
        return
    name, place = there.name, _CALLED.get(there.space, there.space.value)
    what = f"`{call.name}` wants {operand} in {memory}, and `{name}` is in {place}"
    ctx.emit(Trap("space", FALSE, what), call.node)
