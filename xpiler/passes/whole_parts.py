"""The part of a size that whole vectors cover, and the rest, as quotients.

    n & ~15                                 -->   n / 16 * 16
    n & 15                                  -->   n % 16
    max(n / 16 * 16 + 15, 0) / 16 * 16      -->   max(n, 0) / 16 * 16

In plain functions, of their whole-number parameters. The first two are the same where `n` is not negative,
and one that is negative is no size (`strips.py`): no array has so many elements. The last is where a loop by
whole steps to the end of a whole step ends (`counting.py`).
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import const, div, maximum, mod, mul
from xpiler.ir.nodes import Binary, Block, Call, Const, Expr, Function, Var
from xpiler.ir.rewrite import map_expr, uses


def plain_parts(function: Function) -> Function:
    """Everywhere in a plain function."""
    if not function.is_serial:
        return function
    changed = uses(function.body).vars_set
    sizes = {
        p.name
        for p in function.params
        if not p.is_pointer and p.dtype.is_integer and p.dtype.is_signed and p.name not in changed
    }

    def plain(expr: Expr) -> Expr:
        match expr:
            case Binary(op="&", left=Var(name=name) as size, right=Const(value=bits)) if (
                name in sizes and size.dtype == expr.dtype
            ):
                low, high = int(bits) + 1, -int(bits)
                if low > 1 and low & (low - 1) == 0:
                    return mod(size, const(low, size.dtype))
                if high > 1 and high & (high - 1) == 0:
                    whole = const(high, size.dtype)
                    return mul(div(size, whole), whole)
            case Binary(op="*", left=Binary(op="/", left=strips, right=Const() as width), right=again) if (
                width == again
            ):
                return _whole(strips, width) or expr
        return expr

    body = map_expr(function.body, plain)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _whole(strips: Expr, width: Const) -> Expr | None:
    """`max(n, 0) / width * width` if `strips` is what of n / width * width is rounded up to whole widths."""
    match strips:
        case Call(
            function="max",
            args=(
                Binary(
                    op="+",
                    left=Binary(op="*", left=Binary(op="/", left=size, right=inner), right=outer),
                    right=Const(value=more),
                ),
                Const(value=0) as zero,
            ),
        ) if inner == outer == width and int(more) == int(width.value) - 1:
            return mul(div(maximum(size, zero), width), width)
    return None
