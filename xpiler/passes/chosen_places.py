"""Which of two places is read, chosen by a digit of a counter, is one place.

    lane / 8 == 0 ? x[2*(lane % 8)] : x[16 + 2*(lane % 8)]      -->      x[2*lane]

So a permutation of two registers is a row of memory again, as of every second element. Applies where the
digit is 0 or 1, and the places lie apart by a number.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import bounds, linear, simplify
from xpiler.ir.build import add, cast, const, mul, sub, unify
from xpiler.ir.nodes import Binary, Block, Const, Expr, For, Function, Load, Select
from xpiler.ir.rewrite import map_expr, walk


def join_places(function: Function) -> Function:
    """Everywhere in the function."""
    ranges = {
        n.var: (int(n.start.value), int(n.stop.value) - 1)
        for n in walk(function.body)
        if isinstance(n, For) and isinstance(n.start, Const) and isinstance(n.stop, Const)
    }

    def change(expr: Expr) -> Expr:
        match expr:
            case Select(
                condition=Binary(op="==" | "!=" as op, left=digit, right=Const(value=0 | 1 as value)),
                then=Load(index=(then,)) as one,
                otherwise=Load(index=(otherwise,)) as two,
            ) if digit.dtype.is_integer and replace(one, index=two.index) == two:
                if bounds(digit, ranges) != (0, 1):
                    return expr
                first, second = unify(then, otherwise)
                if (op == "==") != (value == 0):
                    first, second = second, first
                form = linear(sub(second, first), ranges)
                if form is None or form.as_int is None:
                    return expr
                apart = mul(cast(digit, first.dtype), const(form.as_int, first.dtype))
                return replace(one, index=(simplify(add(first, apart), ranges),))
        return expr

    body = map_expr(function.body, change, lambda place: place)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)
