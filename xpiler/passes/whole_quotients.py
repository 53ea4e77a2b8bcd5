"""Quotients that become whole numbers are found to the last digit: a digit less is another number.

    q = (x - low) / step;  b = (int)floor(q)   -->   q = quotient(x - low, step);  b = (int)floor(q)

A division of floats otherwise is a product with the reciprocal, which may be the float beside the quotient.
Where that is rounded to a whole number, what lies at the edge of a bin would be in the other one. Powers of
two have exact reciprocals. Works on the body of a loop over lanes, before its values are computed
(`platforms/bang_functions.py` has the quotient).
"""

from __future__ import annotations

import math
from dataclasses import replace

from xpiler.ir.nodes import (
    Assign,
    Binary,
    Block,
    Call,
    Cast,
    Const,
    Decl,
    Expr,
    For,
    Select,
    Stmt,
    Unary,
    Var,
)
from xpiler.ir.rewrite import map_expr, map_stmt, walk
from xpiler.ir.types import BOOL, F32

_ROUND = ("floor", "ceil", "round", "rint", "trunc")
_KEEP = ("min", "max", "abs", "saturate", "copysign", "fma")


def with_whole_quotients(loop: For) -> For:
    """The loop, with the divisions whose results are made whole as calls of `quotient`."""
    whole: set[str] = set()
    while True:
        found = {name for top in _rounded(loop, whole) for name in _names(top)}
        if found <= whole:
            break
        whole |= found

    def change(expr: Expr) -> Expr:
        match expr:
            case Call(function=name, args=(x,)) if name in _ROUND and expr.dtype == F32:
                return replace(expr, args=(_exact(x),))
            case Cast(operand=x) if _makes_whole(expr):
                return replace(expr, operand=_exact(x))
        return expr

    def named(stmt: Stmt) -> Stmt:
        match stmt:
            case Decl(name=name, init=Expr() as init) if name in whole:
                return replace(stmt, init=_exact(init))
            case Assign(target=Var(name=name), value=value) if name in whole:
                return replace(stmt, value=_exact(value))
        return stmt

    body = map_stmt(map_expr(loop.body, change), named)
    assert isinstance(body, Block)
    return replace(loop, body=body)


def _makes_whole(expr: Cast) -> bool:
    return expr.operand.dtype == F32 and expr.dtype.is_integer and expr.dtype != BOOL


def _rounded(loop: For, whole: set[str]) -> list[Expr]:
    """What is made a whole number, and the values of the names that are."""
    found: list[Expr] = []
    for node in walk(loop.body):
        match node:
            case Call(function=name, args=(x,), dtype=dtype) if name in _ROUND and dtype == F32:
                found.append(x)
            case Cast(operand=x) if _makes_whole(node):
                found.append(x)
            case Decl(name=name, init=Expr() as init) if name in whole:
                found.append(init)
            case Assign(target=Var(name=name), value=value) if name in whole:
                found.append(value)
    return found


def _names(expr: Expr) -> set[str]:
    """Of the values that take part by arithmetic."""
    return {expr.name} if isinstance(expr, Var) else {n for part in _parts(expr) for n in _names(part)}


def _parts(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case Binary(op="+" | "-" | "*", dtype=dtype, left=left, right=right) if dtype == F32:
            return left, right
        case Binary(op="/", dtype=dtype, left=left) if dtype == F32:
            return (left,)
        case Unary(op="-", dtype=dtype, operand=operand) if dtype == F32:
            return (operand,)
        case Call(function=name, dtype=dtype, args=args) if dtype == F32 and name in _KEEP:
            return args
        case Select(dtype=dtype, then=then, otherwise=otherwise) if dtype == F32:
            return then, otherwise
    return ()


def _exact(expr: Expr) -> Expr:
    match expr:
        case Binary(op="/", left=left, right=right, dtype=dtype) if dtype == F32:
            left = _exact(left)
            if isinstance(right, Const) and abs(math.frexp(right.value)[0]) == 0.5:
                return replace(expr, left=left)
            return Call(F32, "quotient", (left, right))
        case Binary(left=left, right=right) if _parts(expr):
            return replace(expr, left=_exact(left), right=_exact(right))
        case Unary(operand=operand) if _parts(expr):
            return replace(expr, operand=_exact(operand))
        case Call(args=args) if _parts(expr):
            return replace(expr, args=tuple(_exact(a) for a in args))
        case Select(then=then, otherwise=otherwise) if _parts(expr):
            return replace(expr, then=_exact(then), otherwise=_exact(otherwise))
    return expr
