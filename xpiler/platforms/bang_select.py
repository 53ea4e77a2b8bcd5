"""BANG C intrinsics that pick elements: filters, masks, tables, histograms; and atomics on device memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xpiler.ir.build import add, and_, cast, const, div, ge, lt, mod, mul, ne
from xpiler.ir.nodes import Assign, Atomic, Binary, Block, Const, Decl, Expr, If, Load, Ref, Stmt, Var
from xpiler.ir.types import I32, U8, U16, U32
from xpiler.platforms.bang_elementwise import BINARY
from xpiler.platforms.bang_meaning import BadUse, Use, at, means, store

_HEAD_BYTES = 128  # of the result of `__bang_select`: the count, then zeros


def _bit(mask: Ref, i: Expr) -> Expr:
    """Bit i of a mask, the first in bit 0 of byte 0."""
    byte = at(Ref(U8, mask.array, mul(mask.offset, mask.dtype.bytes)), div(i, 8))
    return ne(Binary(I32, "&", Binary(I32, ">>", cast(byte, I32), mod(i, 8)), const(1)), const(0))


def _packed(use: Use, dst: Ref, src: Ref, n: Expr, hit: Callable[[Expr], Expr], count: Var) -> Stmt:
    """The elements of src that hit, one after the other from dst on."""

    def element(i: Expr) -> Sequence[Stmt]:
        take = (store(at(dst, cast(count, I32)), at(src, i)), Assign(count, add(count, const(1, U32))))
        return (If(hit(i), Block(take)),)

    return use.loop(n, element, lanes=False)


@means("__bang_filter", "__bang_filter_bitindex", "__bang_collect", "__bang_collect_bitindex")
def _filter(use: Use) -> Sequence[Stmt]:
    dst, src, index, n = use.ref(0), use.ref(1), use.ref(2), use.size(3)
    count = use.returns(U32, const(0, U32))
    hit = _hit(index, bits=use.name.endswith("bitindex"))
    return (_packed(use, dst, src, n, hit, count),)


def _hit(index: Ref, *, bits: bool) -> Callable[[Expr], Expr]:
    if bits:
        return lambda i: _bit(index, i)
    return lambda i: ne(at(index, i), const(0, index.dtype))


@means("__bang_select", "__bang_select_bitindex")
def _select(use: Use) -> Sequence[Stmt]:
    """The count in four bytes, zeros up to byte 128, then the elements."""
    dst, src, index, n = use.ref(0), use.ref(1), use.ref(2), use.size(3)
    count = Var(U32, use.fresh("count"))
    head = _HEAD_BYTES // dst.dtype.bytes
    behind = Ref(dst.dtype, dst.array, add(dst.offset, head))
    hit = _hit(index, bits=use.name.endswith("bitindex"))
    # The hits are counted first: dst may be what is read.
    return (
        Decl(count.name, U32, init=const(0, U32)),
        _packed(use, behind, src, n, hit, count),
        use.loop(const(head), lambda i: (store(at(dst, i), const(0, dst.dtype)),)),
        *_word(dst, count),
    )


def _word(dst: Ref, value: Expr) -> Sequence[Stmt]:
    """A number in the first four bytes of dst."""
    if dst.dtype.bytes == 4:
        return (Assign(Load(U32, dst.array, (dst.offset,)), value),)
    if dst.dtype.bytes > 4:
        raise BadUse("elements of more than four bytes cannot be filtered")
    pieces = 4 // dst.dtype.bytes
    bits = dst.dtype.bits
    part = U8 if bits == 8 else U16
    return tuple(
        Assign(
            Load(part, dst.array, (add(dst.offset, const(k)),)),
            cast(Binary(U32, ">>", value, const(k * bits, U32)), part),
        )
        for k in range(pieces)
    )


@means("__bang_fcmpfilter")
def _compare_filter(use: Use) -> Sequence[Stmt]:
    """`(mode, dst, src0, src1 or value, n)`: the count in four bytes, then the elements that pass."""
    mode = use.number(0)
    if not isinstance(mode, Const):
        raise BadUse("the comparison of `__bang_fcmpfilter` has to be known when it is compiled")
    test = BINARY[("eq", "ne", "lt", "le", "gt", "ge")[int(mode.value)]]
    dst, src, other, n = use.ref(1), use.ref(2), use.operands[3], use.size(4)
    count = Var(U32, use.fresh("count"))
    behind = Ref(dst.dtype, dst.array, add(dst.offset, const(4 // dst.dtype.bytes)))

    def hit(i: Expr) -> Expr:
        right = at(other, i) if isinstance(other, Ref) else cast(other, src.dtype)
        return ne(test(at(src, i), right), const(0, src.dtype))

    return (
        Decl(count.name, U32, init=const(0, U32)),
        _packed(use, behind, src, n, hit, count),
        *_word(dst, count),
    )


@means("__bang_maskmove")
def _mask_move(use: Use) -> Sequence[Stmt]:
    """Byte k is copied where bit k of the mask is 1; typed operands are counted in elements."""
    dst, src, mask, n = use.ref(0), use.ref(1), use.ref(2), use.size(3)
    to, from_ = (Ref(U8, r.array, mul(r.offset, r.dtype.bytes)) for r in (dst, src))
    total = mul(n, dst.dtype.bytes)

    def byte(k: Expr) -> Sequence[Stmt]:
        return (If(_bit(mask, k), Block((store(at(to, k), at(from_, k)),))),)

    return (use.loop(total, byte),)


@means("__bang_lut")
def _look_up(use: Use) -> Sequence[Stmt]:
    """`(dst, index, table, n, length)`: an index outside of the table leaves dst alone."""
    dst, index, table, n, length = use.ref(0), use.ref(1), use.ref(2), use.size(3), use.size(4)

    def element(i: Expr) -> Sequence[Stmt]:
        place = cast(at(index, i), I32)
        inside = and_(ge(place, 0), lt(place, length))
        return (If(inside, Block((store(at(dst, i), at(table, place)),))),)

    return (use.loop(n, element),)


@means("__bang_histogram")
def _histogram(use: Use) -> Sequence[Stmt]:
    """`(dst, src, n, bins)`: how often each value from 0 to bins - 1 occurs, in words."""
    dst, src, n, bins = use.ref(0), use.ref(1), use.size(2), use.size(3)
    words = Ref(U32, dst.array, dst.offset)

    def element(i: Expr) -> Sequence[Stmt]:
        place = cast(at(src, i), I32)
        step = Assign(at(words, place), const(1, U32), "+")
        return (If(and_(ge(place, 0), lt(place, bins)), Block((step,))),)

    return (
        use.loop(bins, lambda b: (Assign(at(words, b), const(0, U32)),)),
        use.loop(n, element, lanes=False),
    )


# ------------------------------------------------------------------------------------------ atomics

_ATOMICS = {
    "add": "add", "and": "and", "or": "or", "xor": "xor", "max": "max", "min": "min", "nan_max": "max",
    "nan_min": "min", "number_max": "max", "number_min": "min", "exch": "exch", "inc": "inc", "dec": "dec",
}  # fmt: skip


@means(*(f"__bang_atomic_{name}{suffix}" for name in _ATOMICS for suffix in ("", "_async")))
def _atomic(use: Use) -> Sequence[Stmt]:
    """`(dst, cell, value or vector [, n])`: dst gets what the cells held."""
    op = _ATOMICS[use.name.removeprefix("__bang_atomic_").removesuffix("_async")]
    dst, cell, value = use.ref(0), use.ref(1), use.operands[2]
    n = use.size(3) if len(use.operands) > 3 else const(1)
    old = Var(cell.dtype, use.fresh("old"))

    def element(i: Expr) -> Sequence[Stmt]:
        operand = at(value, i) if isinstance(value, Ref) else cast(value, cell.dtype)
        return (
            Decl(old.name, old.dtype),
            Atomic(op, at(cell, i), (cast(operand, cell.dtype),), old),
            store(at(dst, i), old),
        )

    return (use.loop(n, element, lanes=False),)


@means(*(f"__bang_atomic_reduce_{name}{suffix}" for name in _ATOMICS for suffix in ("", "_async")))
def _atomic_reduce(use: Use) -> Sequence[Stmt]:
    """`(cell, value or vector [, n [, segnum1, segnum2, dst strides, src strides]])`"""
    op = _ATOMICS[use.name.removeprefix("__bang_atomic_reduce_").removesuffix("_async")]
    cell, value = use.ref(0), use.operands[1]
    n = use.size(2) if len(use.operands) > 2 else const(1)

    def update(there: Expr, here: Expr) -> Stmt:
        operand = at(value, here) if isinstance(value, Ref) else cast(value, cell.dtype)
        return Atomic(op, at(cell, there), (cast(operand, cell.dtype),))

    if len(use.operands) <= 3:
        return (use.loop(n, lambda i: (update(i, i),), lanes=False),)
    to0, to1, from0, from1 = (div(use.size(k), const(cell.dtype.bytes)) for k in range(5, 9))

    def row(k: Expr, j: Expr) -> Sequence[Stmt]:
        there, here = add(mul(j, to0), mul(k, to1)), add(mul(j, from0), mul(k, from1))
        return (use.loop(n, lambda i: (update(add(there, i), add(here, i)),), lanes=False),)

    def plane(k: Expr) -> Sequence[Stmt]:
        return (use.loop(add(use.size(3), 1), lambda j: row(k, j), lanes=False, name="j"),)

    return (use.loop(add(use.size(4), 1), plane, lanes=False, name="k"),)


@means(*(f"__bang_atomic_{name}{suffix}" for name in ("cas", "reduce_cas") for suffix in ("", "_async")))
def _compare_and_swap(use: Use) -> Sequence[Stmt]:
    """`([dst,] cell, compare, value)`"""
    kept = "reduce" not in use.name
    cell = use.ref(1 if kept else 0)
    compare, value = (cast(use.number(k), cell.dtype) for k in ((2, 3) if kept else (1, 2)))
    old = Var(cell.dtype, use.fresh("old"))
    swap = Atomic("cas", at(cell, const(0)), (compare, value), old)
    stmts: tuple[Stmt, ...] = (Decl(old.name, old.dtype), swap)
    return (*stmts, store(at(use.ref(0), const(0)), old)) if kept else stmts
