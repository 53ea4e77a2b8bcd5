"""Choices of the smaller or larger of two integers are spelled as such.

    rest < 256 ? rest : 256            -->      min(rest, 256)
    x < 0 ? 0 : min(x, w - 1)          -->      max(0, min(x, w - 1))   where w is 1 at least

So that bounds of loops show their two ends, and places that are held within an image both of theirs.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import prove_le
from xpiler.ir.build import maximum, minimum
from xpiler.ir.nodes import Binary, Block, Call, Expr, Function, Select
from xpiler.ir.rewrite import map_expr
from xpiler.passes.facts import Facts

_SMALLER, _LARGER = ("<", "<="), (">", ">=")


def name_extrema(function: Function) -> Function:
    """Everywhere in the function."""
    body = map_expr(function.body, named)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def clamped(choice: Select, facts: Facts) -> Expr:
    """One choice of an end or of what is held below the other end; as it is where the ends may be the wrong
    way round, and the choice is not between whole numbers."""
    match choice:
        case Select(
            condition=Binary(op=op, left=value, right=end),
            then=then,
            otherwise=Call(function="min" | "max" as inner, args=(one, two)) as held,
        ) if choice.dtype.is_integer and then == end and value in (one, two):
            other = two if value == one else one
            if inner == "min" and op in _SMALLER and prove_le(end, other, facts.ranges):
                return maximum(end, held)
            if inner == "max" and op in _LARGER and prove_le(other, end, facts.ranges):
                return minimum(end, held)
    return choice


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
