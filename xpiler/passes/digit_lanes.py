"""Lanes whose number is taken apart become the loop over its lowest digit around lanes of the other ones, or
the loop over these around lanes of that one: whichever has more neighbours next to one another.

    for x in 0..n VECTOR: y[x] = a[(x % r) * h + x / r]
      -->  for low in 0..r: for high in 0..ceil((n - low) / r) VECTOR: y[high * r + low] = a[low * h + high]

So elements lie at constant distances, which one copy brings, where each lane would say where its own lies:
pixels that are shuffled, samples that are repeated.
"""

from __future__ import annotations

from dataclasses import replace

from xpiler.ir.affine import coefficient
from xpiler.ir.build import cast, ceil_div, const, is_const, lt, sub
from xpiler.ir.nodes import Binary, Block, Cast, Expr, For, If, Load, LoopKind, Var
from xpiler.ir.rewrite import free_vars, map_expr, substitute, walk
from xpiler.ir.types import I32
from xpiler.passes.names import Names
from xpiler.passes.split_digits import radix_of, split_digit


def with_digit_lanes(loop: For, names: Names) -> For | If | None:
    """The two loops; None where that brings no element nearer to the next one."""
    loop = _narrow(loop)
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
    rows = replace(low, kind=LoopKind.VECTOR)
    stop = split.stop if low.stop == radix else ceil_div(sub(loop.stop, digit), radix)
    lanes = replace(split, stop=stop, body=Block((*heads, *low.body.body)), kind=LoopKind.VECTOR)
    if _neighbours(rows) > _neighbours(lanes):
        whole = replace(split, body=Block((*heads, rows)), kind=LoopKind.SERIAL)
        return If(lt(const(0, loop.dtype), loop.stop), Block((whole,)))  # an empty loop divides by nothing
    if not _is_strided(lanes):
        return None
    return replace(
        loop, var=low.var, start=const(0, loop.dtype), stop=radix, body=Block((lanes,)), kind=LoopKind.SERIAL
    )


def _narrow(loop: For) -> For:
    """A loop whose end is an int counts by one: so the number is seen where the program makes it an int."""
    match loop.stop:
        case Cast(operand=end, dtype=wide) if wide.bits > end.dtype.bits and end.dtype == I32:
            counter = Var(I32, loop.var)
        case _:
            return loop

    def change(expr: Expr) -> Expr:
        match expr:
            case Cast(dtype=dtype, operand=Cast(operand=Var(name=loop.var))) if dtype == I32:
                return counter
        return expr

    body = map_expr(substitute(loop.body, {loop.var: Cast(wide, counter)}), change)
    assert isinstance(body, Block)
    start, step = (cast(e, I32) for e in (loop.start, loop.step))
    return replace(loop, dtype=I32, start=start, stop=end, step=step, body=body)


def _indices(loop: For) -> list[Expr]:
    return [index for node in walk(loop.body) if isinstance(node, Load) for index in node.index]


def _takes_apart(index: Expr, lane: str) -> bool:
    """Whether a place depends on a quotient or a rest of the lane's number."""
    return any(
        isinstance(n, Binary) and n.op in ("/", "%") and lane in free_vars(n.left) for n in walk(index)
    )


def _is_strided(lanes: For) -> bool:
    found = [coefficient(index, lanes.var) for index in _indices(lanes)]
    return all(step is not None and lanes.var not in step.variables() for step in found)


def _neighbours(lanes: For) -> int:
    """How many places lie next to those of the lane before, where all lie at some distance; else -1."""
    if not _is_strided(lanes):
        return -1
    found = [coefficient(index, lanes.var) for index in _indices(lanes)]
    return sum(step is not None and step.as_int == 1 for step in found)
