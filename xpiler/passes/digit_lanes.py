"""Lanes whose number is taken apart become the loop over its lowest digit around lanes of the other ones.

    for x in 0..n VECTOR: y[x] = a[(x % r) * h + x / r]
      -->  for low in 0..r: for high in 0..ceil((n - low) / r) VECTOR: y[high * r + low] = a[low * h + high]

So elements lie at constant distances, which one copy brings, where each lane would say where its own lies:
pixels that are shuffled, samples that are repeated.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import coefficient
from xpiler.ir.build import ceil_div, const, is_const, sub
from xpiler.ir.nodes import Binary, Block, Expr, For, Load, LoopKind, Var
from xpiler.ir.rewrite import free_vars, walk
from xpiler.passes.names import Names
from xpiler.passes.split_digits import radix_of, split_digit


def with_digit_lanes(loop: For, names: Names) -> For | None:
    """The two loops; None where that brings no element nearer to the next one."""
    if not any(_takes_apart(index, loop.var) for index in _indices(loop)):
        return None
    split = split_digit(replace(loop, kind=LoopKind.PARALLEL), names)
    if split is None:
        return None
    *heads, low = split.body.body
    if not isinstance(low, For):
        return None
    digit, radix = Var(loop.dtype, low.var), radix_of(loop)
    if radix is None or is_const(radix, 1):
        return None
    stop = split.stop if low.stop == radix else ceil_div(sub(loop.stop, digit), radix)
    lanes = replace(split, stop=stop, body=Block((*heads, *low.body.body)), kind=LoopKind.VECTOR)
    if not all(_is_strided(index, lanes.var) for index in _indices(lanes)):
        return None
    return replace(
        loop, var=low.var, start=const(0, loop.dtype), stop=radix, body=Block((lanes,)), kind=LoopKind.SERIAL
    )


def _indices(loop: For) -> list[Expr]:
    return [index for node in walk(loop.body) if isinstance(node, Load) for index in node.index]


def _takes_apart(index: Expr, lane: str) -> bool:
    """Whether a place depends on a quotient or a rest of the lane's number."""
    return any(
        isinstance(n, Binary) and n.op in ("/", "%") and lane in free_vars(n.left) for n in walk(index)
    )


def _is_strided(index: Expr, lane: str) -> bool:
    found = coefficient(index, lane)
    return found is not None and lane not in found.variables()
