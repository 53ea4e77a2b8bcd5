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


def operand_rule(name: str) -> str:
    """`same`: one place, or apart; `none`: apart; `any` where nothing is said."""
    if _MOVING.match(name):
        return "none"
    return "same" if _IN_PLACE.match(name) else "any"
