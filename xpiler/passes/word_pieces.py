"""Bytes that are taken from a word in memory are the bytes that lie there.

    int a = ((int*)x)[(m * n) / 4 + k];                   s += x[m * n + 4 * k] * ...
    s += (u8)a * ...                              -->     s += x[m * n + 4 * k + 1] * ...
    s += (u8)(a >> 8) * ...

Words are little-endian, as they are on all platforms here. Vector code broadcasts words to have bytes side by
side; the elements are what a product of matrices is made of. Applies to words of arrays of narrower integers,
named or not, that nothing writes in the function.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.build import add, bitcast, cast, const, mul
from xpiler.ir.nodes import Binary, Block, Cast, Const, Decl, Expr, Function, Load, Select, Var
from xpiler.ir.rewrite import free_vars, map_expr, uses, walk_stmts
from xpiler.ir.types import I64, DType
from xpiler.passes.facts import mutable_vars


def take_pieces(function: Function) -> Function:
    """Everywhere in the function."""
    written = uses(function.body).arrays_written
    narrow = {p.name: p.dtype for p in function.params if p.is_pointer and p.dtype.is_integer}
    narrow = {name: dtype for name, dtype in narrow.items() if name not in written}
    mutable = mutable_vars(function)
    words = {
        s.name: s.init
        for s in walk_stmts(function.body)
        if isinstance(s, Decl)
        and not s.shape
        and s.name not in mutable
        and isinstance(s.init, Load)
        and s.init.array in narrow
        and s.init.dtype == s.dtype
        and not free_vars(s.init) & mutable
    }

    def change(expr: Expr) -> Expr:
        piece = _piece(expr)
        if piece is None:
            return expr
        word, shift = piece
        if isinstance(word, Var):
            word = words.get(word.name, word)
        if not isinstance(word, Load) or len(word.index) != 1 or word.array not in narrow:
            return expr
        dtype = narrow[word.array]
        if dtype.bits != expr.dtype.bits or word.dtype.bits <= dtype.bits or shift % dtype.bits:
            return expr
        return bitcast(_element(word, dtype, shift // dtype.bits), expr.dtype)

    body = map_expr(function.body, change)
    assert isinstance(body, Block)
    return function if body == function.body else replace(function, body=body)


def _piece(expr: Expr) -> tuple[Expr, int] | None:
    """The word, and how many bits of it lie below the piece: `(u8)(word >> 8)`."""
    match expr:
        case Cast(operand=operand) if expr.dtype.is_integer and expr.dtype.bits in (8, 16):
            pass
        case _:
            return None
    shift = 0
    while True:
        match operand:
            case Cast(operand=inner) if inner.dtype.is_integer and _keeps(operand.dtype, expr.dtype, shift):
                operand = inner
            case Binary(op=">>", left=left, right=Const(value=count)) if not shift:
                shift, operand = int(count), left
            case Binary(op="&", left=left, right=Const(value=mask)) if not shift and _is_low(
                int(mask), expr.dtype
            ):
                operand = left
            case Var() | Load():
                fits = operand.dtype.is_integer and shift + expr.dtype.bits <= operand.dtype.bits
                return (operand, shift) if fits else None
            case _:
                return None


def _keeps(way: DType, piece: DType, shift: int) -> bool:
    """Whether a conversion on the way keeps the bits of the piece."""
    return way.is_integer and way.bits >= shift + piece.bits


def _is_low(mask: int, piece: DType) -> bool:
    low = (1 << piece.bits) - 1
    return mask & low == low


def piece_of(value: Expr, dtype: DType, number: Expr) -> Expr | None:
    """A piece of a word by its number, as far as it is one in memory or 0."""
    match value:
        case Load(index=(index,)) if value.dtype.is_integer and value.dtype.bits % dtype.bits == 0:
            first = _times(cast(index, I64), value.dtype.bits // dtype.bits)
            return Load(dtype, value.array, (add(first, cast(number, I64)),))
        case Const(value=0):
            return const(0, dtype)
        case Select(condition=condition, then=then, otherwise=otherwise):
            sides = piece_of(then, dtype, number), piece_of(otherwise, dtype, number)
            if sides[0] is not None and sides[1] is not None:
                return Select(dtype, condition, sides[0], sides[1])
        case Cast(operand=inner) if inner.dtype.is_integer and inner.dtype.bits == value.dtype.bits:
            return piece_of(inner, dtype, number)
    return None


def _element(word: Load, dtype: DType, number: int) -> Load:
    ratio = word.dtype.bits // dtype.bits
    first = _times(cast(word.index[0], I64), ratio)
    return Load(dtype, word.array, (add(first, const(number, first.dtype)),))


def _times(expr: Expr, factor: int) -> Expr:
    """The product, of quotients that leave no rest without a division."""
    match expr:
        case Cast(operand=operand) if (
            expr.dtype.is_integer and operand.dtype.is_integer and operand.dtype.bits <= expr.dtype.bits
        ):
            inner = operand if operand.dtype == expr.dtype else _widened(operand, expr.dtype)
            return _times(inner, factor) if not isinstance(inner, Cast) else mul(inner, const(factor, I64))
        case Binary(op="+" | "-" as op, left=left, right=right):
            return Binary(expr.dtype, op, _times(left, factor), _times(right, factor))
        case Binary(op="/", left=left, right=Const(value=by), exact=True) if by and factor % int(by) == 0:
            return mul(left, const(factor // int(by), expr.dtype))
    return mul(expr, const(factor, expr.dtype))


def _widened(operand: Expr, dtype: DType) -> Expr:
    """A sum whose operands are widened, as signed sums do not overflow."""
    match operand:
        case Binary(op="+" | "-" as op, left=left, right=right) if operand.dtype.is_signed:
            return Binary(dtype, op, _widened(left, dtype), _widened(right, dtype))
    return cast(operand, dtype)
