"""BANG C products and convolutions. Weights lie in WRAM lane after lane: `bang_shape.lane_row`.

Sums are kept in float, or exactly for integers, and scaled by 2^fix_position at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from xpiler.ir.build import add, cast, const, is_const, mul
from xpiler.ir.nodes import Assign, Binary, Decl, Expr, Ref, Stmt, Var
from xpiler.ir.types import F32, I32, DType
from xpiler.platforms.bang_convert import scaled
from xpiler.platforms.bang_meaning import Use, at, flat, means, store
from xpiler.platforms.bang_reduce import Window, each_output
from xpiler.platforms.bang_shape import lane_groups, lane_row


def _sum_type(src: Ref) -> DType:
    return F32 if src.dtype.is_float else I32


def _scaled(total: Expr, position: Expr | None) -> Expr:
    is_plain = position is None or is_const(position, 0)
    return total if is_plain else scaled(cast(total, F32), position)


def _product(
    use: Use, dst: Ref, src: Ref, weights: Ref, rows: Expr, inner: Expr, columns: Expr,
    position: Expr | None = None, addend: Ref | None = None, *, per_column: bool = False,
) -> Sequence[Stmt]:  # fmt: skip
    """`dst[m][n] = sum over k of src[m][k] * weights[n][k] (+ addend)`"""
    dtype = _sum_type(src)
    groups = lane_groups(columns)

    def element(m: Expr, n: Expr) -> Sequence[Stmt]:
        total = Var(dtype, use.fresh("dot"))

        def step(k: Expr) -> Sequence[Stmt]:
            weight = at(weights, flat(lane_row(n, groups), inner, k))
            value = Binary(dtype, "*", cast(at(src, flat(m, inner, k)), dtype), cast(weight, dtype))
            return (Assign(total, value, "+"),)

        return (
            Decl(total.name, dtype, init=const(0, dtype)),
            use.loop(inner, step, lanes=False, name="k"),
            store(at(dst, flat(m, columns, n)), _with(_scaled(total, position), addend, dst, m, n)),
        )

    def _with(value: Expr, other: Ref | None, to: Ref, m: Expr, n: Expr) -> Expr:
        if other is None:
            return value
        place = n if per_column else flat(m, columns, n)
        extra = at(other, place)
        wide = F32 if to.dtype.is_float or value.dtype.is_float else I32
        return add(cast(value, wide), cast(extra, wide))

    def row(m: Expr) -> Sequence[Stmt]:
        return (use.loop(columns, lambda n: element(m, n), name="n"),)

    return (use.loop(rows, row, name="m"),)


@means("__bang_matmul")
def _matmul(use: Use) -> Sequence[Stmt]:
    """`(dst, src0, src1 [, src2], m, k, n [, fix_position])`"""
    dst, src, weights = use.ref(0), use.ref(1), use.ref(2)
    addend = use.ref(3) if isinstance(use.operands[3], Ref) else None
    first = 3 if addend is None else 4
    m, k, n = (use.size(first + i) for i in range(3))
    position = use.size(first + 3) if len(use.operands) > first + 3 else None
    return _product(use, dst, src, weights, m, k, n, position, addend)


@means("__bang_mlp")
def _mlp(use: Use) -> Sequence[Stmt]:
    """`(dst, src [, bias], filter, outputs, inputs [, fix_position])`"""
    dst, src = use.ref(0), use.ref(1)
    bias = use.ref(2) if isinstance(use.operands[3], Ref) else None
    first = 2 if bias is None else 3
    weights, outputs, inputs = use.ref(first), use.size(first + 1), use.size(first + 2)
    position = use.size(first + 3) if len(use.operands) > first + 3 else None
    return _product(use, dst, src, weights, const(1), inputs, outputs, position, bias, per_column=True)


@means("__bang_conv", "__bang_conv_partial", "__bang_conv_tf32")
def _conv(use: Use) -> Sequence[Stmt]:
    """`(dst, src, kernel [, bias | partial], ci, h, w, kh, kw, sw, sh, co [, fix] [, dilations w, h])`"""
    dst, src, weights = use.ref(0), use.ref(1), use.ref(2)
    addend = use.ref(3) if isinstance(use.operands[3], Ref) else None
    first = 3 if addend is None else 4
    ci, h, w, kh, kw, sw, sh, co = (use.size(first + i) for i in range(8))
    rest = [use.size(n) for n in range(first + 8, len(use.operands))]
    position = rest.pop(0) if len(rest) % 2 else None
    dilation_w, dilation_h = (rest[0], rest[1]) if len(rest) >= 2 else (const(1), const(1))
    window = Window(co, h, w, kh, kw, sw, sh, dilation_h, dilation_w)
    dtype = _sum_type(src)
    groups = lane_groups(co)
    partial = use.name == "__bang_conv_partial"

    def element(y: Expr, x: Expr, o: Expr) -> Sequence[Stmt]:
        total = Var(dtype, use.fresh("dot"))

        def step(i: Expr, j: Expr, c: Expr) -> Sequence[Stmt]:
            row, column = add(mul(y, sh), mul(i, dilation_h)), add(mul(x, sw), mul(j, dilation_w))
            pixel = at(src, flat(flat(row, w, column), ci, c))
            inner = mul(mul(kh, kw), ci)
            weight = at(weights, add(mul(lane_row(o, groups), inner), flat(flat(i, kw, j), ci, c)))
            return (Assign(total, Binary(dtype, "*", cast(pixel, dtype), cast(weight, dtype)), "+"),)

        def columns(i: Expr) -> Sequence[Stmt]:
            return (
                use.loop(
                    kw,
                    lambda j: (use.loop(ci, lambda c: step(i, j, c), lanes=False, name="c"),),
                    lanes=False,
                    name="j",
                ),
            )

        value = _scaled(total, position)
        place = flat(flat(y, window.width_out, x), co, o)
        if addend is not None:
            wide = F32 if dst.dtype.is_float or value.dtype.is_float else I32
            value = add(cast(value, wide), cast(at(addend, place if partial else o), wide))
        return (
            Decl(total.name, dtype, init=const(0, dtype)),
            use.loop(kh, columns, lanes=False),
            store(at(dst, place), value),
        )

    return each_output(use, window, element)
