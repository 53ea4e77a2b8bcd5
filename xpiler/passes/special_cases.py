"""A case that computes what the general one does for its number goes.

    stride == 1 ? a[i] : a[i * stride]   -->   a[i * stride]

Kernels have such cases for loads of neighbouring elements, which other machines do not tell apart.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import Overflow, linear, simplify
from xpiler.ir.affine_form import to_expr
from xpiler.ir.nodes import Binary, Block, Const, Expr, Function, Load, Select, Var
from xpiler.ir.rewrite import map_expr, substitute
from xpiler.ir.types import I64


def drop_special_cases(function: Function) -> Function:
    """In all choices of the function."""
    body = map_expr(function.body, _general)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _general(expr: Expr) -> Expr:
    match expr:
        case Select(condition=Binary(op="==", left=Var(name=name), right=Const() as number)):
            sides = (substitute(side, {name: number}) for side in (expr.then, expr.otherwise))
            special, rest = (_normal(side) for side in sides)
            return expr.otherwise if special == rest else expr
    return expr


def _normal(expr: Expr) -> Expr:
    """With the indices of memory and the sides of integer comparisons in one form."""

    def change(e: Expr) -> Expr:
        match e:
            case Load(index=index):
                return replace(e, index=tuple(_sum(i) for i in index))
            case Binary(op="<" | "<=" | ">" | ">=" | "==" | "!=", left=left, right=right) if (
                left.dtype.is_integer
            ):
                return replace(e, left=_sum(left), right=_sum(right))
        return e

    return map_expr(expr, change)


def _sum(index: Expr) -> Expr:
    form = linear(simplify(index, {}, Overflow.IGNORED))
    return index if form is None else to_expr(form, I64)
