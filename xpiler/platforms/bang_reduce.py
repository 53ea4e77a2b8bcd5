"""BANG C reductions and pools. Pools are windows of HWC tensors; width strides come before height strides."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xpiler.ir.build import add, and_, bitcast, cast, const, div, eq, int_limits, le, lt, mul, ne, select, sub
from xpiler.ir.nodes import Assign, Binary, Block, Call, Decl, Expr, For, If, Load, Ref, Stmt, Var
from xpiler.ir.types import BF16, BOOL, F16, F32, I32, U16, U32, DType
from xpiler.platforms.bang_meaning import Use, at, flat, means, same_place, store

GROUP_BYTES = 128


def _wide(dtype: DType) -> DType:
    """What sums of a type are kept in."""
    return F32 if dtype in (F16, BF16) else dtype if dtype.is_float or dtype.bits == 32 else I32


def _serial(use: Use, extent: Expr, body: Callable[[Var], Sequence[Stmt]], name: str = "k") -> For:
    return use.loop(extent, body, lanes=False, name=name)


@means("__bang_reduce_sum")
def _reduce_sum(use: Use) -> Sequence[Stmt]:
    """The first element of every group of 128 bytes becomes the sum of the group."""
    dst, src, n = use.ref(0), use.ref(1), use.size(2)
    width = GROUP_BYTES // src.dtype.bytes

    def group(g: Expr) -> Sequence[Stmt]:
        first = mul(g, width)
        total = Var(_wide(src.dtype), use.fresh("sum"))
        return (
            Decl(total.name, total.dtype, init=const(0, total.dtype)),
            _serial(
                use,
                const(width),
                lambda k: (Assign(total, cast(at(src, add(first, k)), total.dtype), "+"),),
            ),
            store(at(dst, first), total),
        )

    return (use.loop(div(add(n, width - 1), width), group, name="g"),)


@means("__bang_sum")
def _sum(use: Use) -> Sequence[Stmt]:
    src = use.ref(0)
    total = use.returns(_wide(src.dtype), const(0, _wide(src.dtype)))
    loop = _serial(use, use.size(1), lambda k: (Assign(total, cast(at(src, k), total.dtype), "+"),))
    use.result = cast(total, src.dtype)
    return (loop,)


def _lowest(dtype: DType) -> Expr:
    return const(-math.inf, dtype) if dtype.is_float else const(int_limits(dtype)[0], dtype)


def _highest(dtype: DType) -> Expr:
    return const(math.inf, dtype) if dtype.is_float else const(int_limits(dtype)[1], dtype)


@means("__bang_argmax", "__bang_argmin", "__bang_max", "__bang_min")
def _extreme(use: Use) -> Sequence[Stmt]:
    """dst[0] is the value; the four bytes behind it hold the index of its first occurrence."""
    dst, src, n = use.ref(0), use.ref(1), use.size(2)
    function = "max" if use.name.endswith("max") else "min"
    best = Var(src.dtype, use.fresh("best"))
    where = Var(I32, use.fresh("where"))
    start = _lowest(src.dtype) if function == "max" else _highest(src.dtype)

    def find(k: Expr) -> Sequence[Stmt]:
        hit = select(eq(at(src, k), best), k, const(2**31 - 1))
        return (Assign(where, hit, "min"),)

    index = cast(where, U32)
    after = add(dst.offset, const(1, dst.offset.dtype))
    stores: tuple[Stmt, ...]
    if dst.dtype.bytes == 4:
        stores = (Assign(Load(U32, dst.array, (after,)), index),)
    else:
        low, high = Binary(U32, "&", index, const(0xFFFF, U32)), Binary(U32, ">>", index, const(16, U32))
        stores = (
            Assign(Load(U16, dst.array, (after,)), cast(low, U16)),
            Assign(Load(U16, dst.array, (add(after, const(1, after.dtype)),)), cast(high, U16)),
        )
    return (
        Decl(best.name, best.dtype, init=start),
        _serial(use, n, lambda k: (Assign(best, at(src, k), function),)),
        Decl(where.name, where.dtype, init=const(2**31 - 1)),
        _serial(use, n, find),
        Assign(at(dst, const(0)), cast(best, dst.dtype)),
        *stores,
    )


@means("__bang_count")
def _count(use: Use) -> Sequence[Stmt]:
    """How many elements are not zero; the deprecated form writes the number to its first operand."""
    written = len(use.operands) == 3
    src, n = use.ref(1 if written else 0), use.size(2 if written else 1)
    hits = use.returns(U32, const(0, U32))
    loop = _serial(use, n, lambda k: (Assign(hits, cast(_nonzero(at(src, k)), U32), "+"),))
    if written:
        return (loop, store(at(use.ref(0), const(0)), hits))
    return (loop,)


def _nonzero(x: Expr) -> Expr:
    return ne(x, const(0, x.dtype))


@means("__bang_findfirst1", "__bang_findlast1")
def _find(use: Use) -> Sequence[Stmt]:
    """The index of the first or last element that is not zero, all ones if there is none."""
    src, n = use.ref(0), use.size(1)
    first = use.name == "__bang_findfirst1"
    found = use.returns(U32, const(0xFFFFFFFF if first else 0, U32))
    if first:

        def look(k: Expr) -> Sequence[Stmt]:
            hit = select(_nonzero(at(src, k)), cast(k, U32), const(0xFFFFFFFF, U32))
            return (Assign(found, hit, "min"),)

        return (_serial(use, n, look),)

    def last(k: Expr) -> Sequence[Stmt]:
        hit = select(_nonzero(at(src, k)), cast(add(k, 1), U32), const(0, U32))
        return (Assign(found, hit, "max"),)

    use.result = sub(found, const(1, U32))  # 0 - 1 is all ones
    return (_serial(use, n, last),)


@means("__bang_popcnt")
def _population(use: Use) -> Sequence[Stmt]:
    src, n = use.ref(0), use.size(1)
    ones = use.returns(U32, const(0, U32))

    def step(k: Expr) -> Sequence[Stmt]:
        element = at(src, k)
        bits = bitcast(element, U32) if src.dtype.bits == 32 and src.dtype.is_float else element
        narrow = Binary(U32, "&", cast(bits, U32), const(2**src.dtype.bits - 1, U32))
        return (Assign(ones, cast(Call(I32, "popc", (narrow,)), U32), "+"),)

    return (_serial(use, n, step),)


# ------------------------------------------------------------------------------------------ pools


@dataclass(frozen=True)
class Window:
    """Extents of a pool; `height_out`, `width_out` are those of its result."""

    channel: Expr
    height: Expr
    width: Expr
    kernel_h: Expr
    kernel_w: Expr
    stride_w: Expr
    stride_h: Expr
    dilation_h: Expr
    dilation_w: Expr

    @property
    def height_out(self) -> Expr:
        return _outputs(self.height, self.kernel_h, self.stride_h, self.dilation_h)

    @property
    def width_out(self) -> Expr:
        return _outputs(self.width, self.kernel_w, self.stride_w, self.dilation_w)


def _outputs(extent: Expr, kernel: Expr, stride: Expr, dilation: Expr) -> Expr:
    reach = add(mul(sub(kernel, 1), dilation), 1)
    return add(div(sub(extent, reach), stride), 1)


def window_of(use: Use, first: int = 2, *, strided: bool = True) -> Window:
    """The extents that begin with operand `first`; without strides windows do not overlap."""
    sizes = [use.size(first + n) for n in range(5)]
    c, h, w, kh, kw = sizes
    one = const(1)
    sw, sh = (use.size(first + 5), use.size(first + 6)) if strided else (kw, kh)
    return Window(c, h, w, kh, kw, sw, sh, one, one)


def _pool(use: Use, kind: str) -> Sequence[Stmt]:
    dst, src = use.ref(0), use.ref(1)
    w = window_of(use, strided=len(use.operands) > 7)
    if len(use.operands) > 9:
        w = Window(w.channel, w.height, w.width, w.kernel_h, w.kernel_w, w.stride_w, w.stride_h,
                   use.size(9), use.size(10))  # fmt: skip
    apart = not same_place(dst, src)
    sums = kind in ("sum", "average")
    accumulator = _wide(src.dtype) if sums else src.dtype
    start = (
        const(0, accumulator) if sums else _lowest(accumulator) if kind == "max" else _highest(accumulator)
    )
    reduce = "+" if sums else kind

    def result(y: Expr, x: Expr, c: Expr) -> Sequence[Stmt]:
        total = Var(accumulator, use.fresh("window"))

        def step(i: Expr, j: Expr) -> Sequence[Stmt]:
            row = add(mul(y, w.stride_h), mul(i, w.dilation_h))
            column = add(mul(x, w.stride_w), mul(j, w.dilation_w))
            element = at(src, flat(flat(row, w.width, column), w.channel, c))
            return (Assign(total, cast(element, accumulator), reduce),)

        rows = _serial(use, w.kernel_h, lambda i: (_serial(use, w.kernel_w, lambda j: step(i, j), "j"),), "i")
        value: Expr = total
        if kind == "average":
            value = Binary(total.dtype, "/", total, cast(mul(w.kernel_h, w.kernel_w), total.dtype))
        place = at(dst, flat(flat(y, w.width_out, x), w.channel, c))
        return (Decl(total.name, accumulator, init=start), rows, store(place, value))

    return each_output(use, w, result, lanes=apart)


def each_output(
    use: Use, w: Window, result: Callable[[Expr, Expr, Expr], Sequence[Stmt]], *, lanes: bool = True
) -> Sequence[Stmt]:
    """Loops over the rows, columns and channels of a pool's result; the window has to fit."""
    reach_h = add(mul(sub(w.kernel_h, 1), w.dilation_h), 1)
    reach_w = add(mul(sub(w.kernel_w, 1), w.dilation_w), 1)
    use.requires(le(reach_h, w.height), "a window no higher than its input")
    use.requires(le(reach_w, w.width), "a window no wider than its input")
    sizes = (w.channel, w.kernel_h, w.kernel_w, w.stride_w, w.stride_h)
    use.requires(and_(*(lt(0, size) for size in sizes)), "sizes and strides that are positive")
    return (
        use.loop(
            w.height_out,
            lambda y: (
                use.loop(
                    w.width_out,
                    lambda x: (use.loop(w.channel, lambda c: result(y, x, c), lanes=lanes, name="c"),),
                    lanes=lanes,
                    name="x",
                ),
            ),
            lanes=lanes,
            name="y",
        ),
    )


