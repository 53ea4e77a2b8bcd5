"""The operations that reductions are made of: what they are called, and what they begin with."""

from __future__ import annotations

from xpiler.ir.build import const, int_limits
from xpiler.ir.nodes import Expr
from xpiler.ir.types import DType

NAMES = {"+": "sum", "*": "product", "max": "max", "min": "min", "&": "and", "|": "or", "^": "xor"}


def neutral(op: str, dtype: DType) -> Expr | None:
    """What an operation with leaves the other operand as it is."""
    match op:
        case "+" | "|" | "^":
            return const(0, dtype)
        case "*":
            return const(1, dtype)
        case "&":
            return const(-1, dtype)
        case "max":
            return const(float("-inf") if dtype.is_float else int_limits(dtype)[0], dtype)
        case "min":
            return const(float("inf") if dtype.is_float else int_limits(dtype)[1], dtype)
    return None
