"""BANG C intrinsics that move elements: transposes, turns, padding, layouts, gathers, sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xpiler.ir.build import add, and_, cast, const, div, ge, lt, mod, mul, select, sub
from xpiler.ir.nodes import Binary, Block, Expr, If, Ref, Stmt
from xpiler.ir.types import BOOL, I32, U8
from xpiler.platforms.bang_meaning import BadUse, Use, at, flat, means, store

LANES = 64  # of WRAM


def _turned(place: Callable[[Expr, Expr, Expr, Expr], Expr]) -> Callable[[Use], Sequence[Stmt]]:
    """`dst[place(y, x, height, width)] = src[y][x]`"""

    def rule(use: Use) -> Sequence[Stmt]:
        dst, src, height, width = use.ref(0), use.ref(1), use.size(2), use.size(3)

        def element(y: Expr, x: Expr) -> Sequence[Stmt]:
            return (store(at(dst, place(y, x, height, width)), at(src, flat(y, width, x))),)

        return (use.loop(height, lambda y: (use.loop(width, lambda x: element(y, x), name="x"),), name="y"),)

    return rule


def _last(extent: Expr, index: Expr) -> Expr:
    return sub(sub(extent, 1), index)


means("__bang_transpose")(_turned(lambda y, x, h, w: flat(x, h, y)))
means("__bang_mirror")(_turned(lambda y, x, h, w: flat(y, w, _last(w, x))))
means("__bang_rotate90")(_turned(lambda y, x, h, w: flat(x, h, _last(h, y))))
means("__bang_rotate180")(_turned(lambda y, x, h, w: flat(_last(h, y), w, _last(w, x))))
means("__bang_rotate270")(_turned(lambda y, x, h, w: flat(_last(w, x), h, y)))


@means("__bang_pad")
def _pad(use: Use) -> Sequence[Stmt]:
    """`(dst, src, channel, height, width, top, bottom, left, right [, value])`; older: `(…, high, wide)`."""
    dst, src, channel, height, width = use.ref(0), use.ref(1), use.size(2), use.size(3), use.size(4)
    if len(use.operands) == 7:
        top = bottom = use.size(5)
        left = right = use.size(6)
    else:
        top, bottom, left, right = (use.size(n) for n in range(5, 9))
    value = cast(use.number(9), dst.dtype) if len(use.operands) > 9 else const(0, dst.dtype)
    tall, wide = add(add(height, top), bottom), add(add(width, left), right)

    def element(y: Expr, x: Expr, c: Expr) -> Sequence[Stmt]:
        row, column = sub(y, top), sub(x, left)
        inside = and_(ge(row, 0), lt(row, height), ge(column, 0), lt(column, width))
        kept = at(src, flat(flat(row, width, column), channel, c))
        return (store(at(dst, flat(flat(y, wide, x), channel, c)), select(inside, kept, value)),)

    def row_of(y: Expr) -> Sequence[Stmt]:
        return (
            use.loop(wide, lambda x: (use.loop(channel, lambda c: element(y, x, c), name="c"),), name="x"),
        )

    return (use.loop(tall, row_of, name="y"),)


@means("__bang_reshape_nchw2nhwc", "__bang_reshape_nhwc2nchw")
def _permuted(use: Use) -> Sequence[Stmt]:
    dst, src = use.ref(0), use.ref(1)
    n, h, w, c = (use.size(k) for k in range(2, 6))
    pixels = mul(h, w)
    to_last = use.name.endswith("nhwc")

    def element(b: Expr, p: Expr, k: Expr) -> Sequence[Stmt]:
        last = flat(flat(b, pixels, p), c, k)
        first = flat(flat(b, c, k), pixels, p)
        return (store(at(dst, last if to_last else first), at(src, first if to_last else last)),)

    def image(b: Expr) -> Sequence[Stmt]:
        return (use.loop(pixels, lambda p: (use.loop(c, lambda k: element(b, p, k), name="k"),), name="p"),)

    return (use.loop(n, image, name="b"),)


def lane_row(row: Expr, groups: Expr) -> Expr:
    """Where a weight's row lies in WRAM: lane after lane."""
    if groups == const(1):
        return row
    return add(mul(mod(row, LANES), groups), div(row, LANES))


