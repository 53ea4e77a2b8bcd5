"""Operators of reductions: their names, neutral elements, and which may count a value twice."""

from __future__ import annotations

import math

from xpiler.ir.build import const, int_limits
from xpiler.ir.nodes import Const
from xpiler.ir.types import DType

NAMES = {"+": "add", "*": "mul", "min": "min", "max": "max", "&": "and", "|": "or", "^": "xor"}


def identity(op: str, dtype: DType) -> Const:
    """e with `e op x == x`."""
    match op:
        case "+" | "|" | "^":
            return const(0, dtype)
        case "*":
            return const(1, dtype)
        case "min":
            return const(math.inf if dtype.is_float else int_limits(dtype)[1], dtype)
        case "max":
            return const(-math.inf if dtype.is_float else int_limits(dtype)[0], dtype)
        case "&":
            return const(int_limits(dtype)[1] if not dtype.is_signed else -1, dtype)
    raise ValueError(op)


def is_idempotent(op: str) -> bool:
    """x op x == x: an element may be counted by several threads."""
    return op in ("min", "max", "&", "|")