for _name, _kind in (("sumpool", "sum"), ("maxpool", "max"), ("minpool", "min"), ("avgpool", "average")):
    means(f"__bang_{_name}")(lambda use, kind=_kind: _pool(use, kind))  # type: ignore[misc]


@means("__bang_maxpool_index")
def _pool_index(use: Use) -> Sequence[Stmt]:
    """The place of the maximum inside its window, the first one."""
    dst, src = use.ref(0), use.ref(1)
    w = window_of(use)

    def result(y: Expr, x: Expr, c: Expr) -> Sequence[Stmt]:
        best, where, steps = _first_maximum(use, src, w, y, x, c)
        del best
        target = dst if not dst.dtype.is_float else Ref(_index_type(dst.dtype), dst.array, dst.offset)
        return (*steps, store(at(target, flat(flat(y, w.width_out, x), w.channel, c)), where))

    return each_output(use, w, result)


def _index_type(dtype: DType) -> DType:
    return U16 if dtype.bits == 16 else U32


def _first_maximum(
    use: Use, src: Ref, w: Window, y: Expr, x: Expr, c: Expr, width: Expr | None = None
) -> tuple[Var, Var, tuple[Stmt, ...]]:
    """The maximum of a window and its place in it; `width`: where windows are clipped."""
    best, where = Var(src.dtype, use.fresh("best")), Var(I32, use.fresh("where"))

    def step(i: Expr, j: Expr) -> Sequence[Stmt]:
        column = add(mul(x, w.stride_w), j)
        element = at(src, flat(flat(add(mul(y, w.stride_h), i), w.width, column), w.channel, c))
        better = Binary(BOOL, ">", element, best)
        take = If(better, Block((Assign(best, element), Assign(where, flat(i, w.kernel_w, j)))))
        return (take if width is None else If(lt(column, width), Block((take,))),)

    steps = (
        Decl(best.name, best.dtype, init=_lowest(best.dtype)),
        Decl(where.name, I32, init=const(0)),
        _serial(use, w.kernel_h, lambda i: (_serial(use, w.kernel_w, lambda j: step(i, j), "j"),), "i"),
    )
    return best, where, steps


