"""Choices between floats by comparing floats, as functions of what is compared.

    x > 0 ? x : 0                      -->  max(x, 0)
    if (x[i] >= m) m = x[i];           -->  m = max(m, x[i]);
    x > 0 ? 1 : x < 0 ? -1 : 0         -->  less(0, x, 1, less(x, 0, -1, 0))

Over the reals `a > b` is `b < a`, `a <= b` is the opposite of `b < a`, and a number is itself. `less(a, b, x,
y)`, x if a < b and y otherwise, and `same` stand for themselves in runs on symbols: what agrees then does so
however the data compare. Only choices whose sides read nothing that the comparison does not read anyway, as
they may be out of bounds.
"""

from __future__ import annotations

import functools
from dataclasses import replace

from xpiler.ir.build import call
from xpiler.ir.nodes import (
    FALSE,
    TRUE,
    Assign,
    Binary,
    Block,
    Expr,
    Function,
    If,
    Load,
    Select,
    Stmt,
    Unary,
    Var,
)
from xpiler.ir.rewrite import map_expr, map_stmt, walk


@functools.lru_cache(maxsize=256)
def without_choices(function: Function) -> Function:
    """The function with such choices named."""
    body = map_expr(map_stmt(function.body, _assigned), _named)
    assert isinstance(body, Block)
    return replace(function, body=body)


def _assigned(stmt: Stmt) -> Stmt:
    """A branch that only decides which value a variable or element gets."""
    match stmt:
        case If(condition=test, then=Block((Assign(target=target, value=then, reduce=None),))):
            match stmt.otherwise:
                case Block(()):
                    otherwise: Expr = target
                case Block((Assign(target=other, value=value, reduce=None),)) if other == target:
                    otherwise = value
                case _:
                    return stmt
            chosen = Select(target.dtype, test, then, otherwise)
            if then.dtype == otherwise.dtype == target.dtype and _is_harmless(chosen, target):
                return Assign(target, chosen, range=stmt.range)
    return stmt


def _is_harmless(select: Select, target: Expr | None = None) -> bool:
    """Whether floats are compared, and all of what is read is read to compare them."""
    if not select.dtype.is_float or not _compares_floats(select.condition):
        return False
    read = {n for n in walk(select.condition) if isinstance(n, Load)}
    parts = (select.then, select.otherwise, *(() if target is None or isinstance(target, Var) else (target,)))
    return all(n in read for part in parts for n in walk(part) if isinstance(n, Load))


def _compares_floats(condition: Expr) -> bool:
    match condition:
        case Binary(op="&&" | "||", left=left, right=right):
            return _compares_floats(left) and _compares_floats(right)
        case Unary(op="!", operand=operand):
            return _compares_floats(operand)
        case Binary(op="<" | "<=" | ">" | ">=" | "==" | "!=", left=left):
            return left.dtype.is_float
    return False


def _named(expr: Expr) -> Expr:
    match expr:
        case Binary(op="<" | ">" | "!=", left=left, right=right) if left == right and left.dtype.is_float:
            return FALSE
        case Binary(op="<=" | ">=" | "==", left=left, right=right) if left == right and left.dtype.is_float:
            return TRUE
        case Binary(op="&&" | "||" as op, left=left, right=right) if left in (TRUE, FALSE):
            return right if (op == "&&") == (left == TRUE) else left
        case Binary(op="&&" | "||" as op, left=left, right=right) if right in (TRUE, FALSE):
            return left if (op == "&&") == (right == TRUE) else right
        case Select(condition=test, then=then, otherwise=otherwise) if test in (TRUE, FALSE):
            return then if test == TRUE else otherwise
        case Select() if _is_harmless(expr):
            return _chosen(expr.condition, expr.then, expr.otherwise)
    return expr


def _chosen(condition: Expr, then: Expr, otherwise: Expr) -> Expr:
    match condition:
        case Binary(op="&&", left=left, right=right):
            return _chosen(left, _chosen(right, then, otherwise), otherwise)
        case Binary(op="||", left=left, right=right):
            return _chosen(left, then, _chosen(right, then, otherwise))
        case Unary(op="!", operand=operand):
            return _chosen(operand, otherwise, then)
        case Binary(op=">" | ">=" as op, left=left, right=right):
            return _chosen(Binary(condition.dtype, "<" if op == ">" else "<=", right, left), then, otherwise)
        case Binary(op="<=", left=left, right=right):
            return _chosen(Binary(condition.dtype, "<", right, left), otherwise, then)
        case Binary(op="!=", left=left, right=right):
            return _chosen(Binary(condition.dtype, "==", left, right), otherwise, then)
        case Binary(op="<", left=left, right=right):
            if (then, otherwise) == (left, right):
                return call("min", then.dtype, left, right)
            if (then, otherwise) == (right, left):
                return call("max", then.dtype, left, right)
            return call("less", then.dtype, left, right, then, otherwise)
        case Binary(left=left, right=right):
            left, right = sorted((left, right), key=str)
            return call("same", then.dtype, left, right, then, otherwise)
    raise TypeError(f"not a comparison: {condition!r}")
