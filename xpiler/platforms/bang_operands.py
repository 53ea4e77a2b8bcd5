"""Which operands of a BANG C instruction may share memory.

__bang_add(a, a, b, n);               the same place as an operand: allowed where elements stay in place
__bang_add(a + 1, a, b, n);           anything in between is not defined
__bang_transpose(a, a, 32, 32);       elements move: source and result must share nothing
"""

from __future__ import annotations

import re

_MOVING = re.compile(
    r"__bang_(transpose|mirror|rotate\d+|pad|reshape_\w+|lut|histogram|floor|round|nearbyint|div)$"
)
_IN_PLACE = re.compile(
    r"__bang_((cycle_)?(add|sub|mul|eq|ne|lt|le|gt|ge|and|or|xor|not|maximum|minimum|maxequal|minequal)"
    r"(_scalar|_const)?|active_\w+|abs|neg|square|recip|sqrt|rsqrt|relun?|fusion|b(and|or|xor)(_scalar)?)$"
)

# Their weights come third, behind the bias of `mlp`.
_WEIGHTED = re.compile(r"__bang_(?:matmul|mlp|conv|conv_partial|conv_tf32)$")


def operand_rule(name: str) -> str:
    """`same`: one place, or apart; `none`: apart; `any` where nothing is said."""
    if _MOVING.match(name):
        return "none"
    return "same" if _IN_PLACE.match(name) else "any"


def operand_memory(name: str, pointer: int, pointers: int) -> str:
    """The memory of pointer number `pointer`, of `pointers` among the operands; "" where nothing is said."""
    if operand_rule(name) != "any":
        return "NRAM"
    if not _WEIGHTED.match(name):
        return ""
    weights = pointers - 1 if name == "__bang_mlp" else 2
    return "WRAM" if pointer == weights else "NRAM"