@means("__bang_maxpool_value_index")
def _pool_value_index(use: Use) -> Sequence[Stmt]:
    """Maxima, and `value_index_stride` bytes later their places in the windows; those that stick out at the
    right edge are clipped."""
    dst, src, w = use.ref(0), use.ref(1), window_of(use)
    apart = div(use.size(9), const(dst.dtype.bytes))
    rest = Call(I32, "max", (sub(w.width, w.kernel_w), const(0)))
    wide = add(div(add(rest, sub(w.stride_w, 1)), w.stride_w), 1)
    numbers = _index_type(dst.dtype)

    def result(y: Expr, x: Expr, c: Expr) -> Sequence[Stmt]:
        best, where, steps = _first_maximum(use, src, w, y, x, c, w.width)
        place = flat(flat(y, wide, x), w.channel, c)
        index = Load(numbers, dst.array, (add(dst.offset, add(apart, place)),))
        return (*steps, store(at(dst, place), best), store(index, where))

    def row(y: Expr) -> Sequence[Stmt]:
        return (
            use.loop(wide, lambda x: (use.loop(w.channel, lambda c: result(y, x, c), name="c"),), name="x"),
        )

    return (use.loop(w.height_out, row, name="y"),)


@means("__bang_maxpool_bp", "__bang_sumpool_bp", "__bang_unpool")
def _pool_back(use: Use) -> Sequence[Stmt]:
    """A value of each window goes back to all its elements, or to the one that an index names; the others
    get 0. Where windows overlap values are added up, or the last one counts."""
    dst, src = use.ref(0), use.ref(1)
    chosen = use.ref(2) if use.name == "__bang_maxpool_bp" else None
    first = 2 if chosen is None else 3
    w = window_of(use, first)
    covers = use.name == "__bang_unpool"
    if covers:
        chosen = use.ref(9)
    elif len(use.operands) > first + 7:
        covers = use.number(first + 7) == const(1)
    cells = mul(mul(w.height, w.width), w.channel)

    def spread(y: Expr, x: Expr, c: Expr) -> Sequence[Stmt]:
        here = flat(flat(y, w.width_out, x), w.channel, c)

        def cell(i: Expr, j: Expr) -> Sequence[Stmt]:
            row, column = add(mul(y, w.stride_h), i), add(mul(x, w.stride_w), j)
            there = at(dst, flat(flat(row, w.width, column), w.channel, c))
            back = store(there, at(src, here), None if covers else "+")
            if chosen is None:
                return (back,)
            named = cast(at(chosen, here), I32)
            return (If(eq(named, flat(i, w.kernel_w, j)), Block((back,))),)

        return (
            _serial(use, w.kernel_h, lambda i: (_serial(use, w.kernel_w, lambda j: cell(i, j), "j"),), "i"),
        )

    zeros = use.loop(cells, lambda i: (store(at(dst, i), const(0, dst.dtype)),))
    return (zeros, *each_output(use, w, spread, lanes=False))
