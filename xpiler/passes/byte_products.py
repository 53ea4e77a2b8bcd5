"""Products of packed bytes, seen as products of the bytes in memory.

    for k in 0..K: acc += dp4a(A[m + k], B[n + k], 0)
      -->  for k in 0..4 * K: acc += ((i8*)A)[4 * m + k] * ((i8*)B)[4 * n + k]

The words are little-endian, as they are on all platforms here. Applies where both words lie in memory, side
by side in the order of the loop, which then is one over bytes: what a product of matrices is made of.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import coefficient, simplify
from xpiler.ir.build import add, cast, const, is_const, mul
from xpiler.ir.nodes import Assign, Binary, Block, Call, Const, Expr, For, Function, Load, Stmt, Var
from xpiler.ir.rewrite import map_body, substitute
from xpiler.ir.types import I8, I32, U32
from xpiler.passes.names import Names

_BYTES = 4  # of a word


def spread_bytes(function: Function) -> Function:
    """All such loops of the function."""
    names = Names(function)

    def change(stmt: Stmt) -> Stmt:
        return (_spread(stmt, names) or stmt) if isinstance(stmt, For) else stmt

    return map_body(function, change)


def _spread(loop: For, names: Names) -> For | None:
    match loop.body.body:
        case (
            Assign(
                target=Var(),
                value=Call(function="dp4a", args=(left, right, Const(value=0))) as dot,
                reduce="+",
            ) as step,
        ) if dot.dtype == I32:
            pass
        case _:
            return None
    if not is_const(loop.start, 0) or not is_const(loop.step, 1):
        return None
    byte = Var(loop.dtype, names.fresh(loop.var))
    factors = [_bytes_of(word, loop.var, byte) for word in (left, right)]
    if factors[0] is None or factors[1] is None:
        return None
    product = Binary(I32, "*", cast(factors[0], I32), cast(factors[1], I32))
    body = Block((replace(step, value=product),))
    return replace(loop, var=byte.name, stop=mul(loop.stop, const(_BYTES, loop.dtype)), body=body)


def _bytes_of(word: Expr, counter: str, byte: Var) -> Load | None:
    """The byte of the number `byte` from the word of the loop's first turn on."""
    match word:
        case Load(index=(index,), dtype=dtype) if dtype in (I32, U32):
            moves = coefficient(index, counter)
            if moves is None or moves.as_int != 1:
                return None
            first = substitute(index, {counter: const(0, byte.dtype)})
            start = simplify(mul(first, const(_BYTES, first.dtype)))
            return replace(word, dtype=I8, index=(add(start, cast(byte, first.dtype)),), alignment=0)
    return None