def lane_groups(rows: Expr) -> Expr:
    return div(add(rows, LANES - 1), LANES)


@means("__bang_reshape_filter")
def _filter(use: Use) -> Sequence[Stmt]:
    dst, src = use.ref(0), use.ref(1)
    rows, inner = use.size(2), mul(mul(use.size(3), use.size(4)), use.size(5))
    groups = lane_groups(rows)

    def element(r: Expr, k: Expr) -> Sequence[Stmt]:
        return (store(at(dst, flat(lane_row(r, groups), inner, k)), at(src, flat(r, inner, k))),)

    return (use.loop(rows, lambda r: (use.loop(inner, lambda k: element(r, k), name="k"),), name="r"),)


@means("__bang_incseq")
def _sequence(use: Use) -> Sequence[Stmt]:
    dst = use.ref(0)
    return (use.loop(use.size(1), lambda i: (store(at(dst, i), i),)),)


@means("__bang_expand_channel_mul", "__bang_expand_channel_mul_add")
def _expanded(use: Use) -> Sequence[Stmt]:
    """`dst[r][c] = w[r] * src[r][c] (+ add[r][c])`"""
    dst, weights, src = use.ref(0), use.ref(1), use.ref(3)
    more = use.name.endswith("_add")
    rows, channels = use.size(5 if more else 4), use.size(6 if more else 5)

    def element(r: Expr, c: Expr) -> Sequence[Stmt]:
        place = flat(r, channels, c)
        value: Expr = Binary(src.dtype, "*", at(weights, r), at(src, place))
        if more:
            value = Binary(src.dtype, "+", value, at(use.ref(4), place))
        return (store(at(dst, place), value),)

    return (use.loop(rows, lambda r: (use.loop(channels, lambda c: element(r, c), name="c"),), name="r"),)


@means("__gather", "__gather_async", "__scatter", "__scatter_async", "__bang_gather_async")
def _gather(use: Use) -> Sequence[Stmt]:
    """`(dst, src, offset [, mask], size, direction, stride, num)`: segments of `size` bytes, at offsets in
    bytes in one side and `stride` bytes apart in the other."""
    dst, src, offset = use.ref(0), use.ref(1), use.ref(2)
    old = use.name == "__bang_gather_async"
    mask = use.ref(3) if len(use.operands) > 7 or old else None
    first = 3 if mask is None else 4
    size = use.size(first)
    stride, count = (use.size(first + (1 if old else 2)), use.size(first + (2 if old else 3)))
    scatters = use.name.startswith("__scatter")
    if dst.dtype.bytes != src.dtype.bytes:
        raise BadUse(f"both sides of `{use.name}` need elements of one width")
    width = const(dst.dtype.bytes)

    def segment(j: Expr) -> Sequence[Stmt]:
        scattered = div(cast(at(offset, j), I32), width)
        packed = div(mul(j, stride), width)
        there, here = (scattered, packed) if scatters else (packed, scattered)

        def element(i: Expr) -> Sequence[Stmt]:
            return (store(at(dst, add(there, i)), at(Ref(dst.dtype, src.array, src.offset), add(here, i))),)

        copy = use.loop(div(size, width), element)
        if mask is None:
            return (copy,)
        bits = at(Ref(U8, mask.array, mul(mask.offset, mask.dtype.bytes)), div(j, 8))
        hit = Binary(I32, "&", Binary(I32, ">>", cast(bits, I32), mod(j, 8)), const(1))
        return (If(Binary(BOOL, "!=", hit, const(0)), Block((copy,))),)

    return (use.loop(count, segment, lanes=not scatters, name="j"),)
