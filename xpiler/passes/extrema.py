"""Choices of the smaller or larger of two integers are spelled as such.

    rest < 256 ? rest : 256      -->      min(rest, 256)

So that bounds of loops show their two ends.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import maximum, minimum
from xpiler.ir.nodes import Binary, Block, Expr, Function, Select
from xpiler.ir.rewrite import map_expr

_SMALLER, _LARGER = ("<", "<="), (">", ">=")


def name_extrema(function: Function) -> Function:
    """Everywhere in the function."""
    body = map_expr(function.body, named)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def named(expr: Expr) -> Expr:
    """One choice; what it is made of stays as it is."""
    match expr:
        case Select(condition=Binary(op=op, left=left, right=right), then=then, otherwise=otherwise) if (
            expr.dtype.is_integer and left.dtype == expr.dtype
        ):
            if (then, otherwise) == (left, right):
                pick = minimum if op in _SMALLER else maximum if op in _LARGER else None
            elif (then, otherwise) == (right, left):
                pick = maximum if op in _SMALLER else minimum if op in _LARGER else None
            else:
                return expr
            return expr if pick is None else pick(left, right)
    return expr
