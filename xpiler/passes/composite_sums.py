"""The loops of a sum of products as one loop, along which one of the factors lies in one piece.

    for c: for kh: for kw:                        for k in 0..C*KH*KW:
      acc += x[(c*H + oh + kh)*W + ow + kw]   -->   acc += x[(k/(KH*KW)*H + oh + k/KW%KH)*W + ow + k%KW]
             * w[((o*C + c)*KH + kh)*KW + kw]              * w[o*C*KH*KW + k]

So a convolution is a product of matrices: the other factor is brought row by row, or piece by piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xpiler.ir.affine import coefficient, linear, prove_eq, simplify, to_expr
from xpiler.ir.build import add, cast, const, div, is_const, mod, mul, sub
from xpiler.ir.nodes import Expr, For, Load, Var
from xpiler.ir.rewrite import free_vars, substitute
from xpiler.ir.types import I32
from xpiler.passes.names import Names


@dataclass(frozen=True)
class Sum:
    """`loop` over `left * right` where all of `guards` hold; `piece`: the extent of the innermost of the
    loops that it stands for."""

    loop: For
    left: Load
    right: Load
    guards: tuple[Expr, ...]
    piece: Expr | None


def as_one_loop(
    loops: Sequence[For], left: Load, right: Load, guards: Sequence[Expr], names: Names | None = None
) -> Sum | None:
    """None if no factor lies in one piece along the loops."""
    own = {each.var for each in loops}
    if any(not is_const(each.step, 1) or free_vars(each.stop) & own for each in loops):
        return None
    if any(free_vars(each.start) & own for each in loops):
        return None
    extents = [sub(each.stop, each.start) for each in loops]
    whole: Expr = const(1, loops[-1].dtype)
    spans: list[Expr] = []  # how many steps of the innermost loop one step of each is
    for extent in reversed(extents):
        spans.insert(0, whole)
        whole = mul(cast(extent, whole.dtype), whole)
    k = Var(loops[-1].dtype, names.fresh("k") if names else "k")
    if not (_in_one_piece(left, loops, spans) or _in_one_piece(right, loops, spans)):
        return None
    digits: dict[str, Expr] = {}
    for place, (each, span, extent) in enumerate(zip(loops, spans, extents, strict=True)):
        digit = div(k, span)
        digit = digit if place == 0 else mod(digit, cast(extent, k.dtype))
        digits[each.var] = add(cast(digit, each.dtype), each.start)

    def moved(load: Load) -> Load:
        if not _in_one_piece(load, loops, spans):
            return Load(load.dtype, load.array, (substitute(load.index[0], digits),))
        step = coefficient(load.index[0], loops[-1].var)
        assert step is not None
        base = substitute(load.index[0], {each.var: each.start for each in loops})
        by = to_expr(step, I32)
        return Load(
            load.dtype, load.array, (add(simplify(base), mul(cast(k, base.dtype), cast(by, base.dtype))),)
        )

    loop = For(k.name, k.dtype, const(0, k.dtype), whole, const(1, k.dtype), loops[-1].body)
    conditions = tuple(substitute(g, digits) for g in guards)
    return Sum(loop, moved(left), moved(right), conditions, extents[-1])


def _in_one_piece(load: Load, loops: Sequence[For], spans: Sequence[Expr]) -> bool:
    index = load.index[0]
    unit = coefficient(index, loops[-1].var)
    if unit is None or unit.variables() & {each.var for each in loops}:
        return False
    step = to_expr(unit, I32)
    for each, span in zip(loops, spans, strict=True):
        found = coefficient(index, each.var)
        wanted = linear(mul(cast(span, I32), step))
        if found is None or wanted is None or not prove_eq(found, wanted):
            return False
    return True
