"""What tiles that reach to the end of a range cover of it: all.

min(n, (n + 15) / 16 * 16)   -->   n
"""

from __future__ import annotations

from xpiler.ir.nodes import Binary, Call, Cast, Const, Expr


def covered(expr: Expr) -> Expr:
    """min(n, ceil(n / b) * b) is n: the grid covers everything."""
    match expr:
        case Call(function="min", args=(n, Binary(op="*", left=blocks, right=Const(value=size)))):
            match _uncast(blocks):
                case Binary(op="/", left=Binary(op="+", left=count, right=Const(value=more)), right=by):
                    if _uncast(count) == n and isinstance(by, Const) and by.value == size == more + 1:
                        return n
    return expr


def _uncast(expr: Expr) -> Expr:
    return _uncast(expr.operand) if isinstance(expr, Cast) else expr
