"""What tiles that reach to the end of a range cover of it: all.

min(n, (n + 15) / 16 * 16)   -->   n
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import linear
from xpiler.ir.nodes import Binary, Block, Call, Cast, Const, Expr, Function
from xpiler.ir.rewrite import map_expr
from xpiler.passes.extrema import named


def without_covers(function: Function) -> Function:
    """Everywhere in a plain function: what is left of a launch of blocks."""
    if not function.is_serial:
        return function

    def change(expr: Expr) -> Expr:
        choice = named(expr)
        whole = covered(choice)
        return expr if whole is choice else whole

    body = map_expr(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def covered(expr: Expr) -> Expr:
    """min(n, ceil(n / b) * b) is n: the grid covers everything."""
    match expr:
        case Call(function="min", args=(n, Binary(op="*", left=blocks, right=Const(value=size)))):
            match _uncast(blocks):
                case Binary(op="/", left=Binary(op="+", left=count, right=Const(value=more)), right=by):
                    if _same(_uncast(count), n) and isinstance(by, Const) and by.value == size == more + 1:
                        return n
    return expr


def _same(first: Expr, second: Expr) -> bool:
    forms = linear(first), linear(second)
    return first == second or (forms[0] is not None and forms[0] == forms[1])


def _uncast(expr: Expr) -> Expr:
    return _uncast(expr.operand) if isinstance(expr, Cast) else expr
